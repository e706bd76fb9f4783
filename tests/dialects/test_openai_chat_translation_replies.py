"""Chat replies, whole and streamed, read from providers."""

import json
from typing import Any

import pytest
from chat_replies import CHAT, END, OWN, SIGNED, USAGE, chunk, collected, deltas, event, read

from gephyr_core.conversation.parts import (
    Citation,
    Image,
    Inline,
    Origin,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
)
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import seal
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage


def test_text_reasoning_and_calls_become_parts_in_their_order() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    found = deltas(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm"}),
        chunk({"content": "An"}),
        chunk({"content": "swer"}),
        chunk({"tool_calls": [call]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        chunk({}, finish_reason="tool_calls"),
    )
    assert found == [
        Started("c", "m"),
        PartStarted(0, Thinking("")),
        ThinkingAdded(0, "Hm"),
        Signed(0, Signature("", Origin("openai-chat"), "reasoning_content")),
        PartEnded(0),
        PartStarted(1, Text("")),
        TextAdded(1, "An"),
        TextAdded(1, "swer"),
        PartEnded(1),
        PartStarted(2, ToolCall("a", "f", "")),
        ArgumentsAdded(2, '{"x"'),
        ArgumentsAdded(2, ":1}"),
        PartEnded(2),
        Ended(Stop(StopReason.TOOL_CALL), Usage()),
    ]


def test_calls_may_interleave_come_without_index_or_name_or_arguments() -> None:
    interleaved = deltas(
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"arguments": "[1"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
        chunk({"tool_calls": [{"index": 1, "function": {"name": "g", "arguments": "]"}}]}),
        END,
    )
    assert collected(interleaved).parts == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "[1]"))
    whole = [{"id": name, "function": {"name": name}} for name in "ab"]
    assert collected(deltas(chunk({"tool_calls": whole}), END)).parts == (
        ToolCall("a", "a", "{}"),
        ToolCall("b", "b", "{}"),
    )
    same = [{"index": 0, "id": name, "function": {"name": name, "arguments": "{}"}} for name in "ab"]
    assert len(collected(deltas(chunk({"tool_calls": same}), END)).parts) == 2
    legacy = deltas(
        chunk({"function_call": {"name": "f", "arguments": "{"}}), chunk({"function_call": {"arguments": "}"}}), END
    )
    assert collected(legacy).parts == (ToolCall("", "f", "{}"),)
    assert collected(legacy).stop.reason is StopReason.TOOL_CALL
    nameless = deltas(chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]}), END)
    assert isinstance(nameless[-1], Failed)


def test_reasoning_details_are_parts_with_their_proofs() -> None:
    text = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    found = collected(
        deltas(
            chunk({"reasoning": "H", "reasoning_details": [{**text, "text": "H"}]}),
            chunk({"reasoning": "m", "reasoning_details": [{**text, "text": "m"}]}),
            chunk({"content": "", "reasoning_details": [{**text, "signature": OWN.value}]}),
            chunk({"content": "a"}),
            END,
        )
    )
    assert found.parts == (Thinking("Hm", OWN), Text("a"))
    data = {"type": "reasoning.encrypted", "data": "x", "format": "f", "id": "i", "index": 0}
    proof = Signature("x", Origin("openai-chat"), "f i")
    summary = {"type": "reasoning.summary", "summary": "S", "index": 0}
    first = chunk({"reasoning_details": [summary]})
    assert collected(deltas(first, chunk({"reasoning_details": [data]}), END)).parts == (
        Thinking("S", proof, summary=True),
    )
    assert collected(deltas(chunk({"reasoning_details": [data]}), END)).parts == (Thinking("", proof, redacted=True),)
    told = chunk({"reasoning": "H", "reasoning_details": [{"type": "reasoning.text", "text": "H"}]})
    mark = Signature("", Origin("openai-chat"), "reasoning")
    assert collected(deltas(told, chunk({"reasoning_details": [data]}), END)).parts == (
        Thinking("H", mark),
        Thinking("", proof, redacted=True),
    )


