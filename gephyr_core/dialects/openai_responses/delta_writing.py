"""A reply's deltas, written as a Responses stream for a client."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.parts import (
    HostedCall,
    HostedResult,
    Image,
    Inline,
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
from gephyr_core.dialects.openai_chat.message_objects import url_of
from gephyr_core.dialects.openai_responses.errors import response_error
from gephyr_core.dialects.openai_responses.events import Events
from gephyr_core.dialects.openai_responses.hosted import told_item
from gephyr_core.dialects.openai_responses.hosted_writing import HostedPart
from gephyr_core.dialects.openai_responses.items import (
    COMPLETED,
    CallPart,
    Message,
    OpenPart,
    ReasoningPart,
    TextPart,
    TypedCallPart,
    begun_call,
    loose_signature,
)
from gephyr_core.dialects.openai_responses.response_object import opening
from gephyr_core.dialects.openai_responses.sealing import Belongs
from gephyr_core.dialects.openai_responses.settings_writing import ENCRYPTED
from gephyr_core.dialects.openai_responses.stops import REFUSED, incomplete_reason
from gephyr_core.dialects.openai_responses.usage import usage_object
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import Problem

_text = msgspec.json.Encoder().encode


@attrs.define
class ResponsesDeltaWriter:
    """See :class:`gephyr_core.dialects.translator.DeltaWriter`.

    What is kept is what the last events repeat: the items, with their text.
    """

    context: ReplyContext
    response: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The response as it was told last."""
    _events: Events = attrs.field(init=False)
    _parts: dict[int, OpenPart] = attrs.field(factory=dict, init=False)
    _ending: list[CallPart | TypedCallPart] = attrs.field(factory=list, init=False)
    """Calls that have ended last: whether they are whole is known when something else comes."""
    _message: Message | None = attrs.field(default=None, init=False)
    """Goes on until something else than text comes."""
    _hosted: dict[str, HostedPart] = attrs.field(factory=dict, init=False)
    """Calls of the provider's own tools whose result has not come, by their ids."""
    _proofs: bool = attrs.field(init=False)
    """The client wants the proofs of reasoning, and will send them back."""
    _refused: bool = attrs.field(default=False, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _do: dict[type[Delta], Callable[[Any], bytes]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._events = Events(self.context)
        self._proofs = ENCRYPTED.encode() in bytes(self.context.request.get("include", b""))
        self._do = {
            TextAdded: self._added,
            ThinkingAdded: self._added,
            ArgumentsAdded: self._added,
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
        """``response.failed`` with what there is of the response."""
        if self._over:
            return b""
        self._over = True
        return self._terminal("failed", status="failed", error=response_error(problem))

    # -- text, the hot path -----------------------------------------------------------------------------------------

    def _added(self, delta: TextAdded | ThinkingAdded | ArgumentsAdded) -> bytes:
        part, text = self._parts[delta.index], delta.text
        before = part.before
        told = part.first() if not part.texts else b""
        part.texts.append(text)
        if not before:
            return b""
        events = self._events
        number = events.number
        events.number = number + 1
        return b'%b%b%b,"sequence_number":%d}\n\n' % (told, before, _text(text), number)

    # -- the rest ---------------------------------------------------------------------------------------------------

    def _begin(self, delta: Started) -> bytes:
        self.response = opening(self.context, delta.model)
        event = self._events.event
        return event("created", response=self.response) + event("in_progress", response=self.response)

    def _part_started(self, delta: PartStarted) -> bytes:
        index, part = delta.index, delta.part
        told = self._settle() if self._ending else b""
        match part:
            case Text() | Refusal():
                return told + self._said(index, part)
            case Image(source=source) if not isinstance(source, Inline):
                return told + self._said(index, Text(url_of(source)))
        told += self._close_message()
        match part:
            case Thinking():
                return told + self._thinking(index, part)
            case ToolCall():
                return told + self._call(index, part)
            case HostedCall():
                hosted, begun = HostedPart.begun(self._events, part)
                self._parts[index] = self._hosted[part.id] = hosted
                return told + begun
            case HostedResult():
                return told + self._result(index, part)
            case Image(source=Inline(media_type=media_type, data=data)):
                return told + self._image(index, media_type, data)
        self._parts[index] = OpenPart()
        self.context.leave_out(part)
        return told

    def _said(self, index: int, part: Text | Refusal) -> bytes:
        phase = part.phase if isinstance(part, Text) else ""
        told = b""
        message = self._message
        if message is None or (message.phase != phase and not message.open):
            told = self._close_message()
            message, begun = Message.begun(self._events, phase)
            told += begun
            self._message = message
        self._refused = self._refused or isinstance(part, Refusal)
        text_part, begun = TextPart.begun(message, part)
        self._parts[index] = text_part
        if isinstance(part, Text):
            text_part.signature = part.signature
            text_part.citations += part.citations
        return told + begun + (self._added(TextAdded(index, part.text)) if part.text else b"")

    def _settle(self, *, cut: bool = False) -> bytes:
        """Tell the calls that have ended. *cut*: the reply is cut off behind them, or in one of them."""
        ending, self._ending = self._ending, []
        return b"".join([call.end(last=call is ending[-1], cut=cut) for call in ending])

    def _close_message(self, status: str = COMPLETED) -> bytes:
        """End the message, unless a text of it still goes on."""
        message = self._message
        if message is None or message.open:
            return b""
        self._message = None
        return message.close(status)

    def _thinking(self, index: int, part: Thinking) -> bytes:
        self._parts[index], told = ReasoningPart.begun(self._events, part)
        return told + (self._added(ThinkingAdded(index, part.text)) if part.text else b"")

    def _call(self, index: int, call: ToolCall) -> bytes:
        context = self.context
        call_id = call.id or f"call_{context.key}_{index}"
        told = b""
        if call.signature is not None:
            told = self._proof(call.signature, Belongs.CALL, call_id)
        if call.name in context.freeform:
            call = attrs.evolve(call, freeform=True)
        kind = context.client_tools.get(call.name, "")
        part, begun = begun_call(self._events, call, call_id, kind)
        part.signature = call.signature
        self._parts[index] = part
        told += begun
        return told + (self._added(ArgumentsAdded(index, call.arguments)) if call.arguments else b"")

    def _proof(self, signature: Signature, belongs: Belongs, call_id: str = "") -> bytes:
        return loose_signature(self._events, signature, belongs, call_id) if self._proofs else b""

    def _result(self, index: int, result: HostedResult) -> bytes:
        self._parts[index] = OpenPart()
        hosted = self._hosted.pop(result.call_id, None)
        if hosted is not None:
            return hosted.close(result)
        item = told_item(result)
        if item is None:
            self.context.leave_out(result)
        return b"" if item is None else self._events.whole(item)

    def _image(self, index: int, media_type: str, data: str) -> bytes:
        self._parts[index] = OpenPart()
        form = media_type.rpartition("/")[2].partition("+")[0]
        place = self._events.place()
        item_id = self._events.item_id("ig", place)
        item: dict[str, Any] = {"id": item_id, "type": "image_generation_call", "status": "in_progress", "result": None}
        told = self._events.added(place, item)
        told += self._events.event("image_generation_call.completed", item_id=item_id, output_index=place)
        known = {"output_format": form} if form in ("png", "webp", "jpeg", "gif", "svg") else {}
        return told + self._events.done(place, {**item, "status": "completed", "result": data, **known})

    def _signed(self, delta: Signed) -> bytes:
        part = self._parts[delta.index]
        known, part.signature = part.signature, delta.signature
        if known is None and not isinstance(part, ReasoningPart | TextPart | HostedPart):
            call_id = getattr(part, "call_id", "") or getattr(part, "item", {}).get("call_id", "")
            return self._proof(delta.signature, Belongs.CALL, call_id)
        return b""

    def _cited(self, delta: Cited) -> bytes:
        self._parts[delta.index].citations.append(delta.citation)
        return b""

    def _part_ended(self, delta: PartEnded) -> bytes:
        part = self._parts.pop(delta.index)
        if isinstance(part, CallPart | TypedCallPart):
            self._ending.append(part)
            return b""
        told = part.end()
        if isinstance(part, TextPart) and part.signature is not None and self._proofs:
            told += self._close_message()
            told += self._proof(part.signature, Belongs.TEXT)
        return told

    def _ended(self, delta: Ended) -> bytes:
        told = b""
        if delta.stop.reason is StopReason.REFUSAL and not self._refused:
            told += self._said(-1, Refusal(delta.stop.detail or REFUSED)) + self._parts.pop(-1).end()
        reason = incomplete_reason(delta.stop)
        status = "incomplete" if reason else COMPLETED
        told += self._settle(cut=bool(reason)) if self._ending else b""
        told += self._close_message(status)
        told += b"".join(hosted.close(None) for hosted in self._hosted.values())
        self._over = True
        ended: dict[str, Any] = {"status": status, "usage": usage_object(delta.usage)}
        if reason:
            ended["incomplete_details"] = {"reason": reason}
        else:
            ended["completed_at"] = self.context.created
        return told + self._terminal(status, **ended)

    def _terminal(self, name: str, **fields: Any) -> bytes:
        whole = self.response or opening(self.context, "")
        self.response = {**whole, "output": self._events.finished(), **fields}
        return self._events.event(name, response=self.response)

    def _failed(self, delta: Failed) -> bytes:
        return self.failure(Problem(delta.kind, delta.message, code=delta.code))
