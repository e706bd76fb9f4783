"""A provider's Responses stream, read as deltas."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.arguments import Incoming
from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.parts import HostedCall, HostedResult, Part, Refusal, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import TOOL_SEARCH
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    Ended,
    Failed,
    PartStarted,
    Started,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.decoding import bare_error, decode_event, decode_strictly, mapping, text
from gephyr_core.dialects.joining import CutReader
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.openai_responses.client_tools import flat_name
from gephyr_core.dialects.openai_responses.hosted import hosted_call
from gephyr_core.dialects.openai_responses.item_reading import PARAGRAPH, attached, read_item
from gephyr_core.dialects.openai_responses.item_streaming import ItemStream, PartStream, bare
from gephyr_core.dialects.openai_responses.media_reading import read_annotation
from gephyr_core.dialects.openai_responses.stops import read_stop
from gephyr_core.dialects.openai_responses.usage import read_usage
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage
from gephyr_core.sse import parse

_UNREADABLE = "the provider's stream holds what is no event of a response"
_UNFINISHED = "the provider's stream ended before the response did"


class _Delta(msgspec.Struct, gc=False):
    """What is decoded of an event that adds to a part, where its type is known by the event's name: the hot path."""

    delta: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0


class _Event(msgspec.Struct, gc=False):
    """What is decoded of any other event. What is odd inside of it is the reader's to judge, so it is Any."""

    type: Any = None
    delta: Any = None
    output_index: Any = 0
    content_index: Any = 0
    summary_index: Any = 0
    item: Any = None
    part: Any = None
    annotation: Any = None
    response: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_NAME = b"event: response."
_DATA = b"\ndata: "
_DELTA = msgspec.json.Decoder(_Delta)
_EVENT = msgspec.json.Decoder(_Event)
_Added = type[TextAdded] | type[ThinkingAdded] | type[ArgumentsAdded]


