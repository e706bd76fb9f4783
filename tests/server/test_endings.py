"""How connections end: clients that leave, bodies that nobody wants, and the graceful stop."""

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from gephyr.server import connection as connection_module
from gephyr_core.commands import AbortResponse, EndResponse, SendBody, StartResponse
from gephyr_core.events import ClientGone, RequestBody, RequestEnded, RequestStarted
from tests.server.world import Client, World, reply, responses, serving
from tests.waiting import WAIT, until

pytestmark = pytest.mark.anyio

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
WAITING = b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"


def close(client: Client) -> None:
    client.writer.close()


def half_close(client: Client) -> None:
    client.writer.write_eof()


def reset(client: Client) -> None:
    connection = client.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


@pytest.mark.parametrize("leave", [close, half_close, reset])
@pytest.mark.parametrize("path", [b"/wait", b"/unread", b"/start"])
async def test_a_client_that_leaves_is_noticed_at_once(leave: Callable[[Client], None], path: bytes) -> None:
    """Before the body is read, while the answer is awaited, and in the middle of it."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" % path)
        await world.core.saw(RequestStarted)
        leave(client)
        await world.core.saw(ClientGone)
        await until(lambda: not world.connections)
        assert len(world.core.of(ClientGone)) == 1
        await client.close()


async def test_a_client_that_half_closes_gets_no_end_it_could_believe() -> None:
    """An HTTP/1.0 body ends by the close: the exchange that is given up must not look complete."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"GET /start HTTP/1.0\r\n\r\n")
        await client.read_until(b"first")
        half_close(client)
        assert await client.read_cut() == b""


async def test_a_client_that_leaves_after_its_answer_disturbs_nobody() -> None:
    """The exchange is over: there is nothing to tell the core."""
    async with serving() as world:
        client = await world.connect()
        client.send(GET)
        await client.read_until(b'"]')
        await client.close()
        await until(lambda: not world.connections)
        assert not world.core.of(ClientGone)


async def test_a_small_unwanted_body_is_skipped_and_the_connection_kept() -> None:
    """A refusal costs the client no connection: 64 KiB are read and thrown away."""
    async with serving() as world:
        head = b"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n"
        first, second = responses(await world.talk(head + b"x" * 65536 + LAST))
        assert not world.core.of(RequestBody)
    assert (first[0], first[1].get(b"connection"), second[0]) == (401, None, 200)


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 65537", b"x" * 65537),
        (b"Content-Length: 1000000", b"x" * 1_000_000),
        (b"Content-Length: 1000000", b"x" * 10),
        (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Content-Length: 5\r\nExpect: 100-continue", b""),
    ],
)
async def test_a_large_or_uncertain_unwanted_body_closes_the_connection(framing: bytes, body: bytes) -> None:
    """The refusal says so, is readable although bytes are on their way, and no 100-continue comes first."""
    async with serving() as world:
        data = await world.talk(b"POST /refuse HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n\r\n" + body)
    [(status, headers, text)] = responses(data)
    assert (status, headers[b"connection"], text) == (401, b"close", b"refused")
    assert data.startswith(b"HTTP/1.1 401 ")


async def test_a_body_refused_half_way_closes_the_connection() -> None:
    """Chunks turn out too large: one reply, and the core hears nothing more of that request."""
    async with serving() as world:
        chunks = b"5\r\nhello\r\n" * 1000
        data = await world.talk(b"POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert not world.core.of(RequestEnded)
    [(status, headers, _)] = responses(data)
    assert (status, headers[b"connection"]) == (413, b"close")


async def test_a_refused_client_that_sends_on_and_on_is_closed() -> None:
    """After 1 MiB the discarding ends."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 20_000_000)
        await until(lambda: bool(world.core.events) and not world.connections)
        await client.close()


async def test_what_waited_of_a_refused_client_takes_no_room_for_what_still_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else nobody would read on, and the refusal could be lost in a reset."""
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 3600.0)
    async with serving(max_header_size=1024) as world:
        client = await world.connect()
        client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 20_000_000)
        await client.read_until(b"}}")
        await until(lambda: not world.connections)
        await client.close()


