"""The score of an account, factor by factor, and how what was learned grows old. The numbers are worked out by hand."""

import pytest
from test_scheduler import NOW, account

from gephyr_core.providers.limits import Quota
from gephyr_core.scheduling import Account
from gephyr_core.scheduling.health import AGE, SLOW, Health
from gephyr_core.scheduling.score import better, score

FRESH = 5.0 / 6.0
"""Of an account that was never asked: it is taken to answer in one second."""


def one(**more: int | None) -> Account:
    return account("a", **more)  # type: ignore[arg-type]


def test_an_account_that_was_never_asked_has_all_but_its_speed() -> None:
    assert score(one(), "m", NOW) == pytest.approx(FRESH)
    heavy = one()
    heavy.weight = 3
    assert score(heavy, "m", NOW) == pytest.approx(3 * FRESH)


def test_load_is_what_is_in_flight_and_a_trace_of_what_began_lately() -> None:
    busy = one()
    busy.view.in_flight = 3
    assert score(busy, "m", NOW) == pytest.approx(FRESH / 4)
    for _ in range(10):
        busy.health.began(NOW)
    assert busy.health.recent(NOW) == pytest.approx(10.0)
    assert busy.health.load(3, NOW) == pytest.approx(4.0)
    assert busy.health.recent(NOW + 60) == pytest.approx(5.0)
    assert busy.health.recent(NOW + 180) == pytest.approx(2.5)
    assert score(busy, "m", NOW) == pytest.approx(FRESH / 5)


def test_room_is_the_share_of_the_limit_that_is_free() -> None:
    limited = one(most=4)
    assert score(limited, "m", NOW) == pytest.approx(FRESH)
    limited.view.in_flight = 1
    assert score(limited, "m", NOW) == pytest.approx(FRESH / 2 * 0.75)
    limited.view.in_flight = 4
    assert score(limited, "m", NOW) == 0.0


def test_quota_is_the_share_that_is_left_of_the_models_and_never_nothing() -> None:
    scarce = one()
    scarce.view.organization.remaining_of("").learn([Quota("requests", 100, 25, 100.0)], NOW)
    assert score(scarce, "m", NOW) == pytest.approx(FRESH * 0.25)
    scarce.view.organization.remaining_of("").learn([Quota("requests", 100, 0, 100.0)], NOW)
    assert score(scarce, "m", NOW) == pytest.approx(FRESH * 0.02)
    scarce.view.per_model = True
    assert score(scarce, "m", NOW) == pytest.approx(FRESH)
    scarce.view.organization.remaining_of("m").learn([Quota("requests", 100, 50, 100.0)], NOW)
    assert score(scarce, "m", NOW) == pytest.approx(FRESH * 0.5)
    assert score(scarce, "other", NOW) == pytest.approx(FRESH)


def test_success_is_a_mean_in_which_the_latest_counts_a_fifth_and_never_nothing() -> None:
    failing = one()
    failing.health.judge(success=False, now=NOW)
    assert failing.health.success_rate(NOW) == pytest.approx(0.8)
    assert score(failing, "m", NOW) == pytest.approx(FRESH * 0.8)
    failing.health.judge(success=False, now=NOW)
    assert failing.health.success_rate(NOW) == pytest.approx(0.64)
    failing.health.judge(success=True, now=NOW)
    assert failing.health.success_rate(NOW) == pytest.approx(0.712)
    for _ in range(100):
        failing.health.judge(success=False, now=NOW)
    assert score(failing, "m", NOW) == pytest.approx(FRESH * 0.05)


def test_failures_that_may_be_taken_back_count_until_they_are() -> None:
    health = Health()
    health.provisional = 2
    assert health.success_rate(NOW) == pytest.approx(0.64)
    health.provisional = 1000
    assert 0.02 < health.success_rate(NOW) < 0.05
    health.provisional = 0
    assert health.success_rate(NOW) == 1.0


def test_speed_halves_at_five_seconds() -> None:
    slow = one()
    for _ in range(200):
        slow.health.time(SLOW, NOW)
    assert slow.health.latency(NOW) == pytest.approx(SLOW)
    assert score(slow, "m", NOW) == pytest.approx(0.5)
    once = one()
    once.health.time(6.0, NOW)
    assert once.health.latency(NOW) == pytest.approx(2.0)


@pytest.mark.parametrize(("after", "share"), [(0.0, 1.0), (AGE, 0.5), (3 * AGE, 0.25)])
def test_what_was_learned_grows_old(after: float, share: float) -> None:
    """After five minutes half of it is believed, of successes and of latencies."""
    health = Health()
    health.judge(success=False, now=NOW)
    health.time(11.0, NOW)
    assert health.success_rate(NOW + after) == pytest.approx(1.0 - 0.2 * share)
    assert health.latency(NOW + after) == pytest.approx(1.0 + 2.0 * share)


def test_the_better_of_two_has_the_higher_score_and_of_equals_the_one_idle_for_longer() -> None:
    first, second = one(), one()
    assert better(first, second, "m", NOW) == (first, pytest.approx(FRESH), pytest.approx(FRESH))
    second.view.last_claim, first.view.last_claim = 1, 2
    assert better(first, second, "m", NOW)[0] is second
    assert better(second, first, "m", NOW)[0] is second
    first.weight = 2
    assert better(first, second, "m", NOW) == (first, pytest.approx(2 * FRESH), pytest.approx(FRESH))
    assert better(second, first, "m", NOW) == (first, pytest.approx(FRESH), pytest.approx(2 * FRESH))
