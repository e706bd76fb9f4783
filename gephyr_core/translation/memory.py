"""Signed reasoning that clients drop, kept by the id of the tool call that came of it.

A client sends a tool's result back with the call it answers, but not always with the reasoning before the call: clients
of Chat Completions have no place for it, Claude Code drops it where another model answers than it asked for, Gemini CLI
drops every thought. A provider that wants it back gets it from here.
"""

from collections.abc import Iterable, Sequence

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.parts import Part, Signature, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Delta, TextAdded

FORGETFUL = ("openai-chat", "anthropic", "gemini")
"""Dialects with clients that drop reasoning. Those of Responses without stored state send back what they got."""
_MOST_BYTES = 64 * 1024 * 1024
_ENTRY_OVERHEAD = 500


@attrs.define
class ReasoningAssembler(Assembler):
    """Collects what there is to remember of a stream: not the text, which is most of it."""

    def add(self, delta: Delta) -> None:
        """Take in one delta."""
        if not isinstance(delta, TextAdded):
            Assembler.add(self, delta)


@attrs.frozen
class Remembered:
    """What a turn with tool calls held besides them."""

    thinking: tuple[Thinking, ...]
    """Reasoning that stood before the first call."""
    signatures: dict[str, Signature]
    """Call id to signature."""

    @property
    def size(self) -> int:
        """About how many bytes are held."""
        texts = [part.text for part in self.thinking]
        values = [part.signature.value for part in self.thinking if part.signature is not None]
        return _ENTRY_OVERHEAD + 2 * len("".join([*texts, *values, *(sign.value for sign in self.signatures.values())]))


class Memories:
    """What is remembered at one moment."""

    def __init__(self, turns: dict[tuple[str, str], Remembered]) -> None:
        self._turns = turns

    def restore(self, owner: str, prompt: Prompt) -> Prompt:
        """Put back what the client dropped from its turns."""
        if not self._turns:
            return prompt
        turns = tuple(self._restored(owner, turn) for turn in prompt.turns)
        return prompt if turns == prompt.turns else attrs.evolve(prompt, turns=turns)

    def _restored(self, owner: str, turn: Turn) -> Turn:
        if turn.role is not Role.ASSISTANT:
            return turn
        first = next((part for part in turn.parts if isinstance(part, ToolCall)), None)
        remembered = None if first is None else self._turns.get((owner, first.id))
        if remembered is None:
            return turn
        return attrs.evolve(turn, parts=_with(turn.parts, remembered))


class SignatureMemory(Memories):
    """Bounded; the oldest are forgotten first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        super().__init__({})
        self._most_bytes = most_bytes
        self._bytes = 0

    def learn(self, owner: str, parts: Iterable[Part]) -> None:
        """Remember the reasoning of a reply to *owner* that calls tools."""
        kept = tuple(parts)
        calls = [part for part in kept if isinstance(part, ToolCall) and part.id]
        thinking = tuple(part for part in kept if isinstance(part, Thinking) and part.signature is not None)
        signatures = {call.id: call.signature for call in calls if call.signature is not None}
        if not calls or not (thinking or signatures):
            return
        remembered = Remembered(thinking, signatures)
        key = (owner, calls[0].id)
        self._forget(key)
        self._turns[key] = remembered
        self._bytes += remembered.size
        while self._bytes > self._most_bytes and self._turns:
            self._forget(next(iter(self._turns)))

    def snapshot(self) -> Memories:
        """Return what is remembered now, which does not change any more."""
        return Memories(self._turns.copy())

    def _forget(self, key: tuple[str, str]) -> None:
        remembered = self._turns.pop(key, None)
        if remembered is not None:
            self._bytes -= remembered.size


def _with(parts: Sequence[Part], remembered: Remembered) -> tuple[Part, ...]:
    """The turn's parts with the reasoning in front, where the client kept no signed reasoning itself."""
    signed = any(isinstance(part, Thinking) and part.signature is not None for part in parts)
    kept: list[Part] = []
    if not signed:
        kept += remembered.thinking
    for part in parts:
        if isinstance(part, Thinking) and part.signature is None and not signed and remembered.thinking:
            continue  # the same reasoning, without its signature
        if isinstance(part, ToolCall) and part.signature is None and part.id in remembered.signatures:
            kept.append(attrs.evolve(part, signature=remembered.signatures[part.id]))
        else:
            kept.append(part)
    return tuple(kept)
