"""Messages and what belongs to them."""

from gephyr_core.dialects.anthropic import errors
from gephyr_core.dialects.anthropic.stream import AnthropicStreamReader
from gephyr_core.dialects.anthropic.usage import merged
from gephyr_core.dialects.base import RenderedError, StreamReader
from gephyr_core.dialects.decoding import reply_usage
from gephyr_core.errors import Problem
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer


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

    def objects_of(self, reply: bytes) -> list[str]:  # noqa: ARG002
        """A message holds nothing that a later request must find at the same account."""
        return []
