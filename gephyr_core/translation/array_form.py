"""Gemini's stream as one JSON array, for clients that ask without ``alt=sse``."""

import attrs

from gephyr_core.conversation.reply import Delta, Ended, Failed
from gephyr_core.dialects.translator import DeltaWriter
from gephyr_core.errors import Problem
from gephyr_core.sse import SseFramer, parse


@attrs.define
class ArrayForm:
    """A :class:`~gephyr_core.dialects.translator.DeltaWriter` whose events are elements of an array."""

    _events: DeltaWriter
    """Writes SSE."""
    _begun: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def write(self, delta: Delta) -> bytes:
        """Write what *delta* means; the last one closes the array."""
        data = self._elements(self._events.write(delta))
        if isinstance(delta, Ended | Failed) and not self._closed:
            self._closed = True
            return data + (b"\n]" if self._begun else b"[]")
        return data

    def failure(self, problem: Problem) -> bytes:
        """The error as the last element."""
        if self._closed:
            return b""
        data = self._elements(self._events.failure(problem))
        self._closed = True
        return data + b"\n]"

    def _elements(self, block: bytes) -> bytes:
        written = []
        for event in SseFramer.events(block):
            bare = event.strip()
            data = bare if bare.startswith(b"{") else parse(event).data.encode()
            if data:
                written.append((b",\n" if self._begun else b"[") + data)
                self._begun = True
        return b"".join(written)
