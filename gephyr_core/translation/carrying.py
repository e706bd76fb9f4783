"""Signatures of tool calls for clients of Anthropic, whose tool calls have no place for one.

A block of thinking in front of the call, without text, carries the signature sealed, and says which call it is of; when
the client sends the block back, as it does with all thinking, the signature returns to its call. Nothing has to be
remembered.
"""

import attrs

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import Part, Signature, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, PartEnded, Reply
from gephyr_core.translation.restoring import collected
from gephyr_core.translation.showing import Presenter

CLIENT = "anthropic"
_MARK = "call|"


@attrs.define
class CarryingPresenter(Presenter):
    """Presents a reply, and gives calls' signatures blocks of their own."""

    def told(self, index: int, part: Part) -> list[Delta]:
        """Begin a part that is shown; in front of a signed call, tell its signature."""
        if not (isinstance(part, ToolCall) and self.shown.proofs and _is_abroad(part.signature)):
            return Presenter.told(self, index, part)
        assert part.signature is not None
        signature = attrs.evolve(part.signature, id=f"{_MARK}{part.id}")
        carrier = Presenter.told(self, index, Thinking("", signature))
        return [*carrier, PartEnded(self._next - 1), *Presenter.told(self, index, part)]

    def reply(self, reply: Reply) -> Reply:
        """Return what the client is shown of a whole reply."""
        shown = Presenter.reply(self, reply)
        if not any(isinstance(part, ToolCall) and _is_abroad(part.signature) for part in shown.parts):
            return shown
        told = collected(told for delta in deltas_of(shown) for told in self.feed(delta))
        return attrs.evolve(told, service_tier=reply.service_tier)


def _is_abroad(signature: Signature | None) -> bool:
    return signature is not None and signature.origin.dialect != CLIENT


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
