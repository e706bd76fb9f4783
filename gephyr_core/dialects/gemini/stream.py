"""Gemini streams: one ``GenerateContentResponse`` an event, as SSE or as the elements of one JSON array."""

import re
from typing import Any

import attrs
import msgspec

from gephyr_core.dialects.base import EventClass
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.gemini.errors import error_object, stream_error
from gephyr_core.dialects.gemini.usage import gemini_usage
from gephyr_core.dialects.reader import ReaderState, SseStreamReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import Problem
from gephyr_core.json_array import ArrayFramer, element
from gephyr_core.records import Usage
from gephyr_core.sse import parse, without_comments


class _Content(msgspec.Struct, gc=False):
    parts: list[msgspec.Raw] | None = None


class _Candidate(msgspec.Struct, gc=False):
    content: _Content | None = None
    finishReason: Any = None  # noqa: N815


class _Chunk(msgspec.Struct, gc=False):
    candidates: list[_Candidate] | None = None
    promptFeedback: Any = None  # noqa: N815
    responseId: Any = None  # noqa: N815
    usageMetadata: Any = None  # noqa: N815
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_TELLING = re.compile(rb'"(?:finishReason|error|args)"')
_CLOSING = b"]"


def _classify(state: ReaderState, data: bytes | str) -> EventClass:
    """Say what a chunk is, one without parts opens; note in *state* what it tells."""
    if not data:
        return EventClass.HELD
    chunk = decode(_CHUNK, data)
    if chunk is None:
        return EventClass.CONTENT
    if chunk.error:
        return state.fail(stream_error(chunk.error))
    state.reply_id = state.reply_id or text(chunk.responseId)
    state.latest_usage = gemini_usage(mapping(chunk.usageMetadata)) or state.latest_usage
    candidates = chunk.candidates or ()
    blocked = (mapping(chunk.promptFeedback) or {}).get("blockReason")
    if blocked or any(candidate.finishReason for candidate in candidates):
        state.terminal_seen = True
        return EventClass.CONTENT
    if any(candidate.content is not None and candidate.content.parts for candidate in candidates):
        return EventClass.CONTENT
    return EventClass.OPENING


@attrs.define
class GeminiStreamReader(SseStreamReader):
    """Reads one attempt's SSE stream, and takes comments out of it: Google's Python SDK fails on them.

    Every event tells usage, and only the last one's matters: a block is kept, and read when the usage is asked for.
    """

    _unread: bytes = attrs.field(default=b"", init=False)

    @property
    def usage(self) -> Usage | None:
        """The latest usage the stream told of."""
        self._catch_up()
        return self.latest_usage

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the events that are now whole, without comments."""
        return self._framer.events(without_comments(self._framer.cut(data)))

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece, without comments, watched."""
        block = without_comments(self._framer.cut(data))
        if self._marked(block):
            self._catch_up()
            self._unread = block
            self._catch_up()
        elif b'"usageMetadata"' in block:
            self._unread = block
        return block

    def rest(self) -> bytes:
        """Take the unfinished tail, without comments. A bare error object at the end of a stream is read here."""
        tail = without_comments(self._framer.rest())
        if tail:
            self.classify(tail)
        return tail

    def classify(self, event: bytes) -> EventClass:
        """Say what a chunk is. Errors may come as a bare object, without ``data:``."""
        bare = event.strip()
        return _classify(self, bare if bare.startswith(b"{") else parse(event).data)

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """All opening chunks are alike."""
        return "chunk"

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """The bare error object: the one form on which Google's Python and JS SDKs both raise."""
        return encode_json(error_object(problem)) + b"\n"

    def _marked(self, block: bytes) -> bool:
        # The arguments of a function call are the model's own JSON, in which a member may have any name, that of the
        # usage too: such a block must not take the place of an unread one.
        return _TELLING.search(block) is not None

    def _catch_up(self) -> None:
        unread, self._unread = self._unread, b""
        for event in self._framer.events(unread):
            self.classify(event)


@attrs.define
class GeminiArrayReader(ReaderState):
    """Reads one attempt's stream in its JSON array form.

    Nothing is released before content, so that a client's array begins once, whatever attempts came before.
    """

    _framer: ArrayFramer
    _begun: bool = attrs.field(default=False, init=False)

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the elements that are now whole, each with what stands before it."""
        return self._framer.split(data)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole elements as one piece, watched."""
        pieces = self._framer.split(data)
        for piece in pieces:
            self.classify(piece)
        return b"".join(pieces)

    def rest(self) -> bytes:
        """Take the unfinished tail: white space after the array, if the provider kept to JSON."""
        return self._framer.rest()

    def classify(self, event: bytes) -> EventClass:
        """Say what an element is. What would open an SSE stream is held."""
        data = element(event)
        if data == _CLOSING:
            self.terminal_seen = True
            kind = EventClass.CONTENT
        else:
            kind = _classify(self, data)
        if kind is EventClass.OPENING:
            return EventClass.HELD
        self._begun = self._begun or kind is EventClass.CONTENT
        return kind

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """No element opens."""
        return ""

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """An error as the last element."""
        return (b",%b]" if self._begun else b"[%b]") % encode_json(error_object(problem))
