"""Calls that are detached: the rest of their responses is dropped, and the connection kept where that ends soon."""

import asyncio

import pytest

from gephyr.runtime.upstream import connection as connection_module
from gephyr.runtime.upstream.connection import Call
from gephyr_core.events import UpstreamBody, UpstreamStarted
from tests.runtime.upstream_world import OK, Client, News, Visitor, client, provider
from tests.waiting import MOVABLE, pass_time, until

pytestmark = pytest.mark.anyio

BEGUN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n"
END = b"0\r\n\r\n"


class Provider:
    """Begins each response; the test says what follows, and when."""

    def __init__(self, begun: bytes = BEGUN) -> None:
        self.begun = begun
        self.rest: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(self, visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(self.begun)
        await visitor.send(await self.rest.get())
        while True:
            await visitor.request()
            await visitor.send(OK)


def detached_at_once(caller: Client) -> tuple[Call, News]:
    """A call that is detached as the core does it: while its first bytes are fed."""
    call, news = caller.call()
    news.on_event = lambda event: call.detach() if isinstance(event, UpstreamBody) else None
    return call, news


async def until_body(news: News) -> None:
    await news.until(lambda: news.body)


async def test_a_response_that_ends_in_the_same_read_gives_its_connection_back_at_once() -> None:
    async with provider(Provider(BEGUN + END).script) as world, client(world.origin) as caller:
        call, news = caller.call()
        idle: list[int] = []

        def detach(event: object) -> None:
            if isinstance(event, UpstreamBody):
                call.detach()
                idle.append(caller.upstream.idle_connections)

        news.on_event = detach
        await until_body(news)
        assert idle == [1]
        assert [type(event) for event in news.events] == [UpstreamStarted, UpstreamBody]


async def test_a_next_call_uses_the_connection_whose_last_chunk_comes_in_a_later_read() -> None:
    """No stream may cost a connection because its last chunk came in a later read."""
    doing = Provider()
    async with provider(doing.script) as world, client(world.origin, head_start=10.0) as caller:
        _, news = detached_at_once(caller)
        await until_body(news)
        _, following = caller.call()
        doing.rest.put_nowait(END)
        assert await following.reply() == (200, b"ok")
        assert len(world.visitors) == 1
        assert len(news.events) == 2


async def test_a_connection_is_idle_again_when_the_rest_has_come() -> None:
    doing = Provider()
    async with provider(doing.script) as world, client(world.origin) as caller:
        call, news = detached_at_once(caller)
        await until_body(news)
        assert caller.upstream.idle_connections == 0
        doing.rest.put_nowait(b"5\r\nping!\r\n" + END)
        await until(lambda: caller.upstream.idle_connections == 1)
        assert (news.body, call.over) == (b"last", True)


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_a_connection_whose_response_does_not_end_serves_nobody_and_is_closed() -> None:
    async with provider(Provider().script) as world, client(world.origin, head_start=0.0) as caller:
        _, news = detached_at_once(caller)
        await until_body(news)
        assert caller.upstream.idle_connections == 0
        _, following = caller.call()
        await until_body(following)
        assert (len(world.visitors), caller.upstream.open_connections) == (2, 2)
        pass_time(1.5)
        await until(lambda: caller.upstream.open_connections == 1)


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        (BEGUN, b"10000\r\n" + b"x" * 65536 + b"\r\n8\r\nand more\r\n"),
        (BEGUN, b"not a chunk\r\n"),
        (BEGUN, END + b"HTTP/1.1 200 OK\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\nlast", b""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n", b""),
    ],
    ids=["too-much", "broken", "excess", "until-closed", "close"],
)
async def test_what_cannot_be_used_again_is_closed(begun: bytes, rest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not when the time for its rest is over."""
    monkeypatch.setattr(connection_module, "_DRAINING_SECONDS", 3600.0)
    doing = Provider(begun)
    async with provider(doing.script) as world, client(world.origin) as caller:
        _, news = detached_at_once(caller)
        await until_body(news)
        doing.rest.put_nowait(rest)
        await until(lambda: caller.upstream.open_connections == 0)
        assert caller.upstream.idle_connections == 0


async def test_a_call_that_was_paused_is_drained_all_the_same() -> None:
    """The client was slow: its provider was not read any more when its reply ended."""
    doing = Provider()
    async with provider(doing.script) as world, client(world.origin) as caller:
        call, news = caller.call()

        def pause_and_detach(event: object) -> None:
            if isinstance(event, UpstreamBody):
                call.pause()
                call.detach()

        news.on_event = pause_and_detach
        await until_body(news)
        doing.rest.put_nowait(END)
        await until(lambda: caller.upstream.idle_connections == 1)


async def test_a_call_given_up_while_it_waits_for_such_a_connection_leaves_it() -> None:
    doing = Provider()
    async with provider(doing.script) as world, client(world.origin, head_start=10.0) as caller:
        _, news = detached_at_once(caller)
        await until_body(news)
        following, silent = caller.call()
        await until(iter((False, True)).__next__)  # one turn of the loop: it has begun to wait
        following.cancel()
        doing.rest.put_nowait(END)
        await until(lambda: caller.upstream.idle_connections == 1)
        assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 1
        assert not silent.events


async def test_detaching_a_call_that_is_over_is_harmless() -> None:
    doing = Provider(OK)
    doing.rest.put_nowait(b"")
    async with provider(doing.script) as world, client(world.origin) as caller:
        call, news = caller.call()
        await news.reply()
        call.detach()
        assert caller.upstream.idle_connections == 1
        assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 1
