"""Replies for a Responses client, whole and as streams: the events' order, the items' shapes, how they end."""

import json
from typing import Any

import attrs
import pytest
from responses_support import (
    CONTEXT,
    ENDS,
    OWN,
    RESPONSES,
    SIGNED,
    USAGE,
    asked,
    collected,
    events_of,
    meaning,
    read_stream,
    read_whole,
    reply_of,
    response_of,
    write_stream,
    written,
)

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import (
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    WebSource,
)
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Started,
    Stop,
    StopReason,
    TextAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.errors import ErrorKind, Problem

CALL = ToolCall("call_1", "look", '{"a":1}')


PROVING = asked(include=["reasoning.encrypted_content"])


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("response.") for one in events]


def test_a_text_is_told_in_the_order_of_openai() -> None:
    """Opened, in progress, the item, its content, and all of it again behind."""
    whole, events = written(reply_of(Text("Hello")))
    assert kinds(events) == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert events[-1]["response"]["output"] == whole["output"]
    assert events[5]["text"] == "Hello"
    assert events[4]["logprobs"] == []
    assert whole["id"] == "resp_gephyrkey"
    assert whole["created_at"] == 7


def test_texts_that_follow_each_other_are_one_message() -> None:
    whole, _ = written(reply_of(Text("a"), Text("b"), CALL, Text("c")))
    assert [item["type"] for item in whole["output"]] == ["message", "function_call", "message"]
    assert [part["text"] for part in whole["output"][0]["content"]] == ["a", "b"]


def test_items_have_ids_of_their_own_that_every_event_of_theirs_tells() -> None:
    whole, events = written(reply_of(Thinking("Hm"), Text("a"), CALL, ToolCall("c2", "look", "{}")))
    ids = [item["id"] for item in whole["output"]]
    assert len(dict.fromkeys(ids)) == len(ids) == 4
    for one in events:
        if "item_id" in one:
            assert one["item_id"] == ids[one["output_index"]]


def test_parallel_calls_may_be_open_at_once() -> None:
    """Chat interleaves their arguments; each keeps its place."""
    events = write_stream(
        [
            Started("r", "m"),
            PartStarted(0, ToolCall("a", "f", "")),
            PartStarted(1, ToolCall("b", "g", "")),
            ArgumentsAdded(1, '{"b"'),
            ArgumentsAdded(0, "{}"),
            ArgumentsAdded(1, ":1}"),
            PartEnded(0),
            PartEnded(1),
            Ended(Stop(StopReason.TOOL_CALL), USAGE),
        ]
    )
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", "{}"), ("b", '{"b":1}')]
    deltas = [one["output_index"] for one in events if one["type"].endswith("arguments.delta")]
    assert deltas == [1, 0, 1]


def test_a_call_without_an_id_gets_one_that_is_the_same_for_each_attempt() -> None:
    first, _ = written(reply_of(ToolCall("", "look", "{}")))
    second, _ = written(reply_of(ToolCall("", "look", "{}")))
    assert first["output"][0]["call_id"] == second["output"][0]["call_id"] == "call_key_0"


def test_a_freeform_call_is_a_custom_one() -> None:
    context = attrs.evolve(CONTEXT, freeform=("patch",))
    whole, events = written(reply_of(ToolCall("c", "patch", "*** Begin", freeform=True)), context)
    assert whole["output"][0]["type"] == "custom_tool_call"
    assert whole["output"][0]["input"] == "*** Begin"
    assert "custom_tool_call_input.delta" in kinds(events)
    assert "custom_tool_call_input.done" in kinds(events)


