"""What the deltas of any stream keep to, whatever the provider sent."""

from collections.abc import Sequence

from gephyr_core.conversation.parts import HostedCall, Part, Refusal, Text, Thinking, ToolCall
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

_OfPart = PartStarted | TextAdded | ThinkingAdded | ArgumentsAdded | Signed | Cited | PartEnded
_ADDED: dict[type, tuple[type, ...]] = {
    TextAdded: (Text, Refusal),
    ThinkingAdded: (Thinking,),
    ArgumentsAdded: (ToolCall, HostedCall),
    Cited: (Text,),
}


def broken_law(deltas: Sequence[Delta]) -> str:
    """What is wrong with the order of *deltas*; empty when they begin once, end once, and nothing is out of place."""
    if not deltas or not isinstance(deltas[-1], Ended | Failed):
        return "no end"
    if isinstance(deltas[0], Failed):
        return "" if len(deltas) == 1 else "something comes after the failure"
    if not isinstance(deltas[0], Started):
        return f"begins with {deltas[0]}"
    parts: dict[int, Part | None] = {}
    """The parts that have begun; None for one that has ended."""
    for delta in deltas[1:-1]:
        if isinstance(delta, Started | Ended | Failed):
            return f"{delta} in the middle"
        if wrong := _out_of_place(delta, parts):
            return wrong
    left = [index for index, part in parts.items() if part is not None]
    return f"ended with parts {left} open" if left and isinstance(deltas[-1], Ended) else ""


def _out_of_place(delta: _OfPart, parts: dict[int, Part | None]) -> str:
    if isinstance(delta, PartStarted):
        if delta.index != len(parts):
            return f"part {delta.index} starts where {len(parts)} was to"
        parts[delta.index] = delta.part
        return ""
    part = parts.get(delta.index)
    if part is None or not isinstance(part, _ADDED.get(type(delta), (object,))):
        return f"{delta} to {part}"
    if isinstance(delta, PartEnded):
        parts[delta.index] = None
    return ""
