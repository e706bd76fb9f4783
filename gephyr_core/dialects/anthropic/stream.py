"""Messages streams: named events from ``message_start`` to ``message_stop``."""

from typing import Any

import attrs
import msgspec

from gephyr_core.dialects.anthropic.errors import error_object, stream_error
from gephyr_core.dialects.anthropic.usage import merged
from gephyr_core.dialects.base import EventClass
from gephyr_core.dialects.decoding import decode, digest, mapping, read_object, text
from gephyr_core.dialects.reader import SseStreamReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import Problem
from gephyr_core.sse import encode, parse

GROWING = {
    "text": "text",
    "thinking": "thinking",
    "tool_use": "input",
    "server_tool_use": "input",
    "mcp_tool_use": "input",
    "compaction": "content",
}
"""Blocks whose content comes in deltas, and the member that is empty at their start. Any other block comes whole."""


_DELTA = b"event: content_block_delta\n"


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

    def _classified(self, event: bytes) -> EventClass:
        """``message_start`` opens; pings, and blocks and changes that hold nothing, are held."""
        parsed = parse(event)
        if not parsed.data:
            return EventClass.HELD
        read = decode(_EVENT, parsed.data)
        if read is None:
            return self.unknown(parsed.data)
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
            case "content_block_delta":
                return self._added(mapping(read.delta) or {})
            case "content_block_start":
                self._tell(mapping(read.content_block) or {}, "data")
                return EventClass.HELD if is_empty(read.content_block) else EventClass.CONTENT
            case "content_block_stop":
                return EventClass.HELD
            case "message_delta":
                self.latest_usage = merged(self.latest_usage, mapping(read.usage))
                stopped = (mapping(read.delta) or {}).get("stop_reason")
                return EventClass.CONTENT if stopped else EventClass.HELD
            case "message_stop":
                return self.ended()
        return EventClass.CONTENT

    def _added(self, delta: dict[str, Any]) -> EventClass:
        """An empty text is no content yet."""
        self._tell(delta, "signature")
        return EventClass.CONTENT if any(delta[name] for name in delta if name != "type") else EventClass.HELD

    def _tell(self, fields: dict[str, Any], name: str) -> None:
        """Tell of thinking that only its maker takes."""
        if secret := text(fields.get(name)):
            self.objects.append(digest(secret))

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """Only one event opens."""
        return "message_start"

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """An ``error`` event."""
        return encode(encode_json(error_object(problem)), "error")

    def _last_words(self, event: bytes) -> bytes:
        """An ``error`` event of the dialect: its SDK passes over one without that name, and over OpenAI's."""
        parsed = parse(event)
        if parsed.event == "error" and (read_object(parsed.data) or {}).get("type") == "error":
            return event
        error = self.error
        return b"" if error is None else self.failure(Problem(error.kind, error.message))

    def _marked(self, block: bytes) -> bool:
        if block.startswith(_DELTA) and block.find(b"\n\n") == len(block) - 2:  # nearly all: one delta
            return block.rfind(b"signature_delta") >= 0
        # message_start, message_delta, message_stop; in the data of an error event its type stands in quotes.
        if b"message_" in block or b'"error"' in block or b"signature_delta" in block:
            return True
        return b"redacted_thinking" in block


def is_empty(block: object) -> bool:
    """Whether a content block has no content of its own, as at its start."""
    fields = mapping(block) or {}
    member = GROWING.get(str(fields.get("type")))
    return member is not None and not fields.get(member)
