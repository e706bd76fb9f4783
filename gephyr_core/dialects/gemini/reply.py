"""Whole replies, both ways. They are read as one large chunk, so that whole and streamed replies mean the same."""

from typing import Any

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.parts import Refusal, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.gemini.chunks import decode_any, decode_array, decode_cut_chunk
from gephyr_core.dialects.gemini.deltas_reading import GeminiDeltaReader
from gephyr_core.dialects.gemini.reply_parts import Beside, identity, reply_object, text_part, thought_part, whole_part
from gephyr_core.dialects.gemini.stops import of_calls
from gephyr_core.dialects.joining import Joiner
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext


def read_reply(body: bytes, report: Report) -> Reply:
    """Read a whole reply, or a stream as one array. Raises ``ValueError`` when it is none, or tells of an error."""
    whole = decode_cut_chunk(body)
    chunks = decode_array(body) if whole is None else [whole]
    if not chunks or not any(chunk.candidates or chunk.prompt_feedback or chunk.error for chunk in chunks):
        raise ValueError("the provider's reply is no generated content")
    reader, assembler = GeminiDeltaReader(report), Assembler()
    deltas = [delta for chunk in chunks for delta in reader.take(chunk)]
    for delta in Joiner().feed([*deltas, *reader.end()]):
        assembler.add(delta)
    if assembler.failure is not None:
        raise ValueError(assembler.failure.message)
    usage = mapping(decode_any(chunks[-1].usage_metadata)) or {}
    return attrs.evolve(assembler.reply(), service_tier=text(usage.get("serviceTier")) or "")


def write_reply(reply: Reply, context: ReplyContext) -> bytes:
    """Write a whole reply."""
    beside = Beside()
    stop = reply.stop
    parts: list[dict[str, Any]] = []
    for index, part in enumerate(reply.parts):
        match part:
            case Text():
                beside.text(part.text, list(part.citations))
                parts.append(text_part(part.text, part.signature))
            case Refusal():
                beside.text(part.text, [])
                parts.append(text_part(part.text, None))
            case Thinking():
                parts.append(thought_part(part.text, part, part.signature))
            case _:
                beside.hosted(part)
                written = whole_part(part, index, context)
                parts += [] if written is None else [written]
    if any(isinstance(part, ToolCall) for part in reply.parts):
        stop = of_calls(stop, called=any("functionCall" in part for part in parts))
    return encode_json(reply_object(parts, stop, reply.usage, beside, identity(context, reply.model)))
