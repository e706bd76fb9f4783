"""Calls over real sockets: what goes out, what comes back, and how calls end."""

import asyncio

import pytest

from gephyr_core.errors import Fault, Sent
from gephyr_core.events import UpstreamBody, UpstreamEnded, UpstreamStarted
from gephyr_core.http import Origin
from tests.runtime.upstream_world import LIMITS, OK, Visitor, answering, answering_once, client, header, provider
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_request_has_host_headers_credentials_and_length_in_that_order() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def script(visitor: Visitor) -> None:
        seen.append(await visitor.request())
        await visitor.send(OK)

    async with provider(script) as world, client(world.origin) as caller:
        headers = [(b"b", b"2"), (b"a", b"1"), (b"b", b"\xe9")]
        assert await caller.get(headers=headers, body=b"hello", target="/x?y=%20") == (200, b"ok")
    head = (
        b"POST /x?y=%%20 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nb: 2\r\na: 1\r\nb: \xe9\r\n"
        b"authorization: Bearer sk-secret\r\ncontent-length: 5\r\n\r\n"
    )
    assert seen == [(head % world.port, b"hello")]


@pytest.mark.parametrize(
    ("method", "body", "has_length"),
    [("GET", b"", False), ("DELETE", b"", False), ("DELETE", b"x", True), ("POST", b"", True), ("PUT", b"", True)],
)
async def test_content_length_is_sent_where_a_body_is_or_could_be(method: str, body: bytes, has_length: bool) -> None:
    heads: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        heads.append((await visitor.request())[0])
        await visitor.send(OK)

    async with provider(script) as world, client(world.origin) as caller:
        await caller.get(method=method, body=body)
    assert (b"content-length: %d\r\n" % len(body) in heads[0]) is has_length


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": [(b"x", b"1\r\nevil: 1")]},
        {"headers": [(b"x", b"1\nevil: 1")]},
        {"headers": [(b"x", b"1\0")]},
        {"headers": [(b"x: 1\r\nevil", b"1")]},
        {"headers": [(b"", b"1")]},
        {"headers": [(b"x y", b"1")]},
        {"target": "/a HTTP/1.1\r\nevil: 1\r\nx: "},
        {"target": "/a b"},
        {"target": "/\udc80"},
        {"target": ""},
        {"method": "GET /x HTTP/1.1\r\nhost: h\r\n\r\nGET"},
    ],
)
async def test_a_head_that_would_inject_lines_is_never_sent(changes: dict[str, object]) -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        failed = await caller.call(**changes)[1].failure()
        assert (failed.fault, failed.sent, failed.reused) == (Fault.PROTOCOL, Sent.NONE, False)
        assert world.visitors == []


async def test_a_credential_goes_to_no_other_origin() -> None:
    async with provider(answering(OK)) as world, client(Origin("http", "127.0.0.1", 1)) as caller:
        failed = await caller.call(origin=world.origin)[1].failure()
        assert (failed.fault, failed.sent) == (Fault.GATEWAY, Sent.NONE)
        assert "sk-secret" not in failed.detail
        assert world.visitors == []


async def test_an_unknown_route_is_a_fault_of_the_configuration() -> None:
    async with client(Origin("http", "127.0.0.1", 1)) as caller:
        failed = await caller.call(route="eu-1")[1].failure()
        assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE)


async def test_head_and_headers_arrive_as_they_were_sent_with_lower_case_names() -> None:
    reply = b"HTTP/1.1 429 Slow\r\nX-Ids: a\r\nx-ids: b\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    async with provider(answering(reply)) as world, client(world.origin) as caller:
        _, news = caller.call()
        started = await news.started()
        assert started.status == 429
        assert header(started, b"x-ids") == [b"a", b"b"]
        assert header(started, b"retry-after") == [b"7"]
        assert [type(event) for event in news.events] == [UpstreamStarted, UpstreamEnded]


