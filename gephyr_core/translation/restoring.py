"""The way back of what a request's translation had to change: tool names, freeform tools, structured output, and whose
organisation signed."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

import attrs

from gephyr_core.conversation.arguments import member
from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import SIGNED, HostedResult, Part, Signature, Text, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Delta,
    Ended,
    PartEnded,
    PartStarted,
    Reply,
    Signed,
    Stop,
    StopReason,
    TextAdded,
)
from gephyr_core.dialects.decoding import digest
from gephyr_core.dialects.translator import Written

P = TypeVar("P", bound=Part)


class Restores(Protocol):
    """Whatever restores deltas."""

    def feed(self, delta: Delta) -> list[Delta]:
        """Return what the client's writer is told in place of *delta*."""


@attrs.define
class Restorer:
    """Restores one attempt's deltas. Arguments are only held where they have to be unwrapped."""

    written: Written
    organization: str
    """Digest of the organisation whose account answers."""
    key: str
    """Ids of calls that the provider gave none are made of it."""
    dialect: str = ""
    """The client's, where the provider is asked in the same one: its signatures are not sealed on their way."""
    calls: int = 0
    """Tool calls the client sees."""
    made: list[str] = attrs.field(factory=list)
    """The names of those signatures, by which their maker is known when they come back; the caller takes them out."""
    _held: dict[int, tuple[ToolCall | Text, list[str]]] = attrs.field(factory=dict)
    """Parts whose arguments are unwrapped when they are complete."""
    _as_text: dict[int, None] = attrs.field(factory=dict)
    """Indices of calls that stand in for text."""

    def feed(self, delta: Delta) -> list[Delta]:
        """Return what the client's writer is told in place of *delta*."""
        match delta:
            case PartStarted(index, part) if isinstance(part, ToolCall):
                return self._call(index, part)
            case PartStarted(index, part):
                if isinstance(part, HostedResult) and part.tools:
                    names = self.written.tool_names
                    part = attrs.evolve(part, tools=tuple(names.get(name, name) for name in part.tools))
                return [PartStarted(index, self._signed(part))]
            case ArgumentsAdded(index, text) if index in self._held:
                self._held[index][1].append(text)
                return []
            case ArgumentsAdded(index, text) if index in self._as_text:
                return [TextAdded(index, text)]
            case PartEnded(index) if index in self._held:
                return self._unwrapped(index)
            case Signed(index, signature):
                return [Signed(index, self._own(signature))]
            case Ended(stop, usage) if self._as_text and not self.calls and stop.reason is StopReason.TOOL_CALL:
                return [Ended(Stop(StopReason.END), usage)]
        return [delta]

    def _call(self, index: int, call: ToolCall) -> list[Delta]:
        written = self.written
        if written.structured and call.name == written.structured:
            self._as_text[index] = None
            if written.structured_wrapped:
                self._held[index] = (Text(""), [call.arguments])
                return [PartStarted(index, Text(""))]
            started: list[Delta] = [PartStarted(index, Text(""))]
            return [*started, TextAdded(index, call.arguments)] if call.arguments else started
        self.calls += 1
        name = written.tool_names.get(call.name, call.name)
        call = attrs.evolve(self._signed(call), name=name, id=call.id or f"call_{self.key}_{index}")
        if name in written.freeform and not call.freeform:
            self._held[index] = (call, [call.arguments])
            return [PartStarted(index, attrs.evolve(call, freeform=True, arguments=""))]
        return [PartStarted(index, call)]

    def _unwrapped(self, index: int) -> list[Delta]:
        part, pieces = self._held.pop(index)
        text = "".join(pieces)
        if isinstance(part, Text):
            return [TextAdded(index, member(text, "value")), PartEnded(index)]
        return [ArgumentsAdded(index, member(text, "input")), PartEnded(index)]

    def _signed(self, part: P) -> P:
        """Return the part with its signature's origin complete."""
        if isinstance(part, SIGNED) and part.signature is not None:
            return attrs.evolve(part, signature=self._own(part.signature))
        return part

    def _own(self, signature: Signature) -> Signature:
        if signature.origin.dialect == self.dialect:
            self.made.append(digest(signature.value or signature.id))
        if not self.organization:
            return signature
        return signature.of(self.organization)


def restored(reply: Reply, restorer: Restores) -> Reply:
    """Restore a whole reply."""
    told = collected(restored_delta for delta in deltas_of(reply) for restored_delta in restorer.feed(delta))
    return attrs.evolve(told, service_tier=reply.service_tier)


def collected(deltas: Iterable[Delta]) -> Reply:
    """Put deltas together."""
    assembler = Assembler()
    for delta in deltas:
        assembler.add(delta)
    return assembler.reply()