@pytest.mark.parametrize(
    ("kind", "arguments", "item"),
    [
        ("local_shell", {"command": ["ls"]}, "local_shell_call"),
        ("shell", {"commands": ["ls"]}, "shell_call"),
        ("apply_patch", {"type": "delete_file", "path": "a"}, "apply_patch_call"),
    ],
)
def test_calls_of_typed_tools_are_items_of_their_type(kind: str, arguments: dict[str, Any], item: str) -> None:
    context = attrs.evolve(CONTEXT, client_tools={kind: kind})
    reply = reply_of(ToolCall("c", kind, json.dumps(arguments)), reason=StopReason.TOOL_CALL)
    whole, _ = written(reply, context)
    assert whole["output"][0]["type"] == item
    again = read_whole(whole).parts[0]
    assert isinstance(again, ToolCall)
    assert arguments.items() <= json.loads(again.arguments).items()


def test_a_typed_call_whose_arguments_do_not_fit_is_a_function_call() -> None:
    context = attrs.evolve(CONTEXT, client_tools={"shell": "shell"})
    whole, _ = written(reply_of(ToolCall("c", "shell", '{"cmd": 1}')), context)
    assert whole["output"][0]["type"] == "function_call"


def test_a_function_of_a_namespace_is_called_in_it() -> None:
    context = attrs.evolve(CONTEXT, client_tools={"crm__find": "namespace crm"})
    whole, _ = written(reply_of(ToolCall("c", "crm__find", "{}")), context)
    assert (whole["output"][0]["namespace"], whole["output"][0]["name"]) == ("crm", "find")


def test_reasoning_is_a_summary_and_its_proof_comes_back() -> None:
    """Sealed where it is another provider's, as it is where it is OpenAI's."""
    for signature in (SIGNED, OWN):
        whole, events = written(reply_of(Thinking("Hm", signature), Text("a")), PROVING)
        assert whole["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm"}]
        assert "reasoning_summary_text.delta" in kinds(events)
        done = next(one["item"] for one in events if one["type"] == "response.output_item.done")
        asked_again = {"model": "m", "input": [done, {"role": "user", "content": "on"}]}
        (thinking,) = RESPONSES.read_request(asked_again, Report(), model="m", stream=False).turns[0].parts
        assert isinstance(thinking, Thinking)
        assert thinking.text == "Hm"
        assert thinking.signature is not None
        assert (thinking.signature.value, thinking.signature.origin) == (signature.value, signature.origin)


def test_signatures_of_texts_and_calls_find_their_way_back() -> None:
    """A client of Responses has no place for them but a reasoning item."""
    reply = reply_of(Text("a", signature=SIGNED), ToolCall("c", "f", "{}", signature=SIGNED))
    whole, _ = written(reply, PROVING)
    request = {"model": "m", "input": [*whole["output"], {"role": "user", "content": "on"}]}
    turn = RESPONSES.read_request(request, Report(), model="m", stream=False).turns[0]
    assert [(type(part).__name__, getattr(part, "signature", None)) for part in turn.parts] == [
        ("Text", SIGNED),
        ("ToolCall", SIGNED),
    ]


def test_citations_are_annotations_of_their_text() -> None:
    cited = Text("It rains.", citations=(Citation("https://a", "A", start=0, end=2), Citation("https://b", "B")))
    whole, events = written(reply_of(cited))
    told = whole["output"][0]["content"][0]["annotations"]
    assert [(one["url"], one["start_index"], one["end_index"]) for one in told] == [
        ("https://a", 0, 2),
        ("https://b", 0, 9),
    ]
    assert kinds(events).count("output_text.annotation.added") == 2


def test_a_web_search_is_told_with_its_query_and_its_sources() -> None:
    call = HostedCall("s1", "web_search", "web_search", '{"query":"rain"}')
    result = HostedResult("s1", "web_search", (WebSource("https://a", "A"),))
    whole, events = written(reply_of(call, result, Text("Rain.")))
    search, message = whole["output"]
    assert (search["type"], search["status"], search["action"]["query"]) == ("web_search_call", "completed", "rain")
    assert search["action"]["sources"] == [{"type": "url", "url": "https://a"}]
    assert message["type"] == "message"
    order = [kind for kind in kinds(events) if kind.startswith("web_search_call")]
    assert order == ["web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed"]


