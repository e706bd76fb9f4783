"""Chat streams as no provider should write them, and cut as no network should."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import (
    Origin,
    Part,
    Signature,
    ToolCall,
)
from gephyr_core.conversation.reply import (
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Reply,
    Started,
    Stop,
    StopReason,
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.dialects.translator import DeltaReader, ReplyContext
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
