"""Gemini's generateContent and what belongs to it."""

from gephyr_core.dialects.base import RenderedError, StreamReader
from gephyr_core.dialects.gemini import errors
from gephyr_core.dialects.gemini.stream import GeminiArrayReader, GeminiStreamReader
from gephyr_core.dialects.gemini.usage import reply_usage
from gephyr_core.errors import Problem
from gephyr_core.json_array import ArrayFramer
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer


class Gemini:
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "gemini"
    keepalive = b"\n\n"
    terminal_required = False

    def stream_reader(self, *, max_line: int, array: bool = False) -> StreamReader:
        """Return a reader for one attempt's stream, in its SSE or its array form."""
        return GeminiArrayReader(ArrayFramer(max_line)) if array else GeminiStreamReader(SseFramer(max_line))

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:  # noqa: ARG002
        """Render a whole error reply."""
        return errors.render_error(problem)

    def usage_of(self, reply: bytes) -> Usage | None:
        """Read the usage of a whole reply."""
        return reply_usage(reply)

    def objects_of(self, reply: bytes) -> list[str]:  # noqa: ARG002
        """A reply holds nothing that a later request must find at the same account."""
        return []
