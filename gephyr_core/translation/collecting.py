"""A provider's stream collected to the whole reply that the client asked for."""

from typing import Protocol

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.reply import Reply
from gephyr_core.dialects.base import Assembly, EventClass, Heard, StreamError, StreamReader
from gephyr_core.dialects.decoding import read_object
from gephyr_core.dialects.reader import heard
from gephyr_core.dialects.rendering import write_object
from gephyr_core.dialects.translator import DeltaReader
from gephyr_core.json_array import ArrayAsEvents
from gephyr_core.sse import SseFramer, parse
from gephyr_core.translation.restoring import Restores
from gephyr_core.translation.stream import told_error

Framer = SseFramer | ArrayAsEvents


class Collector(Protocol):
    """Takes a stream's bytes."""

    over: bool
    """The reply is complete, or failed; what still comes means nothing."""
    error: StreamError | None
    """The provider told of an error, or ended the stream before the reply was complete."""

    @property
    def finished(self) -> bool:
        """The reply told why it ended; usage may still come."""

    def feed(self, data: bytes) -> Heard:
        """Add bytes, and say what they amount to. Raises ``ValueError`` when an unfinished event exceeds the line
        limit."""

    def drop_tail(self) -> None:
        """Forget an unfinished event: the stream was left before its end."""

    def finish(self) -> None:
        """The stream ended cleanly, or was left."""


@attrs.define
class EventCollector:
    """What every collector does: cut the stream into events, and read each."""

    _framer: Framer
    _source: StreamReader
    error: StreamError | None = attrs.field(default=None, init=False)
    over: bool = attrs.field(default=False, init=False)

    def feed(self, data: bytes) -> Heard:
        """Add bytes, and say what they amount to."""
        block = self._framer.cut(data)
        for event in self._framer.events(block):
            self._read(event)
        return heard(self._framer, block)

    def drop_tail(self) -> None:
        """Forget an unfinished event."""
        self._framer.rest()

    def finish(self) -> None:
        """The stream ended cleanly."""
        tail = self._framer.rest()
        if tail.strip():
            self._read(tail)

    def _read(self, event: bytes) -> None:
        raise NotImplementedError


@attrs.define
class ReplyCollector(EventCollector):
    """Collects a stream that is translated."""

    _deltas: DeltaReader
    _restorer: Restores
    _assembler: Assembler = attrs.field(factory=Assembler, init=False)

    @property
    def finished(self) -> bool:
        """The reply told why it ended; usage may still come."""
        return self.over or self._deltas.finished

    def finish(self) -> None:
        """The stream ended cleanly."""
        super().finish()
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
class NativeCollector(EventCollector):
    """Collects a stream of the client's own dialect, whose members are kept though nobody here knows them."""

    _assembly: Assembly

    @property
    def finished(self) -> bool:
        """The reply told why it ended; usage may still come."""
        return self.over or self._source.finished

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
        self.over = self._source.terminal_seen
