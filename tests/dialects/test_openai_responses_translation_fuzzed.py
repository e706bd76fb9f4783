"""Responses streams as no provider should write them, and cut as no network should."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from responses_support import CONTEXT, RESPONSES, event, read_stream

from gephyr_core.conversation.reply import Ended, Failed, PartEnded, PartStarted, Started
from gephyr_core.conversation.report import Report
from gephyr_core.sse import SseFramer

ITEM_TYPES = (
    *("message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "code_interpreter_call"),
    *("mcp_call", "image_generation_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call"),
    *("tool_search_call", "file_search_call", "compaction", "made_up"),
)
EVENT_TYPES = (
    *("response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"),
    *("response.output_item.added", "response.output_item.done", "response.content_part.added"),
    *("response.content_part.done", "response.output_text.delta", "response.output_text.annotation.added"),
    *("response.refusal.delta", "response.function_call_arguments.delta", "response.custom_tool_call_input.delta"),
    *("response.reasoning_summary_text.delta", "response.reasoning_text.delta", "error", "response.made_up"),
)
WORDS = st.sampled_from(
    ["", "a", "output_text", "refusal", "summary_text", "reasoning_text", "completed", "max_output_tokens", *ITEM_TYPES]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 1) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "url", "query", "id", "path", "command"]), inner, max_size=3)
    ),
    max_leaves=6,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(ITEM_TYPES) | JSON,
        **dict.fromkeys(("id", "content", "summary", "encrypted_content", "action", "operation", "outputs"), JSON),
        **{name: st.sampled_from(["f", "{}", ""]) | JSON for name in ("name", "call_id", "arguments", "input")},
        **dict.fromkeys(("namespace", "status", "phase", "result", "results", "queries", "environment"), JSON),
    },
)
RESPONSE = st.fixed_dictionaries(
    {},
    optional={
        "output": st.lists(ITEMS | JSON, max_size=3) | JSON,
        **dict.fromkeys(("id", "model", "status", "incomplete_details", "error", "usage"), JSON),
    },
)
PLACE = st.integers(0, 1) | JSON
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(EVENT_TYPES) | JSON},
    optional={
        "item": ITEMS | JSON,
        "response": RESPONSE | JSON,
        "delta": st.sampled_from(["x", ""]) | JSON,
        "output_index": PLACE,
        "content_index": PLACE,
        "summary_index": PLACE,
        **dict.fromkeys(("part", "annotation", "error", "code", "message"), JSON),
    },
)


def framed(value: Any) -> bytes:
    kind = value.get("type") if isinstance(value, dict) else None
    named = b"event: %b\n" % kind.encode() if isinstance(kind, str) and kind in EVENT_TYPES else b""
    return b"%bdata: %b\n\n" % (named, json.dumps(value).encode())


@given(st.lists(EVENTS | JSON, max_size=8))
def test_odd_events_never_raise_and_the_deltas_keep_their_order(values: list[Any]) -> None:
    """Every part starts once, is added to while it is open, and ends; after the end there is nothing."""
    reader, writer = RESPONSES.delta_reader(Report()), RESPONSES.delta_writer(CONTEXT)
    found = [delta for value in values for delta in reader.read(framed(value))]
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


@given(RESPONSE | JSON)
def test_an_odd_whole_reply_is_read_or_is_a_value_error(response: Any) -> None:
    try:
        reply = RESPONSES.read_reply(json.dumps(response).encode(), Report())
    except ValueError:
        return
    assert isinstance(json.loads(RESPONSES.write_reply(reply, CONTEXT)), dict)


@given(st.binary(max_size=60))
def test_rubbish_is_a_stream_that_ends_once(data: bytes) -> None:
    """It never raises: nothing comes after the one end, not even of what is read later."""
    reader = RESPONSES.delta_reader(Report())
    found = [
        *reader.read(data),
        *reader.read(b"event: response.output_text.delta\ndata: " + data + b"\n\n"),
        *reader.finish(),
    ]
    assert [delta for delta in found if isinstance(delta, Ended | Failed)] == found[-1:]
    assert reader.finish() == []


@given(st.lists(st.integers(1, 900), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_chunking_gives_the_same_deltas(cuts: list[int], line_end: bytes) -> None:
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    plain = b"".join(
        [
            event("response.created", response={"id": "r", "model": "m"}),
            event("response.output_item.added", output_index=0, item=message),
            event("response.output_text.delta", output_index=0, content_index=0, delta="Grüße 🌍"),
            event("response.output_text.delta", output_index=0, content_index=0, delta="!"),
            event("response.output_item.done", output_index=0, item=message),
            event("response.output_item.done", output_index=1, item=call),
            event("response.completed", response={"id": "r", "model": "m", "status": "completed", "output": []}),
        ]
    )
    data = plain.replace(b"\n", line_end)
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    reader, framer = RESPONSES.delta_reader(Report()), SseFramer(1 << 20)
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    found = [delta for piece in pieces for one in framer.split(piece) for delta in reader.read(one)]
    found += reader.read(framer.rest())
    assert found == read_stream(plain)
