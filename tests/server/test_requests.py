"""What the core is told about a request, and when."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.server.chunks import ChunkError, ChunkReader
from gephyr.server.request import RequestReader
from gephyr_core.commands import ReadBody
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted
from tests.server.world import reply, responses, serving
from tests.waiting import until

pytestmark = pytest.mark.anyio

_PIECES = [b"5", b"0", b"a", b"\r\n", b"\r", b"\n", b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b";x", b"A: b\r\n", b" "]
CLOSE = b"Host: h\r\nConnection: close\r\n"


async def test_the_core_is_told_method_target_headers_peer_and_scheme() -> None:
    """Header names come in lower case, values as they were sent."""
    async with serving() as world:
        await world.talk(b"PATCH /a?b=%20c HTTP/1.1\r\nX-Thing:  V w \r\n" + CLOSE + b"\r\n")
        [started] = world.core.of(RequestStarted)
    assert (started.method, started.target) == ("PATCH", "/a?b=%20c")
    assert list(started.headers) == [(b"x-thing", b"V w"), (b"host", b"h"), (b"connection", b"close")]
    assert (started.peer, started.scheme) == ("127.0.0.1", "http")


async def test_credentials_do_not_reach_the_core() -> None:
    """The head goes through ``strip_credentials``: the core gets digests."""
    async with serving() as world:
        await world.talk(b"GET /a?key=marked-1 HTTP/1.1\r\nx-api-key: marked-2\r\n" + CLOSE + b"\r\n")
        [started] = world.core.of(RequestStarted)
    assert "marked" not in repr(started)
    assert [len(digest) for digest in started.credentials] == [64, 64]


@pytest.mark.parametrize(
    ("line", "target", "host"),
    [
        (b"GET http://other:81/p?q HTTP/1.1", "/p?q", b"other:81"),
        (b"GET HTTPS://other HTTP/1.1", "/", b"other"),
        (b"GET http://other?q HTTP/1.1", "/?q", b"other"),
        (b"OPTIONS http://other HTTP/1.1", "*", b"other"),
        (b"OPTIONS * HTTP/1.1", "*", b"h"),
        (b"OPTIONS /p HTTP/1.1", "/p", b"h"),
        (b"GET //p HTTP/1.1", "//p", b"h"),
    ],
)
async def test_targets_are_reduced_to_origin_form(line: bytes, target: str, host: bytes) -> None:
    """An absolute target's authority counts, not the ``Host`` header (RFC 9112, section 3.2.2)."""
    async with serving() as world:
        [(status, _, _)] = responses(await world.talk(line + b"\r\n" + CLOSE + b"\r\n"))
        [started] = world.core.of(RequestStarted)
    assert status == 200
    assert started.target == target
    assert [value for name, value in started.headers if name == b"host"] == [host]


async def test_the_chunks_of_one_socket_read_are_one_event() -> None:
    """A client that sends token by token does not make the core work chunk by chunk."""
    async with serving() as world:
        chunks = b"".join(b"1\r\n%c\r\n" % letter for letter in b"abcdefgh") + b"0\r\n\r\n"
        head = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"\r\n"
        await world.talk(head + chunks)
        [body] = world.core.of(RequestBody)
    assert body.data == b"abcdefgh"
    assert type(body.data) is bytes


