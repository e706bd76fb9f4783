"""Messages and what belongs to them."""

from typing import Any

import msgspec

from gephyr_core.dialects.anthropic import errors
from gephyr_core.dialects.anthropic.stream import AnthropicStreamReader
from gephyr_core.dialects.anthropic.usage import merged
from gephyr_core.dialects.base import RenderedError, StreamReader
from gephyr_core.dialects.decoding import decode, digest, reply_usage, text
from gephyr_core.errors import Problem
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer


class _Block(msgspec.Struct, gc=False):
    signature: Any = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Block]


_MESSAGE = msgspec.json.Decoder(_Message)


class Anthropic:
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "anthropic"
    keepalive = b'event: ping\ndata: {"type": "ping"}\n\n'
    terminal_required = True

    def stream_reader(self, *, max_line: int, array: bool = False) -> StreamReader:  # noqa: ARG002
        """Return a reader for one attempt's stream."""
        return AnthropicStreamReader(SseFramer(max_line))

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:
        """Render a whole error reply."""
        return errors.render_error(problem, request_id)

    def usage_of(self, reply: bytes) -> Usage | None:
        """Read the usage of a whole reply."""
        return merged(None, reply_usage(reply))

    def objects_of(self, reply: bytes) -> list[str]:
        """Digests of the signatures of thinking, which another organisation would not take."""
        message = decode(_MESSAGE, reply) if b'"signature"' in reply else None
        blocks = () if message is None else message.content
        return [digest(signature) for block in blocks if (signature := text(block.signature))]
