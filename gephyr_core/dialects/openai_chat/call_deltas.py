"""Tool calls of a provider's Chat stream: fragments by index, put in order."""

from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.arguments import Incoming, decoded
from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.parts import Signature, ToolCall
from gephyr_core.conversation.reply import ArgumentsAdded, Delta, PartEnded, PartStarted, Signed
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.openai_chat.reasoning import signature_of
from gephyr_core.dialects.rendering import encode_json

_LEGACY = "function_call"


@attrs.define
class _Call:
    """A call under way."""

    id: str = ""
    name: str = ""
    part: int = -1
    """Its part; -1 until its name is known."""
    freeform: bool = False
    arguments: Incoming = attrs.field(factory=Incoming)
    held: list[str] = attrs.field(factory=list)
    """Arguments that came before the name."""
    first: str = ""
    """The first piece of the arguments."""
    signature: Signature | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the first piece was all of the arguments."""
        return self.first.endswith("}") and decoded(self.first) is not None


@attrs.define
class CallReader:
    """Reads the calls of one reply."""

    _ids: CallIds
    _open: dict[object, _Call] = attrs.field(factory=dict)
    """By the provider's index; a call that another one displaced has a key of its own."""
    _latest: object = None

    @property
    def any(self) -> bool:
        """Whether a tool was called."""
        return bool(self._open)

    @property
    def unnamed(self) -> bool:
        """Whether a call's name has not come."""
        return any(call.part < 0 for call in self._open.values())

    def legacy(self, value: object, part: int) -> Iterator[Delta]:
        """Read ``function_call``, of which there is one; *part*: the index of the next part."""
        fields = mapping(value)
        # Snowflake writes an empty one where no function is called.
        if fields is not None and (text(fields.get("name")) or _LEGACY in self._open):
            yield from self._added(self._open.setdefault(_LEGACY, _Call()), fields.get("name"), fields, part)

    def fragment(
        self, value: object, part: int, proof: Signature | None = None, *, whole: bool = False
    ) -> Iterator[Delta]:
        """Read one of ``tool_calls``; *part*: the index of the next part, if one begins; *proof*: the call's signature
        where it has none of its own; *whole*: it is no fragment of a call, but all of it."""
        fields = mapping(value)
        if fields is None:
            return
        function = mapping(fields.get("function"))
        custom = mapping(fields.get("custom"))
        inner = function or custom or {}
        index = ("whole", len(self._open)) if whole else fields.get("index")
        call = self._call(index, text(fields.get("id")) or "", inner)
        call.freeform = call.freeform or (custom is not None and function is None)
        signature = signature_of(fields.get("extra_content")) or proof
        if signature is not None and call.part >= 0:
            yield Signed(call.part, signature)
        call.signature = signature or call.signature
        yield from self._added(call, inner.get("name"), inner, part)

    def close(self, *, cut: bool) -> Iterator[Delta]:
        """End all calls. *cut*: the reply is cut off, in the last one if that has not said what it wants."""
        calls = sorted(self._open.values(), key=lambda call: call.part)
        for call in calls:
            if not call.freeform and (left := call.arguments.end(cut=cut and call is calls[-1])):
                yield ArgumentsAdded(call.part, left)
            yield PartEnded(call.part)

    def _call(self, index: object, call_id: str, inner: dict[str, Any]) -> _Call:
        """The call that a fragment belongs to. Without an index, an id begins a call; with one, another id does (Google
        gives all calls the index 0), or the same id with arguments of its own after whole ones."""
        known = isinstance(index, int | str | tuple)
        key = index if known else (("new", len(self._open)) if call_id else self._latest)
        call = self._open.get(key)
        if call is not None and text(inner.get("name")):
            other = call_id and call.id and call_id != call.id
            if other or (text(inner.get("arguments")) and call.is_whole):
                self._open[("was", len(self._open))] = self._open.pop(key)
                call = None
        if call is None:
            call = self._open[key] = _Call()
        self._latest = key
        call.id = call.id or call_id
        return call

    def _added(self, call: _Call, name: object, fields: dict[str, object], part: int) -> Iterator[Delta]:
        arguments = fields.get("input" if call.freeform else "arguments")
        if isinstance(arguments, dict | list):
            arguments = encode_json(arguments).decode()
        added = arguments if isinstance(arguments, str) else ""
        call.first = call.first or added
        if added and not call.freeform:
            added = call.arguments.add(added)
        if call.part >= 0:
            if added:
                yield ArgumentsAdded(call.part, added)
            return
        call.name = call.name or text(name) or ""
        if added:
            call.held.append(added)
        if call.name:
            call.part = part
            call_id = self._ids.distinct(call.id)
            yield PartStarted(part, ToolCall(call_id, call.name, "", call.freeform, call.signature))
            if call.held:
                yield ArgumentsAdded(part, "".join(call.held))
                call.held = []
