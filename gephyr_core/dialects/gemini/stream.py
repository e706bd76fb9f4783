"""Gemini streams: one ``GenerateContentResponse`` an event, as SSE or as the elements of one JSON array."""

import re
from typing import Any

import attrs
import msgspec

from gephyr_core.dialects.base import EventClass, Heard
from gephyr_core.dialects.decoding import decode, digest, mapping, text
from gephyr_core.dialects.gemini.errors import error_object, stream_error
from gephyr_core.dialects.gemini.messages import standard_base64
from gephyr_core.dialects.gemini.usage import gemini_usage
from gephyr_core.dialects.reader import ReaderState, SseStreamReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import Problem
from gephyr_core.json_array import ArrayFramer, EventsAsArray, element
from gephyr_core.records import Usage
from gephyr_core.sse import parse, without_comments


class _Content(msgspec.Struct, gc=False):
    parts: list[Any] | None = None


class _Candidate(msgspec.Struct, gc=False):
    content: _Content | None = None
    index: Any = None
    finishReason: Any = None  # noqa: N815


class Chunk(msgspec.Struct, gc=False):
    """A chunk of a stream, or a whole reply: what the gateway looks at."""

    candidates: list[_Candidate] | None = None
    promptFeedback: Any = None  # noqa: N815
    responseId: Any = None  # noqa: N815
    usageMetadata: Any = None  # noqa: N815
    error: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)
_TELLING = re.compile(rb'"(?:finishReason|error|args|thoughtSignature)"')
_CLOSING = b"]"
_LONGEST_BLANK = 64
"""Bytes between two elements, beyond which they are no sign of a next one."""
_LARGEST_ERROR = 64 * 1024
"""Bytes of an unfinished tail that is looked at each time more comes."""


def _holds_content(parts: list[Any] | None) -> bool:
    """Whether a content's parts say anything."""
    return any(any((mapping(part) or {}).values()) for part in parts or ())


def signature_digests(chunk: Chunk) -> list[str]:
    """The names by which the signatures of a chunk, or of a whole reply, are known when they come back."""
    parts = [
        part for candidate in chunk.candidates or () if candidate.content for part in candidate.content.parts or ()
    ]
    values = [text((mapping(part) or {}).get("thoughtSignature")) for part in parts]
    return [digest(standard_base64(value)) for value in values if value]


def _classify(state: ReaderState, data: bytes | str) -> EventClass:
    """Say what a chunk is, one without parts opens; note in *state* what it tells.

    The reply is finished when every candidate has told its reason, and over when usage came with it or after it: the
    API has no terminal event, and its last chunk holds both.
    """
    if not data:
        return EventClass.HELD
    chunk = decode(_CHUNK, data)
    if chunk is None:
        return state.unknown(data)
    if chunk.error:
        return state.fail(stream_error(chunk.error))
    state.reply_id = state.reply_id or text(chunk.responseId)
    state.objects += signature_digests(chunk)
    usage = gemini_usage(mapping(chunk.usageMetadata))
    state.latest_usage = usage or state.latest_usage
    for candidate in chunk.candidates or ():
        if candidate.finishReason:
            state.end_choice(candidate.index)
    state.finished = state.finished or _is_blocked(chunk)
    if state.finished and usage is not None:
        state.told_usage()
    return EventClass.CONTENT if is_reply(chunk) else EventClass.OPENING


def _is_last(chunk: Chunk) -> bool:
    """Whether a chunk says why the reply ended, or why there is none."""
    return _is_blocked(chunk) or any(candidate.finishReason for candidate in chunk.candidates or ())


def _is_blocked(chunk: Chunk) -> bool:
    return bool((mapping(chunk.promptFeedback) or {}).get("blockReason"))


