"""What a model takes: known by name, told by its provider, or said by the operator."""

import json

import attrs
import pytest

from gephyr_core.config import CapabilityOverride, ConfigError, load_config
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.prompt import Effort
from gephyr_core.providers.capabilities import capabilities_of, is_known, learn, maker_of
from gephyr_core.providers.capability_table import CLAUDE, GEMINI, OPEN_WEIGHTS, OPENAI
from tests.approved import check_table
from tests.recordings import traffic


def of(
    model: str, kind: str = "anthropic", dialect: str = "anthropic", **overrides: CapabilityOverride
) -> Capabilities:
    return capabilities_of(kind, dialect, model, overrides, None)


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-sonnet-4-5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "Claude-Sonnet-4-5",
        "claude-sonnet-4-5@20250929",
        "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic/claude-sonnet-4.5",
        "anthropic/claude-sonnet-4.5:beta",
        "anthropic/claude-4.5-sonnet-20250929",
    ],
)
def test_a_model_is_known_by_every_name_that_clouds_give_it(name: str) -> None:
    assert is_known(name)
    assert of(name) == of("claude-sonnet-4-5")


def fields_of(found: Capabilities) -> dict[str, object]:
    return {
        name: "/".join(str(getattr(one, "value", one)) for one in value) if isinstance(value, tuple) else value
        for name, value in attrs.asdict(found, recurse=False).items()
    }


def told(fields: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items())


@pytest.mark.parametrize(
    ("table", "families", "kind", "dialect"),
    [
        ("claude", CLAUDE, "anthropic", "anthropic"),
        ("gemini", GEMINI, "gemini", "gemini"),
        ("gpt", OPENAI, "openai", "openai-responses"),
        ("others", (*OPEN_WEIGHTS, "llama-4"), "openai-compatible", "openai-chat"),
    ],
)
def test_each_family_takes_what_was_approved(table: str, families: tuple[str, ...], kind: str, dialect: str) -> None:
    """Line by line, as the providers' pages say it: a wrong value is a request that is refused."""
    usual = fields_of(Capabilities())
    lines = ["unless it says otherwise: " + told(usual)]
    for family in families:
        others = {name: value for name, value in fields_of(of(family, kind, dialect)).items() if value != usual[name]}
        lines.append(f"{family}: {told(others)}")
    check_table(f"capabilities-{table}", lines)


def test_the_longest_family_counts() -> None:
    assert of("claude-opus-4").thinking == ("enabled", "disabled")
    assert "enabled" not in of("claude-opus-4-7").thinking
    assert not of("claude-opus-5-5-20260901").forced_tools


def test_a_name_nobody_knows_is_taken_for_a_current_model() -> None:
    assert not is_known("claude-opus-9")
    assert of("claude-opus-9") == of("claude-opus-5-5")
    assert of("gemini-9-pro", "gemini", "gemini").signatures_required


@pytest.mark.parametrize(
    ("name", "older"), [("claude-opus-4-9", "claude-opus-4"), ("claude-opus-5-6", "claude-opus-5")]
)
def test_a_version_nobody_knows_is_not_taken_for_an_older_one(name: str, older: str) -> None:
    assert not is_known(name)
    assert of(name) == of("claude-opus-5-5") != of(older)


def test_a_version_of_openais_that_nobody_knows_takes_no_effort_that_went_out_of_use() -> None:
    assert not is_known("gpt-5.9")
    assert Effort.MINIMAL not in of("gpt-5.9", "openai", "openai-responses").efforts


def test_a_date_or_a_size_behind_a_name_is_no_version() -> None:
    assert of("claude-sonnet-4-20250514") == of("claude-sonnet-4") == of("claude-sonnet-4-0")
    assert of("gpt-4-32k", "openai", "openai-chat") == of("gpt-4", "openai", "openai-chat")
    assert of("gpt-5-2025-08-07", "openai", "openai-chat") == of("gpt-5", "openai", "openai-chat")


