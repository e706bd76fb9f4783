"""Signatures of tool calls for clients of Anthropic, whose tool calls have no place for one.

A block of thinking in front of the call, without text, carries the signature sealed, and says which call it is of; when
the client sends the block back, as it does with all thinking, the signature returns to its call. Nothing has to be
remembered.
"""

from collections.abc import Sequence

import attrs

from gephyr_core.conversation.parts import Origin, Part, Signature, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, PartEnded, PartStarted, Signed
from gephyr_core.translation.showing import Presenter

CLIENT = "anthropic"
_MARK = "call|"
_CARRIERS = 1 << 32
"""Numbers from here on are those of the blocks that are added to a reply."""


@attrs.define
class CarryingPresenter(Presenter):
    """Presents a reply, and gives calls' signatures blocks of their own. Reasoning that its provider did not sign gets
    the mark of its maker: Anthropic refuses a block of thinking that is not signed, and must not be sent this one."""

    maker: Origin
    _unsigned: dict[int, None] = attrs.field(factory=dict, init=False)
    """Open reasoning without a signature so far."""

    def feed(self, delta: Delta) -> Sequence[Delta]:
        """Return what the writer is told in place of *delta*."""
        if isinstance(delta, PartStarted) and (carrier := self._carrier(delta.part)) is not None:
            number = _CARRIERS + delta.index
            return (PartStarted(number, carrier), PartEnded(number), delta)
        told = Presenter.feed(self, delta)
        return [marked for one in told for marked in self._told(one)] if self.shown.proofs else told

    def parts(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """Return what the client is shown of a whole reply's parts."""
        shown: list[Part] = []
        for part in Presenter.parts(self, parts):
            carrier = self._carrier(part)
            shown += [self._marked(part)] if carrier is None else [carrier, part]
        return tuple(shown)

    def _carrier(self, part: Part) -> Thinking | None:
        """Return what carries the signature of a call, if it has one that has no place."""
        signature = part.signature if isinstance(part, ToolCall) and self.shown.proofs else None
        if signature is None or signature.origin.dialect == CLIENT:
            return None
        assert isinstance(part, ToolCall)
        return Thinking("", attrs.evolve(signature, id=f"{_MARK}{part.id}"))

    def _told(self, delta: Delta) -> Sequence[Delta]:
        """Mark reasoning that ends without a signature."""
        match delta:
            case PartStarted(index, Thinking(signature=None)):
                self._unsigned[index] = None
            case Signed(index, _):
                self._unsigned.pop(index, None)
            case PartEnded(index) if index in self._unsigned:
                del self._unsigned[index]
                return (Signed(index, Signature("", self.maker)), delta)
        return (delta,)

    def _marked(self, part: Part) -> Part:
        if isinstance(part, Thinking) and part.signature is None and self.shown.proofs:
            return attrs.evolve(part, signature=Signature("", self.maker))
        return part


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
