"""Between a whole reply and its deltas: collecting a stream, and streaming what came whole."""

from collections.abc import Iterator

import attrs

from gephyr_core.conversation.parts import Citation, HostedCall, Part, Refusal, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Reply,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.records import Usage


@attrs.define
class _Growing:
    """A part under way."""

    part: Part
    texts: list[str] = attrs.field(factory=list)
    citations: list[Citation] = attrs.field(factory=list)
    signature: Signature | None = None

    def whole(self, *, cut: bool) -> Part:
        """The part as it is. *cut*: the reply is cut off."""
        part, text = self.part, "".join(self.texts)
        if isinstance(part, Text):
            citations = (*part.citations, *self.citations)
            return attrs.evolve(
                part, text=part.text + text, citations=citations, signature=self.signature or part.signature
            )
        if isinstance(part, Refusal):
            return attrs.evolve(part, text=part.text + text)
        if isinstance(part, Thinking):
            return attrs.evolve(part, text=part.text + text, signature=self.signature or part.signature)
        if isinstance(part, ToolCall | HostedCall):
            arguments = (part.arguments + text) if text else part.arguments
            empty = "" if isinstance(part, ToolCall) and (part.freeform or cut) else "{}"
            return attrs.evolve(part, arguments=arguments or empty, signature=self.signature or part.signature)
        return part


@attrs.define
class Assembler:
    """Collects a stream's deltas into the reply that they are."""

    id: str = ""
    model: str = ""
    failure: Failed | None = None
    ended: bool = False
    size: int = 0
    """Characters of text that are held."""
    _parts: dict[int, _Growing] = attrs.field(factory=dict)
    _stop: Stop = attrs.field(factory=lambda: Stop(StopReason.OTHER))
    _usage: Usage = attrs.field(factory=Usage)

    def add(self, delta: Delta) -> None:
        """Take in one delta."""
        match delta:
            case TextAdded(index, text) | ThinkingAdded(index, text) | ArgumentsAdded(index, text):
                self._parts[index].texts.append(text)
                self.size += len(text)
            case PartStarted(index, part):
                self._parts[index] = _Growing(part)
            case Signed(index, signature):
                self._parts[index].signature = signature
            case Cited(index, citation):
                self._parts[index].citations.append(citation)
            case Started(reply_id, model, usage):
                self.id, self.model, self._usage = reply_id, model, usage or self._usage
            case Ended(stop, usage):
                self._stop, self._usage, self.ended = stop, usage, True
            case Failed():
                self.failure = delta
            case PartEnded():
                pass

    def reply(self) -> Reply:
        """The reply as far as it came."""
        cut = self._stop.is_cut
        parts = tuple(growing.whole(cut=cut) for _, growing in sorted(self._parts.items()))
        return Reply(self.id, self.model, parts, self._stop, self._usage)


def deltas_of(reply: Reply) -> Iterator[Delta]:
    """The stream that a whole reply would have been."""
    yield Started(reply.id, reply.model, reply.usage)
    for index, part in enumerate(reply.parts):
        match part:
            case Text(text=text):
                yield PartStarted(index, attrs.evolve(part, text="", citations=(), signature=None))
                if text:
                    yield TextAdded(index, text)
                for citation in part.citations:
                    yield Cited(index, citation)
                if part.signature is not None:
                    yield Signed(index, part.signature)
            case Refusal(text=text):
                yield PartStarted(index, attrs.evolve(part, text=""))
                yield TextAdded(index, text)
            case Thinking(text=text, redacted=False):
                yield PartStarted(index, attrs.evolve(part, text="", signature=None))
                if text:
                    yield ThinkingAdded(index, text)
                if part.signature is not None:
                    yield Signed(index, part.signature)
            case ToolCall(arguments=arguments) | HostedCall(arguments=arguments):
                yield PartStarted(index, attrs.evolve(part, arguments=""))
                if arguments:
                    yield ArgumentsAdded(index, arguments)
            case _:
                yield PartStarted(index, part)
        yield PartEnded(index)
    yield Ended(reply.stop, reply.usage)
