"""What is measured of a run, from facts alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.harness.report.accounts import fairness
from gephyr.harness.report.bands import MOST_SPANS, Bands
from gephyr.harness.report.measurements import Measurements
from gephyr_core.records import AccountEvent, ProxyEvent, Usage
from tests.harness.report_facts import BEGIN, account, attempt, refused, request


def measured(*facts, accounts=()) -> Measurements:
    measurements = Measurements(accounts, BEGIN)
    for fact in facts:
        measurements.take(fact)
    return measurements


def event(what: str, at: float, name: str = "a", **values) -> AccountEvent:
    return AccountEvent(name, what, BEGIN + at, **values)


def spans(measurements: Measurements, name: str = "a") -> list[tuple[str, float, float, str]]:
    bands = measurements.accounts[name].bands
    return [(span.kind, span.begin - BEGIN, span.until - BEGIN, span.reason) for span in bands.spans]


def test_requests_are_counted_by_their_ending_and_why():
    measurements = measured(
        request(attempt()),
        refused(),
        refused(status=503, error="unavailable"),
        request(attempt(outcome="status", status=500), outcome="failed", status=502, error="bad_gateway", account=None),
        request(attempt(outcome="cancelled"), outcome="client_gone", status=0, account=None),
        request(attempt(), outcome="aborted", status=503, account=None),
    )
    assert measurements.requests == 6
    assert measurements.endings == {"served": 1, "refused": 2, "failed": 2, "left": 1}
    assert measurements.reasons == {
        "refused": {"rate_limit (429)": 1, "unavailable (503)": 1},
        "failed": {"bad_gateway (502)": 1, "aborted (503)": 1},
    }
    assert {ending: sum(counts.shown()) for ending, counts in measurements.over_time.items()} == measurements.endings


def test_a_wait_is_that_of_all_attempts_or_until_the_refusal():
    measurements = measured(
        request(attempt(waited=0.5), attempt(waited=1.5)), refused(duration=5.0), request(attempt()), request(attempt())
    )
    assert measurements.waits.count == 4
    assert measurements.waits.quantile(50) == 0.0
    assert measurements.waits.quantile(75) == pytest.approx(2.0, rel=1 / 60)
    assert measurements.waits.greatest == 5.0


def test_the_load_of_an_account_is_what_it_was_asked_and_what_it_answered():
    failed = attempt("a", outcome="status", status=429)
    measurements = measured(
        request(failed, attempt("b", attempt=2)), request(attempt("a", outcome="cancelled"), outcome="client_gone")
    )
    a, b = measurements.accounts["a"], measurements.accounts["b"]
    assert (a.attempts, a.served, a.failures, a.rate_limited) == (2, 0, 1, 1)
    assert (b.attempts, b.served, b.failures, b.input_tokens, b.cached_tokens) == (1, 1, 0, 100, 50)
    assert measurements.attempts == {2: 1, 1: 1}
    assert measurements.rules == {"best_of_two": 3}
    assert measurements.routes == {"direct": (3, 0)}


def test_tokens_are_weighed_by_what_they_cost():
    usage = Usage(input=1000, cached=400, cache_write=200, output=10)
    measurements = measured(request(attempt(), usage=usage), request(attempt(), usage=Usage()))
    assert measurements.tokens.cache_share == 0.4
    assert measurements.tokens.cost == 400 + 40 + 250 + 50


def test_a_cooldown_is_a_band_and_a_recovery_ends_an_estimated_one():
    measurements = measured(
        event("cooldown", 10, until=BEGIN + 40, reason="rate_limit"),
        event("recovered", 20),
        event("cooldown", 50, until=BEGIN + 90, reason="rate_limit", stated=True),
        event("recovered", 60),
    )
    assert spans(measurements) == [("estimated", 10, 20, "rate_limit"), ("stated", 50, 90, "rate_limit")]
    assert measurements.accounts["a"].bands.covered(BEGIN + 70, "stated", "estimated") == 30
    assert measurements.events == {"cooldown": 2, "recovered": 2}


def test_disabled_is_a_band_until_enabled_and_nothing_is_held_against_an_account_after_it():
    measurements = measured(
        event("cooldown", 1, until=math.inf, reason="money", stated=True),
        event("disabled", 5, reason="invalid_grant"),
        event("enabled", 25),
        event("disabled", 30, reason="operator"),
        accounts=[account("a")],
    )
    assert spans(measurements) == [
        ("stated", 1, 25, "money"),
        ("disabled", 5, 25, "invalid_grant"),
        ("disabled", 30, math.inf, "operator"),
    ]
    assert measurements.accounts["a"].in_service(BEGIN + 40) == 10


def test_a_proxy_is_down_until_it_is_healthy():
    measurements = measured(ProxyEvent("p", False, BEGIN + 1.0, "refused"), ProxyEvent("p", True, BEGIN + 3.0))
    (span,) = measurements.proxies["p"].spans
    assert (span.begin, span.until, span.reason) == (BEGIN + 1.0, BEGIN + 3.0, "refused")


def test_fairness_compares_accounts_that_can_stand_in_for_one_another():
    accounts = [account("a"), account("b", weight=2), account("spare", priority=-1), account("other", models=("o*",))]
    calls = [request(attempt("a"))] + 2 * [request(attempt("b"))] + 5 * [request(attempt("other"))]
    measurements = measured(*calls, accounts=accounts)
    (found,) = fairness(measurements.accounts.values(), measurements.end)
    assert (found.tier, found.accounts) == ("priority 0, openai, every model", 2)
    assert found.index == pytest.approx(1.0)


def test_one_that_does_everything_is_as_unfair_as_can_be():
    measurements = measured(request(attempt("a")), accounts=[account(name) for name in "abcd"])
    assert fairness(measurements.accounts.values(), measurements.end)[0].index == pytest.approx(0.25)


def test_an_account_that_came_later_is_compared_for_the_time_it_was_there():
    measurements = Measurements([account("a"), account("b")], BEGIN)
    measurements.take(event("added", 50, "b"))
    for name, calls in (("a", 100), ("b", 50)):
        for _ in range(calls):
            measurements.take(request(attempt(name)))
    measurements.ran_until(BEGIN + 100)
    assert fairness(measurements.accounts.values(), measurements.end)[0].index == pytest.approx(1.0)


def test_an_account_that_is_not_enabled_is_not_in_the_pool_until_it_is_added():
    measurements = measured(event("added", 50), accounts=[account("a", enabled=False)])
    assert spans(measurements) == [("removed", 0, 50, "not enabled")]
    assert measurements.accounts["a"].in_service(BEGIN + 60) == 10


FLAPPING = st.lists(
    st.tuples(
        st.sampled_from(["stated", "estimated"]),
        st.sampled_from(["", "m", "n"]),
        st.integers(0, 50),
        st.integers(0, 30),
    ),
    max_size=800,
)


@given(FLAPPING)
def test_bands_are_bounded_and_forget_no_time(flaps):
    """However often an account flaps: what was covered stays covered."""
    bands, at, covered = Bands(), 0.0, {}
    for kind, model, gap, length in flaps:
        at += gap
        bands.begin(kind, model, at, at + length, "why")
        covered.setdefault(kind, []).append((at, at + length))
    assert len(bands.spans) <= MOST_SPANS
    assert sum(span.times for span in bands.spans) == len(flaps)
    for kind, expected in covered.items():
        kept = [(span.begin, span.until) for span in bands.spans if span.kind == kind]
        for begin, until in expected:
            assert any(left <= begin and until <= right for left, right in kept)


@given(st.permutations([request(attempt("a"), started_at=BEGIN + at, duration=at / 7) for at in range(1, 900, 40)]))
def test_the_order_of_the_requests_does_not_matter(requests):
    one, other = measured(*requests), measured(*sorted(requests, key=lambda record: record.started_at))
    assert one.over_time["served"].shown() == other.over_time["served"].shown()
    assert one.durations.quantiles(50, 99) == other.durations.quantiles(50, 99)
    averages = [measurements.accounts["a"].in_flight.averages() for measurements in (one, other)]
    assert averages[0] == pytest.approx(averages[1], abs=1e-4)
