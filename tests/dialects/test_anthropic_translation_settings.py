"""Thinking, structured output and settings of prompts written for Anthropic."""

from typing import Any

import attrs
import pytest
from anthropic_cases import (
    ABLE,
    NEW,
    OLD,
    OWN,
    SCHEMA,
    WEATHER,
    assistant,
    body_of,
    dropped,
    fates,
    foreign,
    read,
    user,
    write,
)

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import CacheMarker, Thinking, ToolCall, ToolResult
from gephyr_core.conversation.prompt import (
    Choice,
    Effort,
    Native,
    OutputFormat,
    Reasoning,
    Sampling,
    ToolChoice,
)
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination

PLAIN = attrs.evolve(ABLE, capabilities=Capabilities(structured_output=False))
"""Neither reasons nor takes schemas."""


def choice(kind: Choice, *names: str) -> dict[str, Any]:
    return {"tools": (WEATHER,), "tool_choice": ToolChoice(kind, names, path="tool_choice")}


# -- thinking -------------------------------------------------------------------------------------------------------


def thought(reasoning: Reasoning, destination: Destination, **fields: Any) -> tuple[Any, Any]:
    """The thinking and the effort that are written."""
    body = body_of(destination, reasoning=reasoning, **fields)
    return body.get("thinking"), body.get("output_config", {}).get("effort")


@pytest.mark.parametrize(
    ("wanted", "effort"),
    [
        (Effort.MINIMAL, "low"),
        (Effort.LOW, "low"),
        (Effort.HIGH, "high"),
        (Effort.XHIGH, "xhigh"),
        (Effort.MAX, "max"),
        (Effort.ADAPTIVE, None),
    ],
)
def test_efforts_are_efforts_where_the_model_has_them(wanted: Effort, effort: str | None) -> None:
    assert thought(Reasoning(wanted), NEW) == ({"type": "adaptive"}, effort)


@pytest.mark.parametrize(
    ("wanted", "budget"), [(Effort.MINIMAL, 1024), (Effort.LOW, 1024), (Effort.MEDIUM, 8192), (Effort.HIGH, 24576)]
)
def test_efforts_are_budgets_where_the_model_has_those(wanted: Effort, budget: int) -> None:
    assert thought(Reasoning(wanted), OLD) == ({"type": "enabled", "budget_tokens": budget}, None)


def test_a_budget_is_an_effort_where_the_model_has_no_budgets() -> None:
    report = Report()
    assert thought(Reasoning(budget=8000), NEW, report=report) == ({"type": "adaptive"}, "medium")
    assert ("changed", "reasoning") in fates(report)


def test_no_reasoning_is_as_little_as_the_model_can() -> None:
    assert thought(Reasoning(Effort.NONE), OLD) == ({"type": "disabled"}, None)
    assert thought(Reasoning(Effort.NONE), NEW) == (None, "low")
    assert thought(Reasoning(Effort.NONE), PLAIN) == (None, None)


def test_a_model_that_does_not_reason_is_not_asked_to() -> None:
    report = Report()
    assert thought(Reasoning(Effort.HIGH), PLAIN, report=report) == (None, None)
    assert dropped(report) == ["reasoning"]


@pytest.mark.parametrize(
    ("limit", "budget"), [(None, 24_576), (1025, 1024), (3000, 1500), (24_576, 12_288), (24_577, 24_576)]
)
def test_the_clients_limit_counts_thinking_which_leaves_room_for_the_answer(limit: int | None, budget: int) -> None:
    """OpenAI's and Google's limits count reasoning too: a client that set one does not pay for more."""
    body = body_of(OLD, reasoning=Reasoning(Effort.HIGH), sampling=Sampling(max_tokens=limit))
    assert body["max_tokens"] == limit or limit is None
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}


def test_a_limit_that_is_too_low_for_thinking_is_kept_and_thinking_is_not() -> None:
    report = Report()
    body = body_of(OLD, reasoning=Reasoning(Effort.HIGH), sampling=Sampling(max_tokens=1024), report=report)
    assert (body["max_tokens"], body["thinking"]) == (1024, {"type": "disabled"})
    assert dropped(report) == ["reasoning"]
    adaptive = body_of(ABLE, reasoning=Reasoning(budget=2000), sampling=Sampling(max_tokens=1024))
    assert (adaptive["max_tokens"], adaptive["thinking"]) == (1024, {"type": "adaptive"})


