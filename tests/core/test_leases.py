"""Leases: a call that is sent a second time is one more request on the account, and needs leave like the first."""

import pytest
from play import Play
from play import account as configured
from scheduling import served
from test_scheduler import NOW, World, account

from gephyr_core.config import SchedulingConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.scheduling import NEUTRAL, Lease


def test_a_call_is_not_sent_again_on_an_account_that_is_out_of_service() -> None:
    world = World(account("a"))
    lease = world.lease()
    world.scheduler.remove(world.pool.accounts[0], NOW)
    assert not lease.again(NOW)


def test_a_call_is_not_sent_again_into_a_stated_cooldown() -> None:
    world = World(account("a"))
    lease = world.lease()
    assert lease.again(NOW)
    world.pool.accounts[0].cooldowns.state("m", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
    assert not lease.again(NOW + 1)


def test_tokens_of_a_call_that_is_sent_again_count_once() -> None:
    world = World(account("a", tokens=100))
    lease = world.acquire(tokens=60)
    assert isinstance(lease, Lease)
    assert lease.again(NOW + 30)
    assert isinstance(world.acquire(NOW + 31, tokens=40), Lease)
    assert not isinstance(world.acquire(NOW + 61, tokens=1), Lease)


@pytest.mark.parametrize("most", [1, 3])
def test_leases_on_an_account_are_counted_through_its_changes(most: int) -> None:
    first, second = account("a", most=most), account("a", most=most)
    world = World(first)
    leases = [world.lease() for _ in range(most)]
    for older, newer in ((first, second), (second, account("a", most=most + 1))):
        world.scheduler.remove(older, NOW, comes_back=True)
        world.scheduler.add(newer)
        assert newer.in_flight == most
    for lease in leases:
        lease.done(NEUTRAL, NOW)
    assert world.scheduler.accounts["a"].in_flight == world.scheduler.in_flight == 0


def test_names_that_clients_invent_do_not_push_out_the_account_that_is_in_use() -> None:
    play = Play(*(configured(name) for name in "abcdef"), scheduling=SchedulingConfig())
    first = served(play, "gpt-5")
    for number in range(1000):
        served(play, "".join(chr(97 + int(digit)) for digit in f"{number:04}"))
        if number % 100 == 0:
            assert served(play, "gpt-5") == first