def is_reply(chunk: Chunk) -> bool:
    """Whether a chunk, or a whole reply, has content or says why it ended."""
    if _is_last(chunk):
        return True
    contents = [candidate.content for candidate in chunk.candidates or ()]
    return any(_holds_content(content.parts) for content in contents if content is not None)


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
        return [*self._framer.events(without_comments(self._framer.cut(data))), *self._bare_error()]

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece, without comments, watched."""
        block = without_comments(self._framer.cut(data))
        if self._marked(block):
            self._catch_up()
            block = self._read_all(block)
        elif b'"usageMetadata"' in block:
            self._unread = block
        if not self.terminal_seen:
            for event in self._bare_error():
                self.classify(event)
        return block

    def rest(self) -> bytes:
        """Take the unfinished tail, without comments. A bare error object at the end of a stream is read here."""
        tail = without_comments(self._framer.rest())
        return b"" if tail and self.classify(tail) is EventClass.ERROR else tail

    def _bare_error(self) -> list[bytes]:
        """Take the unfinished tail if it is an error without ``data:``: no empty line has to come after it."""
        tail = self._framer.tail
        if tail[:1] != b"{" or len(tail) > _LARGEST_ERROR or not tail.rstrip().endswith(b"}"):
            return []
        chunk = decode(_CHUNK, bytes(tail))
        return [self._framer.rest()] if chunk is not None and chunk.error else []

    def _classified(self, event: bytes) -> EventClass:
        return _classify(self, parse(event).data)

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """All opening chunks are alike."""
        return "chunk"

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """The bare error object: the one form on which Google's Python and JS SDKs both raise."""
        return encode_json(error_object(problem)) + b"\n"

    def _last_words(self, event: bytes) -> bytes:
        """The bare object, in which form alone Google's JS SDK hears of an error, and its Python SDK too."""
        return parse(event).data.encode() + b"\n"

    def _marked(self, block: bytes) -> bool:
        # The arguments of a function call are the model's own JSON, in which a member may have any name, that of the
        # usage too: such a block must not take the place of an unread one.
        return self.finished or _TELLING.search(block) is not None

    def _catch_up(self) -> None:
        unread, self._unread = self._unread, b""
        self._read_all(unread)

    def _read_all(self, block: bytes) -> bytes:
        """Read *block*; return it up to an error, or with the last chunk."""
        read = 0
        for event in self._framer.events(block):
            if self.classify(event) is EventClass.ERROR:
                return block[:read]
            read += len(event)
            if self.terminal_seen:
                return block[:read]
        return block


@attrs.define
class GeminiArrayReader(ReaderState):
    """Reads one attempt's stream in its JSON array form.

    Nothing is released before content, so that a client's array begins once, whatever attempts came before. The reply
    is over with the end of the array.
    """

    _framer: ArrayFramer | EventsAsArray

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the elements that are now whole, each with what stands before it."""
        return self._framer.split(data)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole elements as one piece, watched."""
        return self._read(self._framer.split(data))

    def heard(self, block: bytes) -> Heard:
        """Say what the bytes that were added last amount to, of which *block* was returned."""
        if block:
            return Heard.EVENT
        return Heard.SIGN if self._framer.tail[:_LONGEST_BLANK].strip() else Heard.SILENCE

    def told_usage(self) -> None:
        """Note that the last element came: the end of the array follows it."""

    def closing(self) -> bytes:
        """The end of the array."""
        return b"\n]"

    def rest(self) -> bytes:
        """Take the unfinished tail: white space after the array, if the provider kept to JSON."""
        return self._read(self._framer.last())

    def _read(self, pieces: list[bytes]) -> bytes:
        """Read elements; return them up to an error."""
        for index, piece in enumerate(pieces):
            if self.classify(piece) is EventClass.ERROR:
                return b"".join(pieces[:index])
        return b"".join(pieces)

    def _last_words(self, event: bytes) -> bytes:
        """The error as the last element."""
        return event + b"\n]"

    def _classified(self, event: bytes) -> EventClass:
        """What would open an SSE stream is held."""
        data = element(event)
        if data == _CLOSING:
            return self.ended()
        kind = _classify(self, data)
        return EventClass.HELD if kind is EventClass.OPENING else kind

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """No element opens."""
        return ""

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """An error as the last element."""
        return (b",%b]" if self.begun else b"[%b]") % encode_json(error_object(problem))
