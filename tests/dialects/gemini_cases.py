"""What the tests of Gemini translation share."""

import json
from typing import Any

from google.genai import types

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import Origin, Part, Signature, Text
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, Reply, Stop, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.translator import GeminiTranslator
from gephyr_core.dialects.translator import Destination, ReplyContext, Written
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer

__all__ = ["deltas_of"]

GEMINI = GeminiTranslator()
CONTEXT = ReplyContext("key", 7, "asked")
UNKNOWN = Destination("gemini", "gemini", "m")
LEVELS = Capabilities(
    thinking_levels=("LOW", "MEDIUM", "HIGH"), signatures_required=True, max_output_tokens=65_536, prefill=False
)
NEW = Destination("gemini", "gemini", "gemini-3-pro", LEVELS)
OLD = Destination("gemini", "gemini", "gemini-2.5-flash", Capabilities(thinking_budget=(0, 24_576)))
OWN = Signature("cHJvb2Y=", Origin("gemini"))
FOREIGN = Signature("proof", Origin("anthropic", "claude"))
USAGE = Usage(input=10, cached=4, output=6, reasoning=2)


def read(report: Report | None = None, **fields: Any) -> Prompt:
    """Read a Gemini client's request."""
    body = {"contents": [{"parts": [{"text": "Hi"}]}], **fields}
    return GEMINI.read_request(json.loads(json.dumps(body)), report or Report(), model="m", stream=False)


def write(prompt: Prompt, destination: Destination = NEW, report: Report | None = None) -> Written:
    return GEMINI.write_request(prompt, destination, report or Report())


def foreign(*turns: Turn, **fields: Any) -> Prompt:
    """A prompt of an Anthropic client."""
    return Prompt("anthropic", "m", turns=turns or (user(Text("Hi")),), **fields)


def user(*parts: Any) -> Turn:
    return Turn(Role.USER, parts)


def assistant(*parts: Any) -> Turn:
    return Turn(Role.ASSISTANT, parts)


def contents(*turns: Turn, destination: Destination = NEW, report: Report | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(foreign(*turns), destination, report).body["contents"]
    return found


def said(prompt: Prompt) -> list[Part]:
    """All parts of a conversation, but those that say nothing; audio has several names."""
    parts = [part for turn in prompt.turns for part in turn.parts]
    return [part for part in parts if not (isinstance(part, Text) and part.text.startswith("(The user has not"))]


def chunk(*parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    content = {"parts": list(parts), "role": "model"}
    return {"candidates": [{"content": content, "index": 0, **candidate}], "responseId": "r", "modelVersion": "told"}


def event(value: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def read_stream(data: bytes, report: Report | None = None) -> list[Delta]:
    reader, framer = GEMINI.delta_reader(report or Report()), SseFramer(1 << 24)
    deltas = [delta for one in framer.split(data) for delta in reader.read(one)]
    tail = framer.rest()
    return [*deltas, *(reader.read(tail) if tail.strip() else []), *reader.finish()]


def stream(*chunks: dict[str, Any], report: Report | None = None) -> list[Delta]:
    return read_stream(b"".join(map(event, chunks)), report)


def collected(found: list[Delta]) -> Reply:
    assembler = Assembler()
    for delta in found:
        assembler.add(delta)
    assert assembler.failure is None, assembler.failure
    assert assembler.ended
    return assembler.reply()


def valid(reply: dict[str, Any]) -> types.GenerateContentResponse:
    """A reply or a chunk, as Google's SDK reads it; what it does not know is an error."""
    return types.GenerateContentResponse.model_validate(reply)


def reply_of(*parts: Part, reason: StopReason = StopReason.END, detail: str = "") -> Reply:
    return Reply("r", "told", parts, Stop(reason, detail=detail), USAGE)


def written(reply: Reply) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write a reply whole and as a stream: the reply, the chunks."""
    whole = json.loads(GEMINI.write_reply(reply, CONTEXT))
    writer = GEMINI.delta_writer(CONTEXT)
    data = b"".join(writer.write(delta) for delta in deltas_of(reply))
    chunks = [json.loads(line[6:]) for line in data.decode().split("\n\n") if line]
    for one in (whole, *chunks):
        valid(one)
    return whole, chunks


def parts_of(reply: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reply["candidates"][0]["content"]["parts"]
    return found
