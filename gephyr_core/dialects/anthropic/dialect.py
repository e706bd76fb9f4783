"""Messages and what belongs to them."""

from collections.abc import Mapping, Sequence

import msgspec

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.anthropic import errors, signed_blocks
from gephyr_core.dialects.anthropic.assembling import MessageAssembly, events_of
from gephyr_core.dialects.anthropic.stream import AnthropicStreamReader
from gephyr_core.dialects.anthropic.whole import read_whole
from gephyr_core.dialects.base import Assembly, RenderedError, StreamReader, WholeReply
from gephyr_core.envelope import Envelope
from gephyr_core.errors import Problem
from gephyr_core.sse import SseFramer


class Anthropic:
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "anthropic"
    keepalive = b'event: ping\ndata: {"type": "ping"}\n\n'
    terminal_required = True

    def stream_reader(
        self,
        *,
        max_line: int,
        array: bool = False,  # noqa: ARG002
        reframed: bool = False,  # noqa: ARG002
        choices: int = 1,  # noqa: ARG002
        signed: bool = True,  # noqa: ARG002
    ) -> StreamReader:
        """Return a reader for one attempt's stream."""
        return AnthropicStreamReader(SseFramer(max_line))

    def choices(self, fields: Mapping[str, msgspec.Raw]) -> int:  # noqa: ARG002
        """A reply is one message."""
        return 1

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:
        """Render a whole error reply."""
        return errors.render_error(problem, request_id)

    def read_whole(self, body: bytes, *, generates: bool) -> WholeReply:
        """Read a whole reply."""
        return read_whole(body, generates=generates)

    def signed_blocks(self, envelope: Envelope) -> tuple[SignedBlock, ...]:
        """Find the signed blocks of a request's body."""
        return signed_blocks.signed_blocks(envelope)

    def without(self, envelope: Envelope, blocks: Sequence[SignedBlock], capabilities: Capabilities) -> LeftOut:
        """Return the changes of a body that leave signed blocks out."""
        return signed_blocks.without(envelope, blocks, capabilities)

    def assembly(self) -> Assembly:
        """Return what makes a whole reply of a stream's events."""
        return MessageAssembly()

    def events_of(self, body: bytes) -> bytes:
        """Return the stream that a whole reply would have been."""
        return events_of(body)
