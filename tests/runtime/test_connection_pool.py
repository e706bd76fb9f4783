"""Which connection to a provider is taken again, which one is waited for, and which ones are closed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gephyr.runtime.upstream.pool import ConnectionPool
from tests.waiting import WAIT

HERE, THERE = ("here", ""), ("there", "")


class Connection:
    """A connection as its pool sees it."""

    def __init__(self, name: str, key: Any = HERE) -> None:
        self.name = name
        self.key = key
        self.idle_since = 0.0
        self.is_open = True
        self.ended = ""

    def abort(self) -> None:
        self.ended, self.is_open = "aborted", False

    def cut(self) -> None:
        self.ended, self.is_open = "cut", False


class Loop:
    """A loop whose time is told, and whose timers run when they are asked to."""

    def __init__(self, real: asyncio.AbstractEventLoop) -> None:
        self.create_future = real.create_future
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        return self.call_at(self.now + delay, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        timer = when, callback
        self.timers.append(timer)
        return Timer(self, timer)

    def run_timer(self) -> float:
        """Let time pass until the one timer, and say when that is."""
        [(self.now, callback)] = self.timers
        self.timers.clear()
        callback()
        return self.now


class Timer:
    def __init__(self, loop: Loop, timer: tuple[float, Callable[[], None]]) -> None:
        self.loop, self.timer = loop, timer

    def cancel(self) -> None:
        self.loop.timers.remove(self.timer)


Scene = Callable[[Any, Loop], Awaitable[None]]


def play(monkeypatch: pytest.MonkeyPatch, scene: Scene, *, most: int = 2, head_start: float = 0.0) -> None:
    """Play a scene with a pool that keeps *most* connections to each place for ten seconds."""

    async def run() -> None:
        loop = Loop(asyncio.get_running_loop())
        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "get_running_loop", lambda: loop)
            pool = ConnectionPool(max_idle_per_key=most, idle_seconds=10.0, head_start=head_start)
        await scene(pool, loop)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("idle", "is_open", "taken"),
    [(0.0, True, True), (10.0, True, True), (10.5, True, False), (0.0, False, False), (10.5, False, False)],
)
def test_a_connection_is_taken_while_it_is_open_and_was_not_idle_for_too_long(
    monkeypatch: pytest.MonkeyPatch, idle: float, is_open: bool, taken: bool
) -> None:
    async def scene(pool: Any, loop: Loop) -> None:
        kept = Connection("kept")
        pool.give(kept)
        loop.now += idle
        kept.is_open = is_open
        assert pool.take(HERE) is (kept if taken else None)
        assert kept.ended == ("" if taken else "aborted")
        assert pool.idle_count == 0

    play(monkeypatch, scene)


def test_the_connection_given_back_last_is_taken_first_and_only_for_its_own_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        first, second, other = Connection("first"), Connection("second"), Connection("other", THERE)
        for connection in (first, second, other):
            pool.give(connection)
        assert [pool.take(HERE), pool.take(HERE), pool.take(HERE)] == [second, first, None]
        assert pool.take(THERE) is other

    play(monkeypatch, scene)


def test_a_closed_connection_is_passed_over_for_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        first, second = Connection("first"), Connection("second")
        pool.give(first)
        pool.give(second)
        second.is_open = False
        assert pool.take(HERE) is first

    play(monkeypatch, scene)


def test_so_many_are_kept_for_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        here = [Connection(str(number)) for number in range(3)]
        there = Connection("there", THERE)
        for connection in (*here, there):
            pool.give(connection)
        assert [connection.ended for connection in (*here, there)] == ["", "", "aborted", ""]
        assert pool.idle_count == 3

    play(monkeypatch, scene)


def test_idle_connections_are_closed_when_each_has_been_idle_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, loop: Loop) -> None:
        early, late, latest = Connection("early"), Connection("late"), Connection("latest", THERE)
        pool.give(early)
        loop.now += 4
        pool.give(late)
        loop.now += 3
        pool.give(latest)
        seen = []
        while loop.timers:
            when = loop.run_timer()
            seen.append((when, [one.name for one in (early, late, latest) if one.ended]))
        assert seen == [
            (110.0, ["early"]),
            (114.0, ["early", "late"]),
            (117.0, ["early", "late", "latest"]),
        ]
        assert pool.idle_count == 0
        pool.give(Connection("next"))
        assert len(loop.timers) == 1

    play(monkeypatch, scene)


def test_a_sweep_comes_as_early_as_the_first_of_several_places_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, loop: Loop) -> None:
        pool.give(Connection("gone"))
        for key, after in ((THERE, 2.0), (("far", ""), 1.0), (("away", ""), 1.0)):
            loop.now += after
            pool.give(Connection(key[0], key))
        assert [loop.run_timer(), loop.run_timer()] == [110.0, 112.0]

    play(monkeypatch, scene)


def test_only_a_connection_that_is_expected_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        assert await pool.soon(HERE) is None
        pool.expect(Connection("there", THERE))
        assert await pool.soon(HERE) is None
        assert pool.idle_count == 0

    play(monkeypatch, scene, head_start=600.0)


@pytest.mark.parametrize("fate", ["given", "given and closed", "closed"])
def test_a_call_gets_the_connection_it_waits_for_unless_that_is_closed(
    monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        coming = Connection("coming")
        pool.add(coming)
        pool.expect(coming)
        call = asyncio.create_task(pool.soon(HERE))
        await asyncio.sleep(0)
        assert await pool.soon(HERE) is None  # one call waits for it, and no second one
        if fate.startswith("given"):
            pool.give(coming)
        if fate.endswith("closed"):
            coming.is_open = False
            pool.forget(coming)
        assert await call is (coming if fate == "given" else None)
        assert pool.idle_count == 0
        assert pool.open_count == (0 if fate.endswith("closed") else 1)

    play(monkeypatch, scene, head_start=600.0)


def test_who_waited_in_vain_is_the_last_to_wait_until_one_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        first, second = Connection("first"), Connection("second")
        pool.expect(first)
        assert await pool.soon(HERE) is None
        pool.expect(second)
        assert await pool.soon(HERE) is None
        pool.give(first)
        assert pool.take(HERE) is first
        call = asyncio.create_task(pool.soon(HERE))
        await asyncio.sleep(0)
        pool.give(second)
        assert await call in {second, None}
        assert second.ended == ""

    play(monkeypatch, scene)


@pytest.mark.parametrize(
    ("given", "is_open", "kept"), [(True, True, 1), (True, False, 0), (False, True, 0), (False, False, 0)]
)
def test_what_a_cancelled_call_was_given_is_kept_for_the_next(
    monkeypatch: pytest.MonkeyPatch, given: bool, is_open: bool, kept: int
) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        coming = Connection("coming")
        pool.expect(coming)
        call = asyncio.create_task(pool.soon(HERE))
        await asyncio.sleep(0)
        if given:
            pool.give(coming)
        coming.is_open = is_open
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert pool.idle_count == kept
        if not given:
            pool.give(coming)
            assert pool.idle_count == 1  # nobody waits for it any more

    play(monkeypatch, scene, head_start=600.0)


def test_a_connection_that_is_closed_is_no_longer_idle_nor_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        one, two = Connection("one"), Connection("two")
        for connection in (one, two):
            pool.add(connection)
            pool.give(connection)
        pool.forget(two)
        assert (pool.open_count, pool.idle_count) == (1, 1)
        assert pool.take(HERE) is one

    play(monkeypatch, scene)


def test_closing_cuts_every_connection_and_ends_when_the_last_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, loop: Loop) -> None:
        idle, used = Connection("idle"), Connection("used")
        pool.add(idle)
        pool.add(used)
        pool.give(idle)
        closing = asyncio.create_task(pool.aclose())
        await asyncio.sleep(0)
        assert (idle.ended, used.ended, pool.idle_count, loop.timers) == ("cut", "cut", 0, [])
        pool.forget(idle)
        await asyncio.sleep(0)
        assert not closing.done()
        pool.forget(used)
        await closing
        await pool.aclose()
        late = Connection("late")
        pool.give(late)
        assert late.ended == "aborted"

    play(monkeypatch, scene)


def test_closing_ends_at_once_where_nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Any, _: Loop) -> None:
        await asyncio.wait_for(pool.aclose(), WAIT)
        assert pool.idle_count == 0

    play(monkeypatch, scene)
