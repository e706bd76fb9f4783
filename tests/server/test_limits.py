"""Sizes, times and numbers that a client may not exceed."""

import asyncio

import pytest

from gephyr.server import shared as shared_module
from gephyr.server.connection import Connection
from gephyr.server.response import plain_error
from gephyr.server.shared import ServerLimits, Shared
from gephyr_core.commands import EndResponse, SendBody
from gephyr_core.errors import ErrorKind
from gephyr_core.events import ClientBlocked, ClientReady, RequestEnded, RequestStarted
from gephyr_core.guards import Cors
from gephyr_core.http import Headers
from tests.server.world import Client, World, reply, responses, serving
from tests.waiting import MOVABLE, pass_time, until

pytestmark = pytest.mark.anyio

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LIMIT, PAST = 20.0, 31.0
"""Seconds: a limit, and a time after which whoever exceeds it was looked for."""
LAST = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def sent(world: World, data: bytes) -> Client:
    """A client whose *data* the server has read: it has answered one that came later."""
    client = await world.connect()
    client.send(data)
    assert responses(await world.talk(LAST))[0][0] == 200
    return client


@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
async def test_a_head_over_the_limit_is_431_whether_it_ends_or_not(end: bytes) -> None:
    """Nobody waits for the end of an endless head, and its size in one read does not matter."""
    async with serving(max_header_size=1000) as world:
        data = await world.talk(b"GET /a HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 1_200_000 + end)
    [(status, headers, _)] = responses(data)
    assert (status, headers[b"connection"]) == (431, b"close")
    assert not world.core.events


async def test_a_head_of_exactly_the_limit_is_served() -> None:
    """The limit counts the head with its blank line; one byte less refuses it."""
    async with serving(max_header_size=len(LAST)) as world:
        assert responses(await world.talk(LAST))[0][0] == 200
    async with serving(max_header_size=len(LAST) - 1) as world:
        assert responses(await world.talk(LAST))[0][0] == 431


async def test_a_head_may_be_larger_than_what_waits_of_a_body() -> None:
    """The bound on waiting bytes never stops the reading of a head that is allowed."""
    async with serving(max_header_size=3_000_000) as world:
        data = await world.talk(b"GET /a HTTP/1.1\r\nX: " + b"y" * 2_000_000 + b"\r\n" + LAST.partition(b"\r\n")[2])
    assert responses(data)[0][0] == 200


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_a_stalled_head_is_408_in_the_dialect_of_its_path() -> None:
    """The time counts from the head's first byte: a kept connection that is merely silent stays."""
    asked = []

    def render(kind: ErrorKind, message: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        asked.append(target)
        return kind.http_status, [], message.encode()

    async with serving(header_timeout=LIMIT, idle_timeout=100 * LIMIT, render=render) as world:
        silent = await world.connect()
        silent.send(GET)
        await silent.read_until(b'["GET","/a","h",""]')
        stalled = await sent(world, b"GET /v1/messages HTTP/1.1\r\nHos")
        pass_time(PAST)
        [(status, headers, _)] = responses(await stalled.read_all())
        assert (status, headers[b"connection"], asked) == (408, b"close", ["/v1/messages"])
        silent.send(LAST)
        assert responses(await silent.read_all())[0][0] == 200


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
@pytest.mark.parametrize("before", [b"", b"\r\n\r\n"])
async def test_a_connection_that_never_asks_has_the_time_of_a_head(before: bytes) -> None:
    """A kept one has the longer time of those who may come back; opening connections must not cost others theirs."""
    async with serving(header_timeout=LIMIT, idle_timeout=100 * LIMIT) as world:
        client = await sent(world, before)
        pass_time(PAST)
        assert await client.read_all() == b""


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_a_slow_head_after_a_request_is_408_too() -> None:
    """The clock of a kept connection's next head starts at its first byte."""
    async with serving(header_timeout=LIMIT, idle_timeout=100 * LIMIT) as world:
        client = await sent(world, GET + b"GET /b")
        pass_time(PAST)
        data = await client.read_all()
    assert [status for status, _, _ in responses(data)] == [200, 408]


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
@pytest.mark.parametrize("before", [b"", GET, b"\r\n\r\n"])
async def test_an_idle_connection_is_closed_without_a_word(before: bytes) -> None:
    """New, kept, or sending empty lines only: there is no request to answer."""
    async with serving(idle_timeout=LIMIT, header_timeout=100 * LIMIT) as world:
        client = await sent(world, before)
        pass_time(PAST)
        data = await client.read_all()
    assert len(responses(data)) == before.count(b"GET")


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_no_limit_of_the_server_ends_a_running_exchange() -> None:
    """Its times are the core's."""
    async with serving(idle_timeout=LIMIT, header_timeout=LIMIT) as world:
        client = await world.connect()
        client.send(b"GET /wait HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await world.core.saw(RequestEnded)
        idle = await sent(world, b"")
        pass_time(PAST)
        assert await idle.read_all() == b"", "the limits were looked at"
        world.command(*reply(1, 200, b"done"))
        assert responses(await client.read_all())[0][2] == b"done"


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_connections_over_the_limit_that_do_not_ask_are_told_so_too() -> None:
    """They have two seconds for it."""
    async with serving(max_connections=1) as world:
        served, silent, slow = [await world.connect() for _ in range(3)]
        slow.send(b"GET / HTTP/1.1\r\nHo")
        await until(lambda: len(world.connections) == 3)
        pass_time(3.0)
        for client in (silent, slow):
            assert responses(await client.read_all())[0][0] == 503
        await served.close()


async def test_a_page_may_read_why_its_request_was_refused() -> None:
    """Where no exchange begins, too: a broken head, one too large, a connection too many, a broken body."""
    page, cors = b"http://page.example", Cors(["http://page.example"])
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nOrigin: " + page + b"\r\n"
    async with serving(max_connections=2, max_header_size=200, cors=cors) as world:
        busy = await world.connect()
        bad = [
            (400, head + b"Content-Length: x\r\n\r\n"),
            (431, head + b"X: " + b"x" * 200 + b"\r\n\r\n"),
            (400, head + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n"),
        ]
        for status, request in bad:
            [(told, headers, _)] = responses(await world.talk(request))
            assert (told, headers[b"access-control-allow-origin"]) == (status, page)
            await until(lambda: len(world.connections) == 1)
        other = await world.connect()
        await until(lambda: len(world.connections) == 2)
        [(told, headers, _)] = responses(await world.talk(head + b"\r\n"))
        assert (told, headers[b"access-control-allow-origin"]) == (503, page)
        [(_, headers, _)] = responses(await world.talk(b"GET /a HTTP/1.1\r\nHost: h\r\nOrigin: http://b\r\n\r\n"))
        assert b"access-control-allow-origin" not in headers
        for client in (busy, other):
            await client.close()


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_a_client_that_does_not_take_the_rest_of_its_reply_is_cut() -> None:
    """After the end of the exchange the core does not watch it any more."""
    async with serving(idle_timeout=LIMIT) as world:
        client = await world.connect()
        client.send(b"GET /wait HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await world.core.saw(RequestEnded)
        world.command(*reply(1, 200, b"x" * 16_000_000))
        pass_time(PAST)
        await until(lambda: not world.connections)
        await client.close()


async def test_connections_over_the_limit_are_told_so() -> None:
    """503 and a close once they have asked; when one leaves there is room again."""
    async with serving(max_connections=1) as world:
        first = await world.connect()
        first.send(GET)
        await first.read_until(b'["GET","/a","h",""]')
        [(status, headers, _)] = responses(await world.talk(GET))
        assert (status, headers[b"connection"]) == (503, b"close")
        assert world.core.of(RequestStarted)[1:] == []
        await first.close()
        await until(lambda: not world.connections)
        assert responses(await world.talk(LAST))[0][0] == 200


async def test_connections_of_one_address_are_limited() -> None:
    """One client cannot take the places of all; who leaves makes room again."""
    async with serving(max_connections_per_address=1) as world:
        first = await world.connect()
        first.send(GET)
        await first.read_until(b'["GET","/a","h",""]')
        [(status, headers, body)] = responses(await world.talk(GET))
        assert (status, headers[b"connection"], b"max_connections_per_address" in body) == (429, b"close", True)
        assert world.listener.turned_away == 1
        await first.close()
        await until(lambda: not world.connections)
        assert responses(await world.talk(LAST))[0][0] == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        *[("192.0.2.1", "192.0.2.1", True), ("192.0.2.1", "192.0.2.2", False), ("192.0.2.1", "::ffff:192.0.2.1", True)],
        *[("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:db8:0:1::1", False), ("", "", False)],
        *[("10.0.0.5", "10.0.0.5", False), ("::ffff:10.0.0.5", "10.0.0.5", False)],
    ],
)
async def test_who_counts_as_one_client(one: str, other: str, same: bool) -> None:
    """Trusted proxies and local sockets bring many."""
    limits = ServerLimits(max_connections_per_address=1, trusted_proxies=("10.0.0.5",))
    async with serving() as world:
        shared = Shared(driver=world.driver, limits=limits, render=plain_error, loop=asyncio.get_running_loop())
        first, second, third = (Connection(shared) for _ in range(3))
        assert shared.joined(first, one) is None
        assert (shared.joined(second, other) is not None) is same
        for connection in (first, second):
            shared.left(connection)
        assert shared.joined(third, other) is None


async def test_connections_far_over_the_limit_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telling costs a file descriptor for a while; that is bounded too."""
    monkeypatch.setattr(shared_module, "EXCESS_CONNECTIONS", 1)
    async with serving(max_connections=1) as world:
        first = await world.connect()
        told = await world.connect()
        told.send(GET)
        await told.read_until(b"\r\n\r\n")
        cut = await world.connect()
        assert await cut.read_all() == b""
        assert len(world.connections) <= 2
        await first.close()
        await told.close()


async def test_a_slow_reader_is_an_event_and_so_is_its_catching_up() -> None:
    """``ClientBlocked`` when the transport is full, ``ClientReady`` when it has room."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"GET /start HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await world.core.saw(RequestStarted)
        world.command(SendBody(1, b"x" * 16_000_000))
        await world.core.saw(ClientBlocked)
        assert not world.core.of(ClientReady)
        await client.read_until(b"first\r\n")
        received = 0
        while received < 16_000_000:
            received += len(await client.reader.read(1_000_000))
        await world.core.saw(ClientReady)
        world.command(EndResponse(1))
        assert (await client.read_all()).endswith(b"0\r\n\r\n")
