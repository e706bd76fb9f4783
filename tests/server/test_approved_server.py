"""What the server answers to whole connections of raw bytes, byte by byte too: in a table that was read and approved."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from gephyr_core.events import ClientGone, RequestBody, RequestEnded, RequestStarted
from tests.approved import check_table
from tests.server.world import World, serving

HOST = b"Host: h\r\n"
END = b"Connection: close\r\n"


def get(target: bytes, headers: bytes = b"", *, last: bool = True) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + headers + (END if last else b"") + b"\r\n"


def post(target: bytes, body: bytes, headers: bytes = b"", *, last: bool = True) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + length + headers + (END if last else b"") + b"\r\n" + body


def chunked(target: bytes, body: bytes, headers: bytes = b"") -> bytes:
    return (
        b"POST " + target + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n" + headers + END + b"\r\n" + body
    )


CONNECTIONS: dict[str, bytes] = {
    "a get": get(b"/x"),
    "a get that keeps": get(b"/x", last=False) + get(b"/y"),
    "three at once": get(b"/x", last=False) + post(b"/y", b"hello", last=False) + get(b"/z"),
    "a head": b"HEAD /x HTTP/1.1\r\n" + HOST + END + b"\r\n",
    "HTTP/1.0": b"GET /x HTTP/1.0\r\n" + HOST + b"\r\n",
    "HTTP/1.0 that keeps": b"GET /x HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n",
    "blank lines before": b"\r\n\r\n" + get(b"/x"),
    "a post": post(b"/x", b"hello"),
    "an empty post": post(b"/x", b""),
    "more than its length": post(b"/x", b"hello") + b"more",
    "more that is a request": post(b"/x", b"hello", last=False) + get(b"/y"),
    "more that is none": post(b"/x", b"hello", last=False) + b"odd\r\n\r\n",
    "in chunks": chunked(b"/x", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
    "in chunks, with a trailer": chunked(b"/x", b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
    "in bad chunks": chunked(b"/x", b"x\r\nhello\r\n0\r\n\r\n"),
    "in chunks without an end": chunked(b"/x", b"5\r\nhello\r\n"),
    "less than its length": post(b"/x", b"hello")[:-2],
    "waits for leave": post(b"/x", b"hello", b"Expect: 100-continue\r\n"),
    "waits for leave and is refused": post(b"/refuse", b"hello", b"Expect: 100-continue\r\n"),
    "expects the odd": post(b"/x", b"hello", b"Expect: odd\r\n"),
    "is refused": post(b"/refuse", b"hello", last=False) + get(b"/y"),
    "is refused with much": post(b"/refuse", b"x" * 70000, last=False) + get(b"/y"),
    "is too large": post(b"/small", b"x" * 20, last=False) + get(b"/y"),
    "is too large, in chunks": chunked(b"/small", b"14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"),
    "a stream": get(b"/stream"),
    "a stream for HTTP/1.0": b"GET /stream HTTP/1.0\r\n" + HOST + b"\r\n",
    "a stream for a head": b"HEAD /stream HTTP/1.1\r\n" + HOST + END + b"\r\n",
    "nothing": get(b"/empty"),
    "nothing, then more": get(b"/empty", last=False) + get(b"/y"),
    "an upgrade": get(b"/upgrade", b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "a key in its target": get(b"/x?key=secret&a=b"),
    "a key in its head": get(b"/x", b"Authorization: Bearer secret\r\nX-Api-Key: other\r\nCookie: a=b\r\n"),
    "a head that is too large": get(b"/x", b"X: " + b"y" * 3000 + b"\r\n"),
    "a head that just fits": get(b"/x", b"X: " + b"y" * 1900 + b"\r\n"),
    "a head without an end": b"GET /x HTTP/1.1\r\n" + HOST,
    "another protocol": b"SSH-2.0-x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "nothing at all": b"",
    "a bare LF": b"GET /x HTTP/1.1\nHost: h\n\n",
    "an absolute target": b"GET http://other:8/x?y HTTP/1.1\r\n" + HOST + END + b"\r\n",
    "an odd host": b"GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
    "no host": b"GET /x HTTP/1.1\r\n\r\n",
    "a message path that is refused": b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n",
}


UNFINISHED = ("in chunks without an end", "less than its length", "a head without an end", "nothing at all")
"""Where the client ends the connection."""
WHOLE = (
    *(
        "a get",
        "a get that keeps",
        "three at once",
        "a head",
        "HTTP/1.0",
        "blank lines before",
        "a post",
        "an empty post",
    ),
    *("in chunks", "in chunks, with a trailer", "waits for leave", "a stream", "nothing", "an absolute target"),
)
"""Where the server reads all that comes."""


def told(world: World) -> Iterator[str]:
    """What the core was told, of each request."""
    for exchange, started in world.core.started.items():
        headers = [(name, value) for name, value in started.headers if name not in (b"host", b"connection")]
        secrets = [digest[:6] for digest in started.credentials]
        body = bytes(world.core.bodies[exchange])
        ended = any(isinstance(one, RequestEnded) and one.exchange == exchange for one in world.core.events)
        gone = any(isinstance(one, ClientGone) and one.exchange == exchange for one in world.core.events)
        shown = body if len(body) < 60 else body[:10] + b"... of %d" % len(body)
        yield (
            f"core {exchange}: {started.method} {started.target} {[pair for pair in headers if len(pair[1]) < 200]} "
            f"keys {secrets} body {shown!r}{', ended' if ended else ''}{', gone' if gone else ''}"
        )


def answer(data: bytes) -> Iterator[str]:
    """What came back, without what changes: long repetitions are counted."""
    data = re.sub(rb"req_[0-9a-f]+", b"req_1", re.sub(rb"date: [^\r]*", b"date: now", data))
    text = re.sub(rb"(HTTP/1\.1 \d+) [^\r]*", rb"\1", data).decode("latin-1")  # phrases are Python's, and change
    parts = re.split(r"(?=HTTP/1\.1 )", text)
    shown = [part for part in parts if part]
    for at, part in enumerate(shown):
        if at < 3 or at == len(shown) - 1:
            yield f"back: {part!r}"
    if len(shown) > 4:
        yield f"back: {len(shown)} answers"


async def spoken(data: bytes, step: int, *, ends: bool) -> list[str]:
    """One connection, to its end: the server's, or the client's where it *ends* first."""
    async with serving(max_header_size=2048) as world:
        client = await world.connect()
        for at in range(0, len(data), step):
            client.send(data[at : at + step])
            await client.writer.drain()
        if ends:
            client.writer.write_eof()
        back = await client.read_all()
    return [*told(world), *answer(back)]


def test_each_connection_is_answered_as_was_approved() -> None:
    lines: list[str] = []
    for name, data in CONNECTIONS.items():
        lines += [f"## {name}", *asyncio.run(spoken(data, max(1, len(data)), ends=name in UNFINISHED))]
    check_table("server-connections", lines)


@pytest.mark.parametrize("name", WHOLE)
def test_a_connection_that_comes_byte_by_byte_is_answered_alike(name: str) -> None:
    data = CONNECTIONS[name]
    slowly, at_once = (asyncio.run(spoken(data, step, ends=False)) for step in (1, len(data)))
    assert slowly == at_once


def test_each_request_is_told_once_and_in_its_order() -> None:
    async def events() -> list[object]:
        async with serving() as world:
            await world.talk(get(b"/x", last=False) + post(b"/y", b"hello", last=False) + get(b"/z"))
            return world.core.events

    kinds_of = [type(event) for event in asyncio.run(events())]
    one, body = [RequestStarted, RequestEnded], [RequestStarted, RequestBody, RequestEnded]
    assert kinds_of == [*one, *body, *one]
