"""Memory of large buffers goes back to the system once they were let go."""

import asyncio
import threading

import pytest

from gephyr.runtime.memory import MemoryReturn, system_trim

pytestmark = pytest.mark.anyio


class Trims:
    """Counts what was given back, in whatever thread."""

    def __init__(self) -> None:
        self.released = 0
        self.threads: list[int] = []

    def trim(self) -> None:
        self.threads.append(threading.get_ident())


async def done(memory: MemoryReturn) -> None:
    """Wait for what is under way."""
    await memory.aclose()
    await asyncio.sleep(0)


async def test_memory_is_given_back_after_large_buffers_were_let_go_and_once_more() -> None:
    """The second time for a client that was slow to read; then nothing is left to do."""
    world = Trims()
    memory = MemoryReturn(lambda: world.released, world.trim)
    assert not memory.look()
    world.released = 20_000_000
    for expected in (True, True, False, False):
        assert memory.look() is expected
        await done(memory)
    world.released += 1
    assert memory.look()
    await done(memory)
    assert len(world.threads) == 3
    assert threading.get_ident() not in world.threads, "it takes 100 ms, for which the loop has no time"


async def test_one_at_a_time() -> None:
    world = Trims()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(10)

    memory = MemoryReturn(lambda: world.released, slow)
    world.released = 1
    assert memory.look()
    world.released = 2
    assert not memory.look()
    go_on.set()
    await done(memory)
    assert begun.is_set()
    assert memory.look(), "what was let go meanwhile is not forgotten"
    await done(memory)


async def test_a_system_without_it_is_left_alone() -> None:
    memory = MemoryReturn(lambda: 10**9, None)
    assert not memory.look()
    await memory.aclose()


def test_the_systems_own_can_be_called() -> None:
    trim = system_trim()
    if trim is None:
        pytest.skip("this system's C library has no malloc_trim")
    assert trim() in {0, 1}
