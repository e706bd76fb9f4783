"""A pool: whom it offers, whom it parks and until when."""

import math
import random

import pytest
from test_scheduler import NOW, account
from ways import RATE, busy, free, pool_of, rate_limited, too_small

from gephyr_core.scheduling import Account, Lease, Pool, Wait
from gephyr_core.scheduling.blocks import Block
from gephyr_core.scheduling.hints import Hints
from gephyr_core.scheduling.windows import TokenWindow


def draw(
    pool: Pool, count: int = 2, *, avoid: tuple[Account, ...] = (), tokens: int = 10, now: float = NOW
) -> list[str]:
    """Whom the pool offers, by name."""
    return [one.id for one in pool.draw(count, list(avoid), tokens, now, random.Random(1))]


def tiers() -> tuple[Pool, dict[str, Account]]:
    """Two accounts of a high priority, one of a low one and one between."""
    accounts = [account("a", priority=2), account("b", priority=2), account("c", priority=0), account("d", priority=1)]
    return Pool("m", accounts, Hints()), {one.id: one for one in accounts}


def test_only_accounts_of_the_highest_priority_that_has_any_are_drawn() -> None:
    pool, by_name = tiers()
    assert sorted(draw(pool)) == ["a", "b"]
    assert sorted(draw(pool, 3)) == ["a", "b"]
    assert len(draw(pool, 1)) == 1
    rate_limited(by_name["a"])
    assert draw(pool) == ["b"]
    rate_limited(by_name["b"])
    assert draw(pool) == ["d"]
    rate_limited(by_name["d"])
    assert draw(pool) == ["c"]
    rate_limited(by_name["c"])
    assert draw(pool) == []
    assert list(pool.parked) == [by_name[name] for name in "abdc"]
    assert sorted(draw(pool, now=NOW + 30)) == ["a", "b"]


def test_who_is_to_be_avoided_is_not_drawn_and_not_parked() -> None:
    pool, by_name = tiers()
    assert draw(pool, avoid=(by_name["a"],)) == ["b"]
    assert draw(pool, avoid=(by_name["a"], by_name["b"])) == ["d"]
    assert draw(pool, avoid=tuple(by_name.values())) == []
    assert pool.parked == {}
    assert sorted(draw(pool)) == ["a", "b"]


def test_each_account_is_drawn_about_as_often() -> None:
    accounts = [account(name) for name in "abcde"]
    pool, rng = Pool("m", accounts, Hints()), random.Random(1)
    drawn = [pool.draw(1, [], 10, NOW, rng)[0].id for _ in range(1000)]
    assert all(150 < drawn.count(name) < 250 for name in "abcde")


@pytest.mark.parametrize("blocked", range(5))
def test_a_parked_account_costs_nobody_else_the_place(blocked: int) -> None:
    for seed in range(20):
        accounts = [account(name) for name in "abcde"]
        rate_limited(accounts[blocked])
        pool = Pool("m", accounts, Hints())
        drawn = pool.draw(5, [], 10, NOW, random.Random(seed))
        assert sorted(one.id for one in drawn) == sorted("abcde".replace("abcde"[blocked], ""))


def test_an_account_that_is_too_small_for_a_request_is_passed_over_and_offered_to_a_smaller_one() -> None:
    pool = Pool("m", [account("a"), account("b")], Hints())
    one, other = pool.accounts
    too_small(one)
    assert draw(pool) == ["b"]
    assert pool.parked == {}
    assert list(pool.too_large_for) == [one]
    assert pool.next_change() == pool.opens_at == NOW + 59
    assert sorted(draw(pool, tokens=1)) == ["a", "b"]
    assert pool.too_large_for == {}
    rate_limited(other)
    assert draw(pool) == []
    assert pool.any_free(10, NOW), "a smaller one may pass"


def test_a_request_that_was_too_large_has_another_look_when_the_first_account_may_take_it() -> None:
    pool = Pool("m", [account("a"), account("b")], Hints())
    one, other = pool.accounts
    too_small(one)
    too_small(other)
    assert one.view.tokens is not None
    one.view.tokens.settle(one.view.tokens.add(0, NOW), 0)
    other.view.tokens = TokenWindow(100)
    other.view.tokens.add(95, NOW - 21)
    assert draw(pool) == []
    assert pool.opens_at == NOW + 39
    pool.fresh = False
    pool.unpark_due(NOW + 38)
    assert not pool.fresh
    pool.unpark_due(NOW + 39)
    assert pool.fresh
    assert pool.opens_at == math.inf


