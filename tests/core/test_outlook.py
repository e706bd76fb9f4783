"""What the accounts of a pool that are kept away have to say together: wait or refuse, and what the client is told."""

import math
import random

import pytest
from claiming import request_elsewhere
from test_scheduler import NOW, World, account
from ways import (
    RATE,
    Way,
    busy,
    estimated,
    failing,
    free,
    no_credit,
    no_token,
    not_so_soon,
    out,
    overloaded,
    paced,
    pool_of,
    quota_soon,
    rate_limited,
    refused,
    small_quota,
    soon,
    too_small,
)

from gephyr_core.errors import ErrorKind
from gephyr_core.scheduling import Refused, Search, Wait


@pytest.mark.parametrize(
    ("ways", "soonest", "room", "is_busy", "is_clearable", "limited"),
    [
        ((out,), math.inf, False, False, False, False),
        ((rate_limited,), NOW + 30, False, False, False, True),
        ((overloaded,), NOW + 20, False, False, False, False),
        ((no_credit,), math.inf, False, False, False, False),
        ((estimated,), NOW + 5, False, False, True, True),
        ((failing,), NOW + 1, False, False, True, False),
        ((refused,), NOW + 15, False, False, False, False),
        ((refused, estimated), NOW + 5, False, False, True, False),
        ((busy,), math.inf, True, True, False, False),
        ((no_token,), math.inf, True, True, False, False),
        ((paced,), NOW + 10, True, False, False, True),
        # Mixed: it is a limit only where it is one for each of them, in whatever order.
        ((rate_limited, overloaded), NOW + 20, False, False, False, False),
        ((overloaded, rate_limited), NOW + 20, False, False, False, False),
        ((rate_limited, paced), NOW + 10, True, False, False, True),
        ((paced, estimated), NOW + 5, True, False, True, True),
        ((busy, paced), NOW + 10, True, True, False, False),
        ((paced, busy), NOW + 10, True, True, False, False),
        ((estimated, rate_limited), NOW + 5, False, False, True, True),
        ((rate_limited, estimated), NOW + 5, False, False, True, True),
        ((out, rate_limited), NOW + 30, False, False, False, False),
        ((rate_limited, out), NOW + 30, False, False, False, False),
    ],
)
def test_the_outlook_sums_up_who_is_parked(
    ways: tuple[Way, ...], soonest: float, room: bool, is_busy: bool, is_clearable: bool, limited: bool
) -> None:
    _, pool = pool_of(*ways)
    assert not pool.any_free(10, NOW)
    outlook = pool.outlook(())
    assert (outlook.soonest, outlook.room, outlook.busy, outlook.clearable, outlook.limited) == (
        *(soonest, room, is_busy, is_clearable, limited),
    )
    assert sum(number for _, number in outlook.reasons) == len(ways)


def test_the_outlook_of_a_pool_that_keeps_nobody_away_says_nothing() -> None:
    _, pool = pool_of(free)
    outlook = pool.outlook(())
    assert (outlook.soonest, outlook.room, outlook.reasons, outlook.limited) == (math.inf, False, (), False)


def test_the_outlook_counts_the_accounts_of_each_reason() -> None:
    _, pool = pool_of(busy, paced, busy, rate_limited)
    pool.any_free(10, NOW)
    assert sorted(pool.outlook(()).reasons) == [("busy", 2), ("rate limit", 1), ("requests per minute", 1)]


@pytest.mark.parametrize("tried", range(3))
def test_who_was_tried_is_not_waited_for_but_told(tried: int) -> None:
    """Whoever failed this request before is of no use to it, wherever it stands among the parked ones."""
    _, pool = pool_of(paced, estimated, busy)
    pool.any_free(10, NOW)
    assert pool.outlook(()).busy
    outlook = pool.outlook([pool.accounts[tried]])
    expected = [
        (NOW + 5, True, True, True),
        (NOW + 10, True, True, False),
        (NOW + 5, True, False, True),
    ]
    assert (outlook.soonest, outlook.room, outlook.busy, outlook.clearable) == expected[tried]
    assert len(outlook.reasons) == 3
    assert pool.outlook(()).busy, "the outlook of others stays what it was"
    everybody = pool.outlook(pool.accounts)
    assert (everybody.soonest, everybody.room, everybody.busy, everybody.clearable) == (math.inf, False, False, False)


def test_the_outlook_follows_who_comes_and_goes() -> None:
    world, pool = pool_of(busy, paced)
    pool.any_free(10, NOW)
    assert pool.outlook(()).busy
    pool.accounts[0].view.in_flight = 0
    world.scheduler.hints.opened(pool.accounts[0].id)
    assert not pool.outlook(()).busy
    pool.accounts[0].view.in_flight = 1
    pool.any_free(10, NOW)
    assert pool.outlook(()).busy