def test_the_name_tells_the_maker() -> None:
    names = ["claude-x", "us.anthropic.claude-opus-5", "gemini-3-pro", "gpt-5", "o3", "gpt-oss-120b", "llama-4"]
    assert [maker_of(name) for name in names] == ["anthropic", "anthropic", "gemini", "openai", "openai", None, None]


def test_a_compatible_servers_model_is_taken_to_understand_everything() -> None:
    found = of("llama-4", "openai-compatible", "openai-chat")
    assert (found.sampling, found.stop, found.structured_output, found.forced_tools) == (True, True, True, True)


def test_reasoning_models_take_no_sampling_and_say_their_efforts() -> None:
    found = of("gpt-5-mini", "openai", "openai-responses")
    assert not found.sampling
    assert found.efforts[0] is Effort.MINIMAL
    assert of("gpt-5-chat-latest", "openai", "openai-responses").sampling


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("gpt-5.1-codex", "low medium high"),
        ("gpt-5.1-codex-max", "low medium high xhigh"),
        ("gpt-5.2-chat-latest", "medium"),
        ("gpt-5.4-pro", "medium high xhigh"),
        ("gpt-5.6-terra", "none low medium high xhigh max"),
        ("o1-mini", ""),
    ],
)
def test_each_of_openais_models_takes_efforts_of_its_own(name: str, efforts: str) -> None:
    assert [effort.value for effort in of(name, "openai", "openai-responses").efforts] == efforts.split()


@pytest.mark.parametrize(
    ("name", "most"),
    [("gpt-4o", 16_384), ("gpt-4o-mini-2024-07-18", 16_384), ("gpt-4-turbo", 4_096), ("gemini-2.0-flash", 8_192)],
)
def test_a_limit_that_a_client_of_a_larger_model_would_break_is_known(name: str, most: int) -> None:
    assert of(name, "openai", "openai-chat").max_output_tokens == most


