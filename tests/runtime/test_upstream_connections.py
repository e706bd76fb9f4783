"""Which connections are opened, kept, used again and dropped."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gephyr.runtime.upstream import addresses
from gephyr_core.commands import TimeLimits
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import UpstreamBody
from gephyr_core.http import Origin
from tests.runtime.upstream_world import OK, Script, Visitor, answering, answering_once, client, provider
from tests.waiting import MOVABLE, pass_time, until

pytestmark = pytest.mark.anyio

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n"


async def test_a_thousand_calls_in_turn_use_one_connection() -> None:
    async with provider(answering(CHUNKED)) as world, client(world.origin) as caller:
        for _ in range(1000):
            assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 1


async def test_sixty_four_calls_at_once_use_at_most_sixty_four_connections_again_and_again() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        for _ in range(5):
            replies = await asyncio.gather(*(caller.get() for _ in range(64)))
            assert replies == [(200, b"ok")] * 64
        assert len(world.visitors) == 64
        assert caller.upstream.idle_connections == caller.upstream.open_connections == 64


async def test_a_large_reply_is_read_in_pieces_of_at_most_64_kib() -> None:
    """What was read is kept until its client takes it, so a read's size is what a slow client costs."""
    body = b"x" * 4_000_000
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with provider(answering(reply)) as world, client(world.origin) as caller:
        _, news = caller.call()
        assert await news.reply() == (200, body)
        assert max(len(event.data) for event in news.events if isinstance(event, UpstreamBody)) <= 65536


async def test_a_call_made_from_the_end_of_another_finds_its_connection() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        _, first = caller.call()
        followers = []
        first.on_event = lambda _: followers.append(caller.call()[1]) if len(first.events) == 3 else None
        await first.reply()
        assert await followers[0].reply() == (200, b"ok")
        assert len(world.visitors) == 1


async def test_the_connection_used_last_is_used_first() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        calls = [caller.call()[1] for _ in range(3)]
        for news in calls:
            await news.reply()
        for _ in range(3):
            await caller.get()
        used = [visitor for visitor in world.visitors if visitor.requests > 1]
        assert [visitor.requests for visitor in used] == [4]


async def test_no_more_connections_are_kept_than_allowed() -> None:
    async with (
        provider(answering(OK)) as world,
        client(world.origin, max_idle_per_route=2) as caller,
    ):
        await asyncio.gather(*(caller.get() for _ in range(5)))
        assert caller.upstream.idle_connections == 2
        await until(lambda: caller.upstream.open_connections == 2)


async def test_a_fresh_connection_is_opened_when_asked_for() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        await caller.get()
        await caller.get(fresh=True)
        assert len(world.visitors) == 2


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_idle_connections_are_closed_when_their_time_is_over() -> None:
    async with provider(answering(OK)) as world, client(world.origin, idle_seconds=60) as caller:
        await asyncio.gather(*(caller.get() for _ in range(3)))
        pass_time(59)
        assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 3
        pass_time(61)
        await until(lambda: all(visitor.gone.is_set() for visitor in world.visitors))
        await until(lambda: caller.upstream.open_connections == 0)
        assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 4


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + b"HTTP/1.1 200 OK\r\n",
        CHUNKED + b"\r\n",
    ],
)
async def test_a_connection_that_may_be_out_of_step_is_not_kept(reply: bytes) -> None:
    async with provider(answering(reply)) as world, client(world.origin) as caller:
        for _ in range(2):
            assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 2
        assert caller.upstream.idle_connections == 0


async def test_bytes_on_an_idle_connection_close_it() -> None:
    send = asyncio.Event()

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK)
        await send.wait()
        await visitor.send(OK)
        await visitor.reader.read()

    async with provider(script) as world, client(world.origin) as caller:
        await caller.get()
        assert caller.upstream.idle_connections == 1
        send.set()
        await until(lambda: caller.upstream.open_connections == 0)
        assert caller.upstream.idle_connections == 0


