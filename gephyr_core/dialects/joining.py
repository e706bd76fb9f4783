"""Characters that a provider's stream cut in half, put together.

A provider that counts in UTF-16 code units may end one delta with the first half of a surrogate pair and begin the next
with the second. Clients of its own dialect join the texts, and have the character; so does this, part by part.
"""

from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Delta,
    Ended,
    Failed,
    PartEnded,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.surrogates import REPLACEMENT, has_escapes, is_high, is_low, mended

_Added = TextAdded | ThinkingAdded | ArgumentsAdded


@attrs.define
class _Waiting:
    """A part whose text ends, so far, with the first half of a character."""

    half: str
    kind: type[_Added]
    ended: bool = False
    """The part's end came, and is held: the other half may come in the next part of its kind, as where reasoning or a
    call stands between two pieces of one message."""


@attrs.define
class Joiner:
    """Joins the texts of one reply's deltas. U+FFFD stands for halves that stay alone."""

    _waiting: dict[int, _Waiting] = attrs.field(factory=dict)
    """By part."""
    waits: bool = attrs.field(default=False, init=False)
    """A half is held."""

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        """Return what *deltas* are with whole characters."""
        joined = [whole for delta in deltas for whole in self._joined(delta)]
        self.waits = bool(self._waiting)
        return joined

    def _joined(self, delta: Delta) -> list[Delta]:
        match delta:
            case TextAdded() | ThinkingAdded() | ArgumentsAdded():
                return self._added(delta)
            case PartEnded(index) if (waiting := self._waiting.get(index)) is not None:
                waiting.ended = True
                return self._given_up(index) if waiting.kind is ArgumentsAdded else []
            case Ended() | Failed():
                given_up = [added for index in list(self._waiting) for added in self._given_up(index)]
                return [*given_up, _whole(delta)]
        return [_whole(delta)]

    def _added(self, delta: _Added) -> list[Delta]:
        kind, index, text = type(delta), delta.index, delta.text
        joined: list[Delta] = []
        for other, waiting in list(self._waiting.items()):
            if waiting.ended and waiting.kind is kind and text:
                if is_low(text[0]):
                    joined.append(kind(other, mended(waiting.half + text[0])))
                    joined += self._closed(other)
                    text = text[1:]
                else:
                    joined += self._given_up(other)
        if (own := self._waiting.pop(index, None)) is not None:
            text = own.half + text
        if text and is_high(text[-1]):
            self._waiting[index] = _Waiting(text[-1], kind)
            text = text[:-1]
        return [*joined, kind(index, mended(text))] if text else joined

    def _given_up(self, index: int) -> list[Delta]:
        """The other half does not come."""
        return [self._waiting[index].kind(index, REPLACEMENT), *self._closed(index)]

    def _closed(self, index: int) -> list[Delta]:
        return [PartEnded(index)] if self._waiting.pop(index).ended else []


@attrs.define
class CutReader:
    """A :class:`~gephyr_core.dialects.translator.DeltaReader` whose stream may cut characters. A subclass's ``read``
    goes aside where *_aside* is set and where it cannot decode an event strictly; what it does else costs nothing more.
    """

    _over: bool = attrs.field(default=False, init=False)
    """The reply is complete, or failed."""
    _aside: bool = attrs.field(default=False, init=False)
    """It is over, or half a character is held."""
    _joiner: Joiner = attrs.field(factory=Joiner, init=False)

    def read_aside(self, event: bytes) -> list[Delta]:
        """Read an event that may hold half a character, or the other half."""
        if self._over:
            return []
        deltas = self._read_cut(event)
        if self._joiner.waits or has_escapes(event):
            deltas = self._joiner.feed(deltas)
        self._aside = self._over or self._joiner.waits
        return deltas

    def finish(self) -> list[Delta]:
        """The stream ended cleanly."""
        return [] if self._over else self._joiner.feed(self._finish())

    def _end(self, ending: Ended | Failed) -> list[Delta]:
        """Nothing comes any more."""
        self._over = self._aside = True
        return [ending]

    def _read_cut(self, event: bytes) -> list[Delta]:
        """Read an event whose texts may be cut."""
        raise NotImplementedError

    def _finish(self) -> list[Delta]:
        raise NotImplementedError


def _whole(value: Any) -> Any:
    """Return *value*, a delta or what is in it, with whole characters in each of its texts."""
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, tuple):
        return tuple(_whole(member) for member in value)
    if isinstance(value, msgspec.Struct):
        members = {name: getattr(value, name) for name in value.__struct_fields__}
        changed = _changed(members)
        return msgspec.structs.replace(value, **changed) if changed else value
    if attrs.has(type(value)):
        changed = _changed({field.name: getattr(value, field.name) for field in attrs.fields(type(value))})
        return attrs.evolve(value, **changed) if changed else value
    return value


def _changed(members: dict[str, Any]) -> dict[str, Any]:
    whole = {name: _whole(member) for name, member in members.items()}
    return {name: member for name, member in whole.items() if member is not members[name]}
