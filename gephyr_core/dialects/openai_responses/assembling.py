"""Responses: the response that a stream's last event holds, and a whole response told as a stream."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import mapping, read_object, text
from gephyr_core.dialects.openai_responses.stream import ENDS
from gephyr_core.dialects.rendering import write_object
from gephyr_core.sse import encode

_ARGUMENTS = {"function_call": "arguments", "mcp_call": "arguments", "custom_tool_call": "input"}
"""Calls, and what of them comes in deltas."""
_ARGUMENT_EVENTS = {
    "function_call": "function_call_arguments",
    "mcp_call": "mcp_call_arguments",
    "custom_tool_call": "custom_tool_call_input",
}


@attrs.define
class ResponsesAssembly:
    """See :class:`gephyr_core.dialects.base.Assembly`."""

    complete: bool = False
    _response: dict[str, Any] = attrs.field(factory=dict)
    _items: dict[int, Any] = attrs.field(factory=dict)

    def add(self, event: dict[str, Any]) -> None:
        """Take in an event."""
        place, response = event.get("output_index"), mapping(event.get("response"))
        if event.get("type") == "response.output_item.done" and isinstance(place, int):
            self._items[place] = event.get("item")
        if response is not None:
            self._response = response
            self.complete = self.complete or event.get("type") in ENDS

    def reply(self) -> dict[str, Any]:
        """The whole response. Where the last event leaves its output out, it is that of the items that were done."""
        if self._response.get("output") or not self._items:
            return self._response
        return {**self._response, "output": [self._items[place] for place in sorted(self._items)]}


@attrs.define
class _Writer:
    """Writes numbered events."""

    written: list[bytes] = attrs.field(factory=list)

    def event(self, name: str, **fields: Any) -> None:
        """Write an event; *name* without ``response.``."""
        kind = f"response.{name}"
        self.written.append(encode(write_object({"type": kind, "sequence_number": len(self.written), **fields}), kind))

    def item(self, place: int, item: dict[str, Any]) -> None:
        """Write the events of one item."""
        kind = str(item.get("type"))
        where = {"item_id": text(item.get("id")) or "", "output_index": place}
        begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
        member = _ARGUMENTS.get(kind) or {"message": "content", "reasoning": "summary"}.get(kind)
        if member is not None and member in item:
            begun[member] = "" if kind in _ARGUMENTS else []
        self.event("output_item.added", output_index=place, item=begun)
        parts = item.get(member or "")
        if kind in _ARGUMENTS and isinstance(parts, str):
            self.event(f"{_ARGUMENT_EVENTS[kind]}.delta", **where, delta=parts)
            self.event(f"{_ARGUMENT_EVENTS[kind]}.done", **where, **{str(member): parts})
        elif isinstance(parts, list):
            for number, part in enumerate(parts):
                fields = mapping(part) or {}
                if kind == "message":
                    self._content(where | {"content_index": number}, fields)
                else:
                    self._summary(where | {"summary_index": number}, fields)
        self.event("output_item.done", output_index=place, item=item)

    def _content(self, where: dict[str, Any], part: dict[str, Any]) -> None:
        member = "refusal" if part.get("type") == "refusal" else "text"
        told = part.get(member)
        begun = {**part, member: ""} if isinstance(told, str) else part
        annotations = given if isinstance(given := part.get("annotations"), list) else []
        self.event("content_part.added", **where, part={**begun, "annotations": []} if annotations else begun)
        if isinstance(told, str):
            name = "refusal" if member == "refusal" else "output_text"
            more = {} if member == "refusal" else {"logprobs": part.get("logprobs") or []}
            if told:
                self.event(f"{name}.delta", **where, delta=told, **more)
            for number, annotation in enumerate(annotations):
                self.event("output_text.annotation.added", **where, annotation_index=number, annotation=annotation)
            self.event(f"{name}.done", **where, **{member: told}, **more)
        self.event("content_part.done", **where, part=part)

    def _summary(self, where: dict[str, Any], part: dict[str, Any]) -> None:
        told = part.get("text")
        self.event("reasoning_summary_part.added", **where, part={**part, "text": ""})
        if isinstance(told, str):
            self.event("reasoning_summary_text.delta", **where, delta=told)
            self.event("reasoning_summary_text.done", **where, text=told)
        self.event("reasoning_summary_part.done", **where, part=part)


def events_of(body: bytes) -> bytes:
    """Write the stream, item by item; its last event has the name of the response's status."""
    response = read_object(body) or {}
    output, status = response.get("output"), text(response.get("status")) or "completed"
    writer = _Writer()
    opened = {**response, "status": "in_progress", "output": [], "usage": None}
    writer.event("created", response=opened)
    writer.event("in_progress", response=opened)
    for place, item in enumerate(output if isinstance(output, list) else ()):
        writer.item(place, mapping(item) or {})
    writer.event(status, response=response)
    return b"".join(writer.written)
