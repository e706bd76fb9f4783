"""Request heads: the usual ones read by one pattern, all others by h11, and what h11 leaves to its user checked.

h11 is lenient where a proxy before the gateway may be lenient in another way, and every such difference can
hide a second request inside the first (RFC 9112, section 11.2). What h11 leaves to its user is refused here:
folded lines, lines that end in a bare LF, several lengths, a length beside a transfer coding, a transfer coding in
HTTP/1.0, control characters in values, and URLs without a host.

A usual head leaves nothing to interpret: HTTP/1.1, a path for a target, plain lines, no name twice, and neither
a transfer coding nor an expectation. It is read at a fifth of h11's cost, and a property test holds what comes
out against h11's reading.
"""

import re

import attrs
import h11

from gephyr.runtime.fields import closes, has_controls, read_fields
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Header

_USUAL_LINE = re.compile(rb"([A-Z]+) (/[!\"$-~]*) HTTP/1\.1\r\n")  # without "#": a fragment is the client's own
_USUAL_LENGTH = re.compile(rb"[0-9]{1,20}")
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_AUTHORITY = re.compile(r"(?!:)[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]+")
_ABSOLUTE = re.compile(r"https?://([^/?]*)", re.IGNORECASE)
_TELLING = re.compile(
    rb"\n(origin|anthropic-version|x-goog-api-client|x-goog-api-key):[ \t]*([!-~]*)[^\r\n]*(?=\r?\n)", re.IGNORECASE
)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_READ_OF_REFUSED = 8192
"""Bytes in which line and telling headers of a refused head are looked for."""


class HeadError(Exception):
    """A request is refused for its form; the text is for the client, whose connection closes after it."""

    def __init__(self, message: str, kind: ErrorKind = ErrorKind.BAD_REQUEST) -> None:
        super().__init__(message)
        self.kind = kind


@attrs.frozen
class RequestHead:
    """A request head that passed."""

    method: str
    target: str
    """Origin-form, or ``*``."""
    headers: list[Header]
    length: int | None
    """Bytes of the body; None when it is chunked."""
    http_1_0: bool = False
    keep: bool = True
    """The client may send another request on this connection."""
    awaits_continue: bool = False
    """The client sends the body only once it is told to (RFC 9110, section 10.1.1)."""


def check_partial(raw: bytes, start: int, searched: int, max_size: int) -> None:
    """Refuse the beginning of a head that cannot become a good one, so that nobody waits for the rest.

    The head begins at *start* in *raw*; its first *searched* bytes were looked at before.

    Raises:
        HeadError: It is too large, not HTTP (a TLS greeting, say), or has a line that ends in a bare LF.
    """
    if raw[start] < 0x21 and raw[start] != 0x0D:
        raise HeadError("the request line is not HTTP/1.1")
    if _BARE_LF.search(raw, start + searched):
        raise HeadError("a line of the request head does not end in CRLF")
    if len(raw) - start > max_size:
        raise HeadError(f"the request head is larger than {max_size} bytes", ErrorKind.HEAD_TOO_LARGE)


def read_head(raw: bytes, max_size: int) -> RequestHead:
    """Read and check the complete head *raw* (blank line included).

    Raises:
        HeadError: The head is malformed, too large, or its framing is ambiguous.
    """
    if len(raw) > max_size:
        raise HeadError(f"the request head is larger than {max_size} bytes", ErrorKind.HEAD_TOO_LARGE)
    return read_usual(raw) or read_by_h11(raw)


def read_usual(raw: bytes) -> RequestHead | None:
    """Read a usual head; None for any other, which may be good or bad."""
    line = _USUAL_LINE.match(raw)
    headers = None if line is None else read_fields(raw, line.end(), strict=True)
    if line is None or headers is None:
        return None
    fields = dict(headers)
    host = fields.get(b"host")
    if len(fields) != len(headers) or host is None or not _HOST.fullmatch(host):
        return None
    if b"transfer-encoding" in fields or b"expect" in fields:
        return None
    length = fields.get(b"content-length", b"0")
    if not _USUAL_LENGTH.fullmatch(length):
        return None
    return RequestHead(line[1].decode(), line[2].decode(), headers, int(length), keep=not closes(headers))


