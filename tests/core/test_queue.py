"""The waiting room: who is asked next, who keeps a place, and when time alone may help."""

import math
import random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from test_scheduler import NOW, account
from ways import busy, rate_limited, too_small

from gephyr_core.scheduling import Pool
from gephyr_core.scheduling.hints import Hints
from gephyr_core.scheduling.queue import WaitingRoom


def pools(*names: str) -> list[Pool]:
    """A pool of one account for each name."""
    return [Pool("m", [account(name)], Hints()) for name in names]


def asked(room: WaitingRoom, now: float = NOW) -> list[int]:
    """Everybody who is asked, in order, when nobody is served."""
    numbers = []
    while (number := room.next(now)) is not None:
        numbers.append(number)
    room.asked()
    return numbers


def test_each_is_asked_once_when_an_account_comes_back_and_nobody_otherwise() -> None:
    room, (one, other) = WaitingRoom(), pools("a", "b")
    room.enter(1, [one])
    room.enter(2, [other])
    room.enter(3, [one, other])
    assert asked(room) == []
    one.fresh = True
    assert asked(room) == [1, 3]
    assert asked(room) == []
    other.fresh = True
    assert asked(room) == [2, 3]
    assert not one.fresh
    assert not other.fresh


def test_a_pool_from_which_nobody_may_be_had_asks_nobody() -> None:
    room, (one, other) = WaitingRoom(), pools("a", "b")
    busy(one.accounts[0])
    one.draw(1, [], 10, NOW, random.Random(1))
    room.enter(1, [one])
    room.enter(2, [other])
    one.fresh = other.fresh = True
    assert asked(room) == [2]


def test_who_leaves_is_not_asked_and_leaves_nothing_behind() -> None:
    room, (one, other) = WaitingRoom(), pools("a", "b")
    for number in (1, 2, 3):
        room.enter(number, [one, other])
    assert (len(room), 2 in room, 9 in room) == (3, True, False)
    room.leave(2)
    room.leave(9)
    one.fresh = True
    assert asked(room) == [1, 3]
    room.leave(1)
    room.leave(3)
    assert (len(room), one.waiters, other.waiters, room.wake_at()) == (0, {}, {}, math.inf)


def test_who_left_and_comes_again_is_last() -> None:
    room, (one,) = WaitingRoom(), pools("a")
    for number in (1, 2):
        room.enter(number, [one])
    room.leave(1)
    room.enter(1, [one])
    one.fresh = True
    assert asked(room) == [2, 1]


def test_who_is_passed_is_asked_again_once_estimates_were_cleared() -> None:
    room, (one,) = WaitingRoom(), pools("a")
    for number in (1, 2, 3):
        room.enter(number, [one])
    one.fresh = True
    assert [room.next(NOW), room.next(NOW)] == [1, 2]
    room.ask_again = True
    assert asked(room) == [1, 2, 3]
    assert not room.ask_again


def test_the_limit_on_all_requests_holds_everybody_until_its_time() -> None:
    room, (one,) = WaitingRoom(), pools("a")
    room.enter(1, [one])
    one.fresh = True
    room.held_until = NOW + 10
    assert room.next(NOW + 9) is None
    assert room.next(NOW + 10) == 1
    room.asked()
    assert room.wake_at() == NOW + 10
    room.time_passed(NOW + 9)
    assert (room.held_until, one.fresh) == (NOW + 10, False)
    room.time_passed(NOW + 10)
    assert (room.held_until, one.fresh) == (0.0, True)
    assert room.wake_at() == math.inf


def test_time_wakes_for_the_first_of_all_that_is_waited_for() -> None:
    room, (one, other) = WaitingRoom(), pools("a", "b")
    rate_limited(one.accounts[0])
    too_small(other.accounts[0])
    for pool in (one, other):
        pool.draw(1, [], 10, NOW, random.Random(1))
    assert room.wake_at() == math.inf
    room.enter(1, [other])
    assert room.wake_at() == NOW + 59
    room.enter(2, [one])
    assert room.wake_at() == NOW + 30
    room.held_until = NOW + 5
    assert room.wake_at() == NOW + 5
    room.held_until = 0.0
    room.time_passed(NOW + 29)
    assert not one.fresh
    room.time_passed(NOW + 30)
    assert one.fresh
    assert not other.fresh
    room.time_passed(NOW + 59)
    assert other.fresh


class AgainstALine(RuleBasedStateMachine):
    """People, pools and returns in any order: the room asks those whom a single line of all would."""

    @initialize()
    def open(self) -> None:
        self.room, self.pools = WaitingRoom(), pools("a", "b", "c")
        self.line: dict[int, list[int]] = {}
        """Who waits for which pools, in the order in which they came."""
        self.news: set[int] = set()
        """Pools whose accounts came back, and of which nobody who waits was told."""

    @rule(number=st.integers(1, 6), wanted=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
    def enter(self, number: int, wanted: list[int]) -> None:
        self.line[number] = wanted
        self.room.enter(number, [self.pools[at] for at in wanted])

    @rule(number=st.integers(1, 6))
    def leave(self, number: int) -> None:
        self.line.pop(number, None)
        self.room.leave(number)

    @rule(back=st.lists(st.integers(0, 2), unique=True))
    def come_back(self, back: list[int]) -> None:
        for at in back:
            self.pools[at].fresh = True
        self.news |= set(back)
        expected = [number for number, wanted in self.line.items() if any(at in self.news for at in wanted)]
        assert asked(self.room) == expected
        self.news -= {at for wanted in self.line.values() for at in wanted}

    @invariant()
    def nobody_is_lost(self) -> None:
        if hasattr(self, "line"):
            assert len(self.room) == len(self.line)
            for at, pool in enumerate(self.pools):
                assert set(pool.waiters) == {number for number, wanted in self.line.items() if at in wanted}


TestAgainstALine = AgainstALine.TestCase
