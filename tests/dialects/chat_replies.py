"""What the tests of Chat replies and streams share."""

import json
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import Origin, Part, Signature, ToolCall
from gephyr_core.conversation.reply import Delta, Reply, Stop, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer

CHAT = ChatTranslator()
CONTEXT = ReplyContext("key", 7, "asked")
WHOLE, CHUNK = TypeAdapter(ChatCompletion), TypeAdapter(ChatCompletionChunk)
SIGNED = Signature("proof", Origin("anthropic", "claude"))
OWN = Signature("cHJvb2Y=", Origin("openai-chat"), "anthropic-claude-v1")
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = Usage(input=10, cached=4, cache_write=3, output=6, reasoning=2, audio_input=0, audio_output=0)


def chunk(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]}


def event(value: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def stream(*chunks: dict[str, Any]) -> bytes:
    return b"".join(map(event, chunks)) + b"data: [DONE]\n\n"


def read(data: bytes, report: Report | None = None) -> list[Delta]:
    reader = CHAT.delta_reader(report or Report())
    return [delta for one in SseFramer(1 << 20).split(data) for delta in reader.read(one)]


def deltas(*chunks: dict[str, Any], report: Report | None = None) -> list[Delta]:
    return read(stream(*chunks), report)


def collected(found: list[Delta]) -> Reply:
    assembler = Assembler()
    for delta in found:
        assembler.add(delta)
    assert assembler.ended
    return assembler.reply()


def written(reply: Reply, context: ReplyContext = CONTEXT) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """Write a reply whole and as a stream: the message, the chunks, the stream."""
    whole = json.loads(CHAT.write_reply(reply, context))
    writer = CHAT.delta_writer(context)
    data = b"".join(writer.write(delta) for delta in deltas_of(reply))
    chunks = [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: {")]
    if not any(isinstance(part, ToolCall) and part.freeform for part in reply.parts):  # the SDK's own gap
        for one in chunks:
            CHUNK.validate_python(one)
    WHOLE.validate_python(whole)
    return whole, chunks, data


def reply_of(*parts: Part, reason: StopReason = StopReason.END, detail: str = "") -> Reply:
    return Reply("r", "told", parts, Stop(reason, detail=detail), USAGE)
