"""The part of reading a provider's SSE stream that is the same in every dialect: framing, and when to look inside."""

import re

import attrs

from gephyr_core.dialects.base import EventClass, Heard, StreamError
from gephyr_core.dialects.decoding import bare_error, read_object
from gephyr_core.json_array import ArrayAsEvents, on_one_line
from gephyr_core.records import Usage
from gephyr_core.sse import SseFramer, encode, parse

_SIGNS = ("ping", "keepalive")
_SIGN = re.compile(r'\s*\{\s*"type"\s*:\s*"(?:ping|keepalive)"')


def heard(framer: SseFramer | ArrayAsEvents, block: bytes) -> Heard:
    """Say what *block*, which *framer* has just cut, and the unfinished event that it holds say of the reply."""
    loudest = Heard.SILENCE
    for event in framer.events(block.strip()):
        told = parse(event)
        if told.data or event.lstrip().startswith(b"{"):
            if told.event not in _SIGNS and not _SIGN.match(told.data):
                return Heard.EVENT
            loudest = Heard.SIGN
    tail = framer.tail[:2].strip()
    return Heard.SIGN if tail and not tail.startswith(b":") else loudest


@attrs.define
class ReaderState:
    """What one attempt's stream has told so far."""

    begun: bool = attrs.field(default=False, init=False)
    finished: bool = attrs.field(default=False, init=False)
    terminal_seen: bool = attrs.field(default=False, init=False)
    reply_id: str | None = attrs.field(default=None, init=False)
    error: StreamError | None = attrs.field(default=None, init=False)
    parting: bytes = attrs.field(default=b"", init=False)
    objects: list[str] = attrs.field(factory=list, init=False)
    latest_usage: Usage | None = attrs.field(default=None, init=False)
    choices: int = attrs.field(default=1, kw_only=True)
    """How many the request asked for."""
    _ended: dict[object, None] = attrs.field(factory=dict, init=False)
    """Choices that have told why they end."""

    @property
    def usage(self) -> Usage | None:
        """The latest usage the stream told of."""
        return self.latest_usage

    def classify(self, event: bytes) -> EventClass:
        """Say what one whole event is, and take from it what it tells."""
        kind = self._classified(event)
        if kind is EventClass.CONTENT:
            self.begun = True
        elif kind is EventClass.ERROR:
            self.parting = self._last_words(event)
        return kind

    def _last_words(self, event: bytes) -> bytes:
        """The provider's error event, as the client is sent it."""
        return event

    def _classified(self, event: bytes) -> EventClass:
        raise NotImplementedError

    def unknown(self, data: bytes | str) -> EventClass:
        """What an event is whose *data* cannot be decoded as the dialect has it. JSON of another shape is not ours to
        hold back; what is no JSON (half an event, a page, ``[DONE]`` where the dialect has none) is no content."""
        return EventClass.CONTENT if read_object(data) is not None else EventClass.HELD

    def ended(self) -> EventClass:
        """Note the stream's own end."""
        self.finished = self.terminal_seen = True
        return EventClass.CONTENT if self.begun else EventClass.END

    def told_usage(self) -> None:
        """Note that usage came with or after the last reason to end, where that ends the stream."""
        self.finished = self.terminal_seen = True

    def end_choice(self, index: object) -> None:
        """Note that a choice has told why it ends."""
        if not self.finished:
            self._ended[index if isinstance(index, int) else 0] = None
            self.finished = len(self._ended) >= self.choices

    def fail(self, error: StreamError) -> EventClass:
        """Note the provider's own error event, which is the stream's terminal too."""
        self.error = error
        self.finished = self.terminal_seen = True
        return EventClass.ERROR


@attrs.define
class SseStreamReader(ReaderState):
    """Frames the stream; a dialect's subclass says what an event means (:meth:`_classified`) and which bytes tell that
    an event must be read although content is flowing (:meth:`_marked`)."""

    _framer: SseFramer | ArrayAsEvents

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the events that are now whole; see :class:`~gephyr_core.dialects.base.StreamReader`."""
        return self._framer.split(data)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece, watched. An event is decoded only if it is marked."""
        block = self._framer.cut(data)
        return self._read_marked(block) if self._marked(block) else block

    def classify(self, event: bytes) -> EventClass:
        """Say what one whole event is. An error may come as a bare object, which no event is: a server's own words."""
        told = bare_error(event)
        return super().classify(encode(on_one_line(told)) if told else event)

    def heard(self, block: bytes) -> Heard:
        """Say what the bytes that were added last amount to, of which *block* was returned."""
        return heard(self._framer, block)

    def closing(self) -> bytes:
        """Nothing: the dialect has no terminal event that a client could miss."""
        return b""

    def rest(self) -> bytes:
        """Take the unfinished tail. It is read too: the last event may lack nothing but its empty line."""
        tail = self._framer.rest()
        return b"" if tail and self.classify(tail) is EventClass.ERROR else tail

    def _marked(self, block: bytes) -> bool:
        """Whether *block* may hold an event that tells usage, an object, an error or the end."""
        raise NotImplementedError

    def _read_marked(self, block: bytes) -> bytes:
        """Read what is marked in *block*; return it up to an error, or with its terminal event."""
        read = 0
        for event in self._framer.events(block):
            if self._marked(event) and self.classify(event) is EventClass.ERROR:
                return block[:read]
            read += len(event)
            if self.terminal_seen:
                return block[:read]
        return block