# -- what the client is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pools", "kind"),
    [
        (((rate_limited,),), RATE),
        (((rate_limited, paced),), RATE),
        (((rate_limited,), (paced,)), RATE),
        (((rate_limited, busy),), ErrorKind.OVERLOADED),
        (((busy, rate_limited),), ErrorKind.OVERLOADED),
        (((rate_limited,), (overloaded,)), ErrorKind.OVERLOADED),
        (((overloaded,), (rate_limited,)), ErrorKind.OVERLOADED),
        (((rate_limited, free),), ErrorKind.OVERLOADED),
        (((rate_limited,), (free,)), ErrorKind.OVERLOADED),
        (((out,),), ErrorKind.OVERLOADED),
        ((), ErrorKind.OVERLOADED),
    ],
)
def test_a_client_is_told_of_a_limit_only_where_everybody_is_at_one(
    pools: tuple[tuple[Way, ...], ...], kind: ErrorKind
) -> None:
    """A 429 makes SDKs wait and come back; a 503 is for what they cannot wait for."""
    built = [pool_of(*ways) for ways in pools]
    world = built[0][0] if built else World(account("a"))
    assert world.scheduler.refusal_kind([pool for _, pool in built], NOW) is kind


@pytest.mark.parametrize(
    ("pools", "seconds"),
    [
        (((rate_limited,),), 30.0),
        (((rate_limited, overloaded),), 20.0),
        (((rate_limited,), (paced,)), 10.0),
        (((paced,), (rate_limited,)), 10.0),
        # Nobody knows a time, or a request may be served at once.
        (((out,),), None),
        (((no_credit,),), None),
        (((rate_limited, busy),), None),
        (((rate_limited,), (busy,)), None),
        (((rate_limited, estimated),), None),
        (((rate_limited, refused),), 15.0),
        (((rate_limited, free),), None),
        (((rate_limited,), (free,)), None),
        ((), None),
    ],
)
def test_the_time_to_come_back_is_that_of_the_first_account_if_none_may_be_had_before(
    pools: tuple[tuple[Way, ...], ...], seconds: float | None
) -> None:
    built = [pool_of(*ways) for ways in pools]
    world = built[0][0] if built else World(account("a"))
    assert world.scheduler.soonest_reset([pool for _, pool in built], NOW) == seconds


# -- wait or refuse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "waits"),
    [
        ((busy,), True),
        ((paced,), True),
        ((no_token,), True),
        ((soon,), True),
        ((not_so_soon,), False),
        ((rate_limited,), False),
        ((out,), False),
        ((too_small,), True),
        ((small_quota,), False),
        ((quota_soon,), True),
        # One that is worth waiting for is enough, wherever it is noticed.
        ((busy, small_quota), True),
        ((small_quota, busy), True),
        ((busy, too_small), True),
        ((too_small, small_quota), True),
        ((small_quota, too_small), True),
        ((rate_limited, small_quota), False),
        ((rate_limited, quota_soon), True),
        ((quota_soon, small_quota), True),
        ((small_quota, soon), True),
        ((out, rate_limited), False),
        ((out, busy), True),
    ],
)
def test_a_request_waits_where_an_account_will_be_free_soon(ways: tuple[Way, ...], waits: bool) -> None:
    world, pool = pool_of(*[free] * len(ways))
    for one, way in zip(pool.accounts, ways, strict=True):
        way(one)
    answer = world.acquire(tokens=10)
    assert isinstance(answer, Wait if waits else Refused)


def test_who_was_tried_is_no_reason_to_wait() -> None:
    world, pool = pool_of(busy, rate_limited)
    world.tried = [pool.accounts[0]]
    assert isinstance(world.acquire(), Refused)
    world.tried = [pool.accounts[1]]
    assert isinstance(world.acquire(), Wait)


@pytest.mark.parametrize(
    ("ways", "most", "cleared"),
    [
        ((estimated,), None, [True]),
        ((refused,), None, [False]),
        ((refused, estimated), None, [False, True]),
        ((rate_limited,), None, [False]),
        ((busy,), None, [False]),
        ((out,), None, [False]),
        ((rate_limited, estimated), None, [False, True]),
        ((estimated, rate_limited), None, [True, False]),
        ((small_quota,), None, [True]),
        ((estimated,), 5, [True]),
        ((estimated,), 1, [False]),
    ],
)
def test_estimates_are_cleared_and_nothing_else(ways: tuple[Way, ...], most: int | None, cleared: list[bool]) -> None:
    """Where the limit on all requests together is reached, clearing them would help nobody."""
    accounts = [account(f"a{number}", per_minute=1) for number in range(len(ways))]
    world = World(*accounts, most=most)
    for one, way in zip(accounts, ways, strict=True):
        way(one)
    if most is not None:
        request_elsewhere(world.scheduler, NOW - 1)
    world.pool.draw(2, [], 10, NOW, random.Random(1))
    search = Search(1, None, 10, NOW, NOW + 5)
    assert world.scheduler.clear_estimates([world.pool], search, [], NOW) is any(cleared)
    assert [one.block("m", 10, NOW) is None for one in accounts] == cleared
    assert world.scheduler.queue.ask_again is any(cleared)
    assert not world.scheduler.clear_estimates([world.pool], search, [], NOW), "once for each request"


def test_estimates_of_who_was_tried_stay() -> None:
    world, pool = pool_of(estimated, estimated)
    pool.any_free(10, NOW)
    first, second = pool.accounts
    assert world.scheduler.clear_estimates([pool], Search(1, None, 10, NOW, NOW + 5), [first], NOW)
    assert first.block("m", 10, NOW) is not None
    assert second.block("m", 10, NOW) is None
