"""A reply's deltas, written as a Chat stream for a client."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.parts import (
    Citation,
    Image,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
)
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
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.dialects.openai_chat.message_objects import (
    annotation,
    call_object,
    image_object,
    is_legacy,
    reply_id,
    reply_model,
)
from gephyr_core.dialects.openai_chat.reasoning import detail_objects, extra_content
from gephyr_core.dialects.openai_chat.stops import REFUSED, finish_reason
from gephyr_core.dialects.openai_chat.stream import DONE
from gephyr_core.dialects.openai_chat.usage import usage_object
from gephyr_core.dialects.openai_errors import error_object
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import Problem
from gephyr_core.sse import encode

_text = msgspec.json.Encoder().encode


@attrs.define
class _Writing:
    """A part under way."""

    before: bytes
    """What stands in a chunk before what is added to the part."""
    after: bytes
    between: bytes = b""
    """For reasoning, which stands in a chunk twice."""
    start: int = 0
    """Where the part begins in the message's text."""
    call: int = -1
    """A tool call's index among the calls."""
    detail: int = -1
    """Reasoning's index among the reasoning."""
    thinking: Thinking | None = None
    citations: list[Citation] = attrs.field(factory=list)


@attrs.define
class ChatDeltaWriter:
    """See :class:`gephyr_core.dialects.translator.DeltaWriter`.

    Images stand in ``images`` as OpenRouter writes them, since Chat text has no place for them. What a provider's own
    tools were asked and gave is not told (Chat has no shape for it); the citations that came of it are.
    """

    _context: ReplyContext
    _head: bytes = b""
    _tail: bytes = b""
    _parts: dict[int, _Writing] = attrs.field(factory=dict)
    _chars: int = 0
    """Length of the text written."""
    _calls: int = 0
    _details: int = 0
    _listed: dict[str, int] = attrs.field(factory=dict)
    """How many annotations and images were written: OpenAI's SDK wants the entries of a list numbered."""
    _signature: Signature | None = None
    """Of the text; a message has a place for one."""
    _thought: bool = False
    """There was reasoning as text."""
    _refused: bool = False
    _legacy: bool = False
    """The client waits for a ``function_call``, and there was one."""
    _over: bool = False
    _do: dict[type[Delta], Callable[[Any], bytes]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._do = {
            TextAdded: self._text_added,
            ThinkingAdded: self._thinking_added,
            ArgumentsAdded: self._arguments_added,
            Started: self._begin,
            PartStarted: self._part_started,
            Signed: self._signed,
            Cited: self._cited,
            PartEnded: self._part_ended,
            Ended: self._ended,
            Failed: self._failed,
        }

    def write(self, delta: Delta) -> bytes:
        """Write one delta."""
        return b"" if self._over else self._do[type(delta)](delta)

    def failure(self, problem: Problem) -> bytes:
        """An error chunk and no ``[DONE]``, or the SDK would take the reply for whole."""
        if self._over:
            return b""
        self._over = True
        return encode(encode_json({"error": error_object(problem)}))

    # -- text, the hot path -----------------------------------------------------------------------------------------

    def _text_added(self, delta: TextAdded) -> bytes:
        part = self._parts[delta.index]
        text = delta.text
        self._chars += len(text)
        return b"%b%b%b" % (part.before, _text(text), part.after)

    def _thinking_added(self, delta: ThinkingAdded) -> bytes:
        part = self._parts[delta.index]
        text = _text(delta.text)
        return b"%b%b%b%b%b" % (part.before, text, part.between, text, part.after)

    def _arguments_added(self, delta: ArgumentsAdded) -> bytes:
        part = self._parts[delta.index]
        return b"%b%b%b" % (part.before, _text(delta.text), part.after) if part.before else b""

    # -- the rest ---------------------------------------------------------------------------------------------------

    def _begin(self, delta: Started) -> bytes:
        context = self._context
        opening = {
            "id": reply_id(context),
            "object": "chat.completion.chunk",
            "created": context.created,
            "model": reply_model(context, delta.model),
        }
        self._head = b'data: %b,"choices":[{"index":0,"delta":' % encode_json(opening)[:-1]
        usage = b',"usage":null' if context.include_usage else b""
        self._tail = b',"logprobs":null,"finish_reason":null}]%b}\n\n' % usage
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return b"%b%b%b" % (self._head, encode_json(delta), self._tail)

    def _part_started(self, delta: PartStarted) -> bytes:
        part = delta.part
        match part:
            case Text(text=text):
                writing = self._parts[delta.index] = self._writing(b'{"content":', b"}")
                writing.citations += part.citations
                written = self._text_added(TextAdded(delta.index, text)) if text else b""
                if part.signature is not None:
                    written += self._signed(Signed(delta.index, part.signature))
                return written
            case Refusal(text=text):
                self._refused = True
                self._parts[delta.index] = self._writing(b'{"refusal":', b"}")
                return self._text_added(TextAdded(delta.index, text)) if text else b""
            case Thinking():
                return self._thinking(delta.index, part)
            case ToolCall():
                return self._call(delta.index, part)
            case Image():
                self._parts[delta.index] = _Writing(b"", b"")
                return self._entries("images", [image_object(part)])
        self._context.leave_out(part)
        self._parts[delta.index] = _Writing(b"", b"")
        return b""

    def _writing(self, before: bytes, after: bytes, between: bytes = b"") -> _Writing:
        return _Writing(self._head + before, after + self._tail, between, start=self._chars)

    def _thinking(self, index: int, part: Thinking) -> bytes:
        number = self._details
        kind, field = (b"reasoning.summary", b"summary") if part.summary else (b"reasoning.text", b"text")
        self._parts[index] = writing = self._writing(
            b'{"reasoning_content":',
            b',"index":%d}]}' % number,
            b',"reasoning_details":[{"type":"%b","%b":' % (kind, field),
        )
        writing.detail, writing.thinking = number, part
        self._details += 1
        if part.redacted:
            return self._chunk({"reasoning_details": detail_objects(part, number)})
        # Pieces of reasoning are paragraphs where they stand as one text.
        written = self._chunk({"reasoning_content": "\n\n"}) if self._thought else b""
        self._thought = True
        written += self._thinking_added(ThinkingAdded(index, part.text)) if part.text else b""
        return written + (self._signed(Signed(index, part.signature)) if part.signature is not None else b"")

    def _call(self, index: int, part: ToolCall) -> bytes:
        number, self._calls = self._calls, self._calls + 1
        if is_legacy(self._context, part):
            self._legacy = True
            self._parts[index] = self._writing(b'{"function_call":{"arguments":', b"}}")
            return self._chunk({"function_call": {"name": self._context.name_of(part), "arguments": part.arguments}})
        inner = b'"custom":{"input":' if part.freeform else b'"function":{"arguments":'
        self._parts[index] = self._writing(b'{"tool_calls":[{"index":%d,%b' % (number, inner), b"}}]}")
        self._parts[index].call = number
        return self._chunk({"tool_calls": [{"index": number, **call_object(self._context, part, index)}]})

    def _signed(self, delta: Signed) -> bytes:
        part, signature = self._parts[delta.index], delta.signature
        if part.thinking is not None:
            return self._proof(part, part.thinking, signature)
        if part.call >= 0:
            return self._chunk({"tool_calls": [{"index": part.call, "extra_content": extra_content(signature)}]})
        self._signature = signature
        return b""

    def _proof(self, part: _Writing, thinking: Thinking, signature: Signature) -> bytes:
        """Write a signature of reasoning: with its text's detail, or behind a summary as a detail of its own."""
        if not signature.value:
            return b""
        if thinking.summary:
            thinking, part.detail = attrs.evolve(thinking, summary=False, redacted=True), self._details
            self._details += 1
        detail = detail_objects(attrs.evolve(thinking, text="", signature=signature), part.detail)[0]
        detail.pop("text", None)
        return self._chunk({"reasoning_details": [detail]})

    def _cited(self, delta: Cited) -> bytes:
        self._parts[delta.index].citations.append(delta.citation)
        return b""

    def _part_ended(self, delta: PartEnded) -> bytes:
        """Citations are told when the text that they are of is: some speak of all of it."""
        part = self._parts.pop(delta.index)
        if not part.citations:
            return b""
        told = [annotation(citation, part.start, self._chars) for citation in part.citations]
        return self._entries("annotations", told)

    def _entries(self, name: str, entries: list[dict[str, Any]]) -> bytes:
        first = self._listed.get(name, 0)
        self._listed[name] = first + len(entries)
        return self._chunk({name: [{"index": number, **entry} for number, entry in enumerate(entries, first)]})

    def _ended(self, delta: Ended) -> bytes:
        self._over = True
        written = b""
        if delta.stop.reason is StopReason.REFUSAL and not self._refused:
            written = self._chunk({"refusal": delta.stop.detail or REFUSED})
        if self._signature is not None:
            written += self._chunk({"extra_content": extra_content(self._signature)})
        reason = "function_call" if self._legacy else finish_reason(delta.stop, called=self._calls > 0)
        ending = self._tail.replace(b'"finish_reason":null', b'"finish_reason":"%b"' % reason.encode())
        written += b"%b{}%b" % (self._head, ending)
        if self._context.include_usage:
            head = self._head.partition(b',"choices":')[0]
            written += b'%b,"choices":[],"usage":%b}\n\n' % (head, encode_json(usage_object(delta.usage)))
        return written + b"data: %b\n\n" % DONE.encode()

    def _failed(self, delta: Failed) -> bytes:
        return self.failure(Problem(delta.kind, delta.message, code=delta.code))
