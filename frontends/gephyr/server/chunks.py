"""Bodies in chunks (RFC 9112, section 7.1), decoded as they come.

Stricter than the grammar allows a recipient to be, where two readers of one body could come to two ends: lines end in
CRLF and nothing else, a size has at most 16 digits, and neither extensions nor trailers have control characters.
Extensions and trailers are checked and dropped.
"""

import enum
import re

from gephyr.runtime.fields import is_field

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\0-\x08\n-\x1f\x7f]*)?")
_BEGUN = re.compile(rb"[0-9A-Fa-f]")
_LONGEST_LINE = 4096
"""Bytes of the line before a chunk, extensions included, and of a trailer."""
_MOST_BESIDE = 65536
"""Bytes of all extensions and trailers of one body."""


class ChunkError(Exception):
    """The body is not in well-formed chunks."""


class _Expected(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    CRLF = enum.auto()
    TRAILER = enum.auto()
    NOTHING = enum.auto()


class ChunkReader:
    """Decodes one body."""

    __slots__ = ("_beside", "_expected", "_left")

    def __init__(self) -> None:
        self._expected = _Expected.SIZE
        self._left = 0
        """Bytes of the present chunk that are still to come."""
        self._beside = 0

    @property
    def complete(self) -> bool:
        """Whether the body was read to its end."""
        return self._expected is _Expected.NOTHING

    def read(self, buffer: bytes, offset: int) -> tuple[bytes, int]:
        """Return what of the body is in *buffer* from *offset* on, and where to go on once more has come.

        Raises :class:`ChunkError`.
        """
        parts: list[bytes] = []
        while offset < len(buffer) and self._expected is not _Expected.NOTHING:
            if self._expected is _Expected.DATA:
                data = buffer[offset : offset + self._left]
                parts.append(data)
                offset += len(data)
                self._left -= len(data)
                if not self._left:
                    self._expected = _Expected.CRLF
                continue
            line_end = self._line_end(buffer, offset)
            if line_end < 0:
                break
            self._take_line(buffer[offset:line_end])
            offset = line_end + 2
        return b"".join(parts), offset

    def _line_end(self, buffer: bytes, offset: int) -> int:
        """Find the CRLF of the line that begins at *offset*; -1 while it has not come."""
        most = 0 if self._expected is _Expected.CRLF else _LONGEST_LINE
        line_end = buffer.find(b"\r\n", offset, offset + most + 2)
        if line_end >= 0:
            return line_end
        begun = buffer[offset : offset + most + 2]
        size = self._expected is _Expected.SIZE
        if len(begun) > most + 1 or b"\n" in begun or b"\r" in begun[:-1] or (size and not _BEGUN.match(begun)):
            raise ChunkError
        if not most and begun != b"\r":
            raise ChunkError
        return -1

    def _take_line(self, line: bytes) -> None:
        if self._expected is _Expected.SIZE:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise ChunkError
            self._left = int(size[1], 16)
            self._beside += len(line) - len(size[1])
            self._expected = _Expected.DATA if self._left else _Expected.TRAILER
        elif self._expected is _Expected.CRLF:
            self._expected = _Expected.SIZE
        elif line:
            self._beside += len(line)
            if not is_field(line):
                raise ChunkError
        else:
            self._expected = _Expected.NOTHING
        if self._beside > _MOST_BESIDE:
            raise ChunkError
