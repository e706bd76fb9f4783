"""A provider's Chat stream, read as deltas."""

from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.parts import Citation, Image, Part, Refusal, Signature, Text, Thinking, Url
from gephyr_core.conversation.reply import (
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
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import bare_error, mapping, text
from gephyr_core.dialects.joining import CutReader
from gephyr_core.dialects.openai_chat.call_deltas import CallReader
from gephyr_core.dialects.openai_chat.chunks import Chunk, Message, ReplyChoice, decode_chunk, decode_cut_chunk
from gephyr_core.dialects.openai_chat.message_reading import read_annotations
from gephyr_core.dialects.openai_chat.part_reading import mistral_thinking, read_url
from gephyr_core.dialects.openai_chat.reasoning import PLAIN, THINKING_PART, plain_mark, read_detail, signature_of
from gephyr_core.dialects.openai_chat.stops import read_break, read_stop
from gephyr_core.dialects.openai_chat.stream import DONE
from gephyr_core.dialects.openai_chat.usage import read_usage
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage
from gephyr_core.sse import parse

_PREFIX = b"data: "
_UNREADABLE = "the provider's stream holds what is no chunk of a reply"
_UNFINISHED = "the provider's stream ended before the reply did"


@attrs.define
class ChatDeltaReader(CutReader):
    """See :class:`gephyr_core.dialects.translator.DeltaReader`.

    Text and reasoning take turns: one ends when the other begins or a tool is called. Calls may interleave, and all end
    with the reply. The reply ends at ``[DONE]``, since usage may come in a chunk behind the finish reason.
    """

    _report: Report
    _index: int = 0
    """Parts that have begun."""
    _open: int = -1
    """The part that text is added to; -1: none."""
    _kind: type[Part] | None = None
    """What the open part is."""
    _summary: bool = False
    """The open reasoning is a summary."""
    _plain: str = ""
    """The field that the open reasoning stands in; empty for details and text."""
    _proof: Signature | None = None
    """The open part's signature."""
    _reasoned: str = ""
    """The field in which the reply tells its reasoning; the others repeat it."""
    _started: bool = False
    _refused: bool = False
    _finish_reason: str | None = None
    _usage: Usage | None = None
    _sources: tuple[Citation, ...] = ()
    _early: tuple[Citation, ...] = ()
    """Citations that came before the text that they are of."""
    _whole: bool = False
    """The message being read is all of the reply."""
    _calls: CallReader = attrs.field(
        default=attrs.Factory(lambda self: CallReader(CallIds(self._report)), takes_self=True), init=False
    )

    @property
    def finished(self) -> bool:
        """Whether the reply has a finish reason."""
        return self._finish_reason is not None

    def read(self, event: bytes) -> list[Delta]:
        """Read one event."""
        if self._aside:
            return self.read_aside(event)
        if event.startswith(_PREFIX) and event.find(b"\n") == len(event) - 2:
            chunk = decode_chunk(event[len(_PREFIX) :])
        else:
            chunk = decode_chunk(bare_error(event) or parse(event).data)
        if chunk is None:
            return self.read_aside(event)
        choices = chunk.choices
        if self._kind is Text and choices is not None and len(choices) == 1 and not (chunk.usage or chunk.error):
            choice = choices[0]
            added = choice.delta
            if added is not None and choice.finish_reason is None and choice.index == 0:
                content = added.content
                if type(content) is str and content and _says_only_text(added):
                    return [TextAdded(self._open, content)]
        return self.take(chunk)

    def _read_cut(self, event: bytes) -> list[Delta]:
        data = bare_error(event) or parse(event).data
        chunk = decode_cut_chunk(data)
        return self._no_chunk(data) if chunk is None else self.take(chunk)

    def _finish(self) -> list[Delta]:
        if self._finish_reason is None:
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED))
        return self.end()

    def take(self, chunk: Chunk) -> list[Delta]:
        """Read a decoded chunk, or a whole reply, which is one large chunk."""
        if chunk.error:
            error = stream_error(chunk.error)
            return self._end(Failed(error.kind, error.message, error.code))
        usage = chunk.usage or (mapping(chunk.x_groq) or {}).get("usage")
        self._usage = read_usage(usage) or self._usage
        if chunk.search_results:
            self._sources = _sources(chunk.search_results)
        deltas: list[Delta] = []
        for choice in chunk.choices or ():
            if choice.index not in (0, None):
                self._report.dropped(f"choices[{choice.index}]", "only the first of several replies is carried")
                continue
            if not self._started:
                self._started = True
                deltas.append(Started(text(chunk.id) or "", text(chunk.model) or ""))
            deltas += self._choice(choice)
            if self._over:
                break
        return deltas

    def _no_chunk(self, data: bytes | str) -> list[Delta]:
        told = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        if told.strip() == DONE:
            return self.end()
        return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNREADABLE)) if told.strip() else []

    def _choice(self, choice: ReplyChoice) -> list[Delta]:
        if choice.error:
            error = stream_error(choice.error)
            return self._end(Failed(error.kind, error.message, error.code))
        message = choice.delta or choice.message
        self._whole = choice.delta is None
        deltas = list(self._message(message)) if message is not None else []
        reason = text(choice.finish_reason)
        if reason is not None:
            broken = read_break(reason)
            if broken is not None:
                return [*deltas, *self._end(broken)]
            self._finish_reason = reason
        return deltas

    def _message(self, message: Message) -> Iterator[Delta]:
        yield from self._reasoning(message)
        signature = signature_of(message.extra_content)
        if message.content:
            yield from self._content(message.content)
        called = message.tool_calls or message.function_call
        if signature is not None and (self._kind in (Text, Thinking) or not called):
            yield from self._signed(signature)
            signature = None
        refusal = text(message.refusal)
        if refusal:
            self._refused = True
            yield from self._turn_to(Refusal)
            yield TextAdded(self._open, refusal)
        if isinstance(message.annotations, list) and message.annotations:
            yield from self._cited(read_annotations(message.annotations))
        if isinstance(message.images, list):
            yield from self._images(message.images)
        spoken = mapping(message.audio)
        if spoken:
            yield from self._spoken(spoken)
        if called:
            yield from self._close()
            yield from self._called(message, signature)

    # -- text and reasoning -----------------------------------------------------------------------------------------

    def _turn_to(self, kind: type[Text | Refusal | Thinking], *, summary: bool = False) -> Iterator[Delta]:
        """Open a part of *kind*, unless one is open; whatever else is open ends."""
        if self._kind is kind and self._summary == summary:
            return
        yield from self._close()
        self._open, self._kind, self._summary = self._index, kind, summary
        self._index += 1
        yield PartStarted(self._open, Thinking("", summary=summary) if kind is Thinking else kind(""))
        if kind is Text:
            early, self._early = self._early, ()
            yield from self._cited(early)

    def _close(self) -> Iterator[Delta]:
        if self._kind is None:
            return
        proof = self._proof
        if self._kind is Thinking and proof is None:
            proof = plain_mark(self._plain or PLAIN[1])
        if proof is not None:
            yield Signed(self._open, proof)
        yield PartEnded(self._open)
        self._kind, self._proof, self._plain, self._summary = None, None, "", False

    def _content(self, content: object) -> Iterator[Delta]:
        if isinstance(content, str):
            yield from self._turn_to(Text)
            yield TextAdded(self._open, content)
        elif isinstance(content, list):
            for part in content:
                fields = mapping(part) or {}
                if fields.get("type") == "thinking":
                    yield from self._thought(mistral_thinking(fields.get("thinking")), THINKING_PART)
                elif written := text(fields.get("text")):
                    yield from self._content(written)
        elif isinstance(content, dict):  # Cloudflare writes structured output so.
            yield from self._content(encode_json(content).decode())

    def _reasoning(self, message: Message) -> Iterator[Delta]:
        details = message.reasoning_details
        if isinstance(details, list) and details:
            for detail in details:
                yield from self._detail(detail)
            if self._reasoned == "reasoning_details":
                return
        for field in PLAIN:
            told = text(getattr(message, field))
            if told and self._reasoned in ("", field):
                self._reasoned = field
                yield from self._thought(told, field)
                return

    def _detail(self, detail: object) -> Iterator[Delta]:
        read = read_detail(detail)
        if read is None:
            return
        if read.redacted:
            if self._summary:
                self._proof = read.signature
                yield from self._close()
                return
            yield from self._close()
            yield PartStarted(self._index, read)
            yield PartEnded(self._index)
            self._index += 1
            return
        if read.text:
            self._reasoned = self._reasoned or "reasoning_details"
            if self._proof is not None:
                yield from self._close()
            yield from self._turn_to(Thinking, summary=read.summary)
            yield ThinkingAdded(self._open, read.text)
        if read.signature is not None:
            yield from self._turn_to(Thinking)
            self._proof = read.signature

    def _thought(self, told: str, field: str) -> Iterator[Delta]:
        if told:
            yield from self._turn_to(Thinking)
            self._plain = field
            yield ThinkingAdded(self._open, told)

    def _signed(self, signature: Signature) -> Iterator[Delta]:
        """A message's own signature belongs to its text, or to a text part of nothing else."""
        if self._kind not in (Text, Thinking):
            yield from self._turn_to(Text)
        self._proof = signature

    # -- what stands beside the text --------------------------------------------------------------------------------

    def _cited(self, citations: tuple[Citation, ...]) -> Iterator[Delta]:
        if self._kind is Text:
            for citation in citations:
                yield Cited(self._open, citation)
        else:
            self._early += citations

    def _images(self, images: list[Any]) -> Iterator[Delta]:
        for image in images:
            url = (mapping((mapping(image) or {}).get("image_url")) or {}).get("url")
            if isinstance(url, str) and url:
                yield from self._close()
                yield PartStarted(self._index, Image(_source(url)))
                yield PartEnded(self._index)
                self._index += 1

    def _spoken(self, audio: dict[str, Any]) -> Iterator[Delta]:
        transcript = text(audio.get("transcript"))
        if audio.get("data"):
            self._report.dropped("choices[0].message.audio", "only the transcript of a spoken reply is carried")
        if transcript:
            yield from self._content(transcript)

    def _called(self, message: Message, signature: Signature | None) -> Iterator[Delta]:
        """Read calls. *signature*: the message's own, where it says nothing else; it is the first call's."""
        if message.function_call:
            yield from self._counted(self._calls.legacy(message.function_call, self._index))
        for fragment in message.tool_calls if isinstance(message.tool_calls, list) else ():
            yield from self._counted(self._calls.fragment(fragment, self._index, signature, whole=self._whole))
            signature = None

    def _counted(self, deltas: Iterator[Delta]) -> Iterator[Delta]:
        for delta in deltas:
            if isinstance(delta, PartStarted):
                self._index += 1
            yield delta

    # -- the end ----------------------------------------------------------------------------------------------------

    def end(self) -> list[Delta]:
        """The provider says that the reply is complete."""
        deltas: list[Delta] = []
        if self._over:
            return deltas
        if not self._started or (self._finish_reason is None and not self._index):
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED))
        deltas += self._cited(self._sources)
        if self._early:
            self._report.dropped("choices[0].message.annotations", "there is no text that they could be of")
        deltas += self._close()
        nameless = self._calls.unnamed
        if nameless:
            return [*deltas, *self._end(Failed(ErrorKind.BAD_GATEWAY, "the provider calls a tool without naming it"))]
        stop = read_stop(self._finish_reason or "", called=self._calls.any, refused=self._refused)
        deltas += self._calls.close(cut=stop.is_cut)
        return [*deltas, *self._end(Ended(stop, self._usage or Usage()))]


def _says_only_text(added: Message) -> bool:
    """Whether a message tells nothing beside its content."""
    return not (
        added.tool_calls
        or added.reasoning_content
        or added.reasoning
        or added.reasoning_details
        or added.refusal
        or added.annotations
        or added.function_call
        or added.images
        or added.audio
        or added.extra_content
    )


def _source(url: str) -> Any:
    try:
        return read_url(url, "")
    except FieldError:
        return Url(url)


def _sources(results: object) -> tuple[Citation, ...]:
    """Read ``search_results``: the pages that the whole reply rests on."""
    found = []
    for result in results if isinstance(results, list) else ():
        fields = mapping(result) or {}
        url = text(fields.get("url"))
        if url:
            found.append(Citation(url, text(fields.get("title")) or "", text(fields.get("snippet")) or ""))
    return tuple(found)
