"""Gemini's generateContent and what belongs to it."""

from collections.abc import Mapping, Sequence

import msgspec

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.base import Assembly, RenderedError, StreamReader, WholeReply
from gephyr_core.dialects.decoding import at_least_one, mapping, member
from gephyr_core.dialects.gemini import errors, signed_blocks
from gephyr_core.dialects.gemini.assembling import ContentAssembly, events_of
from gephyr_core.dialects.gemini.stream import GeminiArrayReader, GeminiStreamReader
from gephyr_core.dialects.gemini.whole import read_whole
from gephyr_core.envelope import Envelope
from gephyr_core.errors import Problem
from gephyr_core.json_array import ArrayAsEvents, ArrayFramer, EventsAsArray
from gephyr_core.sse import SseFramer


class Gemini:
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "gemini"
    keepalive = b"\n\n"
    terminal_required = False

    def stream_reader(
        self,
        *,
        max_line: int,
        array: bool = False,
        reframed: bool = False,
        choices: int = 1,
        signed: bool = True,  # noqa: ARG002
    ) -> StreamReader:
        """Return a reader for one attempt's stream, in its SSE or its array form."""
        if array:
            elements = EventsAsArray(max_line) if reframed else ArrayFramer(max_line)
            return GeminiArrayReader(elements, choices=choices)
        events = ArrayAsEvents(max_line) if reframed else SseFramer(max_line)
        return GeminiStreamReader(events, choices=choices)

    def choices(self, fields: Mapping[str, msgspec.Raw]) -> int:
        """``generationConfig.candidateCount``."""
        settings = mapping(member(fields, "generationConfig")) or {}
        return at_least_one(settings.get("candidateCount"))

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:  # noqa: ARG002
        """Render a whole error reply."""
        return errors.render_error(problem)

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
        return ContentAssembly()

    def events_of(self, body: bytes) -> bytes:
        """Return the stream that a whole reply would have been."""
        return events_of(body)
