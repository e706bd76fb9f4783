"""Chat Completions, and the OpenAI endpoints whose errors and usage look the same."""

from gephyr_core.dialects import openai_errors
from gephyr_core.dialects.base import RenderedError, StreamReader
from gephyr_core.dialects.decoding import reply_usage
from gephyr_core.dialects.openai_chat.stream import ChatStreamReader, chat_usage
from gephyr_core.errors import Problem
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer


class OpenAIChat:
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "openai-chat"
    keepalive = b": keep-alive\n\n"
    terminal_required = False

    def stream_reader(self, *, max_line: int, array: bool = False) -> StreamReader:  # noqa: ARG002
        """Return a reader for one attempt's stream."""
        return ChatStreamReader(SseFramer(max_line))

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:  # noqa: ARG002
        """Render a whole error reply."""
        return openai_errors.render_error(problem)

    def usage_of(self, reply: bytes) -> Usage | None:
        """Read the usage of a whole reply."""
        return chat_usage(reply_usage(reply))

    def objects_of(self, reply: bytes) -> list[str]:  # noqa: ARG002
        """A Chat reply holds nothing that a later request must find at the same account."""
        return []
