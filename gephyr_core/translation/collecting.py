"""A provider's stream collected to the whole reply that the client asked for."""

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.reply import Failed, Reply
from gephyr_core.dialects.translator import DeltaReader
from gephyr_core.sse import SseFramer
from gephyr_core.translation.restoring import Restorer


@attrs.define
class Collector:
    """Takes a stream's bytes."""

    _framer: SseFramer
    _deltas: DeltaReader
    _restorer: Restorer
    _assembler: Assembler = attrs.field(factory=Assembler, init=False)

    def feed(self, data: bytes) -> None:
        """Add bytes. Raises ``ValueError`` when an unfinished event exceeds the line limit."""
        for event in self._framer.split(data):
            self._read(event)

    def finish(self) -> Reply | Failed:
        """The stream ended cleanly: return what it was."""
        tail = self._framer.rest()
        if tail.strip():
            self._read(tail)
        assembler = self._assembler
        if not assembler.ended and assembler.failure is None:
            for delta in self._deltas.finish():
                for restored in self._restorer.feed(delta):
                    assembler.add(restored)
        return assembler.failure if assembler.failure is not None else assembler.reply()

    @property
    def over(self) -> bool:
        """The reply is complete, or failed; what still comes means nothing."""
        return self._assembler.ended or self._assembler.failure is not None

    def _read(self, event: bytes) -> None:
        for delta in self._deltas.read(event):
            if self.over:
                return
            for restored in self._restorer.feed(delta):
                self._assembler.add(restored)
