"""Accounts that come, go and change under those who use them."""

import random

import pytest
from test_choosing import MISSING, Room, bound_room
from test_scheduler import NOW, account
from ways import busy

from gephyr_core.scheduling import Lease, Wait


def test_who_waits_for_the_sessions_own_account_waits_for_what_the_operator_made_of_it() -> None:
    room, own, other = bound_room(mode="cache_first")
    busy(own)
    first = room.ask("s")
    assert isinstance(first, Wait)
    changed = account(own.id, most=1)
    room.scheduler.remove(own, NOW, comes_back=True)
    room.scheduler.add(changed)
    second = room.ask("s", pool=room.scheduler.pool("m", [changed, other]))
    assert isinstance(second, Wait)
    assert second.pool is not first.pool
    assert list(second.pool.accounts) == [changed]


def test_an_account_that_goes_says_why_and_one_that_was_disabled_keeps_its_reason() -> None:
    room, own, other = bound_room()
    room.scheduler.remove(own, NOW)
    assert own.disabled == "removed"
    assert [event.reason for event in room.scheduler.bindings.events if event.change is MISSING] == ["removed"]
    other.disabled = "operator"
    room.scheduler.remove(other, NOW)
    assert other.disabled == "operator"
    assert room.scheduler.accounts == {}
    assert (own.view.organization.members, other.view.organization.members) == ([], [])


def test_an_account_that_comes_back_goes_on_where_it_was_unless_it_is_another_ones() -> None:
    for provider, goes_on in (("openai", True), ("azure", False)):
        room = Room(account("a", per_minute=1), account("b"), last_used_lock_seconds=0)
        first = room.scheduler.accounts["a"]
        lease = room.ask(tried=[room.scheduler.accounts["b"]])
        assert isinstance(lease, Lease)
        room.scheduler.remove(first, NOW)
        again = account("a", per_minute=1)
        again.provider = provider
        room.scheduler.add(again)
        assert (again.view.in_flight, again.block("m", 10, NOW) is not None) == (int(goes_on), goes_on)
        assert (first.successor is again) is goes_on


@pytest.mark.parametrize(
    ("organization", "names"),
    [("", ["a", "b"]), ("acme", ["openai:acme"]), ("a", ["a", "openai:a"])],
)
def test_accounts_of_one_organisation_share_what_is_known_of_it(organization: str, names: list[str]) -> None:
    """An account whose organisation has its own name is alone in it."""
    accounts = account("a"), account("b")
    for one in accounts:
        one.organization = organization
    Room(*accounts)
    assert list(dict.fromkeys(one.view.organization.id for one in accounts)) == names
    assert (accounts[0].view.organization is accounts[1].view.organization) is (organization == "acme")


def test_pools_that_nobody_waits_in_are_forgotten_and_their_accounts_offered_anew() -> None:
    room = Room(account("a"), account("b"))
    a, b = room.pool.accounts
    waiting, idle = room.scheduler.pool("m", [a]), room.scheduler.pool("m", [a, b])
    busy(a)
    for pool in (waiting, idle):
        pool.draw(2, [], 10, NOW, random.Random(1))
    room.scheduler.queue.enter(1, [waiting])
    room.scheduler.forget_idle_pools()
    assert (list(waiting.parked), idle.parked) == ([a], {})
    assert room.scheduler.hints.watchers("a") == [waiting]
