"""Items of a provider's stream under way: what of their parts has been told, and what is left to tell."""

from collections.abc import Iterator

import attrs

from gephyr_core.conversation.arguments import Incoming
from gephyr_core.conversation.parts import HostedCall, Part, Refusal, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    PartEnded,
    Signed,
    TextAdded,
    ThinkingAdded,
)


@attrs.define
class PartStream:
    """A part under way."""

    index: int
    kind: type[Part]
    told: bool = False
    """Some of its text came."""
    cited: int = 0
    """How many citations came."""
    section: int = 0
    """Which text of a summary is being told."""
    ended: bool = False
    arguments: Incoming | None = None
    """Of a call whose arguments are an object."""

    def end(self) -> Iterator[Delta]:
        """End the part."""
        if not self.ended:
            self.ended = True
            yield PartEnded(self.index)

    def rest(self, part: Part) -> Iterator[Delta]:
        """Tell what of *part*, which is whole, has not been told, and end it."""
        if self.ended:
            return
        if not self.told:
            match part:
                case Text(text=added) | Refusal(text=added) if added:
                    yield TextAdded(self.index, added)
                case Thinking(text=added) if added:
                    yield ThinkingAdded(self.index, added)
                case ToolCall(arguments=added) | HostedCall(arguments=added) if added:
                    yield ArgumentsAdded(self.index, added)
        elif self.arguments is not None and (left := self.arguments.end()):
            yield ArgumentsAdded(self.index, left)
        if isinstance(part, Thinking) and part.signature is not None and not part.redacted:
            yield Signed(self.index, part.signature)
        if isinstance(part, Text):
            for citation in part.citations[self.cited :]:
                yield Cited(self.index, citation)
        yield from self.end()


@attrs.define
class ItemStream:
    """An item under way, with its parts in their order."""

    type: str
    phase: str = ""
    parts: list[PartStream] = attrs.field(factory=list)
    by_key: dict[object, PartStream] = attrs.field(factory=dict)
    """Parts by what the provider counts or calls them by."""

    def end(self) -> Iterator[Delta]:
        """End all parts."""
        for part in self.parts:
            yield from part.end()


def bare(part: Part) -> Part:
    """A part as it begins, without what is told of it later."""
    match part:
        case Text():
            return attrs.evolve(part, text="", citations=())
        case Refusal():
            return attrs.evolve(part, text="")
        case Thinking(redacted=False):
            return attrs.evolve(part, text="", signature=None)
        case ToolCall() | HostedCall():
            return attrs.evolve(part, arguments="")
    return part
