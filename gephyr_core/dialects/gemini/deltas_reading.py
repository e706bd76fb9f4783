"""A provider's Gemini stream, read as deltas."""

from collections.abc import Iterator

import attrs
import msgspec

from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.parts import Part, Signature, Text, Thinking, ToolCall
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
    Stop,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import bare_object, mapping, text
from gephyr_core.dialects.gemini.chunks import Candidate, Chunk, ReplyPart, decode_any, decode_chunk, decode_cut_chunk
from gephyr_core.dialects.gemini.counts import read_usage
from gephyr_core.dialects.gemini.errors import stream_error
from gephyr_core.dialects.gemini.grounding import Grounding
from gephyr_core.dialects.gemini.hosted import read_call, read_code, read_code_result, read_response
from gephyr_core.dialects.gemini.media import read_blob, read_file
from gephyr_core.dialects.gemini.messages import read_signature, read_thought
from gephyr_core.dialects.gemini.stops import read_blocked, read_break, read_stop, reason_word
from gephyr_core.dialects.joining import CutReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage
from gephyr_core.sse import parse

_PREFIX = b"data: "
_PARTS = "candidates[0].content.parts"
_UNREADABLE = "the provider's stream holds what is no chunk of a reply"
_UNFINISHED = "the provider's stream ended before the reply did"


