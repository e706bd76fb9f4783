"""Requests off the wire: the bytes that wait, and what h11 reads from them when its turn comes.

Bytes go to h11 a head at a time, then a body at a time, so that every head is scanned before h11 sees it,
pipelined ones too, and nothing of a body is read before it is wanted.
"""

import h11

from gephyr.server.head import HeadError, RequestHead, check_partial, read_head, request_line


class RequestReader:
    """The reading side of one connection. ``next_head``, then ``read_body`` until ``complete``, and again."""

    __slots__ = ("_body_left", "_buffer", "_head_end", "_offset", "_searched", "_tail", "complete", "parser")

    def __init__(self) -> None:
        self.parser = h11.Connection(h11.SERVER)
        self.complete = True
        """Whether the present request was read to its end."""
        # What h11 has not had is _buffer[_offset:]; in the first _searched bytes of that no head ends.
        self._buffer = b""
        self._offset = 0
        self._searched = 0
        self._head_end = 0
        # Bytes of the body that h11 has not had (None: it is chunked), and the last four that it had.
        self._body_left: int | None = 0
        self._tail = b""

    @property
    def waiting(self) -> int:
        """How many bytes wait."""
        return len(self._buffer) - self._offset

    @property
    def line(self) -> tuple[str, str]:
        """Method and path in the waiting bytes, as far as they can be made out."""
        return request_line(self._buffer[self._offset :])

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
        head = read_head(self.parser, self._buffer[self._offset : self._head_end], max_size)
        self._offset, self._searched = self._head_end, 0
        self._body_left, self.complete = head.length, head.length == 0
        return head

    def read_body(self) -> bytes | None:
        """Return what waits of the body, without transfer coding; None when nothing does.

        Raises:
            HeadError: The chunks are malformed.
        """
        left, parser, start = self._body_left, self.parser, self._offset
        data = self._buffer[start:] if left is None else self._buffer[start : start + left]
        if not data or self.complete:
            return None
        self._offset = start + len(data)
        parser.receive_data(data)
        parts: list[bytes] = []
        try:
            while type(event := parser.next_event()) is h11.Data:
                parts.append(event.data)
        except h11.RemoteProtocolError:
            raise HeadError("the chunks of the request's body are malformed") from None
        ended = type(event) is h11.EndOfMessage
        if left is not None:
            self._body_left = left - len(data)
        else:
            self._note_chunked(data, ended=ended)
        self.complete = ended
        return b"".join(parts)

    def _note_chunked(self, data: bytes, *, ended: bool) -> None:
        """Take back what follows a chunked body. Its last lines, which h11 lets end in a bare LF, may not."""
        if ended:
            following = len(self.parser.trailing_data[0])
            self._offset -= following
            data = data[: len(data) - following]
        self._tail = (self._tail + data[-4:])[-4:]
        if ended and self._tail != b"\r\n\r\n":
            raise HeadError("the body's last line does not end in CRLF")

    def can_skip_body(self, max_size: int) -> bool:
        """Whether at most *max_size* bytes of the body are outstanding, and sure to come.

        A client that awaits 100-continue may send its body or not: what follows could not be told apart.
        """
        if self.complete:
            return True
        left = self._body_left
        return left is not None and left <= max_size and not self.parser.they_are_waiting_for_100_continue

    def next_request(self) -> None:
        """Get ready for the next request; both sides of the present one are complete."""
        if self._body_left is None and self.parser.trailing_data[0]:
            # These bytes wait here too, and a parser cannot be told to forget them.
            self.parser = h11.Connection(h11.SERVER)
        else:
            self.parser.start_next_cycle()
        self._tail = b""
