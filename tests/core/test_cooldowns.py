"""Cooldowns: what is stated holds, what is estimated is probed, and whoever waits learns of the end."""

import random

import pytest
from test_scheduler import NOW, World, account, limited

from gephyr_core.errors import ErrorKind
from gephyr_core.scheduling import NEUTRAL, SUCCESS, Account, Lease, Outcome
from gephyr_core.scheduling.cooldowns import MEMORY, PROBE_INTERVAL, STEPS, Cooldowns

RATE = STEPS[ErrorKind.RATE_LIMIT]


def mates(*names: str) -> list[Account]:
    """Accounts of one organisation."""
    accounts = [account(name) for name in names]
    for one in accounts:
        one.organization = "acme"
    return accounts


def suspected(world: World, times: int) -> float:
    """Have the organisation's estimate grow to its longest; return when it may be probed."""
    now = NOW
    for _ in range(times):
        for one in world.pool.accounts:
            one.view.organization.cooldowns.clear_estimates("", now)
            world.scheduler.hints.opened(one.id)
        world.scheduler.release(world.lease(now), limited(None), now)
    assert not isinstance(world.acquire(now), Lease)
    return now + PROBE_INTERVAL


@pytest.mark.parametrize("outcome", [SUCCESS, NEUTRAL])
def test_whoever_shares_a_quota_comes_back_when_its_probe_ends(outcome: Outcome) -> None:
    world = World(*mates("a", "b"))
    at = suspected(world, 5)
    probe = world.lease(at)
    assert not isinstance(world.acquire(at), Lease)
    late = NOW + RATE[-1] + 1  # the estimate itself is over by then
    world.scheduler.release(probe, outcome, late)
    assert len(world.pool.draw(2, [], 10, late, random.Random(1))) == 2


def test_a_probe_without_an_end_keeps_nobody_away_beyond_the_estimate() -> None:
    world = World(account("a"))
    at = suspected(world, 5)
    world.lease(at)
    assert not isinstance(world.acquire(at), Lease)
    assert isinstance(world.acquire(NOW + RATE[-1]), Lease)


def test_a_probe_whose_client_leaves_leaves_the_probing_to_the_next() -> None:
    world = World(account("a"))
    at = suspected(world, 5)
    world.scheduler.release(world.lease(at), NEUTRAL, at)
    world.lease(at)
    assert not isinstance(world.acquire(at), Lease)


def test_a_probe_that_fails_lengthens_the_estimate() -> None:
    world = World(account("a"))
    at = suspected(world, 1 + 1)
    (estimate,) = world.pool.accounts[0].view.organization.cooldowns.estimates.values()
    probe = world.lease(estimate.probe_at)
    world.scheduler.release(probe, limited(None), at)
    (estimate,) = world.pool.accounts[0].view.organization.cooldowns.estimates.values()
    assert (estimate.failures, estimate.until) == (3, at + RATE[2])


def test_a_retry_after_of_nothing_is_no_hint() -> None:
    world = World(account("a"))
    world.scheduler.release(world.lease(), limited(0.0), NOW)
    shared = world.pool.accounts[0].view.organization.cooldowns
    assert shared.stated == {}
    assert [estimate.until for estimate in shared.estimates.values()] == [NOW + RATE[0]]


def test_a_shorter_word_does_not_end_a_longer_one() -> None:
    book = Cooldowns()
    assert book.state("m", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
    assert not book.state("m", NOW + 5, ErrorKind.RATE_LIMIT, "rate limit")
    block = book.block("m", NOW)
    assert block is not None
    assert block.until == NOW + 60
    assert book.block("other", NOW) is None


def test_failures_under_way_together_count_once_and_an_hour_forgets_them() -> None:
    book = Cooldowns()
    assert [book.suspect("m", ErrorKind.RATE_LIMIT, NOW) for _ in range(3)] == [NOW + RATE[0]] * 3
    later = NOW + RATE[0]
    assert book.suspect("m", ErrorKind.RATE_LIMIT, later) == later + RATE[1]
    later += MEMORY + RATE[1]
    assert book.block("m", later) is None
    assert book.estimates == {}


def test_what_was_stated_for_one_model_is_kept_while_another_is_served() -> None:
    world = World(account("a"))
    world.pool.accounts[0].view.cooldowns.state("other", NOW + 60, ErrorKind.OVERLOADED, "overloaded")
    world.scheduler.release(world.lease(), SUCCESS, NOW)
    assert world.pool.accounts[0].view.cooldowns.block("other", NOW) is not None


def test_a_key_that_is_bad_for_good_is_probed_less_and_less() -> None:
    cooldowns, now = Cooldowns(), 1000.0
    waits = []
    for _ in range(4):
        cooldowns.suspect("", ErrorKind.CREDENTIAL, now)
        block = cooldowns.block("m", now)
        assert block is not None
        waits.append(block.until - now)
        now = block.until
        cooldowns.probe("m", now)
    assert waits == [15.0, 75.0, 225.0, 450.0]
