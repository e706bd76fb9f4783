"""Requests off the wire: the bytes that wait, and what is read from them when its turn comes.

Bytes are read a head at a time, then a body at a time, so that every head is scanned before h11 may see it,
pipelined ones too, and nothing of a body is read before it is wanted. h11 decodes chunked bodies.
"""

import h11

from gephyr.server.head import HeadError, RequestHead, check_partial, read_head, request_line, request_origin
from gephyr_core.http import Header


class RequestReader:
    """The reading side of one connection. ``next_head``, then ``read_body`` until ``complete``, and again."""

    __slots__ = (
        "_body_left",
        "_buffer",
        "_head_end",
        "_offset",
        "_parser",
        "_searched",
        "_tail",
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
        # Bytes of the body still to be read. Of a chunked one it is 0, and there is a parser, with the last four
        # bytes that it had.
        self._body_left = 0
        self._parser: h11.Connection | None = None
        self._tail = b""

    @property
    def waiting(self) -> int:
        """How many bytes wait."""
        return len(self._buffer) - self._offset

    @property
    def line(self) -> tuple[str, str]:
        """Method and path in the waiting bytes, as far as they can be made out."""
        return request_line(self._buffer[self._offset :])

    @property
    def origin(self) -> tuple[Header, ...]:
        """The ``origin`` header in the waiting bytes, if it can be made out."""
        return request_origin(self._buffer[self._offset :])

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
        self._parser, self._tail = (head.parser, b"") if head.length is None else (None, b"")
        self.awaits_continue = head.awaits_continue
        return head

    def read_body(self) -> bytes | None:
        """Return what waits of the body, without transfer coding; None when nothing does.

        Raises:
            HeadError: The chunks are malformed.
        """
        start = self._offset
        if self.complete or start == len(self._buffer):
            return None
        self.awaits_continue = False
        if self._parser is not None:
            return self._read_chunks(self._parser, self._buffer[start:])
        data = self._buffer[start : start + self._body_left]
        self._offset = start + len(data)
        self._body_left -= len(data)
        self.complete = self._body_left == 0
        return data

    def _read_chunks(self, parser: h11.Connection, data: bytes) -> bytes:
        """Decode *data*, and leave what follows the body. Its last lines may not end in a bare LF, as h11 lets them."""
        self._offset = len(self._buffer)
        parser.receive_data(data)
        parts: list[bytes] = []
        try:
            while type(event := parser.next_event()) is h11.Data:
                parts.append(event.data)
        except h11.RemoteProtocolError:
            raise HeadError("the chunks of the request's body are malformed") from None
        self.complete = type(event) is h11.EndOfMessage
        if self.complete:
            following = len(parser.trailing_data[0])
            self._offset -= following
            data = data[: len(data) - following]
        self._tail = (self._tail + data[-4:])[-4:]
        if self.complete and self._tail != b"\r\n\r\n":
            raise HeadError("the body's last line does not end in CRLF")
        return b"".join(parts)

    def can_skip_body(self, max_size: int) -> bool:
        """Whether at most *max_size* bytes of the body are outstanding, and sure to come.

        A client that awaits 100-continue may send its body or not: what follows could not be told apart.
        """
        if self.complete:
            return True
        return self._parser is None and self._body_left <= max_size and not self.awaits_continue
