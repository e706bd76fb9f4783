"""A stream as one JSON array: where its elements end, found incrementally and without re-encoding.

Gemini's ``streamGenerateContent`` without ``alt=sse`` sends its chunks so. A piece is an element with what stands
before it (the bracket, a comma, white space); the closing bracket is the last piece. What is no JSON stays in the tail.
"""

import re

import attrs

from gephyr_core.sse import SseFramer, encode, parse

_STRUCTURE = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_AROUND = b"[, \t\r\n"


@attrs.define
class ArrayFramer:
    """Cuts a JSON array at the ends of its elements. Each byte is looked at once."""

    max_line: int
    """How many bytes of an unfinished element are held."""
    tail: bytearray = attrs.field(factory=bytearray, init=False)
    _searched: int = attrs.field(default=0, init=False)
    _depth: int = attrs.field(default=0, init=False)
    _in_string: bool = attrs.field(default=False, init=False)
    _is_array: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the elements that are now whole; what follows the array stays in the tail.

        Raises ``ValueError`` when the unfinished element exceeds *max_line*.
        """
        self.tail += data
        pieces = []
        start = 0
        while (end := self._next_end()) >= 0:
            pieces.append(bytes(self.tail[start:end]))
            start = end
        del self.tail[:start]
        self._searched -= start
        if len(self.tail) > self.max_line:
            raise ValueError(f"an element of the stream is longer than {self.max_line} bytes")
        return pieces

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole elements as one piece. Raises ``ValueError`` as :meth:`split` does."""
        return b"".join(self.split(data))

    def rest(self) -> bytes:
        """Take the unfinished tail."""
        tail = bytes(self.tail)
        self.tail.clear()
        self._searched = 0
        return tail

    def last(self) -> list[bytes]:
        """Take the unfinished tail, as the last piece if there is one."""
        tail = self.rest()
        return [tail] if tail else []

    def _next_end(self) -> int:
        """Go on from where the search stopped and return the offset behind the next piece, or -1."""
        if self._closed:
            self._searched = len(self.tail)
            return -1
        while True:
            if self._in_string and not self._leave_string():
                return -1
            match = _STRUCTURE.search(self.tail, self._searched)
            if match is None:
                self._searched = len(self.tail)
                return -1
            self._searched = match.end()
            if self._step(match[0]):
                return self._searched

    def _leave_string(self) -> bool:
        """Skip the rest of a string; False when its end has not come yet."""
        if match := _IN_STRING.match(self.tail, self._searched):
            self._searched = match.end()
        if self.tail[self._searched : self._searched + 1] != b'"':
            return False
        self._searched += 1
        self._in_string = False
        return True

    def _step(self, token: bytes) -> bool:
        """Take one structural character; True when it ends a piece."""
        if token == b'"':
            self._in_string = True
        elif token in b"{[":
            self._is_array = self._is_array or (self._depth == 0 and token == b"[")
            self._depth += 1
        else:
            self._depth -= 1
            self._closed = self._depth <= 0
            return self._depth <= (1 if self._is_array else 0)
        return False


def element(piece: bytes) -> bytes:
    """Return the element in *piece* without what stands around it; ``]`` for the end of the array."""
    return piece.lstrip(_AROUND)


@attrs.define
class ArrayAsEvents:
    """Reads a stream that came as one JSON array as the server-sent events that it would have been: it can stand in
    the place of an :class:`~gephyr_core.sse.SseFramer`."""

    max_line: int
    """How many bytes of an unfinished element are held."""
    tail: bytes = attrs.field(default=b"", init=False)
    """No tail is an event."""
    _array: ArrayFramer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._array = ArrayFramer(self.max_line)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return the events of all elements that are now whole. Raises ``ValueError`` as
        :meth:`ArrayFramer.split` does."""
        elements = [element(piece) for piece in self._array.split(data)]
        return b"".join([encode(on_one_line(it)) for it in elements if it != b"]"])

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the events of all elements that are now whole, one by one."""
        return self.events(self.cut(data))

    @staticmethod
    def events(block: bytes) -> list[bytes]:
        """Split *block*, which :meth:`cut` returned, into its events."""
        return SseFramer.events(block)

    def rest(self) -> bytes:
        """Take the unfinished tail, as half an event; white space is none."""
        tail = element(self._array.rest()).strip()
        return b"data: " + on_one_line(tail) if tail else b""


@attrs.define
class EventsAsArray:
    """Reads server-sent events as the elements of one JSON array: it can stand in the place of an
    :class:`ArrayFramer`."""

    max_line: int
    """How many bytes of an unfinished event are held."""
    _events: SseFramer = attrs.field(init=False)
    _begun: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._events = SseFramer(self.max_line)

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the elements of all events that are now whole. Raises ``ValueError`` as
        :meth:`~gephyr_core.sse.SseFramer.cut` does."""
        return self._pieces(self._events.split(data))

    @property
    def tail(self) -> bytearray:
        """The unfinished event."""
        return self._events.tail

    def last(self) -> list[bytes]:
        """Take what ends the array, behind the last event where that lacks nothing but its empty line."""
        pieces = self._pieces([self._events.rest()])
        return [*pieces, b"\n]" if self._begun else b"[]"]

    def _pieces(self, events: list[bytes]) -> list[bytes]:
        pieces = []
        for event in events:
            bare = event.strip()
            data = bare if bare.startswith(b"{") else parse(event).data.encode()
            if data:
                pieces.append((b",\n" if self._begun else b"[") + data)
                self._begun = True
        return pieces


def on_one_line(data: bytes) -> bytes:
    """JSON without the line ends that may stand between its tokens; within its strings there are none."""
    return data.replace(b"\r", b" ").replace(b"\n", b" ")
