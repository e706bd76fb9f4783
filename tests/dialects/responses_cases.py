"""What the tests of Responses translation have in common."""

import json
from typing import Any

import msgspec
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import HostedCall, HostedResult, Origin, Part, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import Effort, Prompt
from gephyr_core.conversation.reply import Delta, Reply, Stop, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_responses.translator import ResponsesTranslator
from gephyr_core.dialects.translator import Destination, ReplyContext
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer

RESPONSES = ResponsesTranslator()
WHOLE: TypeAdapter[Response] = TypeAdapter(Response)
EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
OPENAI = Destination("openai-responses", "openai", "gpt-6-sol", Capabilities(efforts=tuple(Effort)))
CONTEXT = ReplyContext("key", 7, "asked")
USAGE = Usage(input=11, cached=3, cache_write=2, output=5, reasoning=4)
OWN = Signature("gAAAA", Origin("openai-responses"), "rs_1")
ABROAD = Signature("sig", Origin("anthropic", "claude", "org"))


def context(**request: Any) -> ReplyContext:
    """The context of a client's request."""
    raw = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in request.items()}
    return ReplyContext("key", 7, "asked", raw)


def read(report: Report | None = None, **request: Any) -> Prompt:
    """Read a copy of a request."""
    body = json.loads(json.dumps({"model": "m", "input": "Hi", **request}))
    return RESPONSES.read_request(body, report or Report(), model="m", stream=bool(request.get("stream")))


def write(prompt: Prompt, destination: Destination = OPENAI, report: Report | None = None) -> dict[str, Any]:
    """The body of a request for a provider."""
    body: dict[str, Any] = RESPONSES.write_request(prompt, destination, report if report is not None else Report()).body
    return body


def read_deltas(stream: bytes, cut: int = 1 << 20) -> list[Delta]:
    """Read a stream that comes in pieces of *cut* bytes."""
    reader, framer = RESPONSES.delta_reader(Report()), SseFramer(1 << 24)
    deltas: list[Delta] = []
    for start in range(0, len(stream), cut):
        for event in framer.split(stream[start : start + cut]):
            deltas += reader.read(event)
    tail = framer.rest()
    return [*deltas, *(reader.read(tail) if tail.strip() else []), *reader.finish()]


def collected(deltas: list[Delta]) -> Reply:
    """The reply that deltas are."""
    assembler = Assembler()
    for delta in deltas:
        assembler.add(delta)
    assert assembler.failure is None
    assert assembler.ended
    return assembler.reply()


def events_of(stream: bytes, *, check: bool = True) -> list[dict[str, Any]]:
    """The events of a stream, numbered as they should be. *check*: each is held against the SDK's types."""
    events: list[dict[str, Any]] = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == len(events)
        if check:
            EVENT.validate_python(event)
        events.append(event)
    return events


def reply_of(*parts: Part, reason: StopReason = StopReason.END, detail: str = "") -> Reply:
    """A reply of *parts*."""
    return Reply("r", "told", parts, Stop(reason, detail=detail), USAGE)


def stream_of(deltas: list[Delta], for_whom: ReplyContext = CONTEXT) -> bytes:
    """Write deltas for a client."""
    writer = RESPONSES.delta_writer(for_whom)
    return b"".join([writer.write(delta) for delta in deltas])


def written(reply: Reply, for_whom: ReplyContext = CONTEXT) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """Write a reply whole and as a stream, both held against the SDK's types."""
    whole = RESPONSES.write_reply(reply, for_whom)
    WHOLE.validate_json(whole)
    stream = stream_of(list(deltas_of(reply)), for_whom)
    return json.loads(whole), events_of(stream), stream


def meaning(parts: tuple[Part, ...], *, proofs: bool = True) -> list[Any]:
    """What parts say; how text is cut into parts does not count, nor ids that are made anew. *proofs*: signatures
    do."""
    said: dict[str, str] = {}
    rest: list[Any] = []
    for part in parts:
        match part:
            case Text() | Thinking():
                name = type(part).__name__
                said[name] = said.get(name, "") + part.text
                rest += part.citations if isinstance(part, Text) else ()
                if proofs and part.signature is not None and part.signature.value:
                    rest.append((part.signature.value, part.signature.origin))
            case ToolCall():
                rest.append((part.id, part.name, part.arguments, part.freeform))
            case HostedCall():
                rest.append((part.kind, part.arguments))
            case HostedResult():
                rest.append((part.kind, [source.url for source in part.sources if source.raw], part.output))
            case _:
                rest.append(part)
    return [{name: text for name, text in said.items() if text}, *rest]
