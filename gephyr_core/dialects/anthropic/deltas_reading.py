"""A provider's Messages stream, read."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.arguments import Incoming
from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.parts import HostedCall, Origin, Part, Signature, Text, Thinking, ToolCall
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
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic import hosted
from gephyr_core.dialects.anthropic.errors import stream_error
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.anthropic.stops import read_stop
from gephyr_core.dialects.anthropic.usage import merged
from gephyr_core.dialects.decoding import bare_error, decode, decode_event, decode_strictly, mapping, text
from gephyr_core.dialects.joining import CutReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage
from gephyr_core.sse import parse

_UNFINISHED = "the provider's stream ended before the reply was complete"
_UNREADABLE = "the provider sent an event that cannot be read"
_DONE = "[DONE]"
"""What ends the streams of OpenAI, and of some who speak this dialect too."""
_TEXT_EVENT = b"event: content_block_delta\ndata: "


class _Added(msgspec.Struct, gc=False):
    type: str
    text: str = ""


class _BlockDelta(msgspec.Struct, gc=False):
    """What nearly all events are."""

    type: str
    index: int
    delta: _Added


_BLOCK_DELTA = msgspec.json.Decoder(_BlockDelta)
_OBJECT = msgspec.json.Decoder(dict[str, Any])


@attrs.define
class _Open:
    """A block under way."""

    index: int
    """The part's index."""
    kind: type[Part]
    given: dict[str, Any] | None = None
    """A call's whole input, where the provider told it at the start; or the pieces are kept until it is complete."""
    held: list[str] | None = None
    """Arguments that have to be rewritten when they are complete."""
    name: str = ""
    arguments: Incoming = attrs.field(factory=Incoming)
    empty: bool = True


