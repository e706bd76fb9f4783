"""Parts of a reply as content blocks for a client."""

from typing import Any

import attrs

from gephyr_core.conversation.arguments import decoded
from gephyr_core.conversation.parts import (
    Audio,
    Document,
    HostedCall,
    HostedResult,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    Url,
    Video,
)
from gephyr_core.conversation.prompt import TOOL_SEARCH
from gephyr_core.conversation.signatures import written
from gephyr_core.dialects.anthropic import hosted
from gephyr_core.dialects.anthropic.names import NAME, short_digest
from gephyr_core.dialects.translator import ReplyContext

Block = dict[str, Any]


def reply_id(context: ReplyContext) -> str:
    """The reply's id as the client is told it."""
    return f"msg_{context.key}"


def tool_call_id(call: ToolCall, index: int, context: ReplyContext) -> str:
    """A call's id, made of its part's index where the provider gave none."""
    return call.id or f"toolu_{context.key}_{index}"


@attrs.define
class HostedBlocks:
    """Writes what a provider's own tools were asked and gave; a result has to name its call as it was written."""

    _context: ReplyContext
    _calls: dict[str, tuple[str, bool]] = attrs.field(factory=dict)
    """A call's id to the one that was written, and whether it was written as one of bash."""

    def call(self, call: HostedCall, index: int) -> Block | None:
        """Write a call; None where the Messages API has no such tool."""
        call_id = call.id
        if not call_id.startswith(("srvtoolu_", hosted.MCP_ID)):
            made = short_digest(call_id, 24) if call_id else f"{self._context.key}{index}"
            call_id = f"srvtoolu_{made}"
        if call.kind == TOOL_SEARCH and self._context.search:
            call = attrs.evolve(call, name=self._context.search)
        block = hosted.call_object(call, call_id)
        if block is None:
            self._context.leave_out(call)
            return None
        self._calls[call.id] = (call_id, block["name"] == hosted.BASH)
        return block

    def result(self, result: HostedResult) -> Block | None:
        """Write a result; None where the Messages API has no shape for it, or its call was not written."""
        own = result.call_id if result.dialect == NAME and result.raw else ""  # Its call may be in an earlier reply.
        call_id, bash = self._calls.get(result.call_id, (own, False))
        names = self._context.names
        result = attrs.evolve(result, tools=tuple(names.get(name, name) for name in result.tools))
        block = hosted.result_object(result, call_id, bash=bash) if call_id else None
        if block is None:
            self._context.leave_out(result)
        return block


def text_block(text: str) -> Block:
    """Write a text."""
    return {"type": "text", "text": text, "citations": None}


def thinking_block(part: Thinking) -> Block | None:
    """Write reasoning; None for what says nothing. A signature of another provider is sealed."""
    signature = "" if part.signature is None else written(part.signature, NAME)
    if part.redacted:
        return {"type": "redacted_thinking", "data": signature} if signature else None
    if not (part.text or signature):
        return None
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def media_block(part: Image | Document | Audio | Video, context: ReplyContext) -> Block | None:
    """Write a link to media; None where there is no address: the Messages API has no place for a model's pictures or
    sounds."""
    if not isinstance(part.source, Url):
        context.leave_out(part)
        return None
    return text_block(f"![{type(part).__name__.lower()}]({part.source.url})")


def call_block(call: ToolCall, index: int, context: ReplyContext) -> Block | None:
    """Write a call; None where its arguments are no object."""
    arguments = {"input": call.arguments} if call.freeform else decoded(call.arguments)
    if arguments is None:
        context.leave_out_broken(call)
        return None
    call_id, name = tool_call_id(call, index, context), context.name_of(call)
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def block_of(part: Part, index: int, context: ReplyContext, blocks: HostedBlocks) -> Block | None:
    """Write a whole part; None for one that says nothing."""
    match part:
        case Text(text=text):
            if not text:
                return None
            cited = [block for one in part.citations if (block := hosted.citation_object(one)) is not None]
            return {"type": "text", "text": text, "citations": cited or None}
        case Refusal(text=text):
            return text_block(text) if text else None
        case Thinking():
            return thinking_block(part)
        case ToolCall():
            return call_block(part, index, context)
        case HostedCall():
            return blocks.call(part, index)
        case HostedResult():
            return blocks.result(part)
        case Image() | Document() | Audio() | Video():
            return media_block(part, context)
    return None