@pytest.mark.parametrize("secure", [False, True])
async def test_a_kept_connection_that_its_peer_closes_is_dropped(
    secure: bool, tls_server: ssl.SSLContext, ca_file: str
) -> None:
    script = answering_once(OK)
    async with (
        provider(script, tls_server if secure else None) as world,
        client(world.origin, ca_file=ca_file) as caller,
    ):
        for _ in range(3):
            assert await caller.get() == (200, b"ok")
            await until(lambda: caller.upstream.open_connections == 0)
            assert caller.upstream.idle_connections == 0
        assert len(world.visitors) == 3


def _dying_on_the_second(last_words: bytes) -> Script:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK)
        await visitor.request()
        await visitor.send(last_words)
        visitor.reset() if not last_words else None

    return script


async def test_a_kept_connection_that_dies_without_a_byte_says_that_it_was_reused() -> None:
    async with provider(_dying_on_the_second(b"")) as world, client(world.origin) as caller:
        await caller.get()
        failed = await caller.call()[1].failure()
        assert (failed.fault, failed.reused, failed.sent) == (Fault.RESET, True, Sent.ALL)


@pytest.mark.parametrize("words", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_kept_connection_that_dies_after_a_byte_does_not(words: bytes) -> None:
    async with provider(_dying_on_the_second(words)) as world, client(world.origin) as caller:
        await caller.get()
        failed = await caller.call()[1].failure()
        assert (failed.fault, failed.reused) == (Fault.RESET, False)


async def test_routes_and_origins_share_no_connections() -> None:
    async with provider(answering(OK)) as one, provider(answering(OK)) as two, client(one.origin) as caller:
        await caller.get()
        failed = await caller.call(origin=two.origin)[1].failure()
        assert failed.sent is Sent.NONE
        assert two.visitors == []


# -- connecting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_connecting_has_a_limit() -> None:
    """A TLS handshake that nobody answers counts, too."""

    async def script(visitor: Visitor) -> None:
        await visitor.reader.read()

    async with provider(script) as world:
        origin = Origin("https", "127.0.0.1", world.port)
        async with client(origin) as caller:
            limits = TimeLimits(connect=20, first_byte=99, idle=99, total=99)
            _, news = caller.call(limits=limits)
            await until(lambda: world.visitors)
            pass_time(21)
            failed = await news.failure()
            assert (failed.fault, failed.sent, failed.reused) == (Fault.TIMEOUT, Sent.NONE, False)
            await until(world.visitors[0].gone.is_set)


async def test_cancelling_a_handshake_closes_it_at_once() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.reader.readexactly(5)
        hello.set()
        await visitor.reader.read()

    hello = asyncio.Event()
    async with provider(script) as world, client(Origin("https", "127.0.0.1", world.port)) as caller:
        call, news = caller.call()
        await hello.wait()
        call.cancel()
        await until(world.visitors[0].gone.is_set)
        assert news.events == []
        assert caller.upstream.open_connections == 0


async def test_a_name_that_has_no_address_cannot_be_connected_to() -> None:
    async with client(Origin("http", "a..b", 80)) as caller:
        failed = await caller.call()[1].failure()
        assert (failed.fault, failed.sent) == (Fault.CONNECT, Sent.NONE)


async def test_addresses_that_refuse_are_passed_over() -> None:
    """``localhost`` has an address of each family on many machines, and the server listens on one of them."""
    async with provider(answering(OK)) as world, client(Origin("http", "localhost", world.port)) as caller:
        assert await caller.get() == (200, b"ok")


async def test_the_first_address_to_answer_wins_and_the_others_are_closed() -> None:
    async with provider(answering(OK)) as world:
        family, _ = (await addresses.resolve("127.0.0.1", world.port))[0]
        candidates = [(family, (host, world.port)) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")]
        refused = [(family, (host, world.port)) for host in ("127.0.0.2", "127.0.0.3")]
        sock = await addresses.race([*refused, candidates[0]])
        assert sock.getpeername() == ("127.0.0.1", world.port)
        sock.close()
        with pytest.raises(ConnectionRefusedError):
            await addresses.race(refused)


# -- TLS ------------------------------------------------------------------------------------------------------------


async def test_tls_is_verified_against_the_private_ca_and_names_the_server(
    tls_server: ssl.SSLContext, ca_file: str
) -> None:
    names: list[str | None] = []
    tls_server.sni_callback = lambda _, name, __: names.append(name)
    async with (
        provider(answering(CHUNKED), tls_server) as world,
        client(world.origin, ca_file=ca_file) as caller,
    ):
        for _ in range(10):
            assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 1
        tls = world.visitors[0].writer.get_extra_info("ssl_object")
        assert tls.selected_alpn_protocol() == "http/1.1"
        assert names == ["localhost"]


async def test_an_unknown_authority_is_a_tls_fault(tls_server: ssl.SSLContext) -> None:
    async with provider(answering(OK), tls_server) as world, client(world.origin) as caller:
        failed = await caller.call()[1].failure()
        assert (failed.fault, failed.sent) == (Fault.TLS, Sent.NONE)
        assert "certificate not trusted: " in failed.detail
        assert "\n" not in failed.detail


async def test_a_certificate_for_another_name_is_a_tls_fault(tls_server: ssl.SSLContext, ca_file: str) -> None:
    async with (
        provider(answering(OK), tls_server) as world,
        client(Origin("https", "127.0.0.1", world.port), ca_file=ca_file) as caller,
    ):
        failed = await caller.call()[1].failure()
        assert failed.fault is Fault.TLS


async def test_a_server_without_tls_is_a_tls_fault() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with provider(script) as world, client(Origin("https", "127.0.0.1", world.port)) as caller:
        failed = await caller.call()[1].failure()
        assert failed.fault is Fault.TLS


async def test_a_certificate_file_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(OSError):  # noqa: PT011
            async with client(Origin("http", "h", 80), ca_file=str(tmp_path / name)):
                pass


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_bodies_of_all_sizes_pass_tls_both_ways(size: int, tls_server: ssl.SSLContext, ca_file: str) -> None:
    async def script(visitor: Visitor) -> None:
        while True:
            _, body = await visitor.request()
            await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with provider(script, tls_server) as world, client(world.origin, ca_file=ca_file) as caller:
        body = b"x" * size
        for _ in range(2):
            assert await caller.get(body=body) == (200, body)
        assert len(world.visitors) == 1


async def test_a_tls_connection_cut_without_notice_is_no_end_of_a_response(
    tls_server: ssl.SSLContext, ca_file: str
) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        visitor.writer.transport.abort()

    async with provider(script, tls_server) as world, client(world.origin, ca_file=ca_file) as caller:
        _, news = caller.call()
        assert (await news.failure()).fault is Fault.RESET
        assert news.body == b"half"


async def test_calls_under_tls_end_by_reset_cancel_and_close(tls_server: ssl.SSLContext, ca_file: str) -> None:
    async def script(visitor: Visitor) -> None:
        head, _ = await visitor.request()
        if b"/reset" in head:
            visitor.reset()
        elif b"/close" in head:
            await visitor.send(b"HTTP/1.1 200 OK\r\n\r\nall")
        else:
            await visitor.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
            await visitor.reader.read()

    async with provider(script, tls_server) as world, client(world.origin, ca_file=ca_file) as caller:
        failed = await caller.call(target="/reset")[1].failure()
        assert (failed.fault, failed.reused, failed.sent) == (Fault.RESET, False, Sent.ALL)
        assert await caller.get(target="/close") == (200, b"all")
        call, news = caller.call(target="/cancel")
        await news.until(lambda: news.body)
        call.cancel()
        await until(world.visitors[2].gone.is_set)
        await until(lambda: not caller.upstream.open_connections)
