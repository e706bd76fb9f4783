"""Recorded Anthropic traffic, translated to itself: requests are stable, replies valid by the SDK and whole as streamed."""

import json
from typing import Any

import attrs
import pytest
from anthropic_cases import (
    ANTHROPIC,
    BETA_WHOLE,
    CONTEXT,
    WHOLE,
    collected,
    deltas,
    payloads,
    read,
    recordings,
    valid,
    write,
    written,
)

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import HostedCall, Part, Text, Thinking, ToolCall, ToolResult
from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Fate, Report
from tests.recordings import traffic

pytestmark = pytest.mark.recordings

_NEVER_DROPPED = ("messages", "system", "tools")


def requests() -> list[dict[str, Any]]:
    """The bodies of the requests that were answered."""
    return [record["request"] for record in recordings() if record["request"] and record["status"] == 200]


def replies() -> list[dict[str, Any]]:
    """The recordings with an answer."""
    return [record for record in recordings() if record["status"] == 200]


def spoken(prompt: Prompt) -> list[object]:
    """What is said in a prompt, without who says it in which message."""
    return [_meant(part) for turn in prompt.turns for part in turn.parts]


def _meant(part: Part) -> object:
    if isinstance(part, ToolCall | HostedCall):
        return part.id, part.name, json.loads(part.arguments)
    return attrs.evolve(part, name="") if isinstance(part, ToolResult) else part


def test_a_request_written_and_read_again_is_the_same() -> None:
    checked = 0
    for request in requests():
        prompt = read(**request)
        report = Report()
        sent = write(prompt, report=report).body
        again = read(**json.loads(json.dumps(sent)))
        assert write(again).body == sent
        checked += 1
        if not (is_rearranged(prompt) or any(entry.path.startswith("messages") for entry in report.entries)):
            assert spoken(again) == spoken(prompt)
        assert (again.system, again.tools, again.tool_choice) == (prompt.system, prompt.tools, prompt.tool_choice)
        assert (again.output is None) == (prompt.output is None)
        assert (again.sampling.max_tokens, again.reasoning) == (prompt.sampling.max_tokens, prompt.reasoning)
    assert checked > traffic.counted(whole=400, selected=140)


def is_rearranged(prompt: Prompt) -> bool:
    """Whether something stands before a result in a message: results go first."""
    kinds = [[not isinstance(part, ToolResult) for part in turn.parts] for turn in prompt.turns]
    return any(sorted(turn) != turn for turn in kinds)


def test_nothing_of_a_conversation_is_dropped_without_a_word() -> None:
    for request in requests():
        report = Report()
        write(read(report, **request), report=report)
        paths = report.paths(Fate.DROPPED)
        assert [path for path in paths if path.startswith(_NEVER_DROPPED)] == []


def test_whole_replies_are_written_as_the_sdk_takes_them() -> None:
    checked = 0
    for record in replies():
        if isinstance(record.get("response"), dict):
            reply = ANTHROPIC.read_reply(json.dumps(record["response"]).encode(), Report())
            whole = ANTHROPIC.write_reply(reply, CONTEXT)
            valid(WHOLE, BETA_WHOLE, whole.decode())
            again = ANTHROPIC.read_reply(whole, Report())
            assert meaning(again) == meaning(reply)
            assert meaning(streamed(reply)) == meaning(reply)
            checked += 1
    assert checked > traffic.counted(whole=300, selected=115)


def streamed(reply: Reply) -> Reply:
    """The reply after a stream of it was written and read."""
    events = written(list(deltas_of(reply)))
    data = b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in events)
    return collected(deltas(data))


def meaning(reply: Reply) -> tuple[object, ...]:
    """What a reply says: without the model's own words for what it is."""
    parts = [_said(part) for part in reply.parts if not (isinstance(part, Text | Thinking) and not _said(part))]
    return parts, reply.stop, reply.usage.input, reply.usage.output, reply.usage.cached or 0


def _said(part: Part) -> object:
    if isinstance(part, Thinking):
        return (part.text, part.signature.value) if part.signature is not None else part.text
    if isinstance(part, Text):
        return part if part.text else None
    return _meant(part)


def test_streams_are_written_as_the_sdk_takes_them_and_say_what_they_said() -> None:
    checked = 0
    for record in replies():
        if record.get("response_sse"):
            found = deltas(record["response_sse"].encode())
            reply = collected(found)
            events = written(found)
            data = b"".join(
                b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in events
            )
            assert meaning(collected(deltas(data))) == meaning(reply)
            assert text_of(events) == text_of(payloads(record["response_sse"].replace("\r\n", "\n").encode()))
            checked += 1
    assert checked > traffic.counted(whole=100, selected=25)


def text_of(events: list[dict[str, Any]]) -> str:
    """All text of a stream's events."""
    return "".join(one["delta"].get("text", "") for one in events if one["type"] == "content_block_delta")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_and_comments_change_nothing(end: bytes) -> None:
    for record in [record for record in replies() if record.get("response_sse")][:10]:
        data: bytes = record["response_sse"].encode()
        other = b": hello\n\n" + data.replace(b"\n\n", b"\n: comment\n\n")
        assert deltas(other.replace(b"\n", end)) == deltas(data)
