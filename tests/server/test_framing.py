"""What may hide a second request inside a first is refused, and the connection closed."""

import pytest

from gephyr.runtime.service import render_error
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Headers
from tests.server.world import responses, serving

pytestmark = pytest.mark.anyio

HOST = b"Host: h\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SECOND = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /x HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


REFUSED = {
    "length and transfer coding": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"),
    "transfer coding and length": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
    "the same length twice": post(b"Content-Length: 5\r\ncontent-length: 5\r\n", b"hello"),
    "a list of lengths": post(b"Content-Length: 5, 5\r\n", b"hello"),
    "a length with a sign": post(b"Content-Length: +5\r\n", b"hello"),
    "a negative length": post(b"Content-Length: -1\r\n"),
    "a hexadecimal length": post(b"Content-Length: 0x5\r\n", b"hello"),
    "an empty length": post(b"Content-Length: \r\n"),
    "an endless length": post(b"Content-Length: " + b"9" * 40 + b"\r\n"),
    "a coding before chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "two transfer codings": post(CHUNKED + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "an empty transfer coding": post(b"Transfer-Encoding:\r\n"),
    "a coding behind a control character": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "transfer coding in HTTP/1.0": b"POST /x HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n",
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a folded header": post(b"X-A: b\r\n Content-Length: 5\r\n"),
    "a header folded with a tab": post(b"X-A: b\r\n\tc\r\n"),
    "a folded first header": b"GET /x HTTP/1.1\r\n " + HOST + b"\r\n",
    "a bare LF between headers": b"GET /x HTTP/1.1\r\nHost: h\nX-A: b\r\n\r\n",
    "a head in bare LFs": b"GET /x HTTP/1.1\nHost: h\n\n",
    "a bare LF at the end": b"GET /x HTTP/1.1\r\nHost: h\r\n\n",
    "a bare CR in a value": b"GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\rc\r\n\r\n",
    "a NUL in a value": b"GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\x00c\r\n\r\n",
    "a control character in a value": b"GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\x01c\r\n\r\n",
    "an escape in a value": b"GET /x HTTP/1.1\r\nHost: h\r\nX-A: \x1b[2J\r\n\r\n",
    "a DEL in a value": b"GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\x7f\r\n\r\n",
    "a control character in a value that h11 reads": post(b"X-A: \x1f\r\n" + CHUNKED, b"0\r\n\r\n"),
    "a form feed at the end of a value": post(b"X-A: b\x0c\r\n"),
    "a control character in a header name": b"GET /x HTTP/1.1\r\nHost: h\r\nX\x01A: b\r\n\r\n",
    "a header name with a slash": b"GET /x HTTP/1.1\r\nHost: h\r\nX/A: b\r\n\r\n",
    "a header name that is not ASCII": b"GET /x HTTP/1.1\r\nHost: h\r\nX\xe4: b\r\n\r\n",
    "a header without a colon": b"GET /x HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n",
    "an empty header name": b"GET /x HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
    "no host": b"GET /x HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a malformed host": b"GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /x HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET /x HTTP/1.2\r\n\r\n",
    "a target with a space": b"GET /x y HTTP/1.1\r\nHost: h\r\n\r\n",
    "a relative target": b"GET x HTTP/1.1\r\nHost: h\r\n\r\n",
    "a target with user information": b"GET http://user@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "a target with a password": b"GET http://user:marked@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "a URL without a host": b"GET http:///path HTTP/1.1\r\nHost: h\r\n\r\n",
    "a URL with nothing": b"GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
    "a URL without a host that has a query": b"GET https://?a=b HTTP/1.1\r\nHost: h\r\n\r\n",
    "a URL with a port alone": b"GET http://:80/path HTTP/1.1\r\nHost: h\r\n\r\n",
    "a URL without a host for OPTIONS": b"OPTIONS http:// HTTP/1.1\r\nHost: h\r\n\r\n",
    "a URL without slashes": b"GET http:/path HTTP/1.1\r\nHost: h\r\n\r\n",
    "a fragment": b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n",
    "a fragment in a query": b"GET /x?a=b#y HTTP/1.1\r\nHost: h\r\n\r\n",
    "a target that is not ASCII": b"GET /\xc3\xbc HTTP/1.1\r\nHost: h\r\n\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    "an authority for GET": b"GET h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    "another scheme": b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "an asterisk for GET": b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
    "CONNECT": b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a chunk size that is no number": post(CHUNKED, b"xyz\r\n"),
    "a chunk size with a prefix": post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a sign": post(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"),
    "an endless chunk size": post(CHUNKED, b"f" * 30 + b"\r\n"),
    "a chunk size of 17 digits": post(CHUNKED, b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size of 17 digits for the end": post(CHUNKED, b"0" * 17 + b"\r\n\r\n"),
    "a chunk size with a plus": post(CHUNKED, b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size behind a blank": post(CHUNKED, b" 5\r\nhello\r\n0\r\n\r\n"),
    "an empty chunk size": post(CHUNKED, b";a\r\n"),
    "an empty line for a chunk": post(CHUNKED, b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with an underscore": post(CHUNKED, b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n"),
    "a control character in a chunk extension": post(CHUNKED, b"5;a=\x01\r\nhello\r\n0\r\n\r\n"),
    "a bare CR in a chunk extension": post(CHUNKED, b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "a bare LF in a chunk extension": post(CHUNKED, b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "an endless chunk extension": post(CHUNKED, b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
    "an endless number of chunk extensions": post(CHUNKED, (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 20),
    "a chunk that ends in a bare CR": post(CHUNKED, b"5\r\nhello\r0\r\n\r\n"),
    "a control character in a trailer": post(CHUNKED, b"0\r\nA: \x01\r\n\r\n"),
    "a folded trailer": post(CHUNKED, b"0\r\nA: b\r\n c\r\n\r\n"),
    "a trailer with a bare LF": post(CHUNKED, b"0\r\nA: b\nC: d\r\n\r\n"),
    "endless trailers": post(CHUNKED, b"0\r\n" + b"A: b\r\n" * 20000),
    "a chunk longer than its size": post(CHUNKED, b"4\r\nhello\r\n0\r\n\r\n"),
    "a chunk shorter than its size": post(CHUNKED, b"6\r\nhello\r\n0\r\n\r\n"),
    "a chunk size that ends in a bare LF": post(CHUNKED, b"5\nhello\r\n0\r\n\r\n"),
    "chunks that end in a bare LF": post(CHUNKED, b"0\r\n\n"),
    "trailers that end in bare LFs": post(CHUNKED, b"0\r\nA: b\n\n"),
    "a malformed trailer": post(CHUNKED, b"0\r\nnonsense\r\n\r\n"),
}


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED.keys())
async def test_an_ambiguous_request_is_refused_and_its_connection_closed(request_bytes: bytes) -> None:
    """One 400, announced as the last, whatever follows; the bytes behind it are never taken for a request."""
    async with serving() as world:
        [(status, headers, body)] = responses(await world.talk(request_bytes + SECOND))
    assert (status, headers[b"connection"]) == (400, b"close")
    assert b'"bad_request"' in body
    assert "/smuggled" not in [started.target for started in world.core.started.values()]


ALLOWED = {
    "empty lines before the request": b"\r\n\r\n" + post(b"Content-Length: 5\r\n", b"hello"),
    "chunked in capitals": post(b"transfer-encoding: CHUNKED\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "chunk extensions": post(CHUNKED, b"2;a=b\r\nhe\r\n3;c\r\nllo\r\n0;d\r\n\r\n"),
    "trailers": post(CHUNKED, b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n"),
    "a chunk size of 16 digits": post(CHUNKED, b"0" * 15 + b"5\r\nhello\r\n" + b"0" * 16 + b"\r\n\r\n"),
    "blanks behind a chunk size": post(CHUNKED, b"5 \t\r\nhello\r\n0 \r\n\r\n"),
    "a chunk extension in quotes, and one that is not ASCII": post(
        CHUNKED, b'5;a="b;c" ; d=\xe4\r\nhello\r\n0\r\n\r\n'
    ),
    "a value with a tab, and one that is not ASCII": post(b"X-A: b\tc\r\nX-B: \xe4\r\nContent-Length: 5\r\n", b"hello"),
    "blanks around a length": post(b"Content-Length: \t 5 \r\n", b"hello"),
}


@pytest.mark.parametrize("request_bytes", ALLOWED.values(), ids=ALLOWED.keys())
async def test_unusual_but_unambiguous_requests_are_served(request_bytes: bytes) -> None:
    """Strictness ends where RFC 9112 leaves no doubt; the request behind is found too."""
    async with serving() as world:
        last = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        first, second = responses(await world.talk(request_bytes + last))
    assert first[2] == b'["POST","/x","h","hello"]'
    assert second[2] == b'["GET","/last","h",""]'


async def test_a_refusal_never_quotes_a_header_line() -> None:
    """A malformed line may hold a credential, and error replies end up in logs."""
    async with serving() as world:
        data = await world.talk(b"GET /x HTTP/1.1\r\nHost: h\r\nAuthorization : Bearer marked\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 400 ")
    assert b"marked" not in data


@pytest.mark.parametrize(
    ("request_bytes", "path"),
    [
        (b"GET /v1/messages?key=marked HTTP/1.1\r\n\r\n", "/v1/messages"),
        (b"GET http://h/v1beta/models HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n", "/v1beta/models"),
        (b"POST /v1/messages?a=b HTTP/1.1\r\nHost: h\r\n" + CHUNKED + b"\r\nxyz\r\n", "/v1/messages?a=b"),
        (b"nonsense\r\n\r\n", "/"),
    ],
)
async def test_a_refusal_is_rendered_for_the_path_that_was_asked(request_bytes: bytes, path: str) -> None:
    """The renderer is told the target and the headers, so that the reply can be in the client's dialect."""
    asked = []

    def render(kind: ErrorKind, message: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        asked.append(target)
        return kind.http_status, [], message.encode()

    async with serving(render=render) as world:
        [(status, _, _)] = responses(await world.talk(request_bytes))
    assert (status, asked) == (400, [path])


ANTHROPICS = b"anthropic-version: 2026-10-21\r\n"
GOOGLES = b"X-Goog-Api-Key: marked\r\n"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (b"", b'"code":null'),
        (ANTHROPICS, b'"type":"error"'),
        (b"Authorization: Bearer marked\r\n" + ANTHROPICS + GOOGLES, b'"type":"error"'),
        (GOOGLES, b'"status":"INVALID_ARGUMENT"'),
        (b"x-goog-api-client: gl-node/22 x\r\n", b'"status":"INVALID_ARGUMENT"'),
    ],
)
@pytest.mark.parametrize("fault", [b"Content-Length: 1, 2\r\n", b"no header\r\n", CHUNKED])
async def test_a_refused_request_is_answered_in_the_dialect_of_the_client_that_it_shows(
    headers: bytes, told: bytes, fault: bytes
) -> None:
    """``/v1/files`` is on three APIs: the headers tell which, also where the head as a whole cannot be read."""
    request = b"POST /v1/files HTTP/1.1\r\n" + HOST + headers + fault + b"\r\nxyz\r\n"
    async with serving(render=render_error) as world:
        data = await world.talk(request)
    assert data.startswith(b"HTTP/1.1 400 ")
    assert told in data
    assert b"marked" not in data
