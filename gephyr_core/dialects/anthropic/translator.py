"""Anthropic Messages to and from the neutral model."""

from typing import Any

import msgspec

from gephyr_core.conversation.prompt import HostedTool, Prompt
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.deltas_reading import AnthropicDeltaReader
from gephyr_core.dialects.anthropic.deltas_writing import AnthropicDeltaWriter
from gephyr_core.dialects.anthropic.media_writing import needs_inline
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.anthropic.reply import read_reply, write_reply
from gephyr_core.dialects.anthropic.request_reading import read_request
from gephyr_core.dialects.anthropic.request_writing import write_count, write_request
from gephyr_core.dialects.anthropic.tool_writing import lacks
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import DeltaReader, DeltaWriter, Destination, ReplyContext, Written

__all__ = ["AnthropicTranslator", "needs_inline"]


class _Count(msgspec.Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


class AnthropicTranslator:
    """See :class:`gephyr_core.dialects.translator.Translator`."""

    name = NAME

    def read_request(self, body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
        """Read a client's request, or one that counts its tokens."""
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
        return AnthropicDeltaReader(report)

    def delta_writer(self, context: ReplyContext) -> DeltaWriter:
        """Return a writer for one client's stream."""
        return AnthropicDeltaWriter(context)

    def write_count(self, prompt: Prompt, destination: Destination, report: Report) -> Written | None:
        """Write a request that counts the prompt's tokens."""
        return write_count(prompt, destination, report)

    def read_count(self, body: bytes) -> int:
        """Read the answer to it. Raises ``ValueError`` when it is none."""
        try:
            return _COUNT.decode(body).input_tokens
        except msgspec.MsgspecError as error:
            raise ValueError("the provider's reply is no count of tokens") from error

    def write_count_reply(self, tokens: int) -> bytes:
        """Write the answer to a client."""
        return encode_json({"input_tokens": tokens})
