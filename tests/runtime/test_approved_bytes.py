"""Odd bytes of providers and clients: what is read of them, in tables that were read and approved."""

from collections.abc import Iterator

import pytest

from gephyr.runtime.upstream.chunked import MAX_SIZE_LINE, MAX_TRAILERS, ChunkedBody
from gephyr.runtime.upstream.heads import request_head
from gephyr.runtime.upstream.reply import Reply
from gephyr.server.head import HeadError, check_partial, read_head, request_line
from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.http import Origin
from tests.approved import check_table

# -- what providers answer --------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
BODIES = (b"", b"hello", b"hello world", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
HEADS = (
    *(b"content-length: 5\r\n", b"Content-Length:5 \r\n", b"content-length: 0\r\n", b"content-length: 5\r\nx: y\r\n"),
    *(
        b"content-length: 5\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5, 5\r\n",
    ),
    *(b"content-length: -5\r\n", b"content-length: +5\r\n", b"content-length: 5x\r\n", b"content-length: \r\n"),
    *(b"transfer-encoding: chunked\r\n", b"Transfer-Encoding: Chunked\r\n", b"transfer-encoding: gzip, chunked\r\n"),
    *(b"transfer-encoding: chunked\r\ncontent-length: 5\r\n", b"transfer-encoding: gzip\r\n", b""),
    *(b"connection: close\r\ncontent-length: 5\r\n", b"connection: keep-alive, Close\r\ncontent-length: 5\r\n"),
    *(b"content-length : 5\r\n", b"transfer-encoding : chunked\r\n", b"x : y\r\ncontent-length: 5\r\n"),
    *(
        b"x: a\r\n b\r\ncontent-length: 5\r\n",
        b"x: a\ncontent-length: 5\r\n",
        b": y\r\n",
        b"x\r\n",
        b"x y: z\r\n",
        b"x: \xff\r\n",
    ),
)
LINES = (
    *(b"HTTP/1.1 200\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304 Not Modified\r\n", b"HTTP/1.0 200 OK\r\n"),
    *(
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/2 200\r\n",
        b"HTTP/1.1 99 No\r\n",
        b"HTTP/1.1 1000 No\r\n",
        b"http/1.1 200 OK\r\n",
    ),
    *(
        b"HTTP/1.1 200 O\xffK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 200 OK\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"SSH-2.0\r\n",
    ),
    *(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + OK),
)


def replied(data: bytes, method: str, step: int, limit: int = 400) -> str:
    """What is read of an answer that comes in pieces."""
    reply, body = Reply(method, limit), b""
    for at in range(0, len(data), step):
        body += reply.receive(data[at : at + step])
        if reply.error or reply.complete:
            break
    found = [name for name in ("complete", "reusable", "until_closed", "begun") if getattr(reply, name)]
    return f"{reply.status} {list(reply.headers)} {body!r} {' '.join(found)} {reply.error}".rstrip()


def reply_lines() -> Iterator[str]:
    cases = [
        *((OK + head + b"\r\n" + body, "POST") for head in HEADS for body in BODIES),
        *((line + b"content-length: 5\r\n\r\nhello", "POST") for line in LINES),
        *((OK + head + b"\r\n", "HEAD") for head in HEADS[:6]),
        *(
            (OK + b"x: " + b"y" * size + b"\r\ncontent-length: 0\r\n\r\n", "GET")
            for size in (356, 357, 358, 359, 360, 361, 362)
        ),
    ]
    for data, method in cases:
        once, slowly = replied(data, method, len(data)), replied(data, method, 1)
        yield f"{method} {data!r}: {once}"
        if slowly != once:
            yield f"    byte by byte: {slowly}"


def test_each_answer_of_a_provider_is_read_as_was_approved() -> None:
    check_table("runtime-replies", reply_lines())


CODED = (
    *(
        b"5\r\nhello\r\n0\r\n\r\n",
        b"05\r\nhello\r\n0\r\n\r\n",
        b"A\r\nhello you!\r\n0\r\n\r\n",
        b"a\r\nhello you!\r\n0\r\n\r\n",
        b"0\r\n\r\n",
    ),
    *(
        b"5;a=b\r\nhello\r\n0;c\r\n\r\n",
        b"5 \r\nhello\r\n0 \t\r\n\r\n",
        b"5\t;x\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
    ),
    *(
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"g\r\n",
        b"\r\n",
        b"-1\r\n",
    ),
    *(
        b"0x5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        b"0\r\nx: y\r\n z\r\n\r\n",
        b"0\r\n z\r\n\r\n",
        b"0\r\nx y\r\n\r\n",
        b"0\r\n\r\nmore",
    ),
    *(
        b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        b"1" * 16 + b"\r\n",
        b"1" * 17 + b"\r\n",
        b"5\r\nhello\r",
        b"5\r\nhel",
        b"5\r\nhello\rx",
    ),
    *(b"5;" + b"x" * (MAX_SIZE_LINE - more) + b"\r\nhello\r\n0\r\n\r\n" for more in (3, 4, 5)),
    *(b"0\r\nx: " + b"y" * (MAX_TRAILERS - more) + b"\r\n\r\n" for more in (4, 5, 6)),
    *(b"0\r\n" + b"x: y\r\n" * many + b"\r\n" for many in (2730, 2731)),
    *(b"g\r\n" + b"x" * MAX_SIZE_LINE, b"g" + b"x" * MAX_SIZE_LINE, b"0\r\nx y\r\n" + b"x" * MAX_TRAILERS),
)


def test_each_chunked_body_is_read_as_was_approved() -> None:
    lines = []
    for data in CODED:
        for step in (len(data), 1, 3):
            coded, body = ChunkedBody(), b""
            for at in range(0, len(data), step):
                body += coded.receive(data[at : at + step])
                if coded.error or coded.complete:
                    break
            shown = data if len(data) < 80 else data[:20] + b"... of %d bytes" % len(data)
            lines.append(f"{shown!r} by {step}: {body!r} {coded.complete} {coded.excess} {coded.error}".rstrip())
    check_table("runtime-chunks", lines)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_head_tells_the_length_of_a_body_where_there_is_one_or_the_method_has_one(method: str, body: bytes) -> None:
    limits = TimeLimits(1.0, 1.0, 1.0, 1.0)
    call = CallUpstream(
        1, 1, "a", method, Origin("https", "h.test", 8443), "/x?y", [(b"a", b"b")], body, "direct", limits
    )
    head = request_head(call, [(b"authorization", b"Bearer k")])
    length = b"content-length: %d\r\n" % len(body) if body or method == "POST" else b""
    told = b"%b /x?y HTTP/1.1\r\nhost: h.test:8443\r\na: b\r\nauthorization: Bearer k\r\n%b\r\n"
    assert head == told % (method.encode(), length)


# -- what clients ask -------------------------------------------------------------------------------------------------

REQUESTS = (
    *(
        b"GET / HTTP/1.1",
        b"POST /v1/x?a=b HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET / HTTP/2",
        b"GET /",
    ),
    *(
        b"GET http://h/x HTTP/1.1",
        b"GET HTTPS://H:8/ HTTP/1.1",
        b"GET http://h HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET * HTTP/1.1",
    ),
    *(
        b"OPTIONS http://h HTTP/1.1",
        b"CONNECT h:443 HTTP/1.1",
        b"CONNECT http://h/ HTTP/1.1",
        b"GET ftp://h/ HTTP/1.1",
        b"GET /\xc3\xa9 HTTP/1.1",
    ),
    *(
        b"GET http://u@h/ HTTP/1.1",
        b"GET http://h?q HTTP/1.1",
        b"M-SEARCH / HTTP/1.1",
        b"\x16\x03\x01 / HTTP/1.1",
        b"GET x HTTP/1.1",
    ),
)
FIELDS = (
    *(
        b"host: h\r\n",
        b"host:h:80\r\n",
        b"",
        b"host: h\r\nhost: i\r\n",
        b"host: h i\r\n",
        b"host: \r\n",
        b"host: [::1]:80\r\n",
    ),
    *(
        b"host: h\r\ncontent-length: 5\r\n",
        b"host: h\r\ncontent-length: 5, 5\r\n",
        b"host: h\r\ncontent-length: 5\r\ncontent-length: 5\r\n",
    ),
    *(
        b"host: h\r\ncontent-length: x\r\n",
        b"host: h\r\ntransfer-encoding: chunked\r\n",
        b"host: h\r\ntransfer-encoding: gzip\r\n",
    ),
    *(
        b"host: h\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"host: h\r\nexpect: 100-continue\r\ncontent-length: 5\r\n",
    ),
    *(
        b"host: h\r\nconnection: close\r\n",
        b"host: h\r\nconnection: keep-alive\r\n",
        b"host: h\r\nx: a\r\n b\r\n",
        b"host: h\r\nx : y\r\n",
    ),
    *(b"host: h\r\nx: y\n", b"host: h\r\nx\r\n", b"host: h\r\nx: a\0b\r\n", b"host: h\r\nX-A:  y \t\r\nx-a: z\r\n"),
)


def asked(raw: bytes, limit: int = 300) -> str:
    """What is read of a request's head."""
    try:
        check_partial(raw[: len(raw) // 2], 0, 0, limit)
        head = read_head(raw, limit)
    except HeadError as error:
        return f"{error.kind.value}: {error} {request_line(raw)}"
    flags = [name for name in ("http_1_0", "keep", "awaits_continue") if getattr(head, name)]
    return f"{head.method} {head.target} {head.headers} {head.length} {' '.join(flags)}"


def test_each_head_of_a_request_is_read_as_was_approved() -> None:
    heads = [
        *(line + b"\r\nhost: h\r\n\r\n" for line in REQUESTS),
        *(b"POST / HTTP/1.1\r\n" + fields + b"\r\n" for fields in FIELDS),
        *(b"POST / HTTP/1.0\r\n" + fields + b"\r\n" for fields in FIELDS),
        *(b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"y" * size + b"\r\n\r\n" for size in (266, 267, 268, 269, 270, 271)),
    ]
    check_table("server-heads", [f"{raw!r}: {asked(raw)}" for raw in heads])
