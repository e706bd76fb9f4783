"""One HTTP/1.1 response, from bytes: the head by h11, the body by its framing (RFC 9112 section 6.3). No I/O."""

from typing import Protocol

import h11

from gephyr.runtime.upstream.chunked import ChunkedBody
from gephyr_core.http import Header, Headers

# h11 takes an interim response only from a connection that has sent a request. It is never written anywhere.
_ANY_REQUEST = h11.Request(method=b"POST", target=b"/", headers=[(b"host", b"host")])


class Body(Protocol):
    """What every framing of a body offers."""

    complete: bool
    excess: bool
    """Bytes followed the end of the body."""
    error: str

    def receive(self, data: bytes) -> bytes:
        """Return the bytes of the body in *data*."""


class SizedBody:
    """A body whose length is known, 0 included."""

    __slots__ = ("_left", "complete", "error", "excess")

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = length == 0
        self.excess = False
        self.error = ""

    def receive(self, data: bytes) -> bytes:
        """Return the bytes of the body in *data*."""
        self._left -= len(data)
        if self._left <= 0:
            self.complete = True
            if self._left < 0:
                self.excess = True
                data = data[: self._left]
                self._left = 0
        return data


class UnsizedBody:
    """A body that lasts until the connection closes."""

    __slots__ = ("complete", "error", "excess")

    def __init__(self) -> None:
        self.complete = False
        self.excess = False
        self.error = ""

    def receive(self, data: bytes) -> bytes:
        """Return *data*."""
        return data


class Reply:
    """Reads the response to one request. The peer's faults are data: nothing here raises on them."""

    __slots__ = (
        "_body",
        "_head_size",
        "_max_head_size",
        "_method",
        "_parser",
        "begun",
        "error",
        "headers",
        "keep",
        "status",
    )

    def __init__(self, method: str, max_head_size: int) -> None:
        """*max_head_size* limits, in bytes, the head together with the interim responses before it."""
        self._method = method
        self._max_head_size = max_head_size
        self._head_size = 0
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=max_head_size)
        self._body: Body | None = None
        self.begun = False
        """A byte was read."""
        self.status = 0
        """0 until the head is read."""
        self.headers: Headers = ()
        self.keep = False
        """The head allows another request on this connection."""
        self.error = ""
        """How the response breaks the protocol; nothing is read any more."""

    @property
    def complete(self) -> bool:
        """Whether the response has ended by its framing."""
        return self._body is not None and self._body.complete

    @property
    def reusable(self) -> bool:
        """Whether the response has ended, nothing followed it, and the provider reads a next request."""
        return self.keep and self._body is not None and self._body.complete and not self._body.excess

    @property
    def until_closed(self) -> bool:
        """Whether the end of the connection is the proper end of the response."""
        return isinstance(self._body, UnsizedBody)

    def receive(self, data: bytes) -> bytes:
        """Read *data*, at least one byte, and return the bytes of the body in it."""
        body = self._body
        if body is None:
            rest = self._receive_head(data)
            body = self._body
            if not rest or body is None:
                return b""
            data = rest
            if body.complete:
                body.excess = True
                return b""
        data = body.receive(data)
        if body.error:
            self.error = body.error
        return data

    def _receive_head(self, data: bytes) -> bytes:
        """Return what follows the head."""
        parser = self._parser
        # The tenth byte of a response is the first digit of its status.
        if not self.begun and data[9:10] in b"1":
            parser.send(_ANY_REQUEST)
        self.begun = True
        self._head_size += len(data)
        try:
            parser.receive_data(data)
            event = parser.next_event()
            while type(event) is h11.InformationalResponse:
                event = parser.next_event()
        except h11.RemoteProtocolError as exc:
            too_large = self._head_size > self._max_head_size
            # h11 quotes the line at fault after a colon; it may hold anything.
            self.error = self._too_large() if too_large else str(exc).partition(":")[0]
            return b""
        rest = b""
        if type(event) is h11.Response:
            rest = parser.trailing_data[0]
            self._head_size -= len(rest)
        if self._head_size > self._max_head_size:
            self.error = self._too_large()
        elif type(event) is h11.Response:
            self._begin_body(event)
        return rest

    def _too_large(self) -> str:
        return f"response head larger than {self._max_head_size} bytes"

    def _begin_body(self, head: h11.Response) -> None:
        headers: list[Header] = [(name.lower(), value) for name, value in head.headers.raw_items()]
        self.status, self.headers = head.status_code, headers
        # h11 has checked both: one length of digits only, and no coding but chunked.
        length, chunked, keep = -1, False, head.http_version != b"1.0"
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
            elif name == b"connection" and b"close" in [t.strip() for t in value.lower().split(b",")]:
                keep = False
        if self._method == "HEAD" or self.status in (204, 304):
            self._body = SizedBody(0)
        elif chunked:
            self._body = ChunkedBody()
            # Two framings that disagree are how responses are smuggled (RFC 9112 section 6.3).
            keep = keep and length < 0
        elif length >= 0:
            self._body = SizedBody(length)
        else:
            self._body = UnsizedBody()
        self.keep = keep
