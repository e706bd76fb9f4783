"""Responses on the wire: framing, our own headers, and what happens when the core contradicts itself."""

from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.server.response import ResponseWriter
from gephyr_core.commands import AbortResponse, EndResponse, SendBody, StartResponse
from gephyr_core.events import ClientGone, FrontEndFailed, RequestEnded, RequestStarted
from tests.faulting import fault_at_call
from tests.server.world import reply, responses, serving
from tests.waiting import until

pytestmark = pytest.mark.anyio

DATE = (b"date", b"Mon, 23 Nov 2026 10:00:00 GMT")


def get(path: bytes, *, method: bytes = b"GET", version: bytes = b"1.1", close: bool = True) -> bytes:
    connection = b"Connection: close\r\n" if close else b""
    return b"%b %b HTTP/%b\r\nHost: h\r\n%b\r\n" % (method, path, version, connection)


async def test_every_response_has_date_and_server() -> None:
    """Those the core makes, and those the server makes itself."""
    async with serving() as world:
        [(_, good, _)] = responses(await world.talk(get(b"/a")))
        [(_, bad, _)] = responses(await world.talk(b"nonsense\r\n\r\n"))
    assert good[b"server"] == bad[b"server"] == b"gephyr"
    assert good[b"date"].endswith(b" GMT")
    assert bad[b"date"].endswith(b" GMT")


async def test_a_body_of_unknown_length_is_chunked() -> None:
    """One chunk for each piece the core sends."""
    async with serving() as world:
        data = await world.talk(get(b"/stream"))
    assert data.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    [(_, headers, body)] = responses(data)
    assert (headers[b"transfer-encoding"], body) == (b"chunked", b"onetwo")


async def test_an_http_1_0_client_gets_no_chunks_and_a_close() -> None:
    """Its body of unknown length ends with the connection."""
    async with serving() as world:
        data = await world.talk(get(b"/stream", version=b"1.0", close=False))
        known = await world.talk(get(b"/a", version=b"1.0", close=False))
    [(_, headers, body)] = responses(data)
    assert (headers.get(b"transfer-encoding"), headers[b"connection"], body) == (None, b"close", b"onetwo")
    assert responses(known)[0][2] == b'["GET","/a","h",""]'


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    """Length and chunked alike, and the connection is in step afterwards."""
    async with serving() as world:
        data = await world.talk(
            get(b"/a", method=b"HEAD", close=False) + get(b"/stream", method=b"HEAD", close=False) + get(b"/a")
        )
    first, second, third = responses(data, "HEAD", "HEAD")
    assert (first[1][b"content-length"], first[2]) == (b"20", b"")
    assert (second[1][b"transfer-encoding"], second[2]) == (b"chunked", b"")
    assert third[2] == b'["GET","/a","h",""]'


async def test_204_has_neither_body_nor_length() -> None:
    """RFC 9110, section 8.6; the connection goes on."""
    async with serving() as world:
        data = await world.talk(get(b"/empty", close=False) + get(b"/a"))
    first, second = responses(data)
    assert (first[0], first[1].get(b"content-length"), first[2]) == (204, None, b"")
    assert first[1].get(b"transfer-encoding") is None
    assert second[0] == 200


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=5),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    status=st.sampled_from([200, 204, 304, 429, 529]),
    length_known=st.booleans(),
    http_1_0=st.booleans(),
    keep=st.booleans(),
)
def test_the_writers_bytes_are_those_of_h11(
    pieces: list[bytes], method: str, status: int, length_known: bool, http_1_0: bool, keep: bool
) -> None:
    """Heads and chunks are written without h11; whatever the response, h11 would have sent the same bytes."""
    length = sum(map(len, pieces))
    headers = [(b"content-length", b"%d" % length)] if length_known and status != 204 else []
    ours = ResponseWriter(method, http_1_0=http_1_0, keep=keep and not http_1_0)
    ours.start(status, headers, DATE, close=False)
    written = b"".join([*map(ours.body, pieces), ours.end()])

    theirs = h11.Connection(h11.SERVER)
    close = b"" if keep else b"Connection: close\r\n"
    version = b"1.0" if http_1_0 else b"1.1"
    theirs.receive_data(b"%b / HTTP/%b\r\nHost: h\r\n%b\r\n" % (method.encode(), version, close))
    while type(theirs.next_event()) is not h11.EndOfMessage:
        pass
    reason = {200: b"OK", 204: b"No Content", 304: b"Not Modified", 429: b"Too Many Requests"}.get(status, b"")
    head = [*headers, DATE, (b"server", b"gephyr")]
    expected = theirs.send(h11.Response(status_code=status, headers=head, reason=reason))
    if method != "HEAD" and status not in (204, 304):
        expected += b"".join(theirs.send(h11.Data(data=piece)) for piece in pieces)
    assert written == expected + theirs.send(h11.EndOfMessage())
    assert ours.keeps_connection is (theirs.our_state is h11.DONE)


