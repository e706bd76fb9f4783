"""Responses, Conversations and what belongs to them."""

from gephyr_core.dialects import openai_errors
from gephyr_core.dialects.base import RenderedError, StreamReader
from gephyr_core.dialects.decoding import reply_usage
from gephyr_core.dialects.openai_responses.objects import reply_objects, responses_usage
from gephyr_core.dialects.openai_responses.stream import ResponsesStreamReader
from gephyr_core.errors import Problem
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer


class OpenAIResponses:
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "openai-responses"
    keepalive = b": keep-alive\n\n"
    terminal_required = True

    def stream_reader(self, *, max_line: int, array: bool = False) -> StreamReader:  # noqa: ARG002
        """Return a reader for one attempt's stream."""
        return ResponsesStreamReader(SseFramer(max_line))

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:  # noqa: ARG002
        """Render a whole error reply."""
        return openai_errors.render_error(problem)

    def usage_of(self, reply: bytes) -> Usage | None:
        """Read the usage of a whole reply."""
        return responses_usage(reply_usage(reply))

    def objects_of(self, reply: bytes) -> list[str]:
        """Ids of the response and its conversation, and digests of encrypted items."""
        return reply_objects(reply)
