"""Chat streams as no provider should write them, and cut as no network should."""

import itertools
import json
from typing import Any

from chat_replies import CHAT, CONTEXT, END, chunk, read, stream
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.reply import Ended, Failed, PartEnded, PartStarted, Started
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import DeltaReader
from gephyr_core.sse import SseFramer

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
                    *("type", "text", "id", "index", "name", "function", "custom", "arguments", "input"),
                    *(
                        "google",
                        "thought_signature",
                        "extra_content",
                        "url",
                        "image_url",
                        "url_citation",
                        "summary",
                        "data",
                        "signature",
                    ),
                    *("message", "code", "thinking", "transcript", "start_index", "end_index"),
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
            *(
                "content",
                "reasoning_content",
                "reasoning",
                "reasoning_details",
                "refusal",
                "tool_calls",
                "function_call",
                "annotations",
                "images",
            ),
            *("audio", "extra_content"),
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
def test_rubbish_is_a_stream_that_ends_once(data: bytes) -> None:
    """It never raises: nothing comes after the one end, not even of what is read later."""
    reader: DeltaReader = CHAT.delta_reader(Report())
    found = [*reader.read(data), *reader.read(b"data: " + data + b"\n\n"), *reader.finish()]
    assert [delta for delta in found if isinstance(delta, Ended | Failed)] == found[-1:]
    assert reader.finish() == []


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
