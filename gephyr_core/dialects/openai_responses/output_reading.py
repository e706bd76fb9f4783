"""The output items of a provider's reply as parts, as they come: piece by piece, or whole at their end.

Whatever a finished item holds that no earlier event told is read from it then, so a whole reply, whose items are all
finished, is read by the same code.
"""

from collections.abc import Generator, Iterator
from typing import Any

import attrs

from gephyr_core.conversation.parts import HostedCall, Part, Refusal, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    PartEnded,
    PartStarted,
    Signed,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.openai_responses.client_tools import CALL_TYPES, flat_name, read_call
from gephyr_core.dialects.openai_responses.hosted import read_hosted
from gephyr_core.dialects.openai_responses.item_reading import PARAGRAPH, is_client_call
from gephyr_core.dialects.openai_responses.media_reading import read_annotation
from gephyr_core.dialects.openai_responses.sealing import own

_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_SUMMARY, _CONTENT, _CALL = "summary", "content", "call"


@attrs.define
class _Open:
    """A part that has begun."""

    index: int
    part: Part
    told: bool = False
    """Something was added to it."""
    citations: int = 0
    ended: bool = False


@attrs.define
class _Item:
    """An item under way."""

    fields: dict[str, Any]
    """What its first event told."""
    parts: dict[int | str, _Open] = attrs.field(factory=dict)
    """A message's by their place in its content; others by what they are."""
    piece: int = 0
    """The latest piece of the summary."""
    done: bool = False


