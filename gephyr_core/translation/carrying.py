"""Signatures of tool calls for clients of Anthropic, whose tool calls have no place for one.

A block of thinking in front of the call, without text, carries the signature sealed, and says which call it is of; when
the client sends the block back, as it does with all thinking, the signature returns to its call. Nothing has to be
remembered.
"""

import attrs
import msgspec

from gephyr_core.conversation.parts import Part, Signature, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, Ended, Failed, PartEnded, PartStarted, Started
from gephyr_core.translation.restoring import Restorer

CLIENT = "anthropic"
_MARK = "call|"


@attrs.define
class CarryingRestorer(Restorer):
    """Restores, and gives calls' signatures blocks of their own; later parts are renumbered."""

    _numbers: dict[int, int] = attrs.field(factory=dict, init=False)
    _next: int = attrs.field(default=0, init=False)

    def feed(self, delta: Delta) -> list[Delta]:
        """Return what the client's writer is told in place of *delta*."""
        return [carried for restored in Restorer.feed(self, delta) for carried in self._carried(restored)]

    def _carried(self, delta: Delta) -> list[Delta]:
        if isinstance(delta, Started | Ended | Failed):
            return [delta]
        if not isinstance(delta, PartStarted):
            number = self._numbers[delta.index]
            return [delta if number == delta.index else msgspec.structs.replace(delta, index=number)]
        part = delta.part
        opening: list[Delta] = []
        if isinstance(part, ToolCall) and part.signature is not None and part.signature.origin.dialect != CLIENT:
            signature = attrs.evolve(part.signature, id=f"{_MARK}{part.id}")
            opening = [PartStarted(self._next, Thinking("", signature)), PartEnded(self._next)]
            self._next += 1
        number = self._numbers[delta.index] = self._next
        self._next += 1
        return [*opening, PartStarted(number, part)]


def returned(prompt: Prompt) -> Prompt:
    """Put the signatures that the client brought back where they belong."""
    turns = tuple(_returned(turn) if turn.role is Role.ASSISTANT else turn for turn in prompt.turns)
    return attrs.evolve(prompt, turns=turns)


def _returned(turn: Turn) -> Turn:
    signatures = {
        part.signature.id.removeprefix(_MARK): attrs.evolve(part.signature, id="")
        for part in turn.parts
        if isinstance(part, Thinking) and part.signature is not None and part.signature.id.startswith(_MARK)
    }
    if not signatures:
        return turn
    return attrs.evolve(turn, parts=tuple(part for old in turn.parts for part in _put_back(old, signatures)))


def _put_back(part: Part, signatures: dict[str, Signature]) -> list[Part]:
    if isinstance(part, Thinking) and part.signature is not None and part.signature.id.startswith(_MARK):
        return []
    if isinstance(part, ToolCall) and part.id in signatures:
        return [attrs.evolve(part, signature=signatures[part.id])]
    return [part]