async def test_a_refused_client_that_stays_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The half-closed connection does not wait for ever."""
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 0.05)
    async with serving() as world:
        client = await world.connect()
        client.send(b"nonsense\r\n\r\n")
        await client.read_until(b"}}")
        await until(lambda: not world.connections)
        await client.close()


async def test_an_unwanted_body_that_never_comes_is_not_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The promise of a body is not a right to a connection."""
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 0.05)
    async with serving() as world:
        data = await world.talk(b"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
    assert responses(data)[0][0] == 401


async def test_what_the_core_says_after_the_client_left_goes_nowhere() -> None:
    """Commands that were under way when the client left are dropped."""
    async with serving() as world:
        client = await world.connect()
        client.send(WAITING)
        await world.core.saw(RequestEnded)
        client.writer.transport.abort()
        await world.core.saw(ClientGone)
        world.command(*reply(1, 200, b"late"), AbortResponse(1, "late"))
        await until(lambda: not world.connections)


# -- draining ---------------------------------------------------------------------------


async def begin(world: World, data: bytes) -> Client:
    count = len(world.core.of(RequestStarted))
    client = await world.connect()
    client.send(data)
    await world.core.saw(RequestStarted, count + 1)
    return client


async def test_a_drain_closes_the_idle_and_lets_the_running_finish() -> None:
    """Idle connections at once; what runs ends with ``Connection: close``, or a close when its head is out."""
    async with serving() as world:
        fresh = await world.connect()
        kept = await begin(world, GET)
        await kept.read_until(b'"]')
        running = await begin(world, WAITING)
        streaming = await begin(world, b"GET /start HTTP/1.1\r\nHost: h\r\n\r\n")
        await streaming.read_until(b"first\r\n")
        world.listener.stop_accepting()
        world.listener.close_idle()
        assert await fresh.read_all() == b""
        assert await kept.read_all() == b""
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await world.connect()
        world.command(*reply(2, 200, b"done"), EndResponse(3))
        [(_, headers, body)] = responses(await running.read_all())
        assert (headers[b"connection"], body) == (b"close", b"done")
        assert await streaming.read_all() == b"0\r\n\r\n"
        await asyncio.wait_for(world.listener.wait_closed(), WAIT)


async def test_a_request_under_way_when_the_drain_begins_is_answered() -> None:
    """Its head had begun to arrive: the client is not left without a word."""
    async with serving() as world:
        client = await world.connect()
        client.send(GET[:10])
        await until(lambda: any(connection._reader.waiting for connection in world.connections))
        world.listener.stop_accepting()
        world.listener.close_idle()
        client.send(GET[10:])
        [(status, headers, _)] = responses(await client.read_all())
    assert (status, headers[b"connection"]) == (200, b"close")


async def test_abort_cuts_what_runs() -> None:
    """The second signal: exchanges end as if their clients had left."""
    async with serving() as world:
        client = await begin(world, b"GET /start HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.read_until(b"first\r\n")
        world.listener.stop_accepting()
        world.listener.abort()
        assert await client.read_all() == b""
        await asyncio.wait_for(world.listener.wait_closed(), WAIT)
        assert world.core.of(ClientGone) == [ClientGone(1)]


async def test_nothing_is_left_after_many_disconnects() -> None:
    """Clients leave at every point of an exchange; connections and exchanges return to none."""
    async with serving() as world:
        conversation = WAITING + GET
        for place in range(0, len(conversation), 3):
            client = await world.connect()
            client.send(conversation[:place])
            await client.close()
        await until(lambda: not world.connections)
        assert world.driver.open_exchanges == 0


async def test_a_response_may_start_and_end_long_apart() -> None:
    """Head, pieces and end in their own turns of the loop reach the client as they come."""
    async with serving() as world:
        client = await begin(world, WAITING)
        world.command(StartResponse(1, 200, []))
        world.command(SendBody(1, b"one"))
        assert (await client.read_until(b"one\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        world.command(SendBody(1, b"two"))
        assert await client.read_until(b"two\r\n") == b"3\r\ntwo\r\n"
        world.command(EndResponse(1))
        assert await client.read_until(b"\r\n\r\n") == b"0\r\n\r\n"
        await client.close()
