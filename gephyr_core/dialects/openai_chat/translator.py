"""Chat Completions to and from the neutral model."""

from typing import Any

from gephyr_core.conversation.parts import Audio, Document, Part, Url
from gephyr_core.conversation.prompt import HostedTool, Prompt
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.delta_writing import ChatDeltaWriter
from gephyr_core.dialects.openai_chat.deltas import ChatDeltaReader
from gephyr_core.dialects.openai_chat.reasoning import NAME
from gephyr_core.dialects.openai_chat.reply import read_reply, write_reply
from gephyr_core.dialects.openai_chat.request_reading import read_request
from gephyr_core.dialects.openai_chat.request_writing import write_request
from gephyr_core.dialects.openai_chat.tool_writing import lacks
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import DeltaReader, DeltaWriter, Destination, ReplyContext, Written


def needs_inline(part: Part) -> bool:
    """Whether a provider of Chat has to be given the bytes of *part*: it takes images by their address, not files."""
    return isinstance(part, Document | Audio) and isinstance(part.source, Url)


class ChatTranslator:
    """See :class:`gephyr_core.dialects.translator.Translator`."""

    name = NAME

    def read_request(self, body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
        """Read a client's request."""
        return read_request(body, report, model=model, stream=stream)

    def write_request(self, prompt: Prompt, destination: Destination, report: Report) -> Written:
        """Write a request for a provider."""
        return write_request(prompt, destination, report)

    def lacks(self, tool: HostedTool, destination: Destination, *, alone: bool) -> str:  # noqa: ARG002
        """Why the destination cannot be given a hosted tool; empty where it can."""
        return lacks(tool, destination)

    def read_reply(self, body: bytes, report: Report) -> Reply:
        """Read a whole reply."""
        return read_reply(body, report)

    def write_reply(self, reply: Reply, context: ReplyContext) -> bytes:
        """Write a whole reply."""
        return write_reply(reply, context)

    def delta_reader(self, report: Report) -> DeltaReader:
        """Return a reader for one attempt's stream."""
        return ChatDeltaReader(report)

    def delta_writer(self, context: ReplyContext) -> DeltaWriter:
        """Return a writer for one client's stream."""
        return ChatDeltaWriter(context)

    def write_count(self, prompt: Prompt, destination: Destination, report: Report) -> Written | None:  # noqa: ARG002
        """Chat has no way to ask for a count."""
        return None

    def read_count(self, body: bytes) -> int:  # noqa: ARG002
        """Nor an answer to it."""
        raise ValueError("Chat Completions counts no tokens")

    def write_count_reply(self, tokens: int) -> bytes:
        """Write a count as OpenAI's own counting endpoint does; no Chat client asks for one."""
        return encode_json({"object": "response.input_tokens", "input_tokens": tokens})
