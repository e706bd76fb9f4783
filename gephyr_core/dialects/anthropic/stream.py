"""Messages streams: named events from ``message_start`` to ``message_stop``."""

from typing import Any

import attrs
import msgspec

from gephyr_core.dialects.anthropic.errors import error_object, stream_error
from gephyr_core.dialects.anthropic.usage import merged
from gephyr_core.dialects.base import EventClass
from gephyr_core.dialects.decoding import decode, digest, mapping, text
from gephyr_core.dialects.reader import SseStreamReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import Problem
from gephyr_core.sse import encode, parse

_GROWING = {
    "text": "text",
    "thinking": "thinking",
    "tool_use": "input",
    "server_tool_use": "input",
    "mcp_tool_use": "input",
    "compaction": "content",
}
"""Blocks whose content comes in deltas, and the member that is empty at their start. Any other block comes whole."""


class _Message(msgspec.Struct, gc=False):
    id: Any = None
    usage: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    message: _Message | None = None
    content_block: Any = None
    delta: Any = None
    usage: Any = None
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)


@attrs.define
class AnthropicStreamReader(SseStreamReader):
    """Reads one attempt's stream."""

    def classify(self, event: bytes) -> EventClass:
        """Say what an event is: ``message_start`` opens, pings and empty block starts are held."""
        parsed = parse(event)
        if not parsed.data:
            return EventClass.HELD
        read = decode(_EVENT, parsed.data)
        if read is None:
            return EventClass.CONTENT
        name = text(read.type) or parsed.event
        if name == "error" or read.error:
            return self.fail(stream_error(read.error))
        match name:
            case "ping":
                return EventClass.HELD
            case "message_start":
                if read.message is not None:
                    self.reply_id = self.reply_id or text(read.message.id)
                    self.latest_usage = merged(self.latest_usage, mapping(read.message.usage))
                return EventClass.OPENING
            case "content_block_delta" if signature := text((mapping(read.delta) or {}).get("signature")):
                self.objects.append(digest(signature))
            case "content_block_start":
                return EventClass.HELD if _is_empty(read.content_block) else EventClass.CONTENT
            case "message_delta":
                self.latest_usage = merged(self.latest_usage, mapping(read.usage))
            case "message_stop":
                self.terminal_seen = True
        return EventClass.CONTENT

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """Only one event opens."""
        return "message_start"

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """An ``error`` event."""
        return encode(encode_json(error_object(problem)), "error")

    def _marked(self, block: bytes) -> bool:
        # message_start, message_delta, message_stop; in the data of an error event its type stands in quotes.
        return b"message_" in block or b'"error"' in block or b"signature_delta" in block


def _is_empty(block: object) -> bool:
    """Whether a content block starts without content of its own."""
    fields = mapping(block) or {}
    member = _GROWING.get(str(fields.get("type")))
    return member is not None and not fields.get(member)
