"""Whole replies, both ways. They are streams that come at once, so that whole and streamed replies mean the same."""

from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.openai_responses.delta_writing import ResponsesDeltaWriter
from gephyr_core.dialects.openai_responses.deltas import ResponsesDeltaReader
from gephyr_core.dialects.openai_responses.response_object import told_tier
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext

_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def read_reply(body: bytes, report: Report) -> Reply:
    """Read a whole reply. Raises ``ValueError`` when it is none, or tells of an error."""
    response = mapping(decode(_ANY, body)) or {}
    if response.get("error") or response.get("status") == "failed":
        raise ValueError(stream_error(response.get("error")).message)
    if not isinstance(response.get("output"), list):
        raise ValueError("the provider's reply is no response")
    assembler = Assembler()
    for delta in ResponsesDeltaReader(report).take(response):
        assembler.add(delta)
    return attrs.evolve(assembler.reply(), service_tier=text(response.get("service_tier")) or "")


def write_reply(reply: Reply, context: ReplyContext) -> bytes:
    """Write a whole reply."""
    writer = ResponsesDeltaWriter(context)
    for delta in deltas_of(reply):
        writer.write(delta)
    if reply.service_tier:
        writer.response["service_tier"] = told_tier(reply.service_tier)
    return encode_json(writer.response)
