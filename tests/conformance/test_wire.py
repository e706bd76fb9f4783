"""Cases about bytes on a socket: what an ASGI host does for the application, the server does itself."""

import json
from typing import cast

import h11
import pytest

from tests.conformance.conftest import Serve
from tests.conformance.front_ends import ServerFrontEnd, account
from tests.conformance.samples import CHAT, SAMPLES, Sample, told_error
from tests.conformance.talk import AUTHORIZED, FrontEnd
from tests.conformance.upstream import Reply

pytestmark = [pytest.mark.anyio, pytest.mark.wire]
HOST = (b"host", b"gateway")


def server(front: FrontEnd) -> ServerFrontEnd:
    return cast("ServerFrontEnd", front)


async def raw(front: FrontEnd, data: bytes) -> bytes:
    """Send *data* on a new connection and return what comes until the server closes."""
    talk = await server(front).connect()
    talk.writer.write(data)
    return await talk.until_closed()


async def test_a_client_that_waits_is_told_to_go_on_if_its_body_is_wanted(serve: Serve) -> None:
    """100 first, then the answer."""
    async with serve(account("a")) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply])
        talk = await server(front).connect()
        length = (b"content-length", b"%d" % len(CHAT.body))
        talk.start("POST", CHAT.path, [HOST, AUTHORIZED, length, (b"expect", b"100-continue")])
        event = await talk.event()
        assert (type(event), event.status_code) == (h11.InformationalResponse, 100)
        talk.send(CHAT.body, last=True)
        assert (await talk.head())[0] == 200
        assert await talk.rest() == CHAT.reply


async def test_a_client_that_waits_is_not_told_to_go_on_for_a_refusal(serve: Serve) -> None:
    """Without a key, or with a body over the limit, the answer comes at once."""
    async with serve(account("a"), server={"max_body_size": 1000}) as front:
        for headers, status in (((HOST,), 401), ((HOST, AUTHORIZED), 413)):
            talk = await server(front).connect()
            talk.start("POST", CHAT.path, [*headers, (b"content-length", b"1001"), (b"expect", b"100-continue")])
            event = await talk.event()
            assert (type(event), event.status_code) == (h11.Response, status)


@pytest.mark.parametrize("sample", SAMPLES[:-1], ids=lambda sample: sample.name)
async def test_a_malformed_head_is_400_in_the_dialect_of_its_path(serve: Serve, sample: Sample) -> None:
    """Both a length and chunks: nobody knows where that request ends, so the connection does."""
    async with serve(account("a", sample.provider)) as front:
        lines = [f"POST {sample.path} HTTP/1.1", "Host: h", "Content-Length: 5", "Transfer-Encoding: chunked", "", ""]
        data = await raw(front, "\r\n".join(lines).encode() + b"0\r\n\r\n")
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in head.lower()
        told_error(sample.name, json.loads(body))
        assert not front.upstream.calls


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """Although the second could be answered first."""
    async with serve(account("a")) as front:
        talk = await server(front).connect()
        length = b"Content-Length: %d" % len(CHAT.body)
        first = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a-client-key\r\n" + length
        second = b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        talk.writer.write(first + b"\r\n\r\n" + CHAT.body + second)
        call = await front.upstream.called()
        await call.play(Reply([CHAT.reply]))
        data = await talk.until_closed()
        assert data.count(b"HTTP/1.1 200 ") == 2
        assert data.index(CHAT.reply) < data.rindex(b"HTTP/1.1 200 ")


async def test_head_has_no_body_on_the_wire(serve: Serve) -> None:
    """The head is that of ``GET``."""
    async with serve(account("a")) as front:
        data = await raw(front, b"HEAD /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 200 ")
        assert data.endswith(b"\r\n\r\n")
