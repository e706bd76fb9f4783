"""Gemini's generateContent to and from the neutral model."""

from typing import Any

import msgspec

from gephyr_core.conversation.prompt import HostedTool, Prompt
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import decode
from gephyr_core.dialects.gemini.deltas_reading import GeminiDeltaReader
from gephyr_core.dialects.gemini.deltas_writing import GeminiDeltaWriter
from gephyr_core.dialects.gemini.media import needs_inline
from gephyr_core.dialects.gemini.messages import NAME
from gephyr_core.dialects.gemini.reply import read_reply, write_reply
from gephyr_core.dialects.gemini.request_reading import COUNTED, read_request
from gephyr_core.dialects.gemini.request_writing import write_request
from gephyr_core.dialects.gemini.tool_writing import lacks
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import DeltaReader, DeltaWriter, Destination, ReplyContext, Written

__all__ = ["GeminiTranslator", "needs_inline"]


class _Count(msgspec.Struct, gc=False, rename="camel"):
    total_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


class GeminiTranslator:
    """See :class:`gephyr_core.dialects.translator.Translator`."""

    name = NAME

    def read_request(self, body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
        """Read a client's request, or what it wants counted."""
        return read_request(body, report, model=model, stream=stream)

    def write_request(self, prompt: Prompt, destination: Destination, report: Report) -> Written:
        """Write a request for a provider; the model and whether to stream stand in its address."""
        return write_request(prompt, destination, report)

    def lacks(self, tool: HostedTool, destination: Destination, *, alone: bool) -> str:
        """Why the destination cannot be given a hosted tool; empty where it can."""
        return lacks(tool, destination, alone=alone)

    def read_reply(self, body: bytes, report: Report) -> Reply:
        """Read a whole reply."""
        return read_reply(body, report)

    def write_reply(self, reply: Reply, context: ReplyContext) -> bytes:
        """Write a whole reply."""
        return write_reply(reply, context)

    def delta_reader(self, report: Report) -> DeltaReader:
        """Return a reader for one attempt's stream."""
        return GeminiDeltaReader(report)

    def delta_writer(self, context: ReplyContext) -> DeltaWriter:
        """Return a writer for one client's stream."""
        return GeminiDeltaWriter(context)

    def write_count(self, prompt: Prompt, destination: Destination, report: Report) -> Written | None:
        """Write a request that counts all of the prompt: contents, instructions and tools."""
        written = write_request(prompt, destination, report)
        counted = {"model": f"models/{destination.model}", **written.body}
        return Written({COUNTED: counted}, tool_names=written.tool_names, freeform=written.freeform)

    def read_count(self, body: bytes) -> int:
        """Read the answer to it."""
        count = decode(_COUNT, body)
        if count is None:
            raise ValueError("the provider's answer holds no totalTokens")
        return count.total_tokens

    def write_count_reply(self, tokens: int) -> bytes:
        """Write the answer to a request that counts tokens."""
        return encode_json({"totalTokens": tokens})
