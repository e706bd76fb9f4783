"""Strategies over proxies that come, go, and are used: against naive ones that look at all of them each time."""

import random
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.outbound.proxy import Proxy
from gephyr_core.outbound.selection import Selection, Strategy

STRATEGIES = get_args(Strategy)


def proxies(*priorities: int) -> list[Proxy]:
    """Proxies of these priorities, the highest first as the pool ranks them."""
    return [
        Proxy(ProxyConfig(id=f"p{rank}", url=f"pool:p{rank}", priority=priority), rank)
        for rank, priority in enumerate(sorted(priorities, reverse=True))
    ]


def selection(strategy: Strategy, *members: Proxy) -> Selection:
    chosen = Selection(strategy, random.Random(1))
    for proxy in members:
        chosen.add(proxy)
    return chosen


def use(chosen: Selection, proxy: Proxy, number: int, *, open_calls: int = 1) -> None:
    """A call begins through it, or ends."""
    proxy.in_flight += open_calls
    proxy.used = number
    chosen.changed(proxy)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nobody_is_selected_where_nobody_is_left(strategy: Strategy) -> None:
    (one,) = proxies(1)
    chosen = selection(strategy)
    assert chosen.select() is None
    chosen.add(one)
    assert chosen.select() is one
    assert chosen.select([one.route]) is None
    assert chosen.select(["pool:other"]) is one
    assert (len(chosen), one in chosen) == (1, True)
    chosen.remove(one)
    assert (len(chosen), one in chosen, chosen.select()) == (0, False, None)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_who_is_to_be_avoided_is_not_selected(strategy: Strategy) -> None:
    members = proxies(3, 2, 1)
    chosen = selection(strategy, *members)
    for _ in range(20):
        picked = chosen.select([members[0].route, members[2].route])
        assert picked is members[1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_who_was_removed_is_not_selected_and_who_came_back_is(strategy: Strategy) -> None:
    members = proxies(3, 2, 1)
    chosen = selection(strategy, *members)
    chosen.select()
    chosen.remove(members[0])
    picked = {(chosen.select() or members[0]).rank for _ in range(60)}
    assert 0 not in picked
    chosen.remove(members[1])
    chosen.add(members[0])
    for number in range(30):
        proxy = chosen.select()
        assert proxy is not None
        assert proxy.rank in {0, 2}
        use(chosen, proxy, number)


def test_priority_takes_the_highest_however_they_came() -> None:
    members = proxies(3, 2, 1)
    for order in ((2, 1, 0), (0, 1, 2), (1, 2, 0)):
        chosen = selection("priority", *(members[at] for at in order))
        assert chosen.select() is members[0]
        chosen.remove(members[0])
        assert chosen.select() is members[1]


def test_weights_are_the_priorities_and_at_least_one() -> None:
    members = proxies(8, 0, -5)
    chosen = selection("weighted_round_robin", *members)
    counts = Counter((chosen.select() or members[0]).rank for _ in range(4000))
    assert 0.76 < counts[0] / 4000 < 0.84
    assert 0.07 < counts[1] / 4000 < 0.13
    assert 0.07 < counts[2] / 4000 < 0.13
    chosen.remove(members[0])
    counts = Counter((chosen.select() or members[0]).rank for _ in range(1000))
    assert (set(counts), 400 < counts[1] < 600) == ({1, 2}, True)
    avoiding = Counter((chosen.select([members[1].route]) or members[0]).rank for _ in range(10))
    assert avoiding == {2: 10}


def test_the_fewest_calls_count_first_and_then_the_longest_idle() -> None:
    members = proxies(1, 1, 1)
    chosen = selection("least_connections", *members)
    for number, proxy in enumerate((members[1], members[0], members[2]), 1):
        use(chosen, proxy, number)
    assert chosen.select() is members[1]
    use(chosen, members[2], 3, open_calls=-1)
    assert chosen.select() is members[2]
    assert chosen.select([members[2].route]) is members[1]


def test_the_fewest_calls_are_known_after_ten_thousand_changes() -> None:
    """What is remembered of earlier calls is cleared away, and nothing of the present with it."""
    members = proxies(1, 1, 1)
    chosen = selection("least_connections", *members)
    rng = random.Random(1)
    for number in range(1, 10_001):
        proxy = members[rng.randrange(3)]
        use(chosen, proxy, number, open_calls=-1 if proxy.in_flight and rng.random() < 0.5 else 1)
        # Asked seldom, so that much is left to clear away.
        if number % 97 == 0:
            assert chosen.select() is min(members, key=lambda one: (one.in_flight, one.used))


@given(
    steps=st.lists(st.tuples(st.sampled_from(["add", "remove", "open", "close"]), st.integers(0, 4)), max_size=400),
    seldom=st.integers(1, 100),
)
def test_the_one_with_the_fewest_calls_is_selected_whatever_happened_before(
    steps: list[tuple[str, int]], seldom: int
) -> None:
    members = proxies(1, 1, 1, 1, 1)
    chosen, inside = selection("least_connections"), {}
    for number, (step, at) in enumerate(steps, 1):
        proxy = members[at]
        match step:
            case "add" if at not in inside:
                chosen.add(proxy)
                inside[at] = proxy
            case "remove" if at in inside:
                chosen.remove(proxy)
                del inside[at]
            case "open" if at in inside:
                use(chosen, proxy, number)
            case "close" if at in inside and proxy.in_flight:
                proxy.in_flight -= 1
                chosen.changed(proxy)
        if number % seldom == 0:
            expected = min(inside.values(), key=lambda one: (one.in_flight, one.used, one.rank), default=None)
            assert chosen.select() is expected
    assert len(chosen) == len(inside)