@attrs.define
class AnthropicDeltaReader(CutReader):
    """See :class:`gephyr_core.dialects.translator.DeltaReader`. The reply ends at ``message_stop``."""

    _report: Report
    _blocks: dict[int, _Open] = attrs.field(factory=dict)
    """By the provider's index."""
    _texts: dict[int, int] = attrs.field(factory=dict)
    """Open texts: the provider's index to the part's."""
    _parts: int = 0
    _model: str = ""
    _started: bool = False
    _called: bool = False
    """There was a call of a tool of the client's."""
    _ending: _Open | None = None
    """A call without arguments that ended: whether it is whole is known when the next event comes."""
    _ids: CallIds = attrs.field(default=attrs.Factory(lambda self: CallIds(self._report), takes_self=True), init=False)
    _stop: Stop | None = None
    _usage: Usage | None = None

    @property
    def finished(self) -> bool:
        """Never before the stream's last event, which the dialect demands."""
        return self._over

    def read(self, event: bytes) -> list[Delta]:
        """Read one event."""
        if self._aside:
            return self.read_aside(event)
        if event.startswith(_TEXT_EVENT) and event.find(b"\n", len(_TEXT_EVENT)) == len(event) - 2:
            added = decode_strictly(_BLOCK_DELTA, event[len(_TEXT_EVENT) :])
            if added is not None and added.delta.type == "text_delta" and added.index in self._texts:
                return [TextAdded(self._texts[added.index], added.delta.text)] if added.delta.text else []
        parsed = parse(event)
        fields = decode_strictly(_OBJECT, bare_error(event) or parsed.data)
        return self.read_aside(event) if fields is None else self._take(fields, parsed.event)

    def _read_cut(self, event: bytes) -> list[Delta]:
        parsed = parse(event)
        data = bare_error(event) or parsed.data
        if not data or data == _DONE:
            return []
        fields = decode_event(_OBJECT, data)
        if fields is None:
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNREADABLE))
        return self._take(fields, parsed.event)

    def _finish(self) -> list[Delta]:
        return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED)) if self._stop is None else self.end({})

    def _take(self, fields: dict[str, Any], event: str) -> list[Delta]:
        kind = text(fields.get("type")) or event
        if kind == "error" or fields.get("error"):
            error = stream_error(fields.get("error"))
            return self._end(Failed(error.kind, error.message, error.code))
        take = _EVENTS.get(kind)
        return [] if take is None else take(self, fields)

    # -- the message ------------------------------------------------------------------------------------------------

    def begin(self, fields: dict[str, Any]) -> list[Delta]:
        """``message_start``."""
        message = mapping(fields.get("message")) or {}
        if self._started:
            return []
        self._started = True
        self._model = text(message.get("model")) or ""
        self._usage = merged(self._usage, mapping(message.get("usage")))
        return [Started(text(message.get("id")) or "", self._model, self._usage)]

    def change(self, fields: dict[str, Any]) -> list[Delta]:
        """``message_delta``."""
        self._usage = merged(self._usage, mapping(fields.get("usage")))
        self._stop = read_stop(mapping(fields.get("delta")) or {}) or self._stop
        return [] if self._stop is None else self._settled(self._stop)

    def end(self, fields: dict[str, Any]) -> list[Delta]:  # noqa: ARG002
        """``message_stop``. Where no reason was told, what was said tells it; a reply that says nothing is none."""
        if self._stop is None and not self._parts:
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED))
        stop = self._stop or Stop(StopReason.TOOL_CALL if self._called else StopReason.END)
        closed = self._begun([])
        for number in list(self._blocks):
            closed += self.close({"index": number})
        closed += self._settled(stop)
        return [*closed, *self._end(Ended(stop, self._usage or Usage()))]

    def _begun(self, deltas: list[Delta]) -> list[Delta]:
        """Put a beginning before *deltas* where the provider told none."""
        return deltas if self._started else [*self.begin({}), *deltas]

    # -- blocks -----------------------------------------------------------------------------------------------------

    def open(self, fields: dict[str, Any]) -> list[Delta]:
        """``content_block_start``."""
        number, block = fields.get("index"), mapping(fields.get("content_block"))
        if block is None or not isinstance(number, int):
            return []
        closed = [*self.close({"index": number}), *self._settled()]
        part = self._part(block, f"content[{number}]")
        if part is None:
            self._report.dropped(f"content[{number}]", f"a block of type {block.get('type')!r} has no counterpart")
            return closed
        opened = _Open(self._parts, type(part), name=getattr(part, "name", ""))
        self._parts += 1
        self._blocks[number] = opened
        index = opened.index
        deltas: list[Delta] = [*closed, PartStarted(index, part)]
        if isinstance(part, Text):
            self._texts[number] = index
            if told := text(block.get("text")):
                deltas.append(TextAdded(index, told))
            cited = block.get("citations")
            for value in cited if isinstance(cited, list) else ():
                deltas += self._cited(index, value)
        elif isinstance(part, Thinking) and not part.redacted:
            if told := text(block.get("thinking")):
                deltas.append(ThinkingAdded(index, told))
            deltas += self._signed(index, block.get("signature"))
        elif isinstance(part, ToolCall | HostedCall):
            self._called = self._called or isinstance(part, ToolCall)
            opened.given = mapping(block.get("input")) or None
            if isinstance(part, HostedCall) and part.name == hosted.BASH:
                opened.held = []
        return self._begun(deltas)

    def _part(self, block: dict[str, Any], path: str) -> Part | None:
        """The part that a block begins; None for one that the neutral model does not know."""
        kind = block.get("type")
        if kind == "text":
            return Text("")
        if kind == "thinking":
            return Thinking("")
        if kind == "redacted_thinking":
            return Thinking("", Signature(text(block.get("data")) or "", self._origin), redacted=True)
        if kind == "tool_use":
            return ToolCall(self._ids.distinct(text(block.get("id")) or ""), text(block.get("name")) or "", "")
        if kind in hosted.CALLS:
            return attrs.evolve(hosted.read_call(block, path), arguments="")
        return hosted.read_result(block, path) if hosted.is_result(kind) else None

    @property
    def _origin(self) -> Origin:
        return Origin(NAME, self._model)

    def _signed(self, index: int, signature: object) -> list[Delta]:
        value = text(signature)
        return [Signed(index, Signature(value, self._origin))] if value else []

    @staticmethod
    def _cited(index: int, value: object) -> list[Delta]:
        citation = hosted.read_citation(value)
        return [] if citation is None else [Cited(index, citation)]

    def add(self, fields: dict[str, Any]) -> list[Delta]:
        """``content_block_delta``."""
        number, delta = fields.get("index"), mapping(fields.get("delta")) or {}
        block = self._blocks.get(number) if isinstance(number, int) else None
        if block is None:
            return []
        kind = delta.get("type")
        if block.kind is Text:
            if kind == "citations_delta":
                return self._cited(block.index, delta.get("citation"))
            told = text(delta.get("text"))
            return [TextAdded(block.index, told)] if told and kind == "text_delta" else []
        if block.kind is Thinking:
            if kind == "signature_delta":
                return self._signed(block.index, delta.get("signature"))
            told = text(delta.get("thinking"))
            return [ThinkingAdded(block.index, told)] if told and kind == "thinking_delta" else []
        told = text(delta.get("partial_json"))
        return self._argued(block, told) if told and block.kind in (ToolCall, HostedCall) else []

    @staticmethod
    def _argued(block: _Open, told: str) -> list[Delta]:
        block.empty = False
        if block.held is not None:
            block.held.append(told)
            return []
        if block.kind is ToolCall:
            told = block.arguments.add(told)
        return [ArgumentsAdded(block.index, told)] if told else []

    def close(self, fields: dict[str, Any]) -> list[Delta]:
        """``content_block_stop``."""
        number = fields.get("index")
        if not isinstance(number, int) or number not in self._blocks:
            return []
        block = self._blocks.pop(number)
        self._texts.pop(number, None)
        deltas: list[Delta] = []
        if block.held:
            given = decode(_OBJECT, "".join(block.held)) or {}
            deltas.append(ArgumentsAdded(block.index, hosted.call_arguments(block.name, given)))
        elif block.kind is HostedCall and block.empty:
            deltas.append(ArgumentsAdded(block.index, hosted.call_arguments(block.name, block.given)))
        elif block.kind is ToolCall and block.empty:
            self._ending = block
            return []
        elif block.kind is ToolCall and (left := block.arguments.end()):
            deltas.append(ArgumentsAdded(block.index, left))
        return [*deltas, PartEnded(block.index)]

    def _settled(self, stop: Stop | None = None) -> list[Delta]:
        """End the call that came without pieces of arguments. It is not whole if the reply *stop*s in it."""
        block, self._ending = self._ending, None
        if block is None:
            return []
        given = encode_json(block.given or {}).decode()
        if stop is None or not stop.is_cut:
            return [ArgumentsAdded(block.index, given), PartEnded(block.index)]
        # A whole reply shows as much of the object as there is; without its end nobody takes it for all of it.
        return [*([ArgumentsAdded(block.index, given[:-1])] if block.given else []), PartEnded(block.index)]


_EVENTS: dict[str, Callable[[AnthropicDeltaReader, dict[str, Any]], list[Delta]]] = {
    "message_start": AnthropicDeltaReader.begin,
    "content_block_start": AnthropicDeltaReader.open,
    "content_block_delta": AnthropicDeltaReader.add,
    "content_block_stop": AnthropicDeltaReader.close,
    "message_delta": AnthropicDeltaReader.change,
    "message_stop": AnthropicDeltaReader.end,
}
