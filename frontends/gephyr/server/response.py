"""Responses on the wire: the bytes of heads, bodies and ends."""

import enum
import http
import time
from collections.abc import Callable
from email.utils import formatdate

import msgspec

from gephyr.runtime.fields import write_head
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Header, Headers, header

Render = Callable[[ErrorKind, str, str, Headers], tuple[int, Headers, bytes]]
"""Makes a reply of (kind, message, target, request's headers): status, headers and body, in the client's dialect."""

_STATUS_LINES = {s.value: b"HTTP/1.1 %d %b" % (s.value, s.phrase.encode("ascii")) for s in http.HTTPStatus}
_JOINED = 65536
"""Bytes of a body that go out in one piece with their head; a whole reply of 20 MB is not copied for that."""
_SERVER = (b"server", b"gephyr")
_CHUNKED = (b"Transfer-Encoding", b"chunked")
_CLOSE = (b"Connection", b"close")


def plain_error(kind: ErrorKind, message: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:  # noqa: ARG001
    """Render an error in the OpenAI form, whoever asks: for a listener without dialects."""
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

    The bytes are those that h11 would write, at a sixth of the cost; a property test holds them against h11's.
    """

    __slots__ = ("_closing", "_ended", "_framing", "_held", "_http_1_0", "_left", "_method", "sent", "started")

    def __init__(self, method: str, *, http_1_0: bool, keep: bool) -> None:
        """*method* is the request's; *keep* says whether its client wants to use the connection again."""
        self._method = method
        self._http_1_0 = http_1_0
        self._closing = not keep
        self._framing = _Framing.NONE
        self._left = 0
        """Bytes of the body still to come, where its length is known."""
        self._held = b""
        self._ended = False
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
        return self._ended and not self._closing

    def start(self, status: int, headers: Headers, date: Header, *, close: bool) -> None:
        """Make the head and hold it. With *close* it announces the end of the connection.

        Raises ``ValueError`` when the headers are malformed or a response was started before.
        """
        if self.started:
            raise ValueError("the response was started twice")
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is no status of a final response")
        self.started = True
        fields = [*headers, date, _SERVER]
        if status == 204:  # RFC 9110, section 8.6
            fields = [field for field in fields if field[0] != b"content-length"]
        elif status != 304:
            self._choose_framing(fields)
        if close or self._closing or self._framing is _Framing.CLOSE:
            self._closing = True
            fields.append(_CLOSE)
        first_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status
        self._held = write_head(first_line, fields)

    def _choose_framing(self, fields: list[Header]) -> None:
        """Choose how the end of the body is told (RFC 9112, section 6), and say so in *fields*."""
        length = header(fields, b"content-length")
        if length is not None:
            self._framing, self._left = _Framing.LENGTH, int(length)
        elif not self._http_1_0:
            self._framing = _Framing.CHUNKED
            fields.append(_CHUNKED)
        else:
            self._framing = _Framing.CLOSE
        if self._method == "HEAD":
            self._framing = _Framing.NONE

    def take_head(self, following: int) -> bytes:
        """Return the head alone if the *following* bytes of the body would cost more to copy than a second write."""
        if self.sent or following <= _JOINED or self._framing is not _Framing.LENGTH:
            return b""
        head, self._held, self.sent = self._held, b"", True
        return head

    def body(self, data: bytes) -> bytes:
        """Return what goes on the wire for *data*; empty when the response has no body.

        Raises ``ValueError`` when there is more than ``content-length`` said, or the body has no place now.
        """
        if not self.started or self._ended:
            raise ValueError("a body outside of a response")
        framing = self._framing
        if not data:
            return b""
        if framing is _Framing.CHUNKED:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        elif framing is _Framing.NONE:
            return b""
        elif framing is _Framing.LENGTH:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("the body is longer than its content-length")
        if not self.sent:
            data, self._held, self.sent = self._held + data, b"", True
        return data

    def end(self) -> bytes:
        """Return the last bytes, with the head when it is still held.

        Raises ``ValueError`` when the body is shorter than ``content-length`` said, or no response was started.
        """
        if not self.started or self._ended:
            raise ValueError("the end of no response")
        if self._framing is _Framing.LENGTH and self._left:
            raise ValueError("the body is shorter than its content-length")
        last = self._held + b"0\r\n\r\n" if self._framing is _Framing.CHUNKED else self._held
        self._held, self.sent, self._ended = b"", True, True
        return last
