"""A provider's stream in one dialect, read as if it came in another: what the exchange relays to the client."""

import attrs

from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.reply import Delta, Ended, Failed, TextAdded
from gephyr_core.dialects.base import EventClass, Heard, StreamError, StreamReader
from gephyr_core.dialects.reader import heard
from gephyr_core.dialects.translator import DeltaReader, DeltaWriter
from gephyr_core.errors import Problem
from gephyr_core.json_array import ArrayAsEvents
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer
from gephyr_core.translation.restoring import Restores
from gephyr_core.translation.showing import Presenter


@attrs.define
class TranslatingReader:
    """A :class:`~gephyr_core.dialects.base.StreamReader` that translates. What it returns is the client's dialect."""

    _framer: SseFramer | ArrayAsEvents
    _source: StreamReader
    """Reads what the provider sends, where it tells of an error."""
    _deltas: DeltaReader
    _restorer: Restores
    _presenter: Presenter | None
    """Keeps back what the client is not shown; None where it is shown everything."""
    _writer: DeltaWriter
    _client: StreamReader
    """Reads what was written, as it would a provider's stream of the client's dialect: for the commit point."""
    _assembler: Assembler | None = None
    """Collects the reply, or a part of it, where somebody wants that at the end."""
    finished: bool = attrs.field(default=False, init=False)
    terminal_seen: bool = attrs.field(default=False, init=False)
    error: StreamError | None = attrs.field(default=None, init=False)
    parting: bytes = attrs.field(default=b"", init=False)
    objects: list[str] = attrs.field(factory=list, kw_only=True)
    usage: Usage | None = attrs.field(default=None, init=False)
    _block: bytes = attrs.field(default=b"", init=False)
    """The provider's events that were read last."""

    @property
    def reply_id(self) -> str | None:
        """The reply's id as the client is told it."""
        return self._client.reply_id

    @property
    def assembled(self) -> int:
        """Bytes, about, that are held for a reply that is kept whole; 0 where none is."""
        return 0 if self._assembler is None else self._assembler.size

    def forget_reply(self) -> None:
        """Keep no reply: there is no room for it."""
        self._assembler = None

    def take_assembler(self) -> Assembler | None:
        """Take what was collected of the reply, once the stream ended well."""
        if self._assembler is None or not self._assembler.ended:
            return None
        assembler, self._assembler = self._assembler, None
        return assembler

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* of the provider's and return the client's events that come of it."""
        return self._client.split(self.cut(data))

    def cut(self, data: bytes) -> bytes:
        """Add *data* of the provider's and return the client's events that come of it, as one piece."""
        self._block = block = self._framer.cut(data)
        deltas = [delta for event in self._framer.events(block) for delta in self._deltas.read(event)]
        written = self._written(deltas, block)
        self.finished = self.terminal_seen or self._deltas.finished
        return written

    def heard(self, block: bytes) -> Heard:
        """Say what the provider's bytes that were added last amount to, of which *block* came."""
        return Heard.EVENT if block else heard(self._framer, self._block)

    def closing(self) -> bytes:
        """What ends the client's stream where the provider does not, though the reply is *finished*."""
        return self._written(self._deltas.finish(), b"")

    def rest(self) -> bytes:
        """The provider's stream ended cleanly: what that means for the client's."""
        tail = self._framer.rest()
        deltas = self._deltas.read(tail) if tail.strip() else []
        if not any(isinstance(delta, Ended | Failed) for delta in deltas):
            deltas = [*deltas, *self._deltas.finish()]
        return self._written(deltas, tail)

    def classify(self, event: bytes) -> EventClass:
        """Say what an event that was written for the client is."""
        return self._client.classify(event)

    def opening_name(self, event: bytes) -> str:
        """The name of an event that opens the client's stream."""
        return self._client.opening_name(event)

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """The event that ends the client's stream after a failure."""
        return self._writer.failure(problem)

    @property
    def begun(self) -> bool:
        """The client was written content, or why the reply ended: there is no other good end."""
        return self._client.begun or (self.terminal_seen and self.error is None)

    def _written(self, deltas: list[Delta], block: bytes) -> bytes:
        written = []
        write, restore, presenter = self._writer.write, self._restorer.feed, self._presenter
        for raw in deltas:
            if self.terminal_seen:
                break
            for delta in restore(raw):
                if self._assembler is not None:
                    self._assembler.add(delta)
                if type(delta) is TextAdded:  # nearly all; a client is shown all of it
                    written.append(write(delta))
                    continue
                if isinstance(delta, Ended):
                    self.usage, self.terminal_seen = delta.usage, True
                elif isinstance(delta, Failed):
                    self.error, self.terminal_seen = told_error(self._source, block, delta), True
                    self.parting = write(delta)
                    break
                if presenter is None:
                    written.append(write(delta))
                else:
                    written += [write(shown) for shown in presenter.feed(delta)]
        return b"".join(written)


def told_error(source: StreamReader, block: bytes, failed: Failed) -> StreamError:
    """The error that *failed* is: as the provider wrote it in one of the events of *block*, if it did."""
    for event in SseFramer.events(block):
        if source.classify(event) is EventClass.ERROR and source.error is not None:
            return source.error
    return StreamError(failed.kind, failed.message, failed.code)
