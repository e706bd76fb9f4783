"""Signed reasoning that does not come back through the client, remembered until its provider wants it.

A client is shown no reasoning that it did not ask for, and of what it is shown it may drop some: clients of Chat
Completions have no place for it, Gemini CLI drops every thought. A provider wants it back all the same, in a tool loop
above all. So what a reply held of it is remembered beside what the client does send back: by the id of the tool call
that it led to, else by a digest of the reply's text.

Ids that could be met twice (some providers number calls from 0 in every conversation), and texts, count together with
what the user had said last: reasoning never gets into another conversation of the same owner.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

import attrs
import msgspec

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.parts import Part, Refusal, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import ArgumentsAdded, Delta, PartStarted, TextAdded
from gephyr_core.records import RememberedReasoning

LARGEST = 1024 * 1024
"""Bytes of what is remembered at one place; more is not."""
_ENTRY_OVERHEAD = 500
"""Bytes that an entry costs besides its data, about."""
_LEAST_RANDOM = 12
"""Letters and digits in a row from which on an id counts as drawn."""
_RUN = re.compile(r"[0-9A-Za-z]+")
_HEX_DIGITS = 32
"""Of a digest that are kept: 128 bits."""
_PIECES = 256
"""Pieces of a text that are held before they go into its digest."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Reasoning, or (None) the place of something that the client was shown, with its signature if it has one."""

    thinking: Thinking | None = None
    signature: Signature | None = None


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one place of a reply: a tool call, or the whole of a reply without one."""

    before: tuple[Piece, ...] = ()
    """What stood before it, from the call before it on."""
    signature: Signature | None = None
    """The call's own."""
    behind: tuple[Piece, ...] = ()
    """What stood behind the last call."""


_DECODER = msgspec.msgpack.Decoder(Remembered)
_ENCODE = msgspec.msgpack.Encoder().encode


# -- where it is remembered -------------------------------------------------------------------------------------------


@attrs.define
class TextDigest:
    """A digest of text that comes in pieces. White space does not count: clients join and trim texts."""

    _hash: "hashlib._Hash" = attrs.field(factory=hashlib.sha256, init=False)
    _pieces: list[str] = attrs.field(factory=list, init=False)

    def add(self, text: str) -> None:
        """Add a piece."""
        self._pieces.append(text)
        if len(self._pieces) >= _PIECES:
            self._take()

    def digest(self) -> str:
        """Return the digest of all pieces together."""
        self._take()
        return self._hash.hexdigest()[:_HEX_DIGITS]

    def _take(self) -> None:
        self._hash.update("".join("".join(self._pieces).split()).encode("utf-8", "surrogatepass"))
        self._pieces.clear()


@attrs.define
class ReasoningAssembler(Assembler):
    """Collects what there is to remember of a stream: of text, which is most of it, a digest only."""

    text: TextDigest = attrs.field(factory=TextDigest, init=False)

    def add(self, delta: Delta) -> None:
        """Take in one delta."""
        if type(delta) is TextAdded:
            self.text.add(delta.text)
        elif type(delta) is not ArgumentsAdded:
            if isinstance(delta, PartStarted) and isinstance(delta.part, Text | Refusal):
                self.text.add(delta.part.text)
            Assembler.add(self, delta)


EMPTY = TextDigest().digest()
"""The digest of no text."""


def said_last(turns: Sequence[Turn], before: str = EMPTY) -> str:
    """Return a digest of what the user has said last in *turns*, where results of tools do not count; *before* where
    that is nothing."""
    texts: Sequence[Part] = next(filter(None, map(_said_in, reversed(turns))), ())
    return text_digest(texts) if texts else before


def _said_in(turn: Turn) -> list[Part]:
    """What the user says in a turn; empty where it is another's, or only gives results."""
    if turn.role is not Role.USER:
        return []
    return [part for part in turn.parts if isinstance(part, Text) and part.text]


def text_digest(parts: Iterable[Part]) -> str:
    """Return a digest of what *parts* say."""
    digest = TextDigest()
    for part in parts:
        if isinstance(part, Text | Refusal):
            digest.add(part.text)
    return digest.digest()


def key_of_call(call_id: str, said: str) -> str:
    """Return the place of a call whose id is *call_id*, made when the user had said *said* last."""
    return f"call:{call_id}" if _is_unique(call_id) else f"call:{call_id}:{said}"


def key_of_text(text: str, said: str) -> str:
    """Return the place of a reply without calls; *text* and *said* are digests."""
    return f"text:{text}:{said}"


