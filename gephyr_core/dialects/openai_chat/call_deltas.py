"""Tool calls of a provider's Chat stream: fragments by index, put in order."""

from collections.abc import Iterator

import attrs

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
    has_arguments: bool = False
    held: list[str] = attrs.field(factory=list)
    """Arguments that came before the name."""
    signature: Signature | None = None


@attrs.define
class CallReader:
    """Reads the calls of one reply."""

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

    def fragment(self, value: object, part: int, proof: Signature | None = None) -> Iterator[Delta]:
        """Read one of ``tool_calls``; *part*: the index of the next part, if one begins; *proof*: the call's signature
        where it has none of its own."""
        fields = mapping(value)
        if fields is None:
            return
        function = mapping(fields.get("function"))
        custom = mapping(fields.get("custom"))
        inner = function or custom or {}
        call = self._call(fields.get("index"), text(fields.get("id")) or "", text(inner.get("name")))
        call.freeform = call.freeform or (custom is not None and function is None)
        signature = signature_of(fields.get("extra_content")) or proof
        if signature is not None and call.part >= 0:
            yield Signed(call.part, signature)
        call.signature = signature or call.signature
        yield from self._added(call, inner.get("name"), inner, part)

    def close(self) -> Iterator[Delta]:
        """End all calls."""
        for call in sorted(self._open.values(), key=lambda call: call.part):
            if not call.has_arguments and not call.freeform:
                yield ArgumentsAdded(call.part, "{}")
            yield PartEnded(call.part)

    def _call(self, index: object, call_id: str, name: str | None) -> _Call:
        """The call that a fragment belongs to. Without an index, an id begins a call; with one, another id does: Google
        gives all calls the index 0."""
        key = index if isinstance(index, int | str) else (("new", len(self._open)) if call_id else self._latest)
        call = self._open.get(key)
        if call is not None and call_id and call.id and call_id != call.id and name:
            self._open[("was", len(self._open))] = self._open.pop(key)
            call = None
        if call is None:
            call = self._open[key] = _Call()
        self._latest = key
        call.id = call.id or call_id
        return call

    @staticmethod
    def _added(call: _Call, name: object, fields: dict[str, object], part: int) -> Iterator[Delta]:
        arguments = fields.get("input" if call.freeform else "arguments")
        if isinstance(arguments, dict):
            arguments = encode_json(arguments).decode()
        added = arguments if isinstance(arguments, str) else ""
        call.has_arguments = call.has_arguments or bool(added)
        if call.part >= 0:
            if added:
                yield ArgumentsAdded(call.part, added)
            return
        call.name = call.name or text(name) or ""
        if added:
            call.held.append(added)
        if call.name:
            call.part = part
            yield PartStarted(part, ToolCall(call.id, call.name, "", call.freeform, call.signature))
            if call.held:
                yield ArgumentsAdded(part, "".join(call.held))
                call.held = []