async def test_interim_responses_are_skipped() -> None:
    reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
    async with provider(answering(reply)) as world, client(world.origin) as caller:
        assert await caller.get() == (200, b"ok")
        assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"<html>not http</html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3000,
    ],
)
async def test_rubbish_and_endless_heads_are_protocol_faults_and_close(reply: bytes) -> None:
    async with provider(answering_once(reply, then=lambda _: None)) as world, client(world.origin) as caller:
        failed = await caller.call()[1].failure()
        assert failed.fault is Fault.PROTOCOL
        assert (failed.reused, failed.sent) == (False, Sent.ALL)
        assert "\n" not in failed.detail
        assert len(failed.detail) < 100
        await until(lambda: world.visitors[0].gone.is_set() and not caller.upstream.open_connections)


@pytest.mark.parametrize(
    "framing", [b"5\r\nhello\r\nzz\r\n", b"5\r\nhelloX\r\n", b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n"]
)
async def test_a_body_that_breaks_the_chunked_coding_is_a_protocol_fault_after_what_was_good(
    framing: bytes,
) -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framing
    async with provider(answering_once(reply, then=lambda _: None)) as world, client(world.origin) as caller:
        _, news = caller.call()
        assert (await news.failure()).fault is Fault.PROTOCOL
        assert news.body == b"hello"


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
async def test_responses_without_a_body_end_with_their_head(method: str, head: bytes) -> None:
    async with provider(answering(head)) as world, client(world.origin) as caller:
        for _ in range(2):
            status, body = await caller.get(method=method, body=b"")
            assert (status, body) == (int(head[9:12]), b"")
        assert len(world.visitors) == 1


async def test_all_chunks_of_one_read_are_one_event() -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (n, b"x" * n) for n in range(1, 50))
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    async with provider(answering(reply)) as world, client(world.origin) as caller:
        _, news = caller.call()
        await news.end()
        assert [type(event) for event in news.events] == [UpstreamStarted, UpstreamBody, UpstreamEnded]
        assert news.body == b"x" * sum(range(1, 50))


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_body_without_length_ends_with_the_connection(version: bytes) -> None:
    async with (
        provider(answering_once(version + b" 200 OK\r\n\r\nall of it")) as world,
        client(world.origin) as caller,
    ):
        assert await caller.get() == (200, b"all of it")
        await until(lambda: not caller.upstream.open_connections)


async def test_a_reset_inside_a_body_without_length_is_no_end() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await read.wait()
        visitor.reset()

    read = asyncio.Event()
    async with provider(script) as world, client(world.origin) as caller:
        _, news = caller.call()
        await news.until(lambda: news.body == b"half")
        read.set()
        failed = await news.failure()
        assert (failed.fault, failed.reused, failed.sent) == (Fault.RESET, False, Sent.ALL)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
async def test_a_connection_closed_before_the_end_of_the_response_is_a_reset(reply: bytes) -> None:
    async with provider(answering_once(reply)) as world, client(world.origin) as caller:
        failed = await caller.call()[1].failure()
        assert (failed.fault, failed.reused, failed.sent) == (Fault.RESET, False, Sent.ALL)


async def test_cancelling_closes_the_connection_at_once_and_silences_the_call() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        if len(world.visitors) > 1:
            await visitor.send(b"HTTP/1.1 200 OK\r\n\r\nsecond")
            return
        await visitor.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        assert await visitor.reader.read() == b""

    async with provider(script) as world, client(world.origin) as caller:
        call, news = caller.call()
        await news.until(lambda: news.body)
        call.cancel()
        assert await caller.get(fresh=True) == (200, b"second")
        assert world.log[:3] == ["came", "gone", "came"]
        call.cancel()
        await until(lambda: not caller.upstream.open_connections)
        assert [type(event) for event in news.events] == [UpstreamStarted, UpstreamBody]


async def test_cancelling_from_inside_an_event_stops_the_events_of_the_same_read() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        call, news = caller.call()
        news.on_event = lambda _: call.cancel()
        await news.until(lambda: news.events)
        await until(lambda: not caller.upstream.open_connections)
        assert [type(event) for event in news.events] == [UpstreamStarted]


