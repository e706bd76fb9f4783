"""One HTTP/1.1 response, from bytes: first the head, then the body by its framing (RFC 9112 section 6.3). No I/O.

A usual head, which came in one read and leaves nothing to interpret, is read by one pattern; any other by h11, which is
what the official SDKs read with.
"""

import re
from typing import Protocol

import h11

from gephyr.runtime.fields import closes, read_fields
from gephyr.runtime.upstream.chunked import ChunkedBody
from gephyr_core.http import Header, Headers

_USUAL_LINE = re.compile(rb"HTTP/1\.1 ([2-9][0-9]{2})(?: [^\0\r\n\v\f]*)?\r\n")
_FRAMING = (b"content-length", b"transfer-encoding")
_HEAD_END = re.compile(rb"\A\r?\n|\n\r?\n")
# A server must not write blanks there, and who forwards its response must remove them (RFC 9112 section 5.1).
_BLANK_BEFORE_COLON = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+:", re.MULTILINE)
_USUAL_LENGTH = re.compile(rb"[0-9]{1,20}")
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
        "_interim_size",
        "_max_head_size",
        "_method",
        "_parser",
        "_searched",
        "_waiting",
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
        self._interim_size = 0
        """Bytes of the interim responses so far."""
        self._waiting = bytearray()
        """A head that has not come whole."""
        self._searched = 0
        """Bytes of it in which it does not end."""
        self._parser: h11.Connection | None = None
        """Set once the head has turned out to be none of the usual ones."""
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
        if not self.begun:
            self.begun = True
            end = data.find(b"\r\n\r\n") + 4
            if 4 <= end <= self._max_head_size and self._read_usual(data[:end]):
                return data[end:]
        return self._receive_unusual(data)

    def _read_usual(self, head: bytes) -> bool:
        """Read a usual head; False for any other, which may be good or bad."""
        line = _USUAL_LINE.match(head)
        headers = None if line is None else read_fields(head, line.end())
        if line is None or headers is None:
            return False
        framing = [field for field in headers if field[0] in _FRAMING]
        if len(framing) != 1:
            return False
        name, value = framing[0]
        if not (_USUAL_LENGTH.fullmatch(value) if name == b"content-length" else value == b"chunked"):
            return False
        self._begin_body(int(line[1]), headers, b"1.1")
        return True

    def _receive_unusual(self, data: bytes) -> bytes:
        """Take a head that came in parts, after interim responses, or in a form that is left to h11."""
        waiting = self._waiting
        waiting += data
        while True:
            # Only the new bytes, and the three before them, can hold the end of the head.
            end = _HEAD_END.search(waiting, max(0, self._searched - 3))
            head_size = self._interim_size + (len(waiting) if end is None else end.end())
            if head_size > self._max_head_size:
                self.error = f"response head larger than {self._max_head_size} bytes"
                return b""
            if end is None:
                self._searched = len(waiting)
                return b""
            head = bytes(waiting[: end.end()])
            del waiting[: end.end()]
            self._searched, self._interim_size = 0, head_size
            if self._read_by_h11(head) or self.error:
                return bytes(waiting)

    def _read_by_h11(self, head: bytes) -> bool:
        """Read a head; False for an interim response, and for what is none."""
        parser = self._parser
        if parser is None:
            parser = self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._max_head_size)
            parser.send(_ANY_REQUEST)
        plain = _BLANK_BEFORE_COLON.sub(rb"\1:", head)
        try:
            parser.receive_data(plain)
            event = parser.next_event()
        except h11.RemoteProtocolError as exc:
            # h11 quotes the line at fault after a colon; it may hold anything.
            self.error = str(exc).partition(":")[0]
            return False
        if type(event) is not h11.Response:
            return False
        headers = [(name.lower(), value) for name, value in event.headers.raw_items()]
        self._begin_body(event.status_code, headers, event.http_version)
        if plain != head and any(match[1].lower() in _FRAMING for match in _BLANK_BEFORE_COLON.finditer(head)):
            self.keep = False  # whoever stands between may not take it for the framing
        return True

    def _begin_body(self, status: int, headers: list[Header], version: bytes) -> None:
        self.status, self.headers = status, headers
        # Both were checked: one length of digits only, and no coding but chunked.
        length, chunked = -1, False
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        keep = version != b"1.0" and not closes(headers)
        if self._method == "HEAD" or status in (204, 304):
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
