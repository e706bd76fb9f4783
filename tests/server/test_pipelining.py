"""Several requests on one connection: their order, their turns, and bytes that arrive in any pieces."""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gephyr.server import ServerLimits, plain_error
from gephyr.server.connection import Connection
from gephyr.server.shared import MAX_BURST, Shared
from gephyr_core.commands import Command
from gephyr_core.events import Event, RequestBody, RequestStarted
from tests.server.world import ScriptedCore, driver_of, reply, responses, serving

pytestmark = pytest.mark.anyio

LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def get(path: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path


async def test_twenty_thousand_pipelined_requests_are_answered_in_order() -> None:
    """No recursion, no lost request, and the bytes that wait stay few."""
    count = 20_000
    async with serving() as world:
        client = await world.connect()
        client.send(b"".join(get(b"/%d" % number) for number in range(count)) + LAST)
        data = await client.read_all()
        targets = [started.target for started in world.core.of(RequestStarted)]
    assert targets == [f"/{number}" for number in range(count)] + ["/last"]
    assert data.count(b"HTTP/1.1 200 OK\r\n") == count + 1
    places = [data.index(b'"/%d"' % number) for number in range(0, count, 997)]
    assert places == sorted(places)


async def test_a_pipelined_request_waits_for_the_answer_before_it() -> None:
    """One exchange at a time on a connection, however the answers come."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/wait") + get(b"/wait") + LAST)
        await world.core.saw(RequestStarted)
        assert len(world.core.of(RequestStarted)) == 1
        world.command(*reply(1, 200, b"first"))
        assert [started.exchange for started in world.core.of(RequestStarted)] == [1, 2]
        world.command(*reply(2, 200, b"second"))
        bodies = [body for _, _, body in responses(await client.read_all())]
    assert bodies == [b"first", b"second", b'["GET","/last","h",""]']


async def test_a_burst_of_requests_gives_way_to_other_connections() -> None:
    """After 16 requests the loop runs whatever else is due."""
    async with serving() as world:
        core, receive = world.core, world.core.receive
        turns: list[int] = []

        def watch(event: Event, now: float) -> Sequence[Command]:
            if not core.events:
                asyncio.get_running_loop().call_soon(lambda: turns.append(len(core.started)))
            return receive(event, now)

        core.receive = watch  # type: ignore[method-assign]
        await world.talk(get(b"/a") * 40 + LAST)
    assert turns == [MAX_BURST]
    assert len(core.started) == 41


async def test_a_client_that_pipelines_but_does_not_read_is_not_served_on() -> None:
    """Replies to come would pile up in memory: the next request waits until the client reads."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/wait") + LAST)
        await world.core.saw(RequestStarted)
        big = b"x" * 16_000_000
        world.command(*reply(1, 200, big))
        assert len(world.core.of(RequestStarted)) == 1
        for _ in range(100):  # turns in which it would be served
            await asyncio.sleep(0)
        assert len(world.core.of(RequestStarted)) == 1
        first, second = responses(await client.read_all())
    assert hashlib.sha256(first[2]).digest() == hashlib.sha256(big).digest()
    assert second[2] == b'["GET","/last","h",""]'


class MemoryTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


CHUNKS = b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
CONVERSATIONS = [
    b"\r\n"
    + get(b"/a?b=c")
    + b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nGE"
    + b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    + CHUNKS
    + b"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    + b"HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n"
    + LAST,
    get(b"/a") + b"GET /b HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n" + LAST,
    get(b"/a") + b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n" + LAST,
    b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\n" + LAST,
]


def converse(data: bytes, cuts: Sequence[int]) -> tuple[Any, ...]:
    """Deliver *data* cut at *cuts*; return what the core saw and what the client got."""

    async def run() -> tuple[Any, ...]:
        core = ScriptedCore()
        driver = driver_of(core)
        loop = asyncio.get_running_loop()
        connection = Connection(Shared(driver=driver, limits=ServerLimits(), render=plain_error, loop=loop))
        transport = MemoryTransport()
        connection.connection_made(transport)
        places = [0, *sorted(cuts), len(data)]
        for start, end in pairwise(places):
            if start < end and not transport.closed:
                connection.data_received(data[start:end])
        assert connection.deadline < math.inf
        seen = [event for event in core.events if type(event) is not RequestBody]
        lines = [line for line in transport.written.split(b"\r\n") if not line.startswith(b"date: ")]
        return seen, core.bodies, lines

    with asyncio.Runner() as runner:
        return runner.run(run())


@given(data=st.data(), conversation=st.sampled_from(CONVERSATIONS))
@settings(max_examples=60, deadline=None)
def test_bytes_may_arrive_in_any_pieces(data: st.DataObject, conversation: bytes) -> None:
    """Wherever a socket read ends, the core sees the same requests and the client gets the same replies."""
    cuts = data.draw(st.lists(st.integers(0, len(conversation)), max_size=12))
    whole, cut = converse(conversation, []), converse(conversation, cuts)
    if whole[1] != cut[1]:  # of a malformed body, the core may have got the part before the fault
        assert any(b"400 Bad Request" in line for line in whole[2])
    assert (cut[0], cut[2]) == (whole[0], whole[2])


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_bytes_may_arrive_one_by_one(conversation: bytes) -> None:
    """The same in the extreme."""
    whole, single = converse(conversation, []), converse(conversation, range(len(conversation)))
    assert (single[0], single[2]) == (whole[0], whole[2])


async def test_a_conversation_byte_by_byte_over_a_socket_equals_the_whole() -> None:
    """The same over a real socket, one write a byte."""
    conversation = CONVERSATIONS[0]
    async with serving() as world:
        whole = await world.talk(conversation)
        client = await world.connect()
        for place in range(len(conversation)):
            client.send(conversation[place : place + 1])
            await asyncio.sleep(0)
        single = await client.read_all()

    def without_dates(data: bytes) -> list[bytes]:
        return [line for line in data.split(b"\r\n") if not line.startswith(b"date: ")]

    assert without_dates(single) == without_dates(whole)
