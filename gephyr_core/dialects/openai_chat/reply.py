"""Whole Chat replies, both ways. They are read as one large chunk, so that whole and streamed replies mean the same."""

from typing import Any

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.parts import Image, Refusal, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import Reply, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import text
from gephyr_core.dialects.joining import Joiner
from gephyr_core.dialects.openai_chat.chunks import decode_cut_chunk
from gephyr_core.dialects.openai_chat.deltas import ChatDeltaReader
from gephyr_core.dialects.openai_chat.message_objects import (
    annotation,
    call_object,
    image_object,
    is_legacy,
    reply_id,
    reply_model,
)
from gephyr_core.dialects.openai_chat.reasoning import detail_objects, extra_content
from gephyr_core.dialects.openai_chat.stops import REFUSED, finish_reason
from gephyr_core.dialects.openai_chat.usage import usage_object
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext

SERVICE_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")


def read_reply(body: bytes, report: Report) -> Reply:
    """Read a whole reply. Raises ``ValueError`` when it is none, or tells of an error."""
    chunk = decode_cut_chunk(body)
    if chunk is None or not (chunk.choices or chunk.error):
        raise ValueError("the provider's reply is no chat completion")
    for choice in chunk.choices or ():
        if choice.message is not None:
            choice.delta = None  # Perplexity writes an empty one beside the message
    reader, assembler = ChatDeltaReader(report), Assembler()
    for delta in Joiner().feed([*reader.take(chunk), *reader.end()]):
        assembler.add(delta)
    if assembler.failure is not None:
        raise ValueError(assembler.failure.message)
    return attrs.evolve(assembler.reply(), service_tier=text(chunk.service_tier) or "")


def write_reply(reply: Reply, context: ReplyContext) -> bytes:
    """Write a whole reply."""
    message, called = _message(reply, context)
    legacy = "function_call" in message and "tool_calls" not in message
    written: dict[str, Any] = {
        "id": reply_id(context),
        "object": "chat.completion",
        "created": context.created,
        "model": reply_model(context, reply.model),
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "function_call" if legacy else finish_reason(reply.stop, called=called),
            }
        ],
        "usage": usage_object(reply.usage),
    }
    if reply.service_tier in SERVICE_TIERS:
        written["service_tier"] = reply.service_tier
    return encode_json(written)


def _message(reply: Reply, context: ReplyContext) -> tuple[dict[str, Any], bool]:
    """Write the message, and say whether it calls tools."""
    texts: list[str] = []
    refusals: list[str] = []
    lists: dict[str, list[Any]] = {}
    extras: dict[str, Any] = {}
    reasoned: list[Thinking] = []
    length = 0
    for index, part in enumerate(reply.parts):
        match part:
            case Text(text=told):
                texts.append(told)
                cited = [annotation(citation, length, length + len(told)) for citation in part.citations]
                length += len(told)
                if cited:
                    lists.setdefault("annotations", []).extend(cited)
                if part.signature is not None:
                    extras["extra_content"] = extra_content(part.signature)
            case Refusal(text=told):
                refusals.append(told)
            case Thinking():
                details = lists.setdefault("reasoning_details", [])
                details += detail_objects(part, len(details))
                reasoned.append(part)
            case ToolCall() if is_legacy(context, part):
                extras["function_call"] = {"name": context.name_of(part), "arguments": part.arguments}
            case ToolCall():
                lists.setdefault("tool_calls", []).append(call_object(context, part, index))
            case Image():
                lists.setdefault("images", []).append(image_object(part))
            case _:
                context.leave_out(part)
    if reply.stop.reason is StopReason.REFUSAL and not refusals:
        refusals.append(reply.stop.detail or REFUSED)
    called = "tool_calls" in lists or "function_call" in extras
    content = "".join(texts)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if not content and (called or refusals) else content,
        "refusal": "".join(refusals) or None,
    }
    if any(part.text for part in reasoned):
        message["reasoning_content"] = "\n\n".join(part.text for part in reasoned if not part.redacted)
    return {**message, **lists, **extras}, called
