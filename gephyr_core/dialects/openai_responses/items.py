"""Parts of a reply under way: each knows how its item is told to a client, and what is told when it is complete."""

from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.arguments import decoded, member
from gephyr_core.conversation.parts import Citation, Refusal, Signature, Text, Thinking, ToolCall
from gephyr_core.dialects.decoding import decode, mapping
from gephyr_core.dialects.openai_responses.client_tools import (
    NAMESPACE,
    NAMESPACE_FREEFORM,
    write_call,
)
from gephyr_core.dialects.openai_responses.events import Events
from gephyr_core.dialects.openai_responses.sealing import NAME, Belongs, write_sealed
from gephyr_core.dialects.rendering import encode_json

_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
COMPLETED = "completed"
_TYPED = ("local_shell", "shell", "apply_patch", "computer", "computer_use_preview", "tool_search")
"""Types of client tools whose calls are items of their own."""


def prefix(name: str, /, **fields: Any) -> bytes:
    """The beginning of each event *name* about one part, up to its ``delta``."""
    head = encode_json({"type": f"response.{name}", **fields})[:-1]
    return b'event: response.%b\ndata: %b,"delta":' % (name.encode(), head)


@attrs.define
class OpenPart:
    """A part under way. What it holds of its own is told with its text."""

    before: bytes = b""
    """How an event begins that adds to it; empty for what is told whole."""
    texts: list[str] = attrs.field(factory=list)
    signature: Signature | None = None
    citations: list[Citation] = attrs.field(factory=list)

    def first(self) -> bytes:
        """What is told before the first text."""
        return b""

    def end(self) -> bytes:
        """Tell that the part is complete."""
        return b""

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(self.texts)


