"""The part of reading a provider's SSE stream that is the same in every dialect: framing, and when to look inside."""

import attrs

from gephyr_core.dialects.base import EventClass, StreamError
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer


@attrs.define
class ReaderState:
    """What one attempt's stream has told so far."""

    terminal_seen: bool = attrs.field(default=False, init=False)
    reply_id: str | None = attrs.field(default=None, init=False)
    error: StreamError | None = attrs.field(default=None, init=False)
    objects: list[str] = attrs.field(factory=list, init=False)
    latest_usage: Usage | None = attrs.field(default=None, init=False)

    @property
    def usage(self) -> Usage | None:
        """The latest usage the stream told of."""
        return self.latest_usage

    def fail(self, error: StreamError) -> EventClass:
        """Note the provider's own error event, which is the stream's terminal too."""
        self.error = error
        self.terminal_seen = True
        return EventClass.ERROR


@attrs.define
class SseStreamReader(ReaderState):
    """Frames the stream; a dialect's subclass says what an event means (:meth:`classify`) and which bytes tell that
    an event must be read although content is flowing (:meth:`_marked`)."""

    _framer: SseFramer

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the events that are now whole; see :class:`~gephyr_core.dialects.base.StreamReader`."""
        return self._framer.split(data)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece, watched. An event is decoded only if it is marked."""
        block = self._framer.cut(data)
        if self._marked(block):
            self._read_marked(block)
        return block

    def rest(self) -> bytes:
        """Take the unfinished tail. It is read too: the last event may lack nothing but its empty line."""
        tail = self._framer.rest()
        if tail:
            self.classify(tail)
        return tail

    def classify(self, event: bytes) -> EventClass:
        """Say what one whole event is, and take from it what it tells."""
        raise NotImplementedError

    def _marked(self, block: bytes) -> bool:
        """Whether *block* may hold an event that tells usage, an object, an error or the end."""
        raise NotImplementedError

    def _read_marked(self, block: bytes) -> None:
        for event in self._framer.events(block):
            if self._marked(event):
                self.classify(event)