def test_an_image_is_an_item_of_image_generation() -> None:
    whole, _ = written(reply_of(Image(Inline("image/png", "AAAA"))))
    assert (whole["output"][0]["type"], whole["output"][0]["result"]) == ("image_generation_call", "AAAA")
    assert read_whole(whole).parts == (Image(Inline("image/png", "AAAA")),)


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [
        (StopReason.END, "completed", None),
        (StopReason.STOP_SEQUENCE, "completed", None),
        (StopReason.MAX_TOKENS, "incomplete", "max_output_tokens"),
        (StopReason.CONTEXT_FULL, "incomplete", "max_output_tokens"),
        (StopReason.PAUSED, "incomplete", "max_messages"),
        (StopReason.FILTERED, "incomplete", "content_filter"),
        (StopReason.PROMPT_BLOCKED, "incomplete", "content_filter"),
        (StopReason.OTHER, "completed", None),
    ],
)
def test_why_a_reply_ended(reason: StopReason, status: str, told: str | None) -> None:
    whole, events = written(reply_of(Text("a"), reason=reason))
    assert whole["status"] == status
    assert (whole["incomplete_details"] or {}).get("reason") == told
    assert events[-1]["type"] == f"response.{status}"


def test_a_refusal_without_words_is_told_in_some() -> None:
    whole, _ = written(reply_of(reason=StopReason.REFUSAL, detail="No."))
    assert whole["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert read_whole(whole).stop.reason is StopReason.REFUSAL
    whole, _ = written(reply_of(Refusal("Never."), reason=StopReason.REFUSAL))
    assert [part["refusal"] for part in whole["output"][0]["content"]] == ["Never."]


def test_usage_is_told_with_every_detail_that_the_sdk_demands() -> None:
    whole, _ = written(reply_of(Text("a")))
    assert whole["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 16,
    }


def test_a_failure_is_one_terminal_event_and_nothing_after() -> None:
    """With the items that were complete; nothing behind a terminal."""
    writer = RESPONSES.delta_writer(CONTEXT)
    begun = [Started("r", "m"), PartStarted(0, Text("")), TextAdded(0, "a")]
    data = b"".join(writer.write(delta) for delta in begun)
    data += writer.failure(Problem(ErrorKind.RATE_LIMIT, "slow down"))
    events = events_of(data)
    assert [one["type"] for one in events if one["type"] in ENDS] == ["response.failed"]
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert writer.failure(Problem(ErrorKind.SERVER, "again")) == b""
    assert writer.write(Ended(Stop(StopReason.END), USAGE)) == b""


def test_a_failure_before_anything_was_told_is_one_valid_event() -> None:
    for deltas in ([Failed(ErrorKind.SERVER, "broke")], [Started("r", "m"), Failed(ErrorKind.SERVER, "broke")]):
        events = write_stream(list(deltas))
        assert events[-1]["type"] == "response.failed"


def test_a_streamed_reply_reads_as_the_whole_one() -> None:
    parts = (
        Thinking("Hm", OWN),
        Text("a", citations=(Citation("https://a", "A"),)),
        CALL,
        ToolCall("c2", "look", "{}"),
    )
    reply = reply_of(*parts, reason=StopReason.TOOL_CALL)
    once = read_whole(json.loads(RESPONSES.write_reply(reply, PROVING)))
    writer = RESPONSES.delta_writer(PROVING)
    twice = collected(read_stream(b"".join(writer.write(delta) for delta in deltas_of(reply))))
    assert meaning(once.parts) == meaning(twice.parts)
    assert (once.stop, once.usage) == (twice.stop, twice.usage) == (reply.stop, USAGE)


def test_a_reply_that_failed_is_none() -> None:
    """Nor is one that has not ended."""
    for response in (
        response_of(status="failed", error={"code": "server_error", "message": "broke"}),
        {"error": {"message": "no"}},
        {"object": "response"},
        [],
    ):
        with pytest.raises(ValueError, match=r"\w"):
            RESPONSES.read_reply(json.dumps(response).encode(), Report())