def _is_unique(call_id: str) -> bool:
    """Whether a call's id looks as if it was drawn: letters and digits mixed, and enough of them."""
    return any(
        len(run) >= _LEAST_RANDOM and any(map(str.isdigit, run)) and any(map(str.isalpha, run))
        for run in _RUN.findall(call_id)
    )


# -- learning ---------------------------------------------------------------------------------------------------------


def memorable(parts: Sequence[Part], said: str, text: TextDigest | None = None) -> dict[str, Remembered]:
    """Return what there is to remember of a reply's *parts*, by its place. *said*: a digest of what the user had said
    last. *text*: what the parts say, where they do not hold it.

    Reasoning that is marked and not signed (DeepSeek's ``reasoning_content``) is wanted back in a tool loop only: its
    makers ignore it elsewhere, and some have refused it.
    """
    found: dict[str, Remembered] = {}
    pieces: list[Piece] = []
    last = ""
    for part in parts:
        if isinstance(part, Thinking):
            if part.signature is not None:
                pieces.append(Piece(attrs.evolve(part, path="")))
        elif isinstance(part, ToolCall):
            last = key_of_call(part.id, said)
            found.setdefault(last, Remembered(tuple(pieces), part.signature))
            pieces = []
        else:
            pieces.append(Piece(None, part.signature if isinstance(part, Text) else None))
    if last:
        found[last] = msgspec.structs.replace(found[last], behind=tuple(pieces))
    else:
        signed = Remembered(tuple(one for one in pieces if one.thinking is None or _is_proven(one.thinking)))
        whole = "" if not _holds_something(signed) else text_digest(parts) if text is None else text.digest()
        if whole not in ("", EMPTY):
            found[key_of_text(whole, said)] = signed
    return {key: remembered for key, remembered in found.items() if _holds_something(remembered)}


def _is_proven(thinking: Thinking) -> bool:
    return thinking.signature is not None and bool(thinking.signature.value)


def _holds_something(remembered: Remembered) -> bool:
    """Whether there is something to remember, and not more than is remembered."""
    pieces, size = (*remembered.before, *remembered.behind), 0
    for piece in pieces:
        signature = piece.signature if piece.thinking is None else piece.thinking.signature
        size += len("" if piece.thinking is None else piece.thinking.text)
        size += len("" if signature is None else signature.value)
    something = remembered.signature is not None or any(piece.thinking or piece.signature for piece in pieces)
    return something and size <= LARGEST


# -- restoring --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Memories:
    """What is remembered for an owner, to be looked up at one moment."""

    _records: Mapping[tuple[str, str], RememberedReasoning]
    _owner: str
    _now: float

    def restore(self, prompt: Prompt) -> Prompt:
        """Put back what did not come back through the client."""
        if not self._records:
            return prompt
        turns: list[Turn] = []
        said = EMPTY
        for role, group in groupby(prompt.turns, key=lambda turn: turn.role):
            together = tuple(group)
            if role is Role.ASSISTANT:
                turns += self._restored(together, said)
            else:
                turns += together
                said = said_last(together, said)
        return prompt if tuple(turns) == prompt.turns else attrs.evolve(prompt, turns=tuple(turns))

    def _restored(self, turns: tuple[Turn, ...], said: str) -> tuple[Turn, ...]:
        """Restore what the assistant said in one go, which some clients send as several messages. *said*: what the user
        had said last."""
        parts = tuple(part for turn in turns for part in turn.parts)
        path = f"{turns[0].path}.reasoning"
        if any(isinstance(part, ToolCall) for part in parts):
            restored = _with_calls(parts, lambda call_id: self._find(key_of_call(call_id, said), path))
        else:
            remembered = self._find(key_of_text(text_digest(parts), said), path)
            restored = parts if remembered is None else _woven(remembered.before, parts, keeps=_keeps(parts))
        return turns if restored == parts else (attrs.evolve(turns[0], parts=restored),)

    def _find(self, key: str, path: str) -> Remembered | None:
        """Look up what is remembered at a place; *path* names it in reports."""
        record = self._records.get((self._owner, key))
        if record is None or record.expires_at <= self._now:
            return None
        try:
            found = _DECODER.decode(record.data)
        except msgspec.MsgspecError:
            return None  # of another version
        before, behind = _at(found.before, path), _at(found.behind, path)
        return Remembered(before, found.signature, behind)


def _at(pieces: Iterable[Piece], path: str) -> tuple[Piece, ...]:
    return tuple(
        piece if piece.thinking is None else Piece(attrs.evolve(piece.thinking, path=path)) for piece in pieces
    )


def _keeps(parts: Iterable[Part]) -> bool:
    """Whether the client sent signed reasoning back itself: it sends all of it then."""
    return any(isinstance(part, Thinking) and _is_proven(part) for part in parts)


