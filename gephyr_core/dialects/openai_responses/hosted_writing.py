"""Calls of a provider's own tools, told to a client."""

from collections.abc import Iterable
from typing import Any

import attrs

from gephyr_core.conversation.parts import HostedCall, HostedResult
from gephyr_core.conversation.prompt import TOOL_SEARCH
from gephyr_core.dialects.decoding import decode_any, mapping
from gephyr_core.dialects.openai_responses.client_tools import MARKS
from gephyr_core.dialects.openai_responses.events import Events
from gephyr_core.dialects.openai_responses.hosted import search_call, search_output, told_item, write_hosted
from gephyr_core.dialects.openai_responses.items import OpenPart
from gephyr_core.dialects.translator import ReplyContext

_SHAPES = {
    "web_search": ("ws", "web_search_call", "searching"),
    "web_fetch": ("ws", "web_search_call", "searching"),
    "code_execution": ("ci", "code_interpreter_call", "interpreting"),
}
"""Kinds of tools to the prefix of the items' ids, their type, and what they are said to be doing."""


@attrs.define
class HostedPart(OpenPart):
    """A call under way, until its result came. A kind that has no item here is only told if it has one as it came."""

    events: Events = attrs.field(kw_only=True)
    call: HostedCall = attrs.field(kw_only=True)
    place: int = attrs.field(default=-1, kw_only=True)
    id: str = attrs.field(default="", kw_only=True)
    done: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def begun(cls, events: Events, call: HostedCall) -> tuple["HostedPart", bytes]:
        """Begin a call; returns it with what is to be told."""
        part = cls(events=events, call=call)
        shape = _SHAPES.get(call.kind)
        if shape is None:
            return part, b""
        part.place = events.place()
        part.id = events.item_id(shape[0], part.place)
        item = write_hosted(part.id, call, None, "in_progress")
        assert item is not None
        return part, events.added(part.place, item) + part.event(f"{shape[1]}.in_progress")

    def event(self, name: str, /, **fields: Any) -> bytes:
        """Write an event about the call."""
        return self.events.event(name, item_id=self.id, output_index=self.place, **fields)

    def end(self) -> bytes:
        """Tell what was asked."""
        self.call = attrs.evolve(self.call, arguments=self.text or self.call.arguments or "{}")
        if self.place < 0:
            return b""
        _, kind, doing = _SHAPES[self.call.kind]
        told = b""
        if self.call.kind == "code_execution":
            item = write_hosted(self.id, self.call, None, "in_progress") or {}
            told = self.event("code_interpreter_call_code.delta", delta=item["code"])
            told += self.event("code_interpreter_call_code.done", code=item["code"])
        return told + self.event(f"{kind}.{doing}")

    def close(self, result: HostedResult | None) -> bytes:
        """Tell what was given."""
        self.done = True
        item = told_item(result) if result is not None else None
        if self.call.kind == TOOL_SEARCH:
            return self._searched(result, item)
        if self.place < 0:
            if item is None:
                self.events.context.leave_out(self.call)
            return b"" if item is None else self.events.whole(item)
        failed = result is not None and result.is_error
        item = item or write_hosted(self.id, self.call, result, "failed" if failed else "completed")
        assert item is not None
        told = self.event(f"{_SHAPES[self.call.kind][1]}.completed")
        return told + self.events.done(self.place, {**item, "id": self.id})

    def _searched(self, result: HostedResult | None, item: dict[str, Any] | None) -> bytes:
        """Tell a search of tools, which is two items: what was asked, and the definitions that were found."""
        events = self.events
        server = {"call_id": None, "execution": "server"}
        told = events.whole(search_call(self.call, id=events.item_id("tsc", len(events.output)), **server))
        if result is None:
            return told
        found = definitions(result.tools, events.context)
        output = search_output(found, id=events.item_id("tso", len(events.output)), **server)
        return told + events.whole(item or output)


def definitions(names: Iterable[str], context: ReplyContext) -> list[dict[str, Any]]:
    """The client's definitions of tools; of one in a namespace, the namespace with it alone."""
    raw = context.request.get("tools")
    given = decode_any(bytes(raw)) if raw is not None else None
    functions: dict[tuple[str, str], dict[str, Any]] = {}
    for tool in given if isinstance(given, list) else ():
        fields = mapping(tool) or {}
        inner = fields.get("tools") if fields.get("type") == "namespace" else None
        for one in inner if isinstance(inner, list) else [fields]:
            name = (mapping(one) or {}).get("name")
            namespace = str(fields.get("name")) if inner is not None else ""
            functions.setdefault((namespace, str(name)), {**fields, "tools": [one]} if inner is not None else fields)
    found: list[dict[str, Any]] = []
    for name in names:
        kind = context.client_tools.get(name, "")
        namespace = next((kind.removeprefix(mark) for mark in MARKS if kind.startswith(mark)), "")
        definition = functions.get((namespace, context.names.get(name, name)))
        found += [] if definition is None else [definition]
    return found