@attrs.define
class GeminiDeltaReader(CutReader):
    """See :class:`gephyr_core.dialects.translator.DeltaReader`.

    Consecutive chunks of one kind are one part, until a signature closes it. A stream has no terminal of its own: the
    reply ends when a finish reason and usage have come, else when the stream does.
    """

    _report: Report
    _index: int = 0
    """Parts that have begun."""
    _open: int = -1
    _kind: type[Part] | None = None
    """What the open part is: text or thoughts."""
    _is_signed: bool = False
    """The open part is, so what follows is another."""
    _started: bool = False
    _called: bool = False
    _reason: str = ""
    _blocked: Stop | None = None
    _usage: msgspec.Raw = attrs.field(factory=msgspec.Raw)
    _hosted: str = ""
    """Id of the latest call of a tool of Google's."""
    _id: str = ""
    _ids: CallIds = attrs.field(default=attrs.Factory(lambda self: CallIds(self._report), takes_self=True), init=False)
    _grounding: Grounding = attrs.field(factory=Grounding)

    @property
    def finished(self) -> bool:
        """Whether the reply has a finish reason, or was blocked."""
        return bool(self._reason) or self._blocked is not None

    def read(self, event: bytes) -> list[Delta]:
        """Read one event."""
        if self._aside:
            return self.read_aside(event)
        chunk = None
        if event.startswith(_PREFIX) and event.find(b"\n") == len(event) - 2:
            chunk = decode_chunk(event[len(_PREFIX) :])
        if chunk is None:
            return self.read_aside(event)
        added = self._only_text(chunk)
        if added:
            if chunk.usage_metadata:
                self._usage = chunk.usage_metadata
            if self._kind is Text:
                self._grounding.said.append(added)
                return [TextAdded(self._open, added)]
            return [ThinkingAdded(self._open, added)]
        return self.take(chunk)

    def _only_text(self, chunk: Chunk) -> str:
        """The text of a chunk that does nothing but to go on with the open part; else empty."""
        candidates = chunk.candidates
        if self._kind is None or self._is_signed or candidates is None or len(candidates) != 1:
            return ""
        candidate = candidates[0]
        content = candidate.content
        if candidate.finish_reason or candidate.index or candidate.grounding_metadata or chunk.error:
            return ""
        if content is None or content.parts is None or len(content.parts) != 1:
            return ""
        part = content.parts[0]
        told = part.text
        if type(told) is not str or part.thought_signature or bool(part.thought) is not (self._kind is Thinking):
            return ""
        return "" if candidate.url_context_metadata or candidate.citation_metadata or chunk.prompt_feedback else told

    def _read_cut(self, event: bytes) -> list[Delta]:
        data = bare_object(event) or parse(event).data
        if not data.strip():
            return []
        chunk = decode_cut_chunk(data)
        return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNREADABLE)) if chunk is None else self.take(chunk)

    def _finish(self) -> list[Delta]:
        if self._blocked is None and not self._reason:
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED))
        return self.end()

    def end(self) -> list[Delta]:
        """The reply is whole. Where no reason was told, it has said what it had to; one that says nothing is none."""
        if self._over:
            return []
        if self._blocked is None and not (self._reason or self._index):
            return self._end(Failed(ErrorKind.BAD_GATEWAY, _UNFINISHED))
        deltas = list(self._begin(None)) if not self._started else []
        deltas += self._grounded()
        deltas += self._close()
        stop = self._blocked or read_stop(self._reason or "STOP", called=self._called)
        return [*deltas, *self._end(Ended(stop, read_usage(decode_any(self._usage)) or Usage()))]

    def take(self, chunk: Chunk) -> list[Delta]:
        """Read a decoded chunk, or a whole reply, which is one large chunk."""
        if chunk.error:
            error = stream_error(chunk.error)
            return self._end(Failed(error.kind, error.message, error.code))
        if chunk.usage_metadata:
            self._usage = chunk.usage_metadata
        self._blocked = read_blocked((mapping(chunk.prompt_feedback) or {}).get("blockReason")) or self._blocked
        deltas: list[Delta] = []
        for candidate in chunk.candidates or ():
            if candidate.index not in (0, None):
                self._report.dropped(f"candidates[{candidate.index}]", "only the first of several replies is carried")
                continue
            if not self._started:
                deltas += self._begin(chunk)
            deltas += self._candidate(candidate)
            broken = read_break(self._reason, text(candidate.finish_message) or "")
            if broken is not None:
                return [*deltas, *self._end(broken)]
        return [*deltas, *self.end()] if self.finished and chunk.usage_metadata else deltas

    def _begin(self, chunk: Chunk | None) -> Iterator[Delta]:
        self._started = True
        self._id = text(chunk.response_id) or "" if chunk is not None else ""
        yield Started(self._id, text(chunk.model_version) or "" if chunk is not None else "")

    def _candidate(self, candidate: Candidate) -> Iterator[Delta]:
        content = candidate.content
        for part in content.parts or () if content is not None else ():
            yield from self._part(part)
        self._grounding.learn(candidate)
        self._reason = reason_word(candidate.finish_reason) or self._reason

    # -- parts --------------------------------------------------------------------------------------------------------

    def _part(self, part: ReplyPart) -> Iterator[Delta]:
        signed = text(part.thought_signature)
        signature = read_signature(signed) if signed else None
        call = mapping(part.function_call)
        whole: Part | None = None
        if call is not None:
            name = text(call.get("name"))
            if name:
                self._called = True
                arguments = encode_json(mapping(call.get("args")) or {}).decode()
                call_id = self._ids.distinct(text(call.get("id")) or "")
                whole = ToolCall(call_id, name, arguments, signature=signature)
        elif (blob := mapping(part.inline_data)) and (data := text(blob.get("data"))):
            whole = read_blob(text(blob.get("mimeType")) or "", data, "")
        elif (file := mapping(part.file_data)) and (uri := text(file.get("fileUri"))):
            whole = read_file(text(file.get("mimeType")) or "", uri, "")
        elif (code := mapping(part.executable_code)) is not None:
            whole = read_code(code, self._new_id(), signature, _PARTS)
            self._hosted = whole.id
        elif (result := mapping(part.code_execution_result)) is not None:
            whole = read_code_result(result, self._hosted, signature, _PARTS)
        elif (tool := mapping(part.tool_call)) is not None:
            whole = read_call(tool, self._new_id(), signature, _PARTS)
            self._hosted = whole.id
            self._grounding.told = True
        elif (response := mapping(part.tool_response)) is not None:
            whole = read_response(response, self._hosted, signature, _PARTS)
        elif text(part.text) or signature is not None:
            yield from self._said(text(part.text) or "", signature, Thinking if part.thought else Text)
            return
        if whole is not None:
            yield from self._whole(whole)

    def _said(self, told: str, signature: Signature | None, kind: type[Text | Thinking]) -> Iterator[Delta]:
        thought = read_thought(told, signature)
        if kind is Thinking and thought.redacted:
            yield from self._whole(thought)
            return
        yield from self._text(told, kind)
        signature = thought.signature if kind is Thinking else signature
        if signature is not None:
            self._is_signed = True
            yield Signed(self._open, signature)

    def _text(self, told: str, kind: type[Text | Thinking]) -> Iterator[Delta]:
        """Add text to the open part, or to a new one. An empty text only carries a signature."""
        if self._kind is not kind or (self._is_signed and told):
            if self._kind is kind and not told:
                return
            yield from self._close()
            self._open, self._kind = self._index, kind
            self._index += 1
            yield PartStarted(self._open, kind(""))
        if told and kind is Text:
            self._grounding.said.append(told)
            yield TextAdded(self._open, told)
        elif told:
            yield ThinkingAdded(self._open, told)

    def _whole(self, part: Part) -> Iterator[Delta]:
        yield from self._close()
        index, self._index = self._index, self._index + 1
        if isinstance(part, ToolCall):
            yield PartStarted(index, attrs.evolve(part, arguments=""))
            yield ArgumentsAdded(index, part.arguments)
        else:
            yield PartStarted(index, part)
        yield PartEnded(index)

    def _close(self) -> Iterator[Delta]:
        if self._kind is not None:
            yield PartEnded(self._open)
            self._kind, self._is_signed = None, False
            self._grounding.close()

    def _new_id(self) -> str:
        """An id for a call of Google's own that has none; its result refers to it."""
        return f"hosted_{self._id}_{self._index}"

    def _grounded(self) -> Iterator[Delta]:
        """What the reply rests on: it is told of at the end."""
        citations = self._grounding.citations()
        if self._kind is Text:
            for citation in citations:
                yield Cited(self._open, citation)
        elif citations:
            self._report.dropped("candidates[0].groundingMetadata", "there is no text at the end that it could be of")
        for part in self._grounding.parts(self._new_id()):
            yield from self._whole(part)
