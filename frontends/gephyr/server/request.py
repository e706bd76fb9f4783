"""Requests off the wire: the bytes that wait, and what is read from them when its turn comes.

Bytes are read a head at a time, then a body at a time, so that every head is scanned before h11 may see it,
pipelined ones too, and nothing of a body is read before it is wanted.
"""

from gephyr.server.chunks import ChunkError, ChunkReader
from gephyr.server.head import HeadError, RequestHead, check_partial, read_head, request_line, telling_headers
from gephyr_core.http import Header


class RequestReader:
    """The reading side of one connection. ``next_head``, then ``read_body`` until ``complete``, and again."""

    __slots__ = (
        "_body_left",
        "_buffer",
        "_chunks",
        "_head_end",
        "_offset",
        "_searched",
        "awaits_continue",
        "complete",
    )

    def __init__(self) -> None:
        self.complete = True
        """Whether the present request was read to its end."""
        self.awaits_continue = False
        """Whether the client sends the body only once it is told to; cleared by who tells it."""
        # What waits is _buffer[_offset:]; in the first _searched bytes of that no head ends.
        self._buffer = b""
        self._offset = 0
        self._searched = 0
        self._head_end = 0
        # Bytes of the body still to be read; of a chunked one it is 0, and there is a reader of chunks.
        self._body_left = 0
        self._chunks: ChunkReader | None = None

    @property
    def waiting(self) -> int:
        """How many bytes wait."""
        return len(self._buffer) - self._offset

    @property
    def line(self) -> tuple[str, str]:
        """Method and path in the waiting bytes, as far as they can be made out."""
        return request_line(self._buffer[self._offset :])

    @property
    def telling(self) -> tuple[Header, ...]:
        """Those headers in the waiting bytes that say how to refuse them, as far as they can be made out."""
        return telling_headers(self._buffer[self._offset :])

    def append(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self._offset == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._offset :] + data
        self._offset = 0

    def clear(self) -> None:
        """Forget the waiting bytes."""
        self._buffer, self._offset = b"", 0

    def has_head(self, max_size: int) -> bool:
        """Whether a whole head waits. Skips empty lines before it (RFC 9112, section 2.2).

        Raises:
            HeadError: What waits cannot become a head of at most *max_size* bytes.
        """
        buffer, offset = self._buffer, self._offset
        if offset == len(buffer):
            return False
        while buffer.startswith(b"\r\n", offset):
            offset += 2
        self._offset = offset
        end = buffer.find(b"\r\n\r\n", offset + max(0, self._searched - 3))
        if end >= 0:
            self._head_end = end + 4
            return True
        if offset < len(buffer):
            check_partial(buffer, offset, self._searched, max_size)
        self._searched = len(buffer) - offset
        return False

    def next_head(self, max_size: int) -> RequestHead:
        """Read the head that :meth:`has_head` found.

        Raises:
            HeadError: It is refused; its bytes still wait.
        """
        head = read_head(self._buffer[self._offset : self._head_end], max_size)
        self._offset, self._searched = self._head_end, 0
        self._body_left, self.complete = head.length or 0, head.length == 0
        self._chunks = ChunkReader() if head.length is None else None
        self.awaits_continue = head.awaits_continue
        return head

    def read_body(self) -> bytes | None:
        """Return what waits of the body, without transfer coding; None when nothing that can be read does.

        Raises:
            HeadError: The chunks are malformed.
        """
        start = self._offset
        if self.complete or start == len(self._buffer):
            return None
        self.awaits_continue = False
        if self._chunks is not None:
            try:
                data, self._offset = self._chunks.read(self._buffer, start)
            except ChunkError:
                raise HeadError("the chunks of the request's body are malformed") from None
            self.complete = self._chunks.complete
            return data if self._offset > start else None
        data = self._buffer[start : start + self._body_left]
        self._offset = start + len(data)
        self._body_left -= len(data)
        self.complete = self._body_left == 0
        return data

    def can_skip_body(self, max_size: int) -> bool:
        """Whether at most *max_size* bytes of the body are outstanding, and sure to come.

        A client that awaits 100-continue may send its body or not: what follows could not be told apart.
        """
        if self.complete:
            return True
        return self._chunks is None and self._body_left <= max_size and not self.awaits_continue
