"""Responses streams: typed, numbered events, ended by ``response.completed``, ``.incomplete`` or ``.failed``."""

import re
from typing import Any

import attrs
import msgspec

from gephyr_core.dialects.base import EventClass
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.openai_responses.errors import response_error
from gephyr_core.dialects.openai_responses.objects import (
    Item,
    Response,
    is_failed,
    response_objects,
    responses_usage,
)
from gephyr_core.dialects.reader import SseStreamReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import Problem
from gephyr_core.sse import encode, parse

_OPENINGS = ("response.created", "response.in_progress", "response.queued")
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_ITEM_DONE = "response.output_item.done"
_SEQUENCE = b'"sequence_number"'


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    response: Response | None = None
    item: Item | None = None
    error: Any = None
    code: Any = None
    message: Any = None


class _Numbered(msgspec.Struct, gc=False):
    sequence_number: int


class _Opened(msgspec.Struct, gc=False):
    response: dict[str, msgspec.Raw]


# Only events about the response as a whole have a member of that name.
_TELLING = re.compile(rb'"(?:response|encrypted_content|error)"(?!\s*:\s*null)')
_EVENT = msgspec.json.Decoder(_Event)
_NUMBERED = msgspec.json.Decoder(_Numbered)
_OPENED = msgspec.json.Decoder(_Opened)


@attrs.define
class ResponsesStreamReader(SseStreamReader):
    """Reads one attempt's stream. Keeps the opening event and the last numbered bytes, to end the stream in style."""

    _opening: bytes = attrs.field(default=b"", init=False)
    _numbered: bytes = attrs.field(default=b"", init=False)
    _told: dict[str, None] = attrs.field(factory=dict, init=False)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece, watched."""
        block = self._framer.cut(data)
        if _SEQUENCE in block:
            self._numbered = block
        return self._read_marked(block) if self._marked(block) else block

    def _classified(self, event: bytes) -> EventClass:
        """Deltas, finished items and the end are content; but an end without a response is none."""
        if _SEQUENCE in event:
            self._numbered = event
        parsed = parse(event)
        if not parsed.data:
            return EventClass.HELD
        read = decode(_EVENT, parsed.data)
        if read is None:
            return self.unknown(parsed.data)
        name = text(read.type) or ("error" if read.error else parsed.event)
        if name == "error":
            told = read.error or {"code": read.code, "message": read.message}
            return self.fail(stream_error(told))
        if read.response is not None:
            self._read_response(name, read.response, event)
        if name == "response.failed" or (name in ENDS and read.response is not None and is_failed(read.response)):
            return self.fail(stream_error(read.response.error if read.response else None))
        if name in ENDS and read.response is None:
            return self.ended()
        return self._classify(name, read.item)

    def opening_name(self, event: bytes) -> str:
        """The event's type."""
        parsed = parse(event)
        read = decode(_EVENT, parsed.data)
        return (read and text(read.type)) or parsed.event

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:
        """``response.failed`` with the response as it was opened, under the next sequence number."""
        opened = decode(_OPENED, parse(self._opening).data) if self._opening else None
        fresh = {
            "id": "resp_failed",
            "object": "response",
            "created_at": int(now),
            "model": "",
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        failed = {"status": "failed", "error": response_error(problem)}
        event = {
            "type": "response.failed",
            "sequence_number": self._last_number() + 1,
            "response": {**fresh, **(opened.response if opened else {}), **failed},
        }
        return encode(encode_json(event), "response.failed")

    def _classify(self, name: str, item: Item | None) -> EventClass:
        if name in _OPENINGS:
            return EventClass.OPENING
        if name == _ITEM_DONE and item is not None and item.name:
            self._tell(item.name)
        if name in ENDS:
            self.finished = self.terminal_seen = True
            return EventClass.CONTENT
        return EventClass.CONTENT if name == _ITEM_DONE or name.endswith(".delta") else EventClass.HELD

    def _read_response(self, name: str, response: Response, event: bytes) -> None:
        if name in _OPENINGS and not self._opening:
            self._opening = event
        self.reply_id = self.reply_id or text(response.id)
        self.latest_usage = responses_usage(mapping(response.usage)) or self.latest_usage
        for told in response_objects(response):
            self._tell(told)

    def _tell(self, told: str) -> None:
        """Tell of an object once: the completed response repeats every item."""
        if told not in self._told:
            self._told[told] = None
            self.objects.append(told)

    def _last_number(self) -> int:
        """Return the last sequence number that was read, or -1."""
        for event in reversed(self._framer.events(self._numbered)):
            if numbered := decode(_NUMBERED, parse(event).data):
                return numbered.sequence_number
        return -1

    def _marked(self, block: bytes) -> bool:
        return _TELLING.search(block) is not None