def test_a_parked_account_comes_back_at_its_time_or_when_something_changes() -> None:
    pool = Pool("m", [account("a"), account("b")], Hints())
    one, other = pool.accounts
    rate_limited(one)
    busy(other)
    assert draw(pool) == []
    assert pool.next_change() == NOW + 30
    pool.fresh = False
    pool.unpark_due(NOW + 29)
    assert not pool.fresh
    pool.unpark_due(NOW + 30)
    assert list(pool.parked) == [other]
    assert pool.fresh
    assert pool.next_change() == math.inf
    other.view.in_flight = 0
    pool.hints.opened(other.id)
    assert pool.parked == {}
    assert sorted(draw(pool, now=NOW + 30)) == ["a", "b"]


def test_a_time_that_has_been_put_off_is_not_waited_for() -> None:
    """An account came back, and was parked anew until later: its first time says nothing any more."""
    pool = Pool("m", [account("a")], Hints())
    (one,) = pool.accounts
    rate_limited(one)
    assert draw(pool) == []
    pool.hints.opened(one.id)
    one.view.cooldowns.state("m", NOW + 90, RATE, "rate limit")
    assert draw(pool) == []
    assert pool.next_change() == NOW + 90
    pool.fresh = False
    pool.unpark_due(NOW + 30)
    assert (pool.fresh, list(pool.parked)) == (False, [one])


def test_who_waits_is_asked_where_an_account_may_be_had_or_none_is_worth_the_wait() -> None:
    pool = Pool("m", [account("a"), account("b")], Hints())
    one, other = pool.accounts
    assert pool.is_worth_asking
    busy(one)
    draw(pool)
    assert pool.is_worth_asking
    rate_limited(other)
    draw(pool)
    assert not pool.is_worth_asking
    one.view.in_flight = 0
    pool.hints.opened(one.id)
    assert pool.is_worth_asking
    rate_limited(one)
    draw(pool)
    assert (len(pool.parked), pool.is_worth_asking) == (2, True)


def test_an_explanation_names_thirty_two_accounts_of_each_sort() -> None:
    high, low = (
        [account(f"h{number}", priority=1) for number in range(20)],
        [account(f"l{number}") for number in range(50)],
    )
    pool = Pool("m", [*low, *high], Hints())
    names = [one.id for one in pool.not_drawn()]
    assert names == [*(f"h{number}" for number in range(20)), *(f"l{number}" for number in range(12))]
    assert [one.id for one in Pool("m", low, Hints()).not_drawn()] == [f"l{number}" for number in range(32)]
    for one in low:
        busy(one)
    blocked = Pool("m", low, Hints())
    assert draw(blocked) == []
    told = blocked.passed_over()
    assert len(told) == 32
    assert all(block == Block(math.inf, block.nature, "busy") for _, block in told)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-5-mini", "gpt"),
        ("GPT4", "GPT"),
        ("claude-sonnet-5", "claude"),
        ("models/gemini-3", "gemini"),
        ("a/b/o3", "o"),
        ("4o", "4o"),
        ("", ""),
    ],
)
def test_the_family_of_a_model_is_its_first_word(model: str, family: str) -> None:
    assert Pool(model, [], Hints()).family == family


def test_a_pool_is_named_by_the_kinds_of_its_accounts() -> None:
    accounts = [account("a"), account("b"), account("c")]
    accounts[1].provider = "azure"
    assert Pool("m", accounts, Hints()).group == "openai+azure"
    assert [Pool("m", accounts[:1], Hints()).holds(one) for one in accounts] == [True, False, False]


def test_a_lease_of_a_busy_account_is_not_granted_twice() -> None:
    world, pool = pool_of(free)
    pool.accounts[0].view.most_in_flight = 1
    assert isinstance(world.acquire(), Lease)
    assert isinstance(world.acquire(), Wait)
