"""Responses on the wire: heads and ends written by h11, the bytes of bodies framed here."""

import enum
import http
import time
from collections.abc import Callable
from email.utils import formatdate

import h11
import msgspec

from gephyr_core.errors import ErrorKind
from gephyr_core.http import Header, Headers

Render = Callable[[ErrorKind, str, str], tuple[int, Headers, bytes]]
"""Makes a reply of (kind, message, path): status, headers and body, in the dialect of the path."""

_REASONS = {status.value: status.phrase.encode("ascii") for status in http.HTTPStatus}
_SERVER = (b"server", b"gephyr")


def plain_error(kind: ErrorKind, message: str, path: str) -> tuple[int, Headers, bytes]:  # noqa: ARG001
    """Render an error in the OpenAI form, whatever the path: for a listener without dialects."""
    status = kind.http_status
    error_type = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": message, "type": error_type, "param": None, "code": kind.value}
    return status, [(b"content-type", b"application/json")], msgspec.json.encode({"error": error})


class DateHeader:
    """The ``Date`` header, formatted once a second (RFC 9110, section 6.6.1)."""

    __slots__ = ("_header", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._header: Header = (b"date", b"")

    def now(self) -> Header:
        """Return the header for the present second."""
        second = int(time.time())
        if second != self._second:
            self._second, self._header = second, (b"date", formatdate(second, usegmt=True).encode("ascii"))
        return self._header


class _Framing(enum.Enum):
    """How the end of a body is told."""

    NONE = enum.auto()
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    CLOSE = enum.auto()


class ResponseWriter:
    """Turns one response into bytes. The head is held until the body begins or ends, for one write.

    Chunks are framed here, in one step, because h11's way to the same bytes costs five times as much. h11
    writes the head and the last chunk and counts a body that has a length: its states stay in charge.
    """

    __slots__ = ("_framing", "_held", "_http_1_0", "_method", "_parser", "sent", "started")

    def __init__(self, parser: h11.Connection, method: str, *, http_1_0: bool) -> None:
        """*parser* has read the request; *method* is the request's."""
        self._parser = parser
        self._method = method
        self._http_1_0 = http_1_0
        self._framing = _Framing.NONE
        self._held = b""
        self.started = False
        self.sent = False
        """Whether any byte of the response was handed out."""

    @property
    def ends_by_close(self) -> bool:
        """Whether only the close of the connection ends the body, so that a cut looks like an end."""
        return self._framing is _Framing.CLOSE

    @property
    def keeps_connection(self) -> bool:
        """Whether, by both heads, the connection goes on after the end of the response."""
        return self._parser.our_state is h11.DONE

    def start(self, status: int, headers: Headers, date: Header, *, close: bool) -> None:
        """Make the head and hold it. With *close* it announces the end of the connection.

        Raises:
            h11.LocalProtocolError: The headers are malformed, or a response was started before.
        """
        fields = [*headers, date, _SERVER]
        if close:
            fields.append((b"connection", b"close"))
        if status == 204:  # RFC 9110, section 8.6
            fields = [field for field in fields if field[0] != b"content-length"]
        if self._method == "HEAD" or status in (204, 304):
            self._framing = _Framing.NONE
        elif b"content-length" in dict(fields):
            self._framing = _Framing.LENGTH
        else:
            self._framing = _Framing.CLOSE if self._http_1_0 else _Framing.CHUNKED
        response = h11.Response(status_code=status, headers=fields, reason=_REASONS.get(status, b""))
        self._held = self._parser.send(response)
        self.started = True

    def body(self, data: bytes) -> bytes:
        """Return what goes on the wire for *data*; empty when the response has no body.

        Raises:
            h11.LocalProtocolError: There is more than ``content-length`` said.
        """
        framing = self._framing
        if not data or framing is _Framing.NONE:
            return b""
        if framing is _Framing.CHUNKED:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        elif framing is _Framing.LENGTH:
            data = self._parser.send(h11.Data(data=data))
        if not self.sent:
            data, self._held, self.sent = self._held + data, b"", True
        return data

    def end(self) -> bytes:
        """Return the last bytes, with the head when it is still held.

        Raises:
            h11.LocalProtocolError: The body is shorter than ``content-length`` said.
        """
        last = self._held + self._parser.send(h11.EndOfMessage())
        self._held, self.sent = b"", True
        return last