async def test_cancelling_while_connecting_gives_the_connection_up() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        for turns in range(12):
            call, news = caller.call()
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            seen = len(news.events)
            await until(lambda: not caller.upstream.open_connections or caller.upstream.idle_connections)
            assert len(news.events) == seen


async def test_cancelling_an_ended_call_leaves_the_connection_to_its_next_user() -> None:
    release = asyncio.Event()

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK)
        await visitor.request()
        await release.wait()
        await visitor.send(OK)

    async with provider(script) as world, client(world.origin) as caller:
        first, news = caller.call()
        await news.reply()
        _, second = caller.call()
        first.cancel()
        first.pause()
        release.set()
        assert await second.reply() == (200, b"ok")
        assert len(world.visitors) == 1


async def test_a_paused_call_reads_nothing_until_it_is_resumed() -> None:
    total = 8_000_000

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total + b"x" * total)

    async with provider(script) as world, client(world.origin) as caller:
        call, news = caller.call()
        news.on_event = lambda event: call.pause() if isinstance(event, UpstreamBody) else None
        await news.until(lambda: news.body)
        read = len(news.body)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(news.body) == read < total
        news.on_event = lambda _: None
        call.resume()
        assert await news.reply() == (200, b"x" * total)


async def test_a_call_paused_with_its_last_byte_leaves_a_connection_that_reads() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        call, news = caller.call()
        news.on_event = lambda _: call.pause()
        await news.reply()
        assert await caller.get() == (200, b"ok")
        assert len(world.visitors) == 1


async def test_a_call_paused_before_it_is_connected_stays_paused() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        call, news = caller.call()
        call.pause()
        await until(lambda: world.visitors)
        for _ in range(100):
            await asyncio.sleep(0)
        assert news.events == []
        call.resume()
        assert await news.reply() == (200, b"ok")


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 80_000
    seen: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        seen.append((await visitor.request())[1])
        await visitor.send(OK)

    async with provider(script) as world, client(world.origin) as caller:
        assert await caller.get(body=body) == (200, b"ok")
    assert seen == [body]


async def test_an_answer_before_the_body_is_sent_is_read_and_the_connection_not_kept() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.reader.readuntil(b"\r\n\r\n")
        await visitor.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await leave.wait()

    leave = asyncio.Event()
    async with provider(script) as world, client(world.origin) as caller:
        assert await caller.get(body=b"x" * 30_000_000) == (413, b"no")
        assert caller.upstream.idle_connections == 0
        leave.set()


async def test_sent_says_whether_the_request_had_left() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.reader.readuntil(b"\r\n\r\n")
        visitor.reset()

    async with provider(script) as world, client(world.origin) as caller:
        failed = await caller.call(body=b"x" * 30_000_000)[1].failure()
        assert (failed.fault, failed.sent, failed.reused) == (Fault.RESET, Sent.PARTIAL, False)
        failed = await caller.call(body=b"x")[1].failure()
        assert (failed.fault, failed.sent, failed.reused) == (Fault.RESET, Sent.ALL, False)


async def test_closing_fails_what_runs_and_refuses_what_comes() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.reader.read()

    async with provider(script) as world, client(world.origin) as caller:
        _, running = caller.call()
        await until(lambda: caller.upstream.open_connections)
        _, connecting = caller.call()
        await caller.upstream.aclose()
        assert caller.upstream.open_connections == 0
        assert (await running.failure()).fault is Fault.RESET
        assert (await connecting.failure()).sent is Sent.NONE
        assert (await caller.call()[1].failure()).sent is Sent.NONE
        await caller.upstream.aclose()


async def test_events_carry_the_numbers_of_their_call() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        _, news = caller.call(exchange=7, attempt=3)
        await news.reply()
        assert [(event.exchange, event.attempt) for event in news.events] == [(7, 3)] * 3


async def test_nothing_listens_there() -> None:
    async with provider(answering(OK)) as world:
        origin = world.origin
    async with client(origin) as caller:
        failed = await caller.call(limits=LIMITS)[1].failure()
        assert (failed.fault, failed.sent, failed.reused) == (Fault.CONNECT, Sent.NONE, False)
        assert "refused" in failed.detail
