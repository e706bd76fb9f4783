"""A provider's stream collected to the whole reply that the client asked for."""

from typing import Protocol

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.reply import Reply
from gephyr_core.dialects.base import Assembly, EventClass, StreamError, StreamReader
from gephyr_core.dialects.decoding import read_object
from gephyr_core.dialects.rendering import write_object
from gephyr_core.dialects.translator import DeltaReader
from gephyr_core.json_array import ArrayAsEvents
from gephyr_core.sse import SseFramer, parse
from gephyr_core.translation.restoring import Restorer
from gephyr_core.translation.stream import told_error

Framer = SseFramer | ArrayAsEvents


class Collector(Protocol):
    """Takes a stream's bytes."""

    over: bool
    """The reply is complete, or failed; what still comes means nothing."""
    error: StreamError | None
    """The provider told of an error, or ended the stream before the reply was complete."""

    def feed(self, data: bytes) -> None:
        """Add bytes. Raises ``ValueError`` when an unfinished event exceeds the line limit."""

    def finish(self) -> None:
        """The stream ended cleanly."""


@attrs.define
class ReplyCollector:
    """Collects a stream that is translated."""

    _framer: Framer
    _source: StreamReader
    _deltas: DeltaReader
    _restorer: Restorer
    error: StreamError | None = attrs.field(default=None, init=False)
    over: bool = attrs.field(default=False, init=False)
    _assembler: Assembler = attrs.field(factory=Assembler, init=False)

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        for event in self._framer.split(data):
            self._read(event)

    def finish(self) -> None:
        """The stream ended cleanly."""
        tail = self._framer.rest()
        if tail.strip():
            self._read(tail)
        if not self.over:
            for delta in self._deltas.finish():
                for restored in self._restorer.feed(delta):
                    self._assembler.add(restored)
            self._look(b"")

    def reply(self) -> Reply:
        """What was collected."""
        return self._assembler.reply()

    def _read(self, event: bytes) -> None:
        for delta in self._deltas.read(event):
            if self.over:
                return
            for restored in self._restorer.feed(delta):
                self._assembler.add(restored)
            self._look(event)

    def _look(self, event: bytes) -> None:
        failed = self._assembler.failure
        if failed is not None:
            self.error = told_error(self._source, event, failed)
        self.over = failed is not None or self._assembler.ended


@attrs.define
class NativeCollector:
    """Collects a stream of the client's own dialect, whose members are kept though nobody here knows them."""

    _framer: Framer
    _source: StreamReader
    _assembly: Assembly
    _has_last_event: bool
    """The dialect has an event behind which nothing comes. Gemini's usage may follow its finish reason."""
    error: StreamError | None = attrs.field(default=None, init=False)
    over: bool = attrs.field(default=False, init=False)

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        for event in self._framer.split(data):
            self._read(event)

    def finish(self) -> None:
        """The stream ended cleanly."""
        tail = self._framer.rest()
        if tail.strip():
            self._read(tail)

    @property
    def complete(self) -> bool:
        """The reply told why it ended, or its last event came."""
        return self._assembly.complete or self._source.terminal_seen

    def reply(self) -> bytes:
        """What was collected."""
        return write_object(self._assembly.reply())

    def _read(self, event: bytes) -> None:
        if self.over:
            return
        if self._source.classify(event) is EventClass.ERROR:
            self.error, self.over = self._source.error, True
            return
        bare = event.strip()
        fields = read_object(bare if bare.startswith(b"{") else parse(event).data)
        if fields is not None:
            self._assembly.add(fields)
        self.over = self._has_last_event and self._source.terminal_seen
