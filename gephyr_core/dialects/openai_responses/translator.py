"""Responses to and from the neutral model."""

from typing import Any

import msgspec

from gephyr_core.conversation.parts import Part
from gephyr_core.conversation.prompt import HostedTool, Prompt
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import count, decode, mapping
from gephyr_core.dialects.openai_responses.delta_writing import ResponsesDeltaWriter
from gephyr_core.dialects.openai_responses.deltas import ResponsesDeltaReader
from gephyr_core.dialects.openai_responses.reply import read_reply, write_reply
from gephyr_core.dialects.openai_responses.request_reading import read_request
from gephyr_core.dialects.openai_responses.request_writing import write_count, write_request
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.openai_responses.tool_writing import lacks
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import DeltaReader, DeltaWriter, Destination, ReplyContext, Written

_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def needs_inline(part: Part) -> bool:  # noqa: ARG001
    """Whether a provider has to be given the bytes of *part*: never, it takes images and files by their address."""
    return False


class ResponsesTranslator:
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
        return ResponsesDeltaReader(report)

    def delta_writer(self, context: ReplyContext) -> DeltaWriter:
        """Return a writer for one client's stream."""
        return ResponsesDeltaWriter(context)

    def write_count(self, prompt: Prompt, destination: Destination, report: Report) -> Written | None:
        """Write a request for ``/responses/input_tokens``."""
        return write_count(prompt, destination, report)

    def read_count(self, body: bytes) -> int:
        """Read the answer to it."""
        counted = count(mapping(decode(_ANY, body)), "input_tokens")
        if counted is None:
            raise ValueError("the provider's reply counts no tokens")
        return counted

    def write_count_reply(self, tokens: int) -> bytes:
        """Write the answer to a client that asks there."""
        return encode_json({"object": "response.input_tokens", "input_tokens": tokens})