def read_by_h11(raw: bytes) -> RequestHead:
    """Have h11 read a head, and check what it leaves to us.

    Raises:
        HeadError: The head is malformed, or its framing is ambiguous.
    """
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raise HeadError("a line of the request head does not end in CRLF")
    if b"\r\n " in raw or b"\r\n\t" in raw:
        raise HeadError("a header is folded over several lines")
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(raw)
    try:
        request = parser.next_event()
    except h11.RemoteProtocolError as error:
        # Some of h11's messages end with the line at fault, which may hold a credential.
        raise HeadError(str(error).partition(": bytearray")[0]) from None
    if type(request) is not h11.Request:
        raise HeadError("the request head is malformed")
    if has_controls(request.headers.raw_items()):
        raise HeadError("a header has a control character")
    headers = [(name.lower(), value) for name, value in request.headers.raw_items()]
    length = _body_length(raw, request.http_version, dict(headers))
    method, target = request.method.decode("ascii"), request.target.decode("ascii")
    if "#" in target:
        raise HeadError("the request target has a fragment")
    if target[0] != "/":
        target, headers = _origin_form(method, target, headers)
    http_1_0 = request.http_version == b"1.0"
    keep = not http_1_0 and not closes(headers)
    return RequestHead(method, target, headers, length, http_1_0, keep, parser.they_are_waiting_for_100_continue)


def _body_length(raw: bytes, version: bytes, fields: dict[bytes, bytes]) -> int | None:
    """Tell the body's length by RFC 9112, section 6.3, refusing what two readers could read in two ways."""
    if version not in (b"1.1", b"1.0"):
        raise HeadError("only HTTP/1.1 and HTTP/1.0 are spoken here")
    if not _HOST.fullmatch(fields.get(b"host", b"")):
        raise HeadError("the Host header is malformed")
    length = fields.get(b"content-length")
    if b"transfer-encoding" in fields:  # h11 lets nothing but "chunked" through
        if length is not None:
            raise HeadError("both Content-Length and Transfer-Encoding are given")
        if version == b"1.0":
            raise HeadError("HTTP/1.0 has no Transfer-Encoding")
        return None
    if length is None:
        return 0
    # h11 folds equal lengths ("5, 5", or two headers) into one; only the raw head still shows them.
    lines = raw.lower().split(b"\ncontent-length:")
    if len(lines) != 2 or lines[1].partition(b"\r")[0].strip(b" \t") != length:
        raise HeadError("more than one Content-Length is given")
    return int(length)


def _origin_form(method: str, target: str, headers: list[Header]) -> tuple[str, list[Header]]:
    """Reduce an absolute-form target to origin-form; its authority is the host (RFC 9112, section 3.2.2)."""
    if method == "OPTIONS" and target == "*":
        return target, headers
    absolute = _ABSOLUTE.match(target)
    if absolute is None or method == "CONNECT" or not _AUTHORITY.fullmatch(absolute[1]):
        raise HeadError("the request target is neither a path nor an http(s) URL")
    rest = target[absolute.end() :]
    if not rest.startswith("/"):
        rest = "*" if method == "OPTIONS" and not rest else "/" + rest
    host = absolute[1].encode("ascii")
    return rest, [(b"host", host), *(header for header in headers if header[0] != b"host")]


def request_line(raw: bytes) -> tuple[str, str]:
    """Make out method and path of a request that was refused; an unreadable path is ``/``."""
    words = raw[:_READ_OF_REFUSED].partition(b"\n")[0].decode("latin-1").split(" ")
    target = words[1].strip() if len(words) > 1 else ""
    path = _ABSOLUTE.sub("", target, count=1).partition("?")[0]
    return words[0], path if path.startswith("/") else "/"


def telling_headers(raw: bytes) -> tuple[Header, ...]:
    """Make out those headers of a request that was refused which say how to tell it: the ``origin``, so that the page
    that made it may read why, and what shows whose API's client it is."""
    found = _TELLING.finditer(raw[:_READ_OF_REFUSED].partition(b"\r\n\r\n")[0] + b"\r\n")
    return tuple((match[1].lower(), match[2]) for match in found)