def test_the_head_waits_for_the_first_byte_of_the_body() -> None:
    """A whole reply is one write."""
    writer = ResponseWriter("GET", http_1_0=False, keep=True)
    writer.start(200, [(b"content-length", b"5")], DATE, close=False)
    assert writer.body(b"") == b""
    assert writer.body(b"hello").startswith(b"HTTP/1.1 200 OK\r\n")
    assert writer.end() == b""


@pytest.mark.parametrize("size", [0, 65536, 65537, 1_000_000])
def test_a_large_reply_is_not_copied_for_its_head(size: int) -> None:
    """The head goes out alone then; the bytes are the same."""
    body = b"x" * size
    joined, apart = (ResponseWriter("GET", http_1_0=False, keep=True) for _ in range(2))
    for writer in (joined, apart):
        writer.start(200, [(b"content-length", b"%d" % size)], DATE, close=False)
    head = apart.take_head(size)
    assert bool(head) is (size > 65536)
    rest = apart.body(body)
    assert (rest is body) is bool(head)
    assert head + rest + apart.end() == joined.body(body) + joined.end()
    assert apart.take_head(size) == b""


def test_a_response_is_started_once_and_ended_once() -> None:
    """What contradicts that is a fault of the gateway's own, and never reaches a client."""
    writer = ResponseWriter("GET", http_1_0=False, keep=True)
    for too_early in (writer.end, lambda: writer.body(b"hello")):
        with pytest.raises(ValueError, match="response"):
            too_early()
    for status in (0, 100, 199, 1000):
        with pytest.raises(ValueError, match="final"):
            writer.start(status, [], DATE, close=False)
    writer.start(200, [], DATE, close=False)
    with pytest.raises(ValueError, match="twice"):
        writer.start(200, [], DATE, close=False)
    writer.end()
    for too_late in (writer.end, lambda: writer.body(b"hello")):
        with pytest.raises(ValueError, match="response"):
            too_late()


async def test_an_aborted_chunked_response_has_no_end() -> None:
    """The client sees that something is missing."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/start"))
        await client.read_until(b"first\r\n")
        world.command(AbortResponse(1, "upstream died"))
        assert await client.read_all() == b""
        assert not world.core.of(ClientGone)


async def test_an_aborted_response_that_would_end_by_close_is_reset() -> None:
    """For an HTTP/1.0 client an orderly close would be the end of the body."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/start", version=b"1.0"))
        await client.read_until(b"first")
        world.command(AbortResponse(1, "upstream died"))
        assert await client.read_cut() == b""


@pytest.mark.parametrize("body", [(SendBody(1, b"too long"), EndResponse(1)), (SendBody(1, b"abc"), EndResponse(1))])
async def test_a_body_that_contradicts_its_length_is_cut_and_reported(body: tuple[Any, ...]) -> None:
    """A fault of the gateway's own: the client never takes it for a whole reply, the core is told."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/wait"))
        await world.core.saw(RequestEnded)
        world.command(StartResponse(1, 200, [(b"content-length", b"5")]), *body)
        data = await client.read_all()
        assert world.driver.open_exchanges == 0
        (told,) = world.core.of(FrontEndFailed)
        assert (told.exchange, told.fault.error) == (1, "ValueError")
        assert told.fault.file == "gephyr/server/response.py"
    assert not data.endswith(b"too long")


async def test_a_header_that_would_split_the_head_is_never_sent() -> None:
    """Whatever the core relays, a value with a line end cannot become a second header; its client gets a 500."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/wait"))
        await world.core.saw(RequestEnded)
        world.command(StartResponse(1, 200, [(b"x-a", b"b\r\nx-c: d")]))
        data = await client.read_all()
        assert data.startswith(b"HTTP/1.1 500 ")
        assert b"x-c" not in data
        assert [told.fault.during for told in world.core.of(FrontEndFailed)] == ["StartResponse"]


async def test_a_fault_that_the_core_makes_nothing_of_is_answered_by_the_server() -> None:
    """No client waits for an answer that nobody gives; what was begun is cut."""
    answers: set[bytes] = set()
    async with serving() as world:
        for number in range(1, 100):
            client = await world.connect()
            client.send(b"POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n")
            await world.core.saw(RequestStarted, number)
            ended = len(world.core.of(RequestEnded))
            with fault_at_call(number, ("gephyr.server.connection", "gephyr.server.request")) as hit:
                client.send(b"body")
                await until(lambda hit=hit, ended=ended: hit or len(world.core.of(RequestEnded)) > ended)
            if not hit:
                break
            answers.add((await client.read_all())[:12])
        world.command(*reply(number, 200, b"fine"))
        assert (await client.read_until(b"fine")).startswith(b"HTTP/1.1 200")
        await client.close()
    assert answers == {b"HTTP/1.1 500"}


async def test_a_client_that_cannot_even_be_refused_is_cut_off() -> None:
    """Its connection does not stay open for ever, and the fault is told."""

    def render(*_: object) -> Any:
        raise LookupError("no words for it")

    async with serving(render=render) as world:
        assert await world.talk(b"no request\r\n\r\n") == b""
        faults = [told.fault for told in world.core.of(FrontEndFailed)]
        assert [(fault.error, fault.during) for fault in faults] == [("LookupError", "data_received")] * 2
