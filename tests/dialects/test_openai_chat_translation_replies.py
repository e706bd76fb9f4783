"""Chat replies, whole and streamed, read from providers and written for clients."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import (
    Citation,
    HostedCall,
    HostedResult,
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
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Reply,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import seal
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.dialects.translator import DeltaReader, ReplyContext
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer

CHAT = ChatTranslator()
CONTEXT = ReplyContext("key", 7, "asked")
WHOLE, CHUNK = TypeAdapter(ChatCompletion), TypeAdapter(ChatCompletionChunk)
SIGNED = Signature("proof", Origin("anthropic", "claude"))
OWN = Signature("cHJvb2Y=", Origin("openai-chat"), "anthropic-claude-v1")
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = Usage(input=10, cached=4, cache_write=3, output=6, reasoning=2, audio_input=0, audio_output=0)


def chunk(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]}


def event(value: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def stream(*chunks: dict[str, Any]) -> bytes:
    return b"".join(map(event, chunks)) + b"data: [DONE]\n\n"


def read(data: bytes, report: Report | None = None) -> list[Delta]:
    reader = CHAT.delta_reader(report or Report())
    return [delta for one in SseFramer(1 << 20).split(data) for delta in reader.read(one)]


def deltas(*chunks: dict[str, Any], report: Report | None = None) -> list[Delta]:
    return read(stream(*chunks), report)


def collected(found: list[Delta]) -> Reply:
    assembler = Assembler()
    for delta in found:
        assembler.add(delta)
    assert assembler.ended
    return assembler.reply()


def written(reply: Reply, context: ReplyContext = CONTEXT) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """Write a reply whole and as a stream: the message, the chunks, the stream."""
    whole = json.loads(CHAT.write_reply(reply, context))
    writer = CHAT.delta_writer(context)
    data = b"".join(writer.write(delta) for delta in deltas_of(reply))
    chunks = [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: {")]
    if not any(isinstance(part, ToolCall) and part.freeform for part in reply.parts):  # the SDK's own gap
        for one in chunks:
            CHUNK.validate_python(one)
    WHOLE.validate_python(whole)
    return whole, chunks, data


def reply_of(*parts: Part, reason: StopReason = StopReason.END, detail: str = "") -> Reply:
    return Reply("r", "told", parts, Stop(reason, detail=detail), USAGE)


# -- reading ----------------------------------------------------------------------------------------------------------


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


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from(["", "a", "reasoning.text", "function", "stop", "[DONE]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "id",
                    "index",
                    "name",
                    "function",
                    "custom",
                    "arguments",
                    "input",
                    "google",
                    "thought_signature",
                    "extra_content",
                    "url",
                    "image_url",
                    "url_citation",
                    "summary",
                    "data",
                    "signature",
                    "message",
                    "code",
                    "thinking",
                    "transcript",
                    "start_index",
                    "end_index",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
MESSAGE = st.dictionaries(
    st.sampled_from(
        [
            "content",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "refusal",
            "tool_calls",
            "function_call",
            "annotations",
            "images",
            "audio",
            "extra_content",
        ]
    ),
    JSON,
    max_size=4,
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "model": JSON,
        "usage": JSON,
        "error": st.none() | JSON,
        "search_results": JSON,
        "choices": st.lists(
            st.fixed_dictionaries(
                {}, optional={"index": JSON, "delta": MESSAGE, "message": MESSAGE, "finish_reason": JSON, "error": JSON}
            ),
            max_size=2,
        ),
    },
)


@given(st.lists(CHUNKS | JSON, max_size=6), st.booleans())
def test_odd_events_never_raise_and_the_deltas_keep_their_order(values: list[Any], done: bool) -> None:
    """Every part starts once, is added to while it is open, and ends; after the end there is nothing."""
    reader, writer = CHAT.delta_reader(Report()), CHAT.delta_writer(CONTEXT)
    events = [b"data: %b\n\n" % json.dumps(value).encode() for value in values]
    found = [delta for one in [*events, *([b"data: [DONE]\n\n"] if done else [])] for delta in reader.read(one)]
    found += reader.finish()
    assert isinstance(found[-1], Ended | Failed)
    open_parts: dict[int, None] = {}
    started = 0
    for delta in found[:-1]:
        assert not isinstance(delta, Ended | Failed)
        if isinstance(delta, PartStarted):
            assert delta.index == started
            started += 1
            open_parts[delta.index] = None
        elif isinstance(delta, PartEnded):
            del open_parts[delta.index]
        elif not isinstance(delta, Started):
            assert delta.index in open_parts
    assert isinstance(found[-1], Failed) or not open_parts
    for delta in found:
        writer.write(delta)


@given(st.binary(max_size=60))
def test_rubbish_never_raises(data: bytes) -> None:
    reader: DeltaReader = CHAT.delta_reader(Report())
    reader.read(data)
    reader.read(b"data: " + data + b"\n\n")
    reader.finish()


@given(st.lists(st.integers(1, 900), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_chunking_gives_the_same_deltas(cuts: list[int], line_end: bytes) -> None:
    data = stream(
        chunk({"role": "assistant", "reasoning": "Hm"}),
        chunk({"content": "Grüße 🌍"}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}),
        END,
    ).replace(b"\n", line_end)
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    reader, framer = CHAT.delta_reader(Report()), SseFramer(1 << 20)
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    found = [delta for piece in pieces for one in framer.split(piece) for delta in reader.read(one)]
    found += reader.read(framer.rest())
    assert found == read(data.replace(line_end, b"\n"))


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        (Text("Hi"),),
        (Thinking("Hm", OWN), Text("Hi")),
        (Thinking("Hm", SIGNED), ToolCall("a", "f", "{}", signature=SIGNED)),
        (Thinking("", SIGNED, redacted=True), Text("Hi", signature=SIGNED)),
        (Thinking("S", SIGNED, summary=True), Text("Hi")),
        (Text("Hi"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"), ToolCall("c", "h", "raw", freeform=True)),
        (Refusal("No."),),
        (Text("Hi"), Image(Inline("image/png", "AAAA"))),
        (Text("Hi", citations=(Citation("https://x", "X", "cited", 0, 2),)),),
    ],
)
def test_what_is_written_reads_as_it_was(parts: tuple[Part, ...]) -> None:
    """Whole and as a stream; sealed signatures come back to what they were."""
    called = any(isinstance(part, ToolCall) for part in parts)
    refused = isinstance(parts[0], Refusal)
    reason = StopReason.TOOL_CALL if called else StopReason.REFUSAL if refused else StopReason.END
    reply = reply_of(*parts, reason=reason)
    whole, _, data = written(reply)
    for again in (CHAT.read_reply(json.dumps(whole).encode(), Report()), collected(read(data))):
        assert again.parts == parts
        assert again.stop == reply.stop
        assert again.usage == USAGE


def test_a_stream_has_one_id_and_one_model_a_role_first_and_usage_last() -> None:
    _, chunks, data = written(reply_of(Text("Hi")))
    assert {(one["id"], one["model"], one["created"], one["object"]) for one in chunks} == {
        ("chatcmpl-key", "told", 7, "chat.completion.chunk")
    }
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [one["choices"][0]["finish_reason"] for one in chunks[:-1]] == [None, None, "stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 16
    assert data.endswith(b"data: [DONE]\n\n")
    _, chunks, _ = written(reply_of(Text("Hi")), ReplyContext("key", 7, "asked", include_usage=False))
    assert all("usage" not in one for one in chunks)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (StopReason.END, "stop"),
        (StopReason.STOP_SEQUENCE, "stop"),
        (StopReason.MAX_TOKENS, "length"),
        (StopReason.CONTEXT_FULL, "length"),
        (StopReason.PAUSED, "length"),
        (StopReason.TOOL_CALL, "stop"),
        (StopReason.REFUSAL, "stop"),
        (StopReason.FILTERED, "content_filter"),
        (StopReason.PROMPT_BLOCKED, "content_filter"),
        (StopReason.OTHER, "stop"),
    ],
)
def test_why_a_reply_ended_is_told_in_the_words_of_chat(reason: StopReason, told: str) -> None:
    whole, chunks, _ = written(reply_of(Text("a"), reason=reason))
    assert whole["choices"][0]["finish_reason"] == told
    assert chunks[-2]["choices"][0]["finish_reason"] == told


def test_a_refusal_without_words_is_given_some() -> None:
    whole, chunks, _ = written(reply_of(reason=StopReason.REFUSAL, detail="cyber"))
    assert whole["choices"][0]["message"]["refusal"] == "cyber"
    assert chunks[1]["choices"][0]["delta"] == {"refusal": "cyber"}


def test_a_call_without_an_id_gets_one_and_legacy_clients_their_function_call() -> None:
    reply = reply_of(Text("a"), ToolCall("", "f", "{}"), reason=StopReason.TOOL_CALL)
    whole, chunks, _ = written(reply)
    assert whole["choices"][0]["message"]["tool_calls"][0]["id"] == "call_key_1"
    assert chunks[2]["choices"][0]["delta"]["tool_calls"][0]["id"] == "call_key_1"
    whole, chunks, _ = written(reply, ReplyContext("key", 7, "m", client_tools={"f": "functions"}))
    assert whole["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert whole["choices"][0]["finish_reason"] == chunks[-2]["choices"][0]["finish_reason"] == "function_call"


def test_citations_are_placed_in_the_whole_text_and_hosted_parts_are_left_out() -> None:
    cited = Text("bc", citations=(Citation("https://x", "X", start=0, end=1), Citation("https://y", "Y")))
    reply = reply_of(HostedCall("h", "web_search", "web_search"), HostedResult("h", "web_search"), Text("a"), cited)
    whole, chunks, _ = written(reply)
    told = whole["choices"][0]["message"]["annotations"]
    assert [(one["url_citation"]["start_index"], one["url_citation"]["end_index"]) for one in told] == [(1, 2), (1, 3)]
    streamed = [one["choices"][0]["delta"].get("annotations") for one in chunks[:-1]]
    assert [one for one in streamed if one] == [told]


def test_a_failed_stream_ends_with_one_error_and_no_done() -> None:
    writer = CHAT.delta_writer(CONTEXT)
    writer.write(Started("r", "m"))
    error = writer.write(Failed(ErrorKind.OVERLOADED, "busy", "overloaded_error"))
    assert json.loads(error[6:])["error"]["message"] == "busy"
    assert writer.write(Ended(Stop(StopReason.END), Usage())) == b""
    assert writer.failure(Problem(ErrorKind.SERVER, "again")) == b""


def test_a_service_tier_is_told_only_where_the_sdk_knows_it() -> None:
    reply = Reply("r", "m", (), Stop(StopReason.END), USAGE, "priority")
    assert json.loads(CHAT.write_reply(reply, CONTEXT))["service_tier"] == "priority"
    other = Reply("r", "m", (), Stop(StopReason.END), USAGE, "batch")
    assert "service_tier" not in json.loads(CHAT.write_reply(other, CONTEXT))
