"""Gemini streams as no provider should write them, and cut as no network should; requests as no client should."""

import itertools
import json
from typing import Any

from gemini_cases import CONTEXT, GEMINI, NEW, chunk, event, read_stream
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.reply import Ended, Failed, PartEnded, PartStarted, Started
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.sse import SseFramer

NAMES = (
    *("text", "thought", "thoughtSignature", "functionCall", "name", "args", "id", "inlineData", "mimeType", "data"),
    *("fileData", "fileUri", "executableCode", "code", "language", "codeExecutionResult", "outcome", "output"),
    *("toolCall", "toolType", "toolResponse", "response", "functionResponse", "parts", "role", "web", "uri", "title"),
    *("segment", "startIndex", "endIndex", "groundingChunkIndices", "retrievedUrl", "citations", "blockReason"),
    *("groundingChunks", "groundingSupports", "webSearchQueries", "urlMetadata", "message", "status", "details"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 20)
    | st.sampled_from(["", "a", "é", "STOP", "SAFETY", "user", "model", "Z2VwaHlyLzE6", "http://a", "PYTHON"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
PART = st.dictionaries(st.sampled_from(NAMES[:25]), JSON, max_size=3)
CANDIDATE = st.fixed_dictionaries(
    {},
    optional={
        "content": st.fixed_dictionaries({}, optional={"parts": st.lists(PART, max_size=3), "role": JSON}),
        "finishReason": JSON,
        "finishMessage": JSON,
        "index": JSON,
        "groundingMetadata": JSON,
        "urlContextMetadata": JSON,
        "citationMetadata": JSON,
    },
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(CANDIDATE, max_size=2),
        "promptFeedback": JSON,
        "usageMetadata": JSON,
        "modelVersion": JSON,
        "responseId": JSON,
        "error": JSON,
    },
)
REQUEST = st.fixed_dictionaries(
    {
        "contents": st.lists(st.fixed_dictionaries({"parts": st.lists(PART, max_size=3)}, optional={"role": JSON}))
        | JSON
    },
    optional={
        "systemInstruction": JSON,
        "tools": st.lists(st.dictionaries(st.sampled_from(["functionDeclarations", "googleSearch", "x"]), JSON)),
        "toolConfig": JSON,
        "generationConfig": st.dictionaries(
            st.sampled_from(["temperature", "topK", "stop_sequences", "thinkingConfig", "responseSchema", "seed"]), JSON
        ),
        "labels": JSON,
    },
)


@given(st.lists(CHUNK | JSON, max_size=6))
def test_odd_events_never_raise_and_the_deltas_keep_their_order(values: list[Any]) -> None:
    """Every part starts once, is added to while it is open, and ends; after the end there is nothing."""
    reader, writer = GEMINI.delta_reader(Report()), GEMINI.delta_writer(CONTEXT)
    found = [delta for value in values for delta in reader.read(event(value))] + reader.finish()
    failed = isinstance(found[-1], Failed) if found else False
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
    assert failed or (isinstance(found[-1], Ended) and not open_parts)
    for delta in found:
        writer.write(delta)
    assert writer.write(found[-1]) == b""
    assert reader.read(event(chunk({"text": "late"}))) == []


@given(CHUNK | JSON)
def test_an_odd_whole_reply_is_read_or_a_value_error(value: Any) -> None:
    try:
        reply = GEMINI.read_reply(json.dumps(value).encode(), Report())
    except ValueError:
        return
    assert isinstance(json.loads(GEMINI.write_reply(reply, CONTEXT)), dict)


@given(REQUEST)
def test_an_odd_request_is_translated_or_refused(body: dict[str, Any]) -> None:
    """What was translated is a request that JSON can hold, and that asks something."""
    try:
        prompt = GEMINI.read_request(body, Report(), model="m", stream=False)
        written = GEMINI.write_request(prompt, NEW, Report())
    except (FieldError, UntranslatableError):
        return
    assert json.loads(json.dumps(written.body))["contents"]


@given(st.binary(max_size=60))
def test_rubbish_is_a_stream_that_ends_once(data: bytes) -> None:
    """It never raises: nothing comes after the one end, not even of what is read later."""
    reader = GEMINI.delta_reader(Report())
    found = [*reader.read(data), *reader.read(b"data: " + data + b"\n\n"), *reader.finish()]
    assert [delta for delta in found if isinstance(delta, Ended | Failed)] == found[-1:]
    assert reader.finish() == []


@given(st.lists(st.integers(1, 900), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_chunking_gives_the_same_deltas(cuts: list[int], line_end: bytes) -> None:
    data = b"".join(
        event(one)
        for one in (
            chunk({"text": "Hm", "thought": True}),
            chunk({"text": "Grüße 🌍"}),
            chunk({"text": "", "thoughtSignature": "cHJvb2Y="}),
            chunk({"functionCall": {"name": "f", "args": {"a": "ü"}}}, finishReason="STOP"),
        )
    )
    whole = read_stream(data)
    data = data.replace(b"\n", line_end)
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    reader, framer = GEMINI.delta_reader(Report()), SseFramer(1 << 20)
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    found = [delta for piece in pieces for one in framer.split(piece) for delta in reader.read(one)]
    assert [*found, *reader.read(framer.rest()), *reader.finish()] == whole