def test_a_budget_keeps_within_what_the_model_takes() -> None:
    for budget in (1, 500, 64_000, 10**9):
        body = body_of(OLD, reasoning=Reasoning(budget=budget), sampling=Sampling(max_tokens=5000))
        assert 1024 <= body["thinking"]["budget_tokens"] < body["max_tokens"] == 5000


def test_a_wish_to_see_thoughts_is_carried() -> None:
    assert thought(Reasoning(Effort.LOW, shown=False), NEW)[0] == {"type": "adaptive", "display": "omitted"}
    assert thought(Reasoning(Effort.LOW, summary="auto"), NEW)[0] == {"type": "adaptive", "display": "summarized"}


def test_a_forced_call_goes_before_reasoning() -> None:
    report = Report()
    body = body_of(OLD, reasoning=Reasoning(Effort.HIGH), report=report, **choice(Choice.REQUIRED))
    assert body["thinking"] == {"type": "disabled"}
    assert body["tool_choice"] == {"type": "any"}
    assert dropped(report) == ["reasoning"]


def test_a_tool_loop_whose_reasoning_is_lost_goes_on_without() -> None:
    call, result = ToolCall("c", "weather", "{}"), user(ToolResult("c"))
    lost = (user("Hi"), assistant(call), result)
    report = Report()
    assert body_of(OLD, *lost, reasoning=Reasoning(Effort.HIGH), report=report)["thinking"] == {"type": "disabled"}
    assert dropped(report) == ["reasoning"]
    kept = (user("Hi"), assistant(Thinking("hm", OWN), call), result)
    assert body_of(OLD, *kept, reasoning=Reasoning(Effort.HIGH))["thinking"]["type"] == "enabled"
    over = (*lost, assistant("Rain."), user("Thanks"))
    assert body_of(OLD, *over, reasoning=Reasoning(Effort.HIGH))["thinking"]["type"] == "enabled"
    assert body_of(ABLE, *lost, reasoning=Reasoning(budget=5000))["thinking"]["type"] == "adaptive"


def test_what_an_anthropic_client_asked_for_is_kept_where_the_model_takes_it() -> None:
    asked = {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}
    assert write(read(thinking=asked, max_tokens=4000), OLD).body["thinking"] == asked
    assert write(read(thinking={"type": "between_tools"}), NEW).body["thinking"] == {"type": "between_tools"}


# -- structured output ----------------------------------------------------------------------------------------------


def output(schema: dict[str, Any] | None, destination: Destination, **fields: Any) -> Any:
    return write(foreign(output=OutputFormat(schema, path="response_format"), **fields), destination)


def test_a_schema_is_held_to_by_the_model() -> None:
    form = output(SCHEMA, ABLE).body["output_config"]["format"]
    assert form == {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}


def test_what_the_model_cannot_be_held_to_is_described() -> None:
    schema = {
        "type": "object",
        "$defs": {"N": {"type": "integer", "minimum": 1, "description": "A number."}},
        "properties": {
            "n": {"$ref": "#/$defs/N"},
            "t": {"type": "string", "format": "date"},
            "u": {"type": "string", "format": "color"},
            "l": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "null"}]}, "minItems": 3},
        },
    }
    strict = output(schema, ABLE).body["output_config"]["format"]["schema"]["properties"]
    assert strict == {
        "n": {"type": "integer", "description": "A number.\n\n{minimum: 1}"},
        "t": {"type": "string", "format": "date"},
        "u": {"type": "string", "description": "{format: color}"},
        "l": {
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "description": "{minItems: 3}",
        },
    }


def test_what_a_client_says_of_its_schema_stands_in_the_schema() -> None:
    form = OutputFormat({**SCHEMA, "description": "A city."}, description="Where?", path="f")
    assert write(foreign(output=form)).body["output_config"]["format"]["schema"]["description"] == "Where?\n\nA city."


def test_any_json_is_asked_for_in_words() -> None:
    body = output(None, ABLE).body
    assert body["system"] == [{"type": "text", "text": "Answer with one JSON object and nothing else."}]
    assert "output_config" not in body


def test_a_forced_tool_stands_in_where_schemas_are_not_taken() -> None:
    written = output(SCHEMA, PLAIN)
    assert (written.structured, written.structured_wrapped) == ("reply", False)
    assert written.body["tool_choice"] == {"type": "tool", "name": "reply"}
    wrapped = output({"type": "array"}, PLAIN, tools=(attrs.evolve(WEATHER, name="reply"),))
    assert (wrapped.structured, wrapped.structured_wrapped) == ("reply_", True)
    assert wrapped.body["tool_choice"] == {"type": "any"}