@attrs.define
class Message:
    """A message under way. It goes on until something else than text comes."""

    events: Events
    place: int
    id: str
    phase: str
    content: list[dict[str, Any]] = attrs.field(factory=list)
    open: int = 0
    """Its parts that are not complete."""

    @classmethod
    def begun(cls, events: Events, phase: str) -> tuple["Message", bytes]:
        """Begin a message; returns it with what is to be told."""
        place = events.place()
        message = cls(events, place, events.item_id("msg", place), phase)
        return message, events.added(place, message.item("in_progress"))

    def item(self, status: str) -> dict[str, Any]:
        """The message as it is."""
        item = {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": [*self.content]}
        return {**item, "phase": self.phase} if self.phase else item

    def where(self, content: int) -> dict[str, Any]:
        """Names the part of the content at an index."""
        return {"item_id": self.id, "output_index": self.place, "content_index": content}

    def close(self, status: str = COMPLETED) -> bytes:
        """Tell that the message is complete, or as much of it as there is."""
        return self.events.done(self.place, self.item(status))


@attrs.define
class TextPart(OpenPart):
    """A text or a refusal in a message."""

    message: Message = attrs.field(kw_only=True)
    index: int = attrs.field(kw_only=True)
    refuses: bool = attrs.field(kw_only=True)

    @classmethod
    def begun(cls, message: Message, part: Text | Refusal) -> tuple["TextPart", bytes]:
        """Begin a part; returns it with what is to be told."""
        refuses, index = isinstance(part, Refusal), len(message.content)
        empty = {"type": "refusal", "refusal": ""} if refuses else _output_text("", [])
        message.content.append(empty)
        message.open += 1
        where = message.where(index)
        before = prefix("refusal.delta", **where) if refuses else prefix("output_text.delta", **where, logprobs=[])
        begun = cls(before, message=message, index=index, refuses=refuses)
        return begun, message.events.event("content_part.added", **where, part=empty)

    def end(self) -> bytes:
        """Tell the text once more, and what it rests on."""
        event, where, text = self.message.events.event, self.message.where(self.index), self.text
        told: list[bytes] = []
        if self.refuses:
            part: dict[str, Any] = {"type": "refusal", "refusal": text}
            told.append(event("refusal.done", **where, refusal=text))
        else:
            annotations = [_annotation(citation, len(text)) for citation in self.citations]
            told += [
                event("output_text.annotation.added", **where, annotation_index=number, annotation=annotation)
                for number, annotation in enumerate(annotations)
            ]
            part = _output_text(text, annotations)
            told.append(event("output_text.done", **where, text=text, logprobs=[]))
        self.message.content[self.index] = part
        self.message.open -= 1
        told.append(event("content_part.done", **where, part=part))
        return b"".join(told)


def _output_text(text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def _annotation(citation: Citation, length: int) -> dict[str, Any]:
    """Write a citation of a text of *length* characters."""
    if citation.dialect == NAME and (own := mapping(decode(_ANY, citation.raw))) is not None:
        return own
    known = citation.start is not None and citation.end is not None
    if not citation.url and citation.document is not None:
        name = f"document_{citation.document}"
        index = citation.start if citation.start is not None else 0
        return {"type": "file_citation", "file_id": name, "filename": citation.title or name, "index": index}
    start, end = (citation.start, citation.end) if known else (0, length)
    written = {"type": "url_citation", "start_index": start, "end_index": end}
    return {**written, "title": citation.title, "url": citation.url}


@attrs.define
class ReasoningPart(OpenPart):
    """Reasoning. Its text stands as a summary, where clients look for it."""

    events: Events = attrs.field(kw_only=True)
    place: int = attrs.field(kw_only=True)
    id: str = attrs.field(kw_only=True)
    redacted: bool = attrs.field(kw_only=True)

    @classmethod
    def begun(cls, events: Events, part: Thinking) -> tuple["ReasoningPart", bytes]:
        """Begin reasoning; returns it with what is to be told."""
        place = events.place()
        own = part.signature.id if part.signature is not None and part.signature.origin.dialect == NAME else ""
        item_id = own or events.item_id("rs", place)
        where = {"item_id": item_id, "output_index": place, "summary_index": 0}
        before = prefix("reasoning_summary_text.delta", **where)
        begun = cls(before, signature=part.signature, events=events, place=place, id=item_id, redacted=part.redacted)
        return begun, events.added(place, {"id": item_id, "type": "reasoning", "summary": []})

    def first(self) -> bytes:
        """The summary begins."""
        return self.events.event("reasoning_summary_part.added", **self._where(), part=_summary(""))

    def end(self) -> bytes:
        """Tell the summary once more, and the proof of it."""
        text, item = self.text, reasoning(self.id, self.text, self.signature, redacted=self.redacted)
        told = b""
        if self.texts:
            told = self.events.event("reasoning_summary_text.done", **self._where(), text=text)
            told += self.events.event("reasoning_summary_part.done", **self._where(), part=_summary(text))
        return told + self.events.done(self.place, item)

    def _where(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.place, "summary_index": 0}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def reasoning(item_id: str, text: str, signature: Signature | None, *, redacted: bool) -> dict[str, Any]:
    """Write a reasoning item."""
    item: dict[str, Any] = {"id": item_id, "type": "reasoning", "summary": [_summary(text)] if text else []}
    if signature is not None and (
        sealed := write_sealed(signature, Belongs.REDACTED if redacted else Belongs.THINKING)
    ):
        item["encrypted_content"] = sealed
    return item


def loose_signature(events: Events, signature: Signature, belongs: Belongs, call_id: str = "") -> bytes:
    """Tell a signature of a text or a call, which has no place of its own."""
    item: dict[str, Any] = {"id": events.item_id("rs", len(events.output)), "type": "reasoning", "summary": []}
    return events.whole({**item, "encrypted_content": write_sealed(signature, belongs, call_id)})


@attrs.define
class CallPart(OpenPart):
    """A tool call whose arguments stream."""

    events: Events = attrs.field(kw_only=True)
    place: int = attrs.field(kw_only=True)
    item: dict[str, Any] = attrs.field(kw_only=True)
    """The item, but for its arguments."""
    field: str = attrs.field(kw_only=True)
    """Where they stand."""
    event: str = attrs.field(kw_only=True)
    """The name of the events that tell them."""
    unwrapped: bool = attrs.field(default=False, kw_only=True)
    """The input of a freeform tool stands in the arguments as ``{"input": ...}``."""

    @classmethod
    def begun(cls, events: Events, call: ToolCall, call_id: str, kind: str) -> tuple["CallPart", bytes]:
        """Begin a call; returns it with what is to be told. *kind*: the type of the client's tool, if it has one."""
        mark = next((mark for mark in (NAMESPACE_FREEFORM, NAMESPACE) if kind.startswith(mark)), "")
        freeform = call.freeform or mark == NAMESPACE_FREEFORM
        place = events.place()
        item: dict[str, Any] = {
            "id": events.item_id("ctc" if freeform else "fc", place),
            "type": "custom_tool_call" if freeform else "function_call",
            "status": "in_progress",
            "call_id": call_id,
            "name": events.context.name_of(call),
        }
        if mark:
            namespace = kind.removeprefix(mark)
            plain = events.context.names.get(call.name) or call.name.removeprefix(f"{namespace}__")
            item |= {"name": plain, "namespace": namespace}
        field, event = ("input", "custom_tool_call_input") if freeform else ("arguments", "function_call_arguments")
        unwrapped = mark == NAMESPACE_FREEFORM and not call.freeform
        before = b"" if unwrapped else prefix(f"{event}.delta", item_id=item["id"], output_index=place)
        begun = cls(before, events=events, place=place, item=item, field=field, event=event, unwrapped=unwrapped)
        return begun, events.added(place, {**item, field: ""})

    def end(self, *, last: bool = False, cut: bool = False) -> bytes:
        """Tell the arguments once more."""
        told, text = b"", self.text
        status = call_status(text, freeform=self.field == "input" and not self.unwrapped, last=last, cut=cut)
        where = {"item_id": self.item["id"], "output_index": self.place}
        if self.unwrapped:
            text = member(text, "input")
            told = self.events.event(f"{self.event}.delta", **where, delta=text)
        elif self.field == "arguments" and status == COMPLETED:
            text = text or "{}"
        named = {"name": self.item["name"]} if self.field == "arguments" else {}
        told += self.events.event(f"{self.event}.done", **where, **named, **{self.field: text})
        return told + self.events.done(self.place, {**self.item, "status": status, self.field: text})


def call_status(arguments: str, *, freeform: bool, last: bool, cut: bool) -> str:
    """The status of a call in a reply that may be *cut* off: there, one whose arguments are no object is not whole, and
    of freeform input, of which nobody can tell, the *last*."""
    unfinished = last if freeform else decoded(arguments) is None
    return "incomplete" if cut and unfinished else COMPLETED


@attrs.define
class TypedCallPart(OpenPart):
    """A call of a client's tool that has an item of its own shape: told when it is whole."""

    events: Events = attrs.field(kw_only=True)
    call: ToolCall = attrs.field(kw_only=True)
    call_id: str = attrs.field(kw_only=True)
    kind: str = attrs.field(kw_only=True)

    def end(self, *, last: bool = False, cut: bool = False) -> bytes:
        """Tell the call, as a function's if its arguments do not fit, or are not whole."""
        whole = call_status(self.text, freeform=False, last=last, cut=cut) == COMPLETED
        written = write_call(self.kind, self.text) if whole else None
        if written is None:
            begun, told = CallPart.begun(self.events, self.call, self.call_id, "")
            begun.texts = self.texts
            return told + begun.end(last=last, cut=cut)
        identity = {"id": self.events.item_id("ct", len(self.events.output)), "call_id": self.call_id}
        return self.events.whole({**written, **identity, "status": "completed"})


def begun_call(events: Events, call: ToolCall, call_id: str, kind: str) -> tuple[OpenPart, bytes]:
    """Begin a call in the shape that the client expects of a tool of type *kind*."""
    if kind in _TYPED:
        return TypedCallPart(events=events, call=call, call_id=call_id, kind=kind), b""
    return CallPart.begun(events, call, call_id, kind)