def _with_calls(parts: tuple[Part, ...], find: Callable[[str], Remembered | None]) -> tuple[Part, ...]:
    keeps = _keeps(parts)
    restored: list[Part] = []
    open_: list[Part] = []
    remembered: Remembered | None = None
    for part in parts:
        if not isinstance(part, ToolCall):
            open_.append(part)
            continue
        remembered = find(part.id)
        pieces = () if remembered is None else remembered.before
        restored += _woven(pieces, open_, keeps=keeps)
        if remembered is not None and part.signature is None:
            part = attrs.evolve(part, signature=remembered.signature)  # noqa: PLW2901
        restored.append(part)
        open_ = []
    return (*restored, *_woven(() if remembered is None else remembered.behind, open_, keeps=keeps))


def _woven(pieces: Sequence[Piece], parts: Sequence[Part], *, keeps: bool) -> tuple[Part, ...]:
    """Put *pieces* between *parts*, which the client was shown. *keeps*: it keeps the reasoning itself."""
    thinks = not keeps and any(piece.thinking is not None for piece in pieces)
    left = [part for part in parts if not (thinks and isinstance(part, Thinking))]  # else it would stand there twice
    places = [piece for piece in pieces if piece.thinking is None]
    more = max(0, len([part for part in left if not isinstance(part, Thinking)]) - len(places))
    woven: list[Part] = []
    for piece in pieces:
        if piece.thinking is not None:
            woven += [piece.thinking] if thinks else []
            continue
        taken, more = _taken(left, 1 + more), 0
        woven += _signed(taken, piece.signature)
    return (*woven, *left)


def _taken(parts: list[Part], count: int) -> list[Part]:
    """Take the first *count* things that were shown, with the client's own reasoning between them."""
    end = 0
    while end < len(parts) and count:
        count -= not isinstance(parts[end], Thinking)
        end += 1
    taken = parts[:end]
    del parts[:end]
    return taken


def _signed(parts: list[Part], signature: Signature | None) -> list[Part]:
    """Put the signature of a text back on it. One that signed no text stands on an empty one."""
    if signature is None:
        return parts
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        if isinstance(part, Text):
            signed = part if part.signature is not None else attrs.evolve(part, signature=signature)
            return [*parts[:place], signed, *parts[place + 1 :]]
    return [*parts, Text("", signature=signature)]


# -- the memory -------------------------------------------------------------------------------------------------------


class ReasoningMemory:
    """What is remembered for everybody, within bounds of size and time; the oldest is forgotten first."""

    def __init__(self, most_bytes: int, lifetime: float) -> None:
        """*lifetime*: seconds that something is remembered."""
        self._records: dict[tuple[str, str], RememberedReasoning] = {}
        self._most_bytes = most_bytes
        self._lifetime = lifetime
        self._bytes = 0

    def learn(self, owner: str, found: Mapping[str, Remembered], now: float) -> list[RememberedReasoning]:
        """Remember what :func:`memorable` found in a reply to *owner*; return what is to be saved."""
        saved = []
        for key, remembered in found.items():
            try:
                data = _ENCODE(remembered)
            except UnicodeEncodeError:
                continue  # half of a surrogate pair: no provider takes that back
            if len(data) <= LARGEST:
                saved.append(RememberedReasoning(owner, key, data, now + self._lifetime))
        for record in saved:
            self._add(record)
        self._make_room(now)
        return saved

    def restore(self, records: Iterable[RememberedReasoning], now: float) -> None:
        """Take in what the store held, the oldest first; times that lie too far ahead are clamped."""
        for record in records:
            if record.expires_at > now:
                until = min(record.expires_at, now + self._lifetime)
                self._add(record if until == record.expires_at else attrs.evolve(record, expires_at=until))
        self._make_room(now)

    def of(self, owner: str, now: float, *, lasting: bool) -> Memories:
        """Return what is remembered for *owner*. *lasting*: it is not to change with what is learned meanwhile."""
        return Memories(self._records.copy() if lasting else self._records, owner, now)

    def _add(self, record: RememberedReasoning) -> None:
        key = (record.owner, record.key)
        self._forget(key)
        self._records[key] = record
        self._bytes += _size(record)

    def _make_room(self, now: float) -> None:
        while self._records:
            key = next(iter(self._records))
            if self._bytes <= self._most_bytes and self._records[key].expires_at > now:
                break
            self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self._bytes -= _size(record)


def _size(record: RememberedReasoning) -> int:
    return _ENTRY_OVERHEAD + len(record.data)