def test_a_model_that_takes_neither_is_refused() -> None:
    neither = attrs.evolve(ABLE, capabilities=Capabilities(structured_output=False, forced_tools=False))
    with pytest.raises(UntranslatableError, match="response_format: model"):
        output(SCHEMA, neither)


# -- the rest -------------------------------------------------------------------------------------------------------


def settings(destination: Destination = ABLE, report: Report | None = None, **sampling: Any) -> dict[str, Any]:
    return body_of(destination, sampling=Sampling(**sampling), report=report)


def test_a_limit_is_always_there() -> None:
    assert settings(max_tokens=5)["max_tokens"] == 5
    assert settings(OLD)["max_tokens"] == 64_000
    assert settings(OLD, max_tokens=10**6)["max_tokens"] == 64_000
    assert settings(attrs.evolve(ABLE, default_max_tokens=7))["max_tokens"] == 7


def test_sampling_is_carried_within_bounds() -> None:
    report = Report()
    body = settings(temperature=1.5, top_p=0.5, top_k=3, report=report)
    assert (body["temperature"], body.get("top_p"), body["top_k"]) == (1, None, 3)
    assert ("changed", "temperature") in fates(report)
    assert dropped(report) == ["top_p"]


def test_newer_models_take_no_sampling() -> None:
    report = Report()
    body = settings(NEW, temperature=0.5, top_p=0.5, top_k=3, report=report)
    assert dropped(report) == ["temperature", "top_p", "top_k"]
    assert not {"temperature", "top_p", "top_k"} & body.keys()


def test_a_thinking_model_takes_little_sampling() -> None:
    report = Report()
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=3)
    body = body_of(OLD, reasoning=Reasoning(Effort.LOW), sampling=sampling, report=report)
    assert not {"temperature", "top_p", "top_k"} & body.keys()
    assert dropped(report) == ["temperature", "top_p", "top_k"]


def test_what_anthropic_does_not_have_is_dropped() -> None:
    report = Report()
    settings(frequency_penalty=1.0, presence_penalty=1.0, seed=1, logit_bias={"1": 1}, logprobs=True, report=report)
    assert dropped(report) == ["frequency_penalty", "presence_penalty", "seed", "logit_bias", "logprobs"]


def test_more_than_one_reply_is_refused() -> None:
    with pytest.raises(UntranslatableError, match="candidates"):
        settings(candidates=2)


def test_stop_sequences_of_white_space_are_dropped() -> None:
    report = Report()
    assert settings(stop=("END", "\n\n"), report=report)["stop_sequences"] == ["END"]
    assert dropped(report) == ["stop"]


def test_the_end_users_name_is_not_too_long() -> None:
    assert body_of(ABLE, user="u")["metadata"] == {"user_id": "u"}
    assert len(body_of(ABLE, user="u" * 257)["metadata"]["user_id"]) == 64


@pytest.mark.parametrize(
    ("tier", "written"), [("auto", "auto"), ("default", "standard_only"), ("priority", "auto"), ("flex", None)]
)
def test_service_tiers_are_mapped(tier: str, written: str | None) -> None:
    report = Report()
    assert body_of(ABLE, service_tier=tier, report=report).get("service_tier") == written
    assert dropped(report) == ([] if written else ["service_tier"])


def test_what_tunes_other_providers_is_told_of_and_what_means_something_refused() -> None:
    report = Report()
    body_of(ABLE, verbosity="low", cache_key="k", metadata={"a": "b"}, native={"store": Native(True)}, report=report)
    assert dropped(report) == ["metadata", "cache_key", "verbosity", "store"]
    with pytest.raises(UntranslatableError, match="audio: is not available on provider 'anthropic'"):
        body_of(ABLE, native={"audio": Native({}, essential=True)})


def test_a_wish_to_cache_all_is_carried_where_the_model_knows_it() -> None:
    prompt = read(cache_control={"type": "ephemeral", "ttl": "1h"})
    assert prompt.cache == CacheMarker("1h")
    assert write(prompt).body["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    report = Report()
    write(prompt, OLD, report)
    assert dropped(report) == ["cache_control"]