async def test_nothing_of_a_body_reaches_the_core_before_it_asks() -> None:
    """A refused client costs the core its head only; what came with the head waits."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello")
        await world.core.saw(RequestStarted)
        assert not world.core.of(RequestBody)
        world.command(ReadBody(1))
        assert [body.data for body in world.core.of(RequestBody)] == [b"hello"]
        client.send(b"world")
        await world.core.saw(RequestEnded)
        assert [body.data for body in world.core.of(RequestBody)] == [b"hello", b"world"]
        await client.close()


async def test_a_body_that_nobody_reads_waits_mostly_in_the_clients_memory() -> None:
    """Reading stops at 64 KiB and goes on when the core asks; all of it arrives."""
    size = 8_000_000
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        client.send(b"x" * size)
        await world.core.saw(RequestStarted)
        [connection] = world.connections
        await until(lambda: not connection._transport.is_reading())
        assert connection._reader.waiting <= 64 * 1024 + 256 * 1024
        world.command(ReadBody(1))
        await world.core.saw(RequestEnded)
        assert len(world.core.bodies[1]) == size
        await client.close()


async def test_100_continue_is_sent_when_the_core_asks_for_the_body() -> None:
    """Not before: the core may still refuse, and the client keeps its body."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /unread HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n" + CLOSE + b"\r\n")
        await world.core.saw(RequestStarted)
        world.command(ReadBody(1))
        assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        [(status, _, body)] = responses(await client.read_all())
    assert (status, body) == (200, b'["POST","/unread","h","hello"]')


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_100_continue_is_left_out_where_it_is_not_awaited(version: bytes) -> None:
    """The client sent its body already, or speaks HTTP/1.0 (RFC 9110, section 10.1.1)."""
    async with serving() as world:
        head = b"POST /a HTTP/%b\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" % version
        data = await world.talk(head + CLOSE + b"\r\nhello")
    assert data.startswith(b"HTTP/1.1 200 ")


async def test_a_request_without_a_body_ends_when_the_core_asks() -> None:
    """``RequestEnded`` answers every ``ReadBody``, a ``Content-Length`` of 0 included."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        await world.core.saw(RequestStarted)
        assert not world.core.of(RequestEnded)
        world.command(ReadBody(1))
        assert len(world.core.of(RequestEnded)) == 1
        await client.close()


async def test_an_upgrade_is_an_ordinary_request_and_the_connection_goes_on() -> None:
    """The core answers 426; what the client sends next is a request again."""
    async with serving() as world:
        upgrade = b"GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        data = await world.talk(upgrade + b"GET /b HTTP/1.1\r\n" + CLOSE + b"\r\n")
        first, second = world.core.of(RequestStarted)
    assert [status for status, _, _ in responses(data)] == [426, 200]
    assert (b"upgrade", b"websocket") in first.headers
    assert second.target == "/b"


async def test_chunks_that_turn_malformed_end_the_exchange_with_a_400() -> None:
    """The core hears that its client is gone, and what it still answers goes nowhere."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await world.core.saw(RequestBody)
        client.send(b"nonsense\r\n")
        [(status, _, _)] = responses(await client.read_all())
        assert status == 400
        assert world.driver.open_exchanges == 0
        world.command(*reply(1, 200, b"late"))


async def test_chunks_that_turn_malformed_during_a_response_cut_it() -> None:
    """A response that has begun cannot become a 400."""
    async with serving() as world:
        client = await world.connect()
        client.send(b"POST /start HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.read_until(b"first\r\n")
        world.command(ReadBody(1))
        client.send(b"nonsense\r\n")
        assert await client.read_all() == b""


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_a_chunked_body_is_the_same_however_it_is_split(size: int) -> None:
    """Sizes, ends of lines and trailers may come in two reads."""
    body = b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n"
    reader = RequestReader()
    reader.append(b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert reader.has_head(1000)
    reader.next_head(1000)
    data = b""
    following = b"GET"
    stream = body + following
    for start in range(0, len(stream), size):
        reader.append(stream[start : start + size])
        while (part := reader.read_body()) is not None:
            data += part
    assert (data, reader.complete, reader.waiting) == (b"hello world", True, len(following))


@given(st.binary(max_size=60) | st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join), st.integers(1, 9))
def test_chunks_that_are_read_are_read_as_h11_reads_them(stream: bytes, size: int) -> None:
    """Ours is stricter, and never of another opinion."""
    chunks, data, offset, buffer = ChunkReader(), b"", 0, b""
    try:
        for start in range(0, len(stream), size):
            buffer += stream[start : start + size]
            part, offset = chunks.read(buffer, offset)
            data += part
    except ChunkError:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + stream)
    assert type(parser.next_event()) is h11.Request
    expected = b""
    while type(event := parser.next_event()) is h11.Data:
        expected += event.data
    assert data == expected
    assert chunks.complete is (type(event) is h11.EndOfMessage)
    if chunks.complete:
        assert buffer[offset:] + stream[len(buffer) :] == parser.trailing_data[0]
