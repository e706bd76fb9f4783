"""A reply's deltas, written as a Gemini stream for a client."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.parts import Citation, HostedCall, Part, Refusal, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Signed,
    Started,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.dialects.gemini.errors import error_object
from gephyr_core.dialects.gemini.reply_parts import Beside, identity, reply_object, text_part, thought_part, whole_part
from gephyr_core.dialects.gemini.stops import of_calls
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import Problem

_text = msgspec.json.Encoder().encode
_HEAD = b'data: {"candidates":[{"content":{"parts":['


@attrs.define
class _Writing:
    """A part under way."""

    part: Part
    pieces: list[str] = attrs.field(factory=list)
    """Of its text, or of its arguments."""
    citations: list[Citation] = attrs.field(factory=list)
    signature: Signature | None = None
    """Of a call, which is written when it is whole."""


@attrs.define
class GeminiDeltaWriter:
    """See :class:`gephyr_core.dialects.translator.DeltaWriter`.

    Text flows; function calls are written when they are whole. What stands beside the content (searches, citations)
    and the usage are in the last chunk; there is no terminal behind it.
    """

    _context: ReplyContext
    _identity: dict[str, Any] = attrs.field(factory=dict)
    _tail: bytes = b""
    """What follows a chunk's parts."""
    _after_text: bytes = b""
    _after_thought: bytes = b""
    _parts: dict[int, _Writing] = attrs.field(factory=dict)
    _beside: Beside = attrs.field(factory=Beside)
    _written: bool = False
    """There was content."""
    _calls: list[bool] = attrs.field(factory=list)
    """Of each function call, whether it could be told."""
    _over: bool = False
    _do: dict[type[Delta], Callable[[Any], bytes]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._do = {
            TextAdded: self._text_added,
            ThinkingAdded: self._thinking_added,
            ArgumentsAdded: self._arguments_added,
            Started: self._begin,
            PartStarted: self._part_started,
            Signed: self._signed,
            Cited: self._cited,
            PartEnded: self._part_ended,
            Ended: self._ended,
            Failed: self._failed,
        }

    def write(self, delta: Delta) -> bytes:
        """Write one delta."""
        return b"" if self._over else self._do[type(delta)](delta)

    def failure(self, problem: Problem) -> bytes:
        """The bare error object: the one form on which Google's Python and JS SDKs both raise."""
        if self._over:
            return b""
        self._over = True
        return encode_json(error_object(problem)) + b"\n"

    # -- text, the hot path -------------------------------------------------------------------------------------------

    def _text_added(self, delta: TextAdded) -> bytes:
        text = delta.text
        self._parts[delta.index].pieces.append(text)
        return b'data: {"candidates":[{"content":{"parts":[{"text":%b%b' % (_text(text), self._after_text)

    def _thinking_added(self, delta: ThinkingAdded) -> bytes:
        return b'data: {"candidates":[{"content":{"parts":[{"text":%b%b' % (_text(delta.text), self._after_thought)

    def _arguments_added(self, delta: ArgumentsAdded) -> bytes:
        self._parts[delta.index].pieces.append(delta.text)
        return b""

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _begin(self, delta: Started) -> bytes:
        """A reply begins with its first content: chunks without parts mean nothing to a client."""
        self._identity = identity(self._context, delta.model)
        self._tail = b'],"role":"model"},"index":0}],%b\n\n' % encode_json(self._identity)[1:]
        self._after_text = b"}" + self._tail
        self._after_thought = b',"thought":true}' + self._tail
        return b""

    def _chunk(self, part: dict[str, Any]) -> bytes:
        return b"%b%b%b" % (_HEAD, encode_json(part), self._tail)

    def _part_started(self, delta: PartStarted) -> bytes:
        part = delta.part
        self._parts[delta.index] = writing = _Writing(part)
        self._written = True
        match part:
            case Text():
                writing.citations += part.citations
                return self._text_started(delta.index, part.text, part.signature)
            case Refusal():
                return self._text_started(delta.index, part.text, None)
            case Thinking():
                if part.text or part.signature is not None:
                    return self._chunk(thought_part(part.text, part, part.signature))
            case ToolCall() | HostedCall():
                writing.signature = part.signature
                writing.pieces.append(part.arguments)
            case _:
                self._beside.hosted(part)
                written = whole_part(part, delta.index, self._context)
                return b"" if written is None else self._chunk(written)
        return b""

    def _text_started(self, index: int, text: str, signature: Signature | None) -> bytes:
        if text:
            self._parts[index].pieces.append(text)
        return self._chunk(text_part(text, signature)) if text or signature is not None else b""

    def _signed(self, delta: Signed) -> bytes:
        writing = self._parts[delta.index]
        part = writing.part
        if isinstance(part, Thinking):
            return self._chunk(thought_part("", part, delta.signature))
        if isinstance(part, Text):
            return self._chunk(text_part("", delta.signature))
        writing.signature = delta.signature
        return b""

    def _cited(self, delta: Cited) -> bytes:
        self._parts[delta.index].citations.append(delta.citation)
        return b""

    def _part_ended(self, delta: PartEnded) -> bytes:
        writing = self._parts.pop(delta.index)
        part = writing.part
        if isinstance(part, Text | Refusal):
            self._beside.text("".join(writing.pieces), writing.citations)
        if not isinstance(part, ToolCall | HostedCall):
            return b""
        whole = attrs.evolve(part, arguments="".join(writing.pieces), signature=writing.signature)
        self._beside.hosted(whole)
        written = whole_part(whole, delta.index, self._context)
        if isinstance(part, ToolCall):
            self._calls.append(written is not None)
        return b"" if written is None else self._chunk(written)

    def _ended(self, delta: Ended) -> bytes:
        self._over = True
        parts = [{"text": ""}] if self._written else []
        stop = of_calls(delta.stop, called=any(self._calls)) if self._calls else delta.stop
        ending = reply_object(parts, stop, delta.usage, self._beside, self._identity)
        return b"data: %b\n\n" % encode_json(ending)

    def _failed(self, delta: Failed) -> bytes:
        return self.failure(Problem(delta.kind, delta.message, code=delta.code))