@attrs.define
class OutputReader:
    """Reads one reply's items, which are known by their place in the output. Never raises."""

    texts: dict[tuple[int, int], int] = attrs.field(factory=dict)
    """The open texts: place of the item and place in its content to the part's index."""
    called: bool = False
    refused: bool = False
    _items: dict[int, _Item] = attrs.field(factory=dict)
    _next: int = 0

    def added(self, place: int, item: dict[str, Any]) -> Iterator[Delta]:
        """An item begins. A call tells its name."""
        if place not in self._items:
            self._items[place] = begun = _Item(item)
            if item.get("type") in _CALLS:
                yield from self._call(begun, item)

    def said(self, place: int, number: int, told: str, *, refusal: bool) -> Iterator[Delta]:
        """More text of a message."""
        opened = yield from self._said_part(place, number, refusal=refusal)
        if not opened.ended:
            opened.told = True
            yield TextAdded(opened.index, told)

    def cited(self, place: int, number: int, annotation: dict[str, Any] | None) -> Iterator[Delta]:
        """A citation of a message's text."""
        citation = read_annotation(annotation)
        opened = self._item(place).parts.get(number)
        if citation is not None and opened is not None and not opened.ended:
            opened.citations += 1
            yield Cited(opened.index, citation)

    def content_done(self, place: int, number: int, part: dict[str, Any]) -> Iterator[Delta]:
        """A piece of a message is whole."""
        if part.get("type") in ("output_text", "refusal"):
            yield from self._whole_content(place, number, part)

    def summary(self, place: int, piece: int, told: str) -> Iterator[Delta]:
        """More of a summary of reasoning, whose pieces are paragraphs of one text."""
        item = self._item(place)
        opened = yield from self._open(item, _SUMMARY, Thinking("", summary=True))
        if not opened.ended:
            if opened.told and piece != item.piece:
                told = PARAGRAPH + told
            opened.told, item.piece = True, piece
            yield ThinkingAdded(opened.index, told)

    def thought(self, place: int, told: str) -> Iterator[Delta]:
        """More of reasoning itself."""
        opened = yield from self._open(self._item(place), _CONTENT, Thinking(""))
        if not opened.ended:
            opened.told = True
            yield ThinkingAdded(opened.index, told)

    def arguments(self, place: int, told: str) -> Iterator[Delta]:
        """More of a call's arguments or input."""
        opened = self._item(place).parts.get(_CALL)
        if opened is not None and not opened.ended:
            opened.told = True
            yield ArgumentsAdded(opened.index, told)

    def done(self, place: int, fields: dict[str, Any]) -> Iterator[Delta]:
        """An item is whole."""
        item = self._item(place)
        if item.done:
            return
        item.done = True
        whole = {**item.fields, **{name: value for name, value in fields.items() if value is not None}}
        kind = text(whole.get("type")) or "message"
        if kind == "message":
            yield from self._message(place, whole)
        elif kind == "reasoning":
            yield from self._reasoning(item, whole)
        elif kind in _CALLS:
            yield from self._whole_call(item, whole, _CALLS[kind])
        else:
            yield from self._others(kind, whole)
        for opened in item.parts.values():
            yield from self._end(opened)
        for key in [key for key in self.texts if key[0] == place]:
            del self.texts[key]

    def all_done(self, output: object) -> Iterator[Delta]:
        """The reply is whole: *output* holds all its items, also those that no event told of."""
        for place, item in enumerate(output if isinstance(output, list) else ()):
            yield from self.done(place, mapping(item) or {})
        for place in sorted(self._items):
            yield from self.done(place, {})

    # -- parts ------------------------------------------------------------------------------------------------------

    def _item(self, place: int) -> _Item:
        return self._items.setdefault(place, _Item({}))

    def _open(self, item: _Item, key: int | str, part: Part) -> Generator[Delta, None, _Open]:
        """Begin a part unless it has begun, and return it."""
        opened = item.parts.get(key)
        if opened is None:
            opened = item.parts[key] = _Open(self._next, part)
            self._next += 1
            yield PartStarted(opened.index, part)
        return opened

    @staticmethod
    def _end(opened: _Open) -> Iterator[Delta]:
        if not opened.ended:
            opened.ended = True
            yield PartEnded(opened.index)

    def _said_part(self, place: int, number: int, *, refusal: bool) -> Generator[Delta, None, _Open]:
        item = self._item(place)
        part = Refusal("") if refusal else Text("", phase=text(item.fields.get("phase")) or "")
        opened = yield from self._open(item, number, part)
        if refusal:
            self.refused = True
        elif not opened.ended:
            self.texts[place, number] = opened.index
        return opened

    # -- whole items ------------------------------------------------------------------------------------------------

    def _message(self, place: int, whole: dict[str, Any]) -> Iterator[Delta]:
        self._item(place).fields = whole
        content = whole.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict) and part.get("type") in ("output_text", "refusal"):
                yield from self._whole_content(place, number, part)

    def _whole_content(self, place: int, number: int, part: dict[str, Any]) -> Iterator[Delta]:
        refusal = part.get("type") == "refusal"
        opened = yield from self._said_part(place, number, refusal=refusal)
        if opened.ended:
            return
        told = text(part.get("refusal" if refusal else "text"))
        if told and not opened.told:
            yield TextAdded(opened.index, told)
        annotations = part.get("annotations")
        for annotation in (annotations if isinstance(annotations, list) else [])[opened.citations :]:
            citation = read_annotation(mapping(annotation))
            if citation is not None:
                yield Cited(opened.index, citation)
        self.texts.pop((place, number), None)
        yield from self._end(opened)

    def _reasoning(self, item: _Item, whole: dict[str, Any]) -> Iterator[Delta]:
        content, item_id = text(whole.get("encrypted_content")) or "", text(whole.get("id")) or ""
        for key, joint in ((_SUMMARY, PARAGRAPH), (_CONTENT, "")):
            told = joint.join(_texts(whole.get(key)))
            if told and key not in item.parts:
                opened = yield from self._open(item, key, Thinking("", summary=key == _SUMMARY))
                yield ThinkingAdded(opened.index, told)
        if content and not item.parts:
            yield from self._open(item, _SUMMARY, Thinking("", summary=True))
        if item.parts and (content or item_id):
            yield Signed(list(item.parts.values())[-1].index, own(content, item_id))

    def _call(self, item: _Item, whole: dict[str, Any]) -> Iterator[Delta]:
        name = text(whole.get("name"))
        if name is None:
            return
        self.called = True
        name = flat_name(text(whole.get("namespace")) or "", name)
        call_id = text(whole.get("call_id")) or text(whole.get("id")) or ""
        yield from self._open(item, _CALL, ToolCall(call_id, name, "", whole.get("type") == "custom_tool_call"))

    def _whole_call(self, item: _Item, whole: dict[str, Any], field: str) -> Iterator[Delta]:
        yield from self._call(item, whole)
        opened = item.parts.get(_CALL)
        if opened is None or opened.told:
            return
        told = text(whole.get(field)) or ("" if field == "input" else "{}")
        if told:
            yield ArgumentsAdded(opened.index, told)

    def _others(self, kind: str, whole: dict[str, Any]) -> Iterator[Delta]:
        """Calls of the client's tools that have a type, and what the provider's own tools did."""
        if kind in CALL_TYPES and is_client_call(kind, whole):
            self.called = True
            name, arguments = read_call(kind, whole)
            parts: list[Part] = [ToolCall(text(whole.get("call_id")) or text(whole.get("id")) or "", name, arguments)]
        else:
            parts = list(read_hosted(whole))
        for part in parts:
            index, self._next = self._next, self._next + 1
            if isinstance(part, ToolCall | HostedCall):
                yield PartStarted(index, attrs.evolve(part, arguments=""))
                yield ArgumentsAdded(index, part.arguments)
            else:
                yield PartStarted(index, part)
            yield PartEnded(index)


def _texts(pieces: object) -> list[str]:
    listed = pieces if isinstance(pieces, list) else []
    return [told for piece in listed if isinstance(piece, dict) and (told := text(piece.get("text")))]
