"""Server-sent events: where events end, found incrementally and without re-encoding, and how one event reads.

The rules are those of WHATWG HTML, section 9.2.6: lines end with LF, CRLF or CR in any mixture, an empty line ends an
event, a byte order mark may open the stream. Bytes are handed on exactly as they came.
"""

import re

import attrs

BOUNDARIES = (b"\n\n", b"\r\n\r\n")
"""The usual ends of an event. Data that ends so ends an event, whatever stands before and whatever comes next."""

_BOM = b"\xef\xbb\xbf"
_COMMENT = (b":", _BOM + b":")
_LONGEST_BOUNDARY = 4
_LINES_OF_SMALLEST_EVENT = 2

# Line ends. Where more data may come, a CR that stands last is undecided: an LF may follow that belongs to it.
_EOL = rb"[\r\n](?:(?<=\r)\n)?+"
_DECIDED_EOL = rb"[\r\n](?:(?<=\r)\n|(?<=\n)|(?=[^\n]))"

_BOUNDARY = re.compile(_DECIDED_EOL + rb"(?:%b)+" % _DECIDED_EOL)
_LEADING = re.compile(rb"(?:%b)?(?:%b)+" % (_BOM, _DECIDED_EOL))
_EMPTY_LINE = re.compile(rb"(?:%b)?%b" % (_BOM, _EOL))
_EVENT_END = re.compile(_EOL + _EOL)


@attrs.frozen
class SseEvent:
    """One event, read."""

    event: str
    """The event's name; empty where the stream gave none (a browser would say ``message``)."""
    data: str
    """The data lines joined by LF; empty for an event of comments only, which no client dispatches."""


@attrs.define
class SseFramer:
    """Cuts a stream of bytes at event boundaries. Holds the unfinished tail and nothing else."""

    max_line: int
    """How many bytes of an unfinished event are held."""
    tail: bytearray = attrs.field(factory=bytearray, init=False)

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece.

        Raises ``ValueError`` when the unfinished event exceeds *max_line*.
        """
        tail = self.tail
        if not tail and data.endswith(BOUNDARIES):
            return data
        searched = max(0, len(tail) - _LONGEST_BOUNDARY)
        tail += data
        end = _last_boundary(tail, searched)
        block = bytes(tail[:end])
        del tail[:end]
        if len(tail) > self.max_line:
            raise ValueError(f"an event of the stream is longer than {self.max_line} bytes")
        return block

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the events that are now whole, each with its terminator.

        An empty line that ends no event is a piece of its own. Raises ``ValueError`` as :meth:`cut` does.
        """
        return self.events(self.cut(data))

    @staticmethod
    def events(block: bytes) -> list[bytes]:
        """Split *block*, which :meth:`cut` returned, into its events."""
        pieces = []
        start = 0
        while start < len(block):
            match = _EMPTY_LINE.match(block, start) or _EVENT_END.search(block, start)
            end = match.end() if match else len(block)
            pieces.append(block[start:end])
            start = end
        return pieces

    def rest(self) -> bytes:
        """Take the unfinished tail."""
        tail = bytes(self.tail)
        self.tail.clear()
        return tail


def _last_boundary(buffer: bytearray, start: int) -> int:
    """Return the offset behind the last boundary; 0 when there is none. No boundary ends before *start*."""
    if buffer.find(b"\r", start) < 0:
        at = buffer.rfind(b"\n\n", start)
        if at >= 0:
            return at + 2
    else:
        end = 0
        for match in _BOUNDARY.finditer(buffer, max(start, buffer.rfind(b"\r\n\r\n", start))):
            end = match.end()
        if end:
            return end
    # The buffer begins where an event begins, so line ends there are empty lines.
    leading = _LEADING.match(buffer) if start == 0 else None
    return leading.end() if leading else 0


def parse(event: bytes) -> SseEvent:
    """Read one raw event. Never raises: unknown fields are ignored, invalid UTF-8 becomes U+FFFD, as the rules say."""
    name = b""
    data = []
    for line in event.removeprefix(_BOM).splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return SseEvent(name.decode("utf-8", "replace"), b"\n".join(data).decode("utf-8", "replace"))


def encode(data: bytes, event: str = "") -> bytes:
    """Write one event of *data*, which holds no line end (JSON never does), under the name *event* if there is one."""
    if event:
        return b"event: %b\ndata: %b\n\n" % (event.encode(), data)
    return b"data: %b\n\n" % data


def without_comments(block: bytes) -> bytes:
    """Return *block*, one or more whole events, without its comment lines; the empty line of a comment event stays."""
    lines = block.splitlines(keepends=True)
    if len(lines) == _LINES_OF_SMALLEST_EVENT and not block.startswith(_COMMENT):
        return block
    kept: list[bytes] = []
    for index, line in enumerate(lines):
        if not line.startswith(_COMMENT):
            kept.append(line)
        elif kept and kept[-1].endswith(b"\r") and lines[index + 1 : index + 2] == [b"\n"]:
            kept[-1] += b"\n"  # or the LF of the empty line would be taken for the second half of a CRLF
    return b"".join(kept)
