"""Whatever a provider of Anthropic Messages or a client of it sends, translation ends in an answer or a named refusal."""

import json
from itertools import pairwise
from typing import Any

import pytest
from anthropic_cases import ABLE, ANTHROPIC, CONTEXT, NEW, OLD, block, deltas, event, payloads, read, stream, write
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.reply import Ended, Failed
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.anthropic.translator import AnthropicTranslator
from gephyr_core.sse import SseFramer

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "text", "1"]) | st.floats(0, 2)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abtype"), inner, max_size=3)
)
KINDS = (
    *("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "server_tool_use", "mcp_tool_use", "image"),
    *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "document", "search_result"),
    *("tool_search_tool_result", "mcp_tool_result", "compaction", "container_upload", "tool_addition", "novel"),
)
FIELDS = (
    *("id", "name", "input", "text", "thinking", "signature", "data", "content", "tool_use_id", "source", "citations"),
    *("cache_control", "is_error", "file_id", "tool", "title", "caller"),
)
BLOCK = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(KINDS) | SCALARS,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
)
DELTA = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(["text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta"])
    | SCALARS,
    st.dictionaries(st.sampled_from(["text", "partial_json", "thinking", "signature", "citation"]), JSON, max_size=3),
)
EVENT = st.one_of(
    st.builds(
        lambda index, value: event("content_block_start", index=index, content_block=value), SCALARS, BLOCK | JSON
    ),
    st.builds(lambda index, value: event("content_block_delta", index=index, delta=value), SCALARS, DELTA | JSON),
    st.builds(lambda index: event("content_block_stop", index=index), SCALARS),
    st.builds(lambda value: event("message_start", message=value), JSON),
    st.builds(lambda value, usage: event("message_delta", delta=value, usage=usage), JSON, JSON),
    st.just(event("message_stop")),
    st.builds(lambda value: b"data: %b\n\n" % json.dumps(value).encode(), JSON),
    st.binary(max_size=30).map(lambda data: data + b"\n\n"),
)


@given(st.lists(EVENT, max_size=12))
def test_any_stream_is_read_and_written_to_an_end(events: list[bytes]) -> None:
    found = deltas(b"".join(events))
    assert [delta for delta in found if isinstance(delta, Ended | Failed)] == found[-1:]
    writer = ANTHROPIC.delta_writer(CONTEXT)
    written = b"".join(writer.write(delta) for delta in found)
    assert payloads(written)[-1]["type"] in {"message_stop", "error"}


@given(st.lists(BLOCK | JSON, max_size=5), JSON, JSON)
def test_any_whole_reply_is_read_or_refused(content: list[Any], usage: Any, reason: Any) -> None:
    body = json.dumps({"content": content, "usage": usage, "stop_reason": reason, "model": "m"}).encode()
    try:
        reply = ANTHROPIC.read_reply(body, Report())
    except ValueError:
        return
    assert json.loads(ANTHROPIC.write_reply(reply, CONTEXT))["type"] == "message"


@given(st.data())
def test_any_cut_of_a_stream_reads_the_same(data: st.DataObject) -> None:
    whole = stream(
        block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Grüße 🌍"}),
        block(
            1,
            {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            {"type": "input_json_delta", "partial_json": "{}"},
        ),
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reader, framer = AnthropicTranslator().delta_reader(Report()), SseFramer(1 << 20)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += [delta for one in framer.split(whole[start:end]) for delta in reader.read(one)]
    assert found == deltas(whole)


ROLE = st.sampled_from(["user", "assistant", "system"])
MESSAGE = st.builds(lambda role, content: {"role": role, "content": content}, ROLE, st.lists(BLOCK, max_size=3) | JSON)
SETTINGS = st.dictionaries(
    st.sampled_from(
        [
            *("system", "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "max_tokens"),
            *("temperature", "stop_sequences", "cache_control", "container", "novel"),
        ]
    ),
    JSON,
    max_size=3,
)


@pytest.mark.parametrize("destination", [NEW, OLD, ABLE], ids=lambda one: one.model)
@given(messages=st.lists(MESSAGE, max_size=4) | JSON, settings=SETTINGS)
def test_any_request_is_translated_or_refused_by_name(
    destination: Any, messages: Any, settings: dict[str, Any]
) -> None:
    try:
        written = write(read(**{**settings, "messages": messages}), destination)
    except (FieldError, UntranslatableError):
        return
    roles = [message["role"] for message in written.body["messages"]]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles))
    assert all(message["content"] for message in written.body["messages"])
