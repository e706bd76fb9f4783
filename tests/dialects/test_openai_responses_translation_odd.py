"""Responses requests as no client should write them, and replies of any parts in any order."""

import json
from copy import deepcopy
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from responses_cases import RESPONSES, context, events_of, read_deltas, reply_of, stream_of

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import HostedCall, HostedResult, Text, Thinking, ToolCall
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.openai_responses.deltas import ResponsesDeltaReader

NAMES = tuple(ResponsesDeltaReader(Report())._do)
ITEMS = (
    *("message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "code_interpreter_call"),
    *("image_generation_call", "mcp_call", "shell_call", "computer_call", "compaction", "nonsense"),
)
KEYS = (
    *("type", "id", "call_id", "name", "arguments", "input", "summary", "content", "encrypted_content", "status"),
    *("text", "annotations", "action", "sources", "result", "outputs", "code", "url", "image_url", "role", "error"),
)

odd: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
items = st.builds(
    lambda kind, rest: {**rest, "type": kind}, st.sampled_from(ITEMS), st.dictionaries(st.sampled_from(KEYS), odd)
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(NAMES)},
    optional={
        "delta": st.text(max_size=3) | odd,
        "output_index": st.integers(0, 2) | odd,
        "content_index": st.integers(0, 1) | odd,
        "summary_index": st.integers(0, 1) | odd,
        "item": items | odd,
        "part": odd,
        "annotation": odd,
        "response": st.fixed_dictionaries({}, optional={"output": st.lists(items | odd, max_size=3), "usage": odd})
        | odd,
        "error": odd,
    },
)


def framed(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())


@given(st.lists(events, max_size=8))
@settings(max_examples=100, deadline=None)
def test_what_can_be_read_of_an_odd_stream_can_be_written(told: list[dict[str, Any]]) -> None:
    deltas = read_deltas(b"".join(framed(event) for event in told))
    written = events_of(stream_of(deltas), check=False)
    assert written[-1]["type"] in ("response.completed", "response.incomplete", "response.failed")


@given(
    st.lists(items | odd, max_size=4), st.dictionaries(st.sampled_from(("tools", "text", "reasoning", "metadata")), odd)
)
@settings(max_examples=150, deadline=None)
def test_no_request_makes_the_reader_raise_anything_but_what_is_wrong_with_it(
    given_: list[Any], rest: dict[str, Any]
) -> None:
    """And what it reads, it reads the same the next time, with the same report."""
    found: list[tuple[object, object]] = []
    for _ in range(2):
        report = Report()
        try:
            prompt = RESPONSES.read_request(deepcopy({"input": given_, **rest}), report, model="m", stream=False)
        except (FieldError, UntranslatableError) as refused:
            found.append((str(refused), []))
        else:
            found.append((prompt, report.entries))
    assert found[0] == found[1]


parts = st.one_of(
    st.builds(Text, st.text(max_size=3)),
    st.builds(Thinking, st.text(max_size=3)),
    st.builds(ToolCall, st.sampled_from(("", "a")), st.sampled_from(("f", "sh")), st.text(max_size=9) | st.just("{}")),
    st.builds(HostedCall, st.just("h"), st.sampled_from(("web_search", "maps")), st.just("x"), st.text(max_size=3)),
    st.builds(HostedResult, st.just("h"), st.sampled_from(("web_search", "mcp")), dialect=st.just("openai-responses")),
)


@given(st.lists(parts, max_size=4), st.sampled_from(("shell", "computer", "namespace n", "freeform namespace n", "")))
@settings(max_examples=60, deadline=None)
def test_whatever_the_parts_are_the_stream_is_valid(chosen: list[Any], kind: str) -> None:
    """Each event by itself, and the whole response at the end; whatever order parts come in."""

    typed = attrs.evolve(context(include=["reasoning.encrypted_content"]), client_tools={"sh": kind})
    assert events_of(stream_of(list(deltas_of(reply_of(*chosen))), typed))[-1]["type"] == "response.completed"