@pytest.mark.parametrize("name", ["google/gemini-3-pro", "google/gemini-2.5-flash", "anthropic/claude-sonnet-4.5"])
def test_others_models_take_openais_efforts_where_they_are_offered_in_openais_dialects(name: str) -> None:
    assert of(name, "openrouter", "openai-chat").efforts == (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
    assert of("google/gemini-2.0-flash", "openrouter", "openai-chat").efforts == ()


@pytest.mark.parametrize("name", ["gemini-pro-latest", "gemini-3.1-pro-preview", "gemini-9-pro"])
def test_a_large_gemini_is_never_asked_for_minimal_thinking(name: str) -> None:
    assert "MINIMAL" not in of(name, "gemini", "gemini").thinking_levels


def test_a_gemini_2_5_of_a_kind_of_its_own_is_not_asked_to_think_in_levels() -> None:
    found = of("gemini-2.5-computer-use-preview-10-2025", "gemini", "gemini")
    assert (found.thinking_levels, found.thinking_budget, found.signatures_required) == ((), None, False)


def test_only_anthropic_itself_takes_a_marker_for_the_whole_request() -> None:
    assert of("claude-opus-4-7").automatic_caching
    assert not of("claude-opus-4-7", "openrouter").automatic_caching


def test_what_the_operator_says_wins_and_the_more_specific_pattern_most() -> None:
    overrides = {
        "claude-*": CapabilityOverride(prefill=True, sampling=True),
        "claude-opus-5*": CapabilityOverride(sampling=False, efforts=("low",), most_thinking_budget=9000),
    }
    found = capabilities_of("anthropic", "anthropic", "claude-opus-5-5", overrides, None)
    assert (found.prefill, found.sampling) == (True, False)
    assert found.efforts == (Effort.LOW,)
    assert found.thinking_budget == (0, 9000)


def test_what_anthropic_tells_of_a_model_is_learned() -> None:
    told = {
        "id": "claude-nova-1",
        "max_tokens": 200_000,
        "capabilities": {
            "thinking": {
                "supported": True,
                "types": {"adaptive": {"supported": True}, "enabled": {"supported": False}},
            },
            "effort": {"supported": True, "low": {"supported": True}, "high": {"supported": True}},
        },
    }
    learned = learn("anthropic", "claude-nova-1", json.dumps(told).encode())
    assert learned is not None
    assert (learned.thinking, learned.max_output_tokens) == (("adaptive",), 200_000)
    assert learned.efforts == (Effort.LOW, Effort.HIGH)


def test_what_anthropic_does_not_tell_stays_as_it_was_known() -> None:
    learned = learn("anthropic", "claude-opus-5", b'{"max_tokens": 9000, "capabilities": {}}')
    assert learned is not None
    known = of("claude-opus-5")
    assert (learned.thinking, learned.efforts, learned.modalities) == (known.thinking, known.efforts, known.modalities)
    assert learned.structured_output


def test_a_type_of_thinking_that_is_not_told_counts_where_the_model_is_known() -> None:
    told = b'{"capabilities": {"thinking": {"types": {"adaptive": {"supported": true}}}}}'
    known, unknown = learn("anthropic", "claude-opus-5", told), learn("anthropic", "claude-nova-1", told)
    assert known is not None
    assert unknown is not None
    assert (known.thinking, unknown.thinking) == (("disabled", "adaptive", "between_tools"), ("adaptive",))


def test_what_anthropic_denies_of_a_model_is_believed() -> None:
    denied = {"supported": False}
    told = {
        "capabilities": {"thinking": denied, "structured_outputs": denied, "pdf_input": denied, "effort": denied},
    }
    learned = learn("anthropic", "claude-nova-1", json.dumps(told).encode())
    assert learned is not None
    assert (learned.thinking, learned.thinking_budget, learned.efforts) == ((), None, ())
    assert (learned.structured_output, learned.modalities) == (False, ("image",))


def test_a_learned_thinking_budget_leaves_room_for_the_answer() -> None:
    told = {"max_tokens": 32_000, "capabilities": {"thinking": {"types": {"enabled": {"supported": True}}}}}
    learned = learn("anthropic", "claude-nova-1", json.dumps(told).encode())
    assert learned is not None
    assert learned.thinking_budget == (1_024, 31_999)


def test_what_google_tells_of_a_model_is_learned() -> None:
    learned = learn("gemini", "gemini-nova", b'{"outputTokenLimit": 1000, "thinking": true}')
    assert learned is not None
    assert (learned.max_output_tokens, learned.signatures_required) == (1000, True)


def test_a_model_that_google_does_not_say_to_think_does_not() -> None:
    learned = learn("gemini", "gemini-nova", b'{"outputTokenLimit": 1000}')
    assert learned is not None
    assert (learned.thinking_levels, learned.thinking_budget, learned.signatures_required) == ((), None, False)


@pytest.mark.recordings
@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_what_is_known_by_name_is_what_the_recorded_providers_tell(dialect: str) -> None:
    list_name = {"anthropic": "data", "gemini": "models"}[dialect]
    compared = 0
    for record in traffic.records(f"{dialect}-models"):
        for told in (record.get("response") or {}).get(list_name, ()):
            name = str(told.get("name") or told["id"]).removeprefix("models/")
            learned = learn(dialect, name, json.dumps(told).encode())
            generates = "generateContent" in told.get("supportedGenerationMethods", ["generateContent"])
            # Gemma's limit is its host's.
            if learned is not None and generates and is_known(name) and not name.startswith("gemma"):
                compared += 1
                assert capabilities_of(dialect, dialect, name, {}, learned) == of(name, dialect, dialect), name
    assert compared >= 10


@pytest.mark.parametrize("body", [b"", b"[]", b"nope", b'{"capabilities": 3}', b'{"error": {}}'])
def test_rubbish_teaches_nothing(body: bytes) -> None:
    assert learn("anthropic", "claude-nova-1", body) is None
    assert learn("gemini", "gemini-nova", body) is None


def test_a_wrong_capability_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError) as refused:
        load_config({"capabilities": {"x*": {"sampling": 1, "efforts": ["lo"], "temperature": True}}}, {}, providers={})
    told = str(refused.value)
    assert "sampling: expected true or false, got 1" in told
    assert "efforts[0]: expected one of" in told
    assert "temperature: unknown setting" in told