def test_each_piece_of_reasoning_keeps_its_own_proof() -> None:
    """A provider refuses a text under another one's signature."""
    text = {"type": "reasoning.text", "format": "anthropic-claude-v1"}
    details = [
        {**text, "text": "a", "signature": "one", "index": 0},
        {**text, "text": "b", "index": 1},
        {**text, "signature": "two", "index": 1},
        {**text, "text": "c", "index": 2},
    ]
    one, two = (Signature(value, OWN.origin, OWN.id) for value in ("one", "two"))
    parts = (Thinking("a", one), Thinking("b", two))
    streamed = collected(deltas(*(chunk({"reasoning_details": [detail]}) for detail in details[:3]), END))
    assert streamed.parts == parts
    assert collected(deltas(chunk({"reasoning_details": details[:3]}), END)).parts == parts
    more = collected(deltas(*(chunk({"reasoning_details": [detail]}) for detail in details), END)).parts
    assert more[:2] == parts
    assert [part.text for part in more if isinstance(part, Thinking)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ({"content": "all at once"}, Text("all at once")),
        ({"content": [{"type": "text", "text": "a"}]}, Text("a")),
        ({"content": {"a": 1}}, Text('{"a":1}')),
        ({"refusal": "No."}, Refusal("No.")),
        ({"audio": {"data": "AAAA", "transcript": "said"}}, Text("said")),
        (
            {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            Image(Inline("image/png", "AAAA")),
        ),
        (
            {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "c", "input": "raw"}}]},
            ToolCall("a", "c", "raw", True),
        ),
        (
            {
                "content": "a",
                "annotations": [{"url_citation": {"url": "https://x", "title": "X", "start_index": 0, "end_index": 1}}],
            },
            Text("a", citations=(Citation("https://x", "X", start=0, end=1),)),
        ),
        (
            {"content": "a", "extra_content": {"google": {"thought_signature": seal(SIGNED)}}},
            Text("a", signature=SIGNED),
        ),
    ],
)
def test_a_message_reads_the_same_whole_and_in_one_chunk(message: dict[str, Any], part: Part) -> None:
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert CHAT.read_reply(json.dumps(body).encode(), Report()).parts == (part,)
    assert collected(deltas(chunk(message, finish_reason="stop"))).parts == (part,)
    assert collected(deltas(body)).parts == (part,)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("stop", StopReason.END),
        ("length", StopReason.MAX_TOKENS),
        ("content_filter", StopReason.FILTERED),
        ("model_length", StopReason.CONTEXT_FULL),
        ("eos", StopReason.END),
        ("tool_calls", StopReason.END),
        ("whatever", StopReason.OTHER),
    ],
)
def test_a_finish_reason_is_read_by_its_meaning(told: str, meant: StopReason) -> None:
    assert collected(deltas(chunk({"content": "a"}, finish_reason=told))).stop.reason is meant


def test_usage_is_read_from_the_last_chunk_or_its_own() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
    }
    own = deltas(chunk({"content": "a"}), {**END, "usage": None}, {"choices": [], "usage": usage})
    assert collected(own).usage == USAGE
    assert collected(deltas({**chunk({"content": "a"}, finish_reason="stop"), "usage": usage})).usage == USAGE


def test_failures_inside_a_stream_are_told_once() -> None:
    for broken in (
        {"error": {"message": "busy", "code": 429}},
        chunk({}, finish_reason="error"),
        chunk({}, error={"message": "x", "code": 502}),
        {"choices": [{"delta": 1}]},
    ):
        found = deltas(chunk({"content": "a"}), broken, chunk({"content": "b"}))
        assert [type(delta) for delta in found[-2:]] == [TextAdded, Failed]
    assert isinstance(read(b"data: nonsense\n\n")[0], Failed)
    reader = CHAT.delta_reader(Report())
    reader.read(event(chunk({"content": "a"})))
    assert reader.finish() == [Failed(ErrorKind.BAD_GATEWAY, "the provider's stream ended before the reply did")]
    assert reader.finish() == []


def test_what_says_nothing_gives_nothing() -> None:
    filters = {"choices": [], "prompt_filter_results": [], "model": "", "id": ""}
    assert read(b": OPENROUTER PROCESSING\n\n" + event(filters) + b"\n\n" + b"event: x\n\n") == []
    report = Report()
    other = {"choices": [{"index": 1, "delta": {"content": "b"}}]}
    assert collected(deltas(chunk({"content": "a"}), other, END, report=report)).parts == (Text("a"),)
    assert len(report.entries) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"choices":[]}', b'{"error":{"message":"no"}}', b'{"choices":5}']
)
def test_what_is_no_reply_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        CHAT.read_reply(body, Report())
