"""Whole Messages replies, both ways. They are read as the stream that they would have been, so that whole and streamed
replies mean the same."""

from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.parts import Refusal
from gephyr_core.conversation.reply import Delta, Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.deltas_reading import AnthropicDeltaReader
from gephyr_core.dialects.anthropic.reply_blocks import HostedBlocks, block_of, reply_id
from gephyr_core.dialects.anthropic.stops import stop_fields
from gephyr_core.dialects.anthropic.usage import usage_object
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext

SERVICE_TIERS = ("standard", "priority", "batch")
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def read_reply(body: bytes, report: Report) -> Reply:
    """Read a whole reply. Raises ``ValueError`` when it is none."""
    message = decode(_OBJECT, body)
    content = None if message is None else message.get("content")
    if message is None or not isinstance(content, list):
        raise ValueError("the provider's reply is no message")
    reader, assembler = AnthropicDeltaReader(report), Assembler()
    for delta in _deltas(reader, message, content):
        assembler.add(delta)
    if assembler.failure is not None:
        raise ValueError(assembler.failure.message)
    tier = text((mapping(message.get("usage")) or {}).get("service_tier"))
    return attrs.evolve(assembler.reply(), service_tier=tier or "")


def _deltas(reader: AnthropicDeltaReader, message: dict[str, Any], content: list[Any]) -> list[Delta]:
    deltas = reader.begin({"message": message})
    for number, block in enumerate(content):
        deltas += reader.open({"index": number, "content_block": block})
        deltas += reader.close({"index": number})
    return [*deltas, *reader.change({"delta": message}), *reader.end({})]


def write_reply(reply: Reply, context: ReplyContext) -> bytes:
    """Write a whole reply."""
    blocks = HostedBlocks(context)
    told = [block_of(part, index, context, blocks) for index, part in enumerate(reply.parts)]
    written = [block for block in told if block is not None]
    called = any(block["type"] == "tool_use" for block in written)
    refused = any(isinstance(part, Refusal) for part in reply.parts)
    usage = usage_object(reply.usage)
    if reply.service_tier in SERVICE_TIERS:
        usage["service_tier"] = reply.service_tier
    return encode_json(
        {
            "id": reply_id(context),
            "type": "message",
            "role": "assistant",
            "model": reply.model or context.model,
            "content": written,
            **stop_fields(reply.stop, called=called, refused=refused),
            "usage": usage,
        }
    )
