"""What the tests of Responses translation share."""

import json
from typing import Any

import attrs
import msgspec
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Origin, Part, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import Effort, Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, Reply, Stop, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_responses.translator import ResponsesTranslator
from gephyr_core.dialects.translator import Destination, ReplyContext, Written
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer

RESPONSES = ResponsesTranslator()
ABLE = Capabilities(efforts=tuple(Effort))
OPENAI = Destination("openai-responses", "openai", "gpt-5", ABLE)
CONTEXT = ReplyContext("key", 7, "asked")
WHOLE: TypeAdapter[Any] = TypeAdapter(Response)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SIGNED = Signature("proof", Origin("anthropic", "claude"))
OWN = Signature("gAAAA", Origin("openai-responses"), "rs_1")
USAGE = Usage(input=10, cached=4, cache_write=3, output=6, reasoning=2)
ENDS = ("response.completed", "response.incomplete", "response.failed")


# -- requests ---------------------------------------------------------------------------------------------------------


def read(report: Report | None = None, **fields: Any) -> Prompt:
    body = {"model": "m", "input": "Hi", **fields}
    return RESPONSES.read_request(json.loads(json.dumps(body)), report or Report(), model="m", stream=False)


def write(prompt: Prompt, destination: Destination = OPENAI, report: Report | None = None) -> Written:
    return RESPONSES.write_request(prompt, destination, report or Report())


def foreign(*turns: Turn, **fields: Any) -> Prompt:
    """A prompt of an Anthropic client."""
    return Prompt("anthropic", "m", turns=turns or (user(Text("Hi")),), **fields)


def user(*said: Any) -> Turn:
    return Turn(Role.USER, said)


def assistant(*said: Any) -> Turn:
    return Turn(Role.ASSISTANT, said)


def items(*turns: Turn, destination: Destination = OPENAI, report: Report | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(foreign(*turns), destination, report).body["input"]
    return found


# -- replies ----------------------------------------------------------------------------------------------------------


def asked(**fields: Any) -> ReplyContext:
    """The context of a request with *fields*."""
    return attrs.evolve(CONTEXT, request={name: msgspec.Raw(json.dumps(value)) for name, value in fields.items()})


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def read_stream(data: bytes, report: Report | None = None) -> list[Delta]:
    reader, framer = RESPONSES.delta_reader(report or Report()), SseFramer(1 << 24)
    found = [delta for one in framer.split(data) for delta in reader.read(one)]
    tail = framer.rest()
    return [*found, *(reader.read(tail) if tail.strip() else []), *reader.finish()]


def read_whole(response: dict[str, Any]) -> Reply:
    return RESPONSES.read_reply(json.dumps(response).encode(), Report())


def response_of(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"object": "response", "id": "resp_1", "model": "m", "status": "completed", "output": list(output), **fields}


def collected(found: list[Delta]) -> Reply:
    assembler = Assembler()
    for delta in found:
        assembler.add(delta)
    assert assembler.failure is None
    assert assembler.ended
    return assembler.reply()


def reply_of(*parts: Part, reason: StopReason = StopReason.END, detail: str = "") -> Reply:
    return Reply("r", "told", parts, Stop(reason, detail=detail), USAGE)


def events_of(data: bytes) -> list[dict[str, Any]]:
    """The events of a written stream, after checking what holds for every stream."""
    blocks = [block.split("\n") for block in data.decode().split("\n\n") if block]
    events = [json.loads(lines[1].removeprefix("data: ")) for lines in blocks]
    assert [lines[0] for lines in blocks] == [f"event: {one['type']}" for one in events]
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    for one in events:
        EVENT.validate_python(one, strict=True)
    return events


def write_stream(found: list[Delta], context: ReplyContext = CONTEXT) -> list[dict[str, Any]]:
    writer = RESPONSES.delta_writer(context)
    return events_of(b"".join(writer.write(delta) for delta in found))


def written(reply: Reply, context: ReplyContext = CONTEXT) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write a reply whole and as a stream: the response, and the events."""
    whole = json.loads(RESPONSES.write_reply(reply, context))
    WHOLE.validate_python(whole)
    return whole, write_stream(list(deltas_of(reply)), context)


def meaning(parts: tuple[Part, ...]) -> list[Any]:
    """What parts say; how it is cut into parts does not count, nor the mark of unsigned reasoning."""
    said: dict[str, str] = {}
    rest: list[Any] = []
    for part in parts:
        if isinstance(part, Text | Thinking):
            name = type(part).__name__
            said[name] = "".join([said.get(name, ""), part.text])
            if part.signature is not None and part.signature.value:
                rest.append(part.signature.value)
            rest += [citation.url for citation in part.citations] if isinstance(part, Text) else []
        elif isinstance(part, ToolCall):
            rest.append((part.id, part.name, part.arguments, part.freeform))
        else:
            rest.append(type(part).__name__)
    return [{name: text for name, text in said.items() if text}, *rest]
