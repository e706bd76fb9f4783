"""What the tests of the translation of Anthropic Messages share."""

import json
from collections.abc import Iterator
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from pydantic import TypeAdapter, ValidationError

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Origin, Part, Signature, Text
from gephyr_core.conversation.prompt import Effort, FunctionTool, Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, Reply, Stop, StopReason
from gephyr_core.conversation.report import Fate, Report
from gephyr_core.dialects.anthropic.translator import AnthropicTranslator
from gephyr_core.dialects.translator import Destination, ReplyContext, Written
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer
from tests.recordings import traffic

ANTHROPIC = AnthropicTranslator()
CONTEXT = ReplyContext("key", 7, "asked")
WHOLE, EVENT = TypeAdapter(Message), TypeAdapter(RawMessageStreamEvent)
BETA_WHOLE, BETA_EVENT = TypeAdapter(BetaMessage), TypeAdapter(BetaRawMessageStreamEvent)
_LEVELS = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
NEW = Destination(
    "anthropic",
    "anthropic",
    "claude-opus-5-5",
    Capabilities(
        sampling=False,
        prefill=False,
        forced_tools=False,
        system_turns=True,
        thinking=("adaptive", "between_tools"),
        efforts=(*_LEVELS, Effort.XHIGH, Effort.MAX),
        automatic_caching=True,
        max_output_tokens=128_000,
    ),
)
OLD = Destination(
    "anthropic",
    "anthropic",
    "claude-sonnet-4-5",
    Capabilities(
        thinking=("enabled", "disabled"),
        thinking_budget=(1024, 63_999),
        forced_tools_with_thinking=False,
        max_output_tokens=64_000,
    ),
)
ABLE = Destination(
    "anthropic",
    "anthropic",
    "claude-able",
    Capabilities(
        thinking=("enabled", "adaptive", "disabled", "between_tools"),
        efforts=(*_LEVELS, Effort.XHIGH, Effort.MAX),
        system_turns=True,
        automatic_caching=True,
    ),
)
"""Takes all there is."""
OWN = Signature("proof", Origin("anthropic", "claude-sonnet-4-5-20250929"))
FOREIGN = Signature("c2lnbmVk", Origin("gemini", "gemini-3-pro"))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = FunctionTool("weather", "Look.", SCHEMA, path="tools[0]")
USAGE = Usage(input=10, cached=4, cache_write=3, output=6, reasoning=2)


def read(report: Report | None = None, **fields: Any) -> Prompt:
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return ANTHROPIC.read_request(json.loads(json.dumps(body)), report or Report(), model="m", stream=False)


def parts_of(*blocks: dict[str, Any], role: str = "user", report: Report | None = None) -> list[Part]:
    prompt = read(report, messages=[{"role": role, "content": list(blocks)}])
    return [part for turn in prompt.turns for part in turn.parts]


def user(*said: Part | str) -> Turn:
    return Turn(Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in said), path="messages[u]")


def assistant(*said: Part | str) -> Turn:
    parts = tuple(Text(part) if isinstance(part, str) else part for part in said)
    return Turn(Role.ASSISTANT, parts, path="messages[a]")


def foreign(*turns: Turn, **fields: Any) -> Prompt:
    """A prompt of a client of Chat."""
    return Prompt("openai-chat", "m", turns=turns or (user("Hi"),), **fields)


def write(prompt: Prompt, destination: Destination = ABLE, report: Report | None = None) -> Written:
    return ANTHROPIC.write_request(prompt, destination, report or Report())


def body_of(destination: Destination, *turns: Turn, report: Report | None = None, **fields: Any) -> dict[str, Any]:
    return write(foreign(*turns, **fields), destination, report).body


def messages_of(*turns: Turn, destination: Destination = ABLE, report: Report | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(foreign(*turns), destination, report).body["messages"]
    return found


def fates(report: Report) -> list[tuple[str, str]]:
    """What became of which fields."""
    return [(entry.fate.value, entry.path) for entry in report.entries]


def dropped(report: Report) -> list[str]:
    return report.paths(Fate.DROPPED)


# -- replies --------------------------------------------------------------------------------------------------------


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def block(index: int, started: dict[str, Any], *added: dict[str, Any]) -> bytes:
    deltas = [event("content_block_delta", index=index, delta=delta) for delta in added]
    opened = event("content_block_start", index=index, content_block=started)
    return b"".join([opened, *deltas, event("content_block_stop", index=index)])


def stream(*blocks: bytes, reason: str = "end_turn", **delta: Any) -> bytes:
    message = {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 3, "output_tokens": 1}}
    ending = event("message_delta", delta={"stop_reason": reason, **delta}, usage={"output_tokens": 5})
    return b"".join([event("message_start", message=message), *blocks, ending, event("message_stop")])


def deltas(data: bytes, report: Report | None = None) -> list[Delta]:
    reader = ANTHROPIC.delta_reader(report or Report())
    found = [delta for one in SseFramer(1 << 22).split(data) for delta in reader.read(one)]
    return [*found, *reader.finish()]


def collected(found: list[Delta]) -> Reply:
    assembler = Assembler()
    for delta in found:
        assembler.add(delta)
    assert assembler.failure is None
    assert assembler.ended
    return assembler.reply()


def reply_of(*parts: Part, reason: StopReason = StopReason.END, sequence: str = "", detail: str = "") -> Reply:
    return Reply("r", "told", parts, Stop(reason, sequence, detail), USAGE)


def payloads(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: ")]


def written(found: list[Delta], context: ReplyContext = CONTEXT) -> list[dict[str, Any]]:
    """Write a stream and return its events, each as the SDK takes it."""
    writer = ANTHROPIC.delta_writer(context)
    events = payloads(b"".join(writer.write(delta) for delta in found))
    for one in events:
        if one["type"] != "error":
            valid(EVENT, BETA_EVENT, json.dumps(one))
    return events


def both_ways(reply: Reply, context: ReplyContext = CONTEXT) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write a reply whole and as a stream."""
    whole = ANTHROPIC.write_reply(reply, context)
    valid(WHOLE, BETA_WHOLE, whole.decode())
    return json.loads(whole), written(list(deltas_of(reply)), context)


def valid(stable: TypeAdapter[Any], beta: TypeAdapter[Any], data: str) -> None:
    """Check what was written against the SDK's types: the stable ones, or the beta ones where a block is beta."""
    try:
        stable.validate_json(data, strict=True)
    except ValidationError:
        assert any(kind in data for kind in ('"mcp_', '"advisor')), data
        beta.validate_json(data)


def recordings() -> Iterator[dict[str, Any]]:
    """The recorded exchanges."""
    return traffic.records("anthropic-messages")