@attrs.define
class ResponsesDeltaReader(CutReader):
    """See :class:`gephyr_core.dialects.translator.DeltaReader`.

    What streams is told as it comes; what an item holds besides is told when it is done, and what the final response
    holds besides when that came.
    """

    _report: Report
    _index: int = 0
    """Parts that have begun."""
    _items: dict[object, ItemStream] = attrs.field(factory=dict)
    """By output index, those that are done with them."""
    _done: dict[object, None] = attrs.field(factory=dict)
    _hot: dict[tuple[bytes, int, int, int], tuple[PartStream, _Added]] = attrs.field(factory=dict)
    """What events add to, by their name and their indices; known once one was read."""
    _name: bytes = b""
    """The name of the event being read, where it is one that adds to a part."""
    _ids: CallIds = attrs.field(default=attrs.Factory(lambda self: CallIds(self._report), takes_self=True), init=False)
    _searched: str = ""
    """Id of the latest search of tools."""
    _started: bool = False
    _called: bool = False
    _refused: bool = False
    _do: dict[str, Callable[[_Event], Iterator[Delta]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._do = {
            "response.output_text.delta": self._text,
            "response.refusal.delta": self._refusal,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._arguments,
            "response.reasoning_summary_text.delta": self._summary,
            "response.reasoning_text.delta": self._reasoning,
            "response.output_item.added": self._added,
            "response.output_item.done": self._item_done,
            "response.content_part.added": self._part_added,
            "response.output_text.annotation.added": self._annotated,
            "response.created": self._opened,
            "response.in_progress": self._opened,
            "response.queued": self._opened,
            "response.completed": self._closed,
            "response.incomplete": self._closed,
            "response.cancelled": self._closed,
            "response.failed": self._failed,
            "error": self._failed,
        }

    @property
    def finished(self) -> bool:
        """Never before the stream's last event, which the dialect demands."""
        return self._over

    def read(self, event: bytes) -> list[Delta]:
        """Read one event."""
        if self._aside:
            return self.read_aside(event)
        end = event.find(b"\n")
        self._name = name = event[len(_NAME) : end] if event.startswith(_NAME) else b""
        if name.endswith(b".delta") and event.startswith(_DATA, end) and event.find(b"\n", end + 1) == len(event) - 2:
            try:
                told = _DELTA.decode(event[end + len(_DATA) :])
                part, added = self._hot[name, told.output_index, told.content_index, told.summary_index]
            except (msgspec.MsgspecError, ValueError, KeyError):
                return self._any(event)
            return [added(part.index, told.delta)] if told.delta and not part.ended else []
        return self._any(event)

    def take(self, response: object) -> list[Delta]:
        """Read a response object: a whole reply, or the one in the last event."""
        return list(self._closed(_Event(response=response)))

    def _any(self, event: bytes) -> list[Delta]:
        parsed = parse(event)
        read = decode_strictly(_EVENT, bare_error(event) or parsed.data)
        return self.read_aside(event) if read is None else self._told(read, parsed.event)

    def _read_cut(self, event: bytes) -> list[Delta]:
        parsed = parse(event)
        data = bare_error(event) or parsed.data
        if not data or data.strip() == "[DONE]":
            return []
        read = decode_event(_EVENT, data)
        if read is None:
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNREADABLE))
        return self._told(read, parsed.event)

    def _told(self, read: _Event, event: str) -> list[Delta]:
        name = text(read.type) or ("error" if read.error else event)
        do = self._do.get(name)
        return list(do(read)) if do is not None else []

    def _finish(self) -> list[Delta]:
        return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED))

    def _item(self, event: _Event, kind: str) -> ItemStream:
        """The item of an event; one that was not announced is of type *kind*."""
        return self._items.setdefault(_index(event.output_index), ItemStream(kind))

    def _begun(self, item: ItemStream, part: Part, key: object) -> Iterator[Delta]:
        """Begin a part of an item."""
        stream = item.by_key[key] = PartStream(self._index, type(part))
        if isinstance(part, ToolCall):
            part = attrs.evolve(part, id=self._ids.distinct(part.id))
            stream.arguments = None if part.freeform else Incoming()
        item.parts.append(stream)
        self._index += 1
        if isinstance(part, HostedCall) and part.kind == TOOL_SEARCH:
            self._searched = part.id
        elif isinstance(part, HostedResult) and part.kind == TOOL_SEARCH:
            part = attrs.evolve(part, call_id=self._searched or part.call_id)
        self._called = self._called or isinstance(part, ToolCall)
        self._refused = self._refused or isinstance(part, Refusal)
        if not self._started:
            self._started = True
            yield Started("", "")
        yield PartStarted(stream.index, part)

    def _add(self, event: _Event, part: PartStream, added: str, kind: _Added) -> Iterator[Delta]:
        """Add to a part, and remember which one events like this add to."""
        if part.ended:
            return
        part.told = True
        if part.arguments is not None:
            added = part.arguments.add(added)
            if not part.arguments.told:
                return
        if self._name:
            indices = (_index(event.output_index), _index(event.content_index), _index(event.summary_index))
            self._hot[(self._name, *indices)] = (part, kind)
        yield kind(part.index, added)

    # -- text -------------------------------------------------------------------------------------------------------

    def _content(self, event: _Event, kind: type[Text | Refusal]) -> Iterator[Delta]:
        """Begin the part of a message's content that an event speaks of."""
        item, key = self._item(event, "message"), _index(event.content_index)
        if item.type == "message" and key not in item.by_key:
            yield from self._begun(item, Text("", phase=item.phase) if kind is Text else Refusal(""), key)

    def _part_added(self, event: _Event) -> Iterator[Delta]:
        kind = (mapping(event.part) or {}).get("type")
        if kind in ("output_text", "refusal"):
            yield from self._content(event, Refusal if kind == "refusal" else Text)

    def _text(self, event: _Event) -> Iterator[Delta]:
        yield from self._said(event, Text)

    def _refusal(self, event: _Event) -> Iterator[Delta]:
        yield from self._said(event, Refusal)

    def _said(self, event: _Event, kind: type[Text | Refusal]) -> Iterator[Delta]:
        added = text(event.delta)
        if added is not None:
            yield from self._content(event, kind)
            part = self._item(event, "message").by_key.get(_index(event.content_index))
            if part is not None and part.kind in (Text, Refusal):
                yield from self._add(event, part, added, TextAdded)

    def _annotated(self, event: _Event) -> Iterator[Delta]:
        citation = read_annotation(mapping(event.annotation))
        if citation is not None:
            yield from self._content(event, Text)
        part = self._item(event, "message").by_key.get(_index(event.content_index))
        if citation is not None and part is not None and part.kind is Text and not part.ended:
            part.cited += 1
            yield Cited(part.index, citation)

    # -- reasoning and calls ----------------------------------------------------------------------------------------

    def _summary(self, event: _Event) -> Iterator[Delta]:
        yield from self._thought(event, "summary", _index(event.summary_index))

    def _reasoning(self, event: _Event) -> Iterator[Delta]:
        yield from self._thought(event, "content", 0)

    def _thought(self, event: _Event, key: str, section: int) -> Iterator[Delta]:
        added, item = text(event.delta), self._item(event, "reasoning")
        if added is None or item.type != "reasoning":
            return
        if key not in item.by_key:
            yield from item.end()
            yield from self._begun(item, Thinking("", summary=key == "summary"), key)
        part = item.by_key[key]
        if part.told and section > part.section:
            added = PARAGRAPH + added
        part.section = section
        yield from self._add(event, part, added, ThinkingAdded)

    def _arguments(self, event: _Event) -> Iterator[Delta]:
        item, added = self._items.get(_index(event.output_index)), text(event.delta)
        if item is not None and added is not None and item.parts and item.parts[0].kind is ToolCall:
            yield from self._add(event, item.parts[0], added, ArgumentsAdded)

    # -- items ------------------------------------------------------------------------------------------------------

    def _added(self, event: _Event) -> Iterator[Delta]:
        fields, key = mapping(event.item), _index(event.output_index)
        if fields is None or key in self._items:
            return
        kind = text(fields.get("type")) or ""
        item = self._items[key] = ItemStream(kind, text(fields.get("phase")) or "")
        if kind in ("function_call", "custom_tool_call") and (name := text(fields.get("name"))):
            name = flat_name(text(fields.get("namespace")) or "", name)
            call_id, freeform = text(fields.get("call_id")) or "", kind == "custom_tool_call"
            yield from self._begun(item, ToolCall(call_id, name, "", freeform), 0)
        elif (call := hosted_call(fields)) is not None:
            yield from self._begun(item, bare(call), 0)

    def _item_done(self, event: _Event) -> Iterator[Delta]:
        fields = mapping(event.item)
        if fields is not None:
            yield from self._complete(_index(event.output_index), fields)

    def _complete(self, key: int, fields: dict[str, Any]) -> Iterator[Delta]:
        """Tell what of an item has not been told."""
        if key in self._done:
            return
        self._done[key] = None
        item = self._items.setdefault(key, ItemStream(text(fields.get("type")) or ""))
        try:
            parts = attached(read_item(Fields(fields, f"output[{key}]", self._report)))
        except (FieldError, UntranslatableError) as error:
            self._report.dropped(f"output[{key}]", f"cannot be read: {error}")
            parts = []
        for place, part in enumerate(parts):
            if place < len(item.parts):
                yield from item.parts[place].rest(part)
            elif not (isinstance(part, Text) and not part.text):
                yield from self._begun(item, bare(part), ("done", place))
                yield from item.parts[-1].rest(part)
        yield from item.end()

    # -- the reply --------------------------------------------------------------------------------------------------

    def _opened(self, event: _Event) -> Iterator[Delta]:
        response = mapping(event.response) or {}
        if not self._started:
            self._started = True
            yield Started(text(response.get("id")) or "", text(response.get("model")) or "")

    def _closed(self, event: _Event) -> Iterator[Delta]:
        response = mapping(event.response)
        if response is None:
            yield from self._end(Failed(ErrorKind.BAD_GATEWAY, _UNREADABLE))
            return
        if response.get("error") or response.get("status") == "failed":
            yield from self._failed(event)
            return
        yield from self._opened(event)
        output = response.get("output")
        for place, fields in enumerate(output if isinstance(output, list) else ()):
            if isinstance(fields, dict):
                yield from self._complete(place, fields)
        for item in self._items.values():
            yield from item.end()
        incomplete = event.type == "response.incomplete"
        stop = read_stop(response, self._report, called=self._called, refused=self._refused, incomplete=incomplete)
        usage = read_usage(response.get("usage"))
        yield from self._end(Ended(stop, usage or Usage()))

    def _failed(self, event: _Event) -> Iterator[Delta]:
        told = event.error or (mapping(event.response) or {}).get("error")
        error = stream_error(told or {"code": event.code, "message": event.message})
        yield from self._end(Failed(error.kind, error.message, error.code))


def _index(value: object) -> int:
    """An index, or what stands for none."""
    return value if isinstance(value, int) else -1
