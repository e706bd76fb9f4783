"""Messages: a stream's events made into a whole message, and a whole message into events."""

from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.dialects.anthropic.stream import GROWING
from gephyr_core.dialects.decoding import mapping, read_object
from gephyr_core.dialects.growing import Pieces, grown, joined
from gephyr_core.dialects.rendering import encode_json, write_object
from gephyr_core.sse import encode

_ENDING = ("stop_reason", "stop_sequence", "stop_details")
"""Members of a message that are told at its end."""


@attrs.define
class MessageAssembly:
    """See :class:`gephyr_core.dialects.base.Assembly`."""

    complete: bool = False
    _message: dict[str, Any] = attrs.field(factory=dict)
    _blocks: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    _inputs: dict[int, Pieces] = attrs.field(factory=dict)
    """The JSON of calls, by their blocks."""

    def add(self, event: dict[str, Any]) -> None:
        """Take in an event."""
        number = event.get("index")
        match event.get("type"):
            case "message_start":
                self._message = mapping(event.get("message")) or {}
            case "content_block_start" if isinstance(number, int):
                self._blocks[number] = mapping(event.get("content_block")) or {}
            case "content_block_delta" if isinstance(number, int) and number in self._blocks:
                self._grow(number, mapping(event.get("delta")) or {})
            case "message_delta":
                self._change(event)
            case "message_stop":
                self.complete = True

    def _grow(self, number: int, delta: dict[str, Any]) -> None:
        block = self._blocks[number]
        kind = delta.pop("type", None)
        if kind == "input_json_delta":
            self._inputs.setdefault(number, Pieces()).append(str(delta.get("partial_json") or ""))
        elif kind == "citations_delta":
            if not isinstance(block.get("citations"), list):
                block["citations"] = []
            block["citations"].append(delta.get("citation"))
        else:
            for name, value in delta.items():
                known = block.get(name)
                if isinstance(value, str) and isinstance(known, str | Pieces):
                    block[name] = grown(known, value)
                else:
                    block[name] = value

    def _change(self, event: dict[str, Any]) -> None:
        """A ``message_delta``: its usage replaces counts, its other members those of the message."""
        usage = mapping(event.pop("usage", None)) or {}
        delta = mapping(event.pop("delta", None)) or {}
        event.pop("type")
        self._message.update(event | delta)
        known = mapping(self._message.get("usage")) or {}
        self._message["usage"] = known | {name: value for name, value in usage.items() if value is not None}
        self.complete = self.complete or bool(delta.get("stop_reason"))

    def reply(self) -> dict[str, Any]:
        """The whole message."""
        for number, pieces in self._inputs.items():
            told = read_object("".join(pieces))
            if told is not None:
                self._blocks[number]["input"] = told
        blocks = [joined(self._blocks[number]) for number in sorted(self._blocks)]
        return {**self._message, "content": blocks}


def events_of(body: bytes) -> bytes:
    """Write the stream. Blocks whose content comes in deltas begin empty, others come whole."""
    message = read_object(body) or {}
    blocks = message.get("content")
    ending = {name: message[name] for name in _ENDING if name in message}
    opened = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    opened.pop("stop_details", None)
    written = [_event("message_start", message=opened)]
    for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
        fields = mapping(block) or {}
        written.append(_event("content_block_start", index=number, content_block=_begun(fields)))
        written += [_event("content_block_delta", index=number, delta=delta) for delta in _deltas(fields)]
        written.append(_event("content_block_stop", index=number))
    usage = {**(mapping(message.get("usage")) or {"output_tokens": 0})}
    usage.pop("cache_creation", None)
    written += [_event("message_delta", delta=ending, usage=usage), _event("message_stop")]
    return b"".join(written)


def _event(name: str, **fields: Any) -> bytes:
    return encode(write_object({"type": name, **fields}), name)


def _begun(block: dict[str, Any]) -> dict[str, Any]:
    """A block as it begins."""
    member = GROWING.get(str(block.get("type")))
    if member is None:
        return block
    begun = {**block, member: {} if member == "input" else ""}
    if "signature" in begun:
        begun["signature"] = ""
    if begun.get("citations"):
        begun["citations"] = []
    return begun


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a block holds, as it is added to an empty one."""
    member = GROWING.get(str(block.get("type")))
    value = None if member is None else block.get(member)
    if member == "input":
        yield {"type": "input_json_delta", "partial_json": encode_json(value or {}).decode()}
    elif member is not None and value:
        kind = "compaction_delta" if member == "content" else f"{member}_delta"
        yield {"type": kind, member: value}
    citations = None if member is None else block.get("citations")
    for citation in citations if isinstance(citations, list) else ():
        yield {"type": "citations_delta", "citation": citation}
    if member is not None and block.get("signature"):
        yield {"type": "signature_delta", "signature": block["signature"]}
