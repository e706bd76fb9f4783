"""Large data goes out a piece a turn, in order, and no faster than its transport takes it."""

import asyncio

import pytest

from gephyr.runtime.outgoing import PIECE, Outgoing

pytestmark = pytest.mark.anyio


class Transport(asyncio.Transport):
    """Keeps what it is given, and is full from a number of writes on."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.full_after = -1
        self.outgoing: Outgoing | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
        if len(self.written) == self.full_after and self.outgoing is not None:
            self.outgoing.full = True


def prepared() -> tuple[Transport, Outgoing]:
    transport = Transport()
    outgoing = transport.outgoing = Outgoing(transport)
    return transport, outgoing


async def turns(number: int = 20) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_is_small_goes_out_at_once() -> None:
    transport, outgoing = prepared()
    outgoing.write(b"a" * PIECE)
    assert [len(data) for data in transport.written] == [PIECE]
    assert not outgoing


async def test_what_is_large_leaves_others_their_turn() -> None:
    """100 MB in one write are copied in one go, and everybody waits."""
    transport, outgoing = prepared()
    data = bytes(range(256)) * (PIECE // 100)
    outgoing.write(data)
    outgoing.write(b"behind")
    assert len(transport.written) == 1
    assert outgoing
    await turns()
    assert b"".join(transport.written) == data + b"behind"
    assert max(map(len, transport.written)) == PIECE
    assert not outgoing


async def test_a_full_transport_is_given_nothing_until_it_has_room() -> None:
    transport, outgoing = prepared()
    transport.full_after = 2
    outgoing.write(b"x" * (5 * PIECE))
    await turns()
    assert len(transport.written) == 2
    outgoing.room()
    await turns()
    assert len(transport.written) == 5


async def test_an_end_comes_behind_all_that_waits() -> None:
    """A connection that is closed after its reply is closed after the last byte of it."""
    transport, outgoing = prepared()
    written: list[int] = []
    outgoing.when_empty(lambda: written.append(len(transport.written)))
    outgoing.write(b"x" * (3 * PIECE))
    outgoing.when_empty(lambda: written.append(len(transport.written)))
    await turns()
    assert written == [0, 3]


async def test_what_is_forgotten_is_never_written() -> None:
    transport, outgoing = prepared()
    outgoing.write(b"x" * (3 * PIECE))
    outgoing.clear()
    await turns()
    assert len(transport.written) == 1


async def test_news_of_room_does_not_hurry_what_has_its_turn_already() -> None:
    """Still one piece in one turn of the loop."""
    transport, outgoing = prepared()
    outgoing.write(b"x" * (5 * PIECE))
    outgoing.room()
    await turns(1)
    assert len(transport.written) == 2


async def test_a_transport_that_fills_up_between_two_turns_is_given_nothing() -> None:
    transport, outgoing = prepared()
    outgoing.write(b"x" * (3 * PIECE))
    outgoing.full = True
    await turns()
    assert len(transport.written) == 1
    outgoing.room()
    await turns()
    assert len(transport.written) == 3


async def test_what_comes_after_something_forgotten_is_not_hurried_by_it() -> None:
    """Nor does it end as was wished for what is forgotten."""
    transport, outgoing = prepared()
    ended: list[str] = []
    outgoing.write(b"x" * (3 * PIECE))
    outgoing.when_empty(lambda: ended.append("forgotten"))
    outgoing.clear()
    outgoing.write(b"y" * (3 * PIECE))
    await turns(1)
    assert len(transport.written) == 1 + 2
    await turns()
    assert len(transport.written) == 1 + 3
    assert not ended


async def test_a_wish_for_the_end_is_fulfilled_once() -> None:
    _, outgoing = prepared()
    ended: list[int] = []
    for number in range(2):
        outgoing.write(b"x" * (3 * PIECE))
        if number == 0:
            outgoing.when_empty(lambda: ended.append(1))
        await turns()
    assert ended == [1]
