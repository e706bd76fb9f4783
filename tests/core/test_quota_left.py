"""What a provider said is left of its quota, as time and requests go on: its bucket fills evenly until its reset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.providers.limits import Measure, Quota
from gephyr_core.scheduling.health import LONGEST_QUOTA_WAIT, Remaining
from gephyr_core.scheduling.views import Organization

NOW = 1000.0
REQUESTS: Measure = "requests"


def heard(*quotas: Quota) -> Remaining:
    """What is known after a reply."""
    remaining = Remaining()
    remaining.learn(quotas, NOW)
    return remaining


@pytest.mark.parametrize(
    ("left", "tokens", "after", "opens_at"),
    [
        # Of 100 with 60 left, full again in 40 s: one more a second.
        (60, 60, 0.0, 0.0),
        (60, 61, 0.0, NOW + 1),
        (60, 80, 0.0, NOW + 20),
        (60, 80, 5.0, NOW + 20),
        (60, 80, 19.0, NOW + 20),
        (60, 80, 20.0, 0.0),
        (60, 100, 0.0, NOW + 40),
        (60, 100, 39.0, NOW + 40),
        (60, 100, 40.0, 0.0),
        # What is more than the whole bucket is let in when it is full: it could never be served otherwise.
        (60, 5000, 0.0, NOW + 40),
        (60, 5000, 40.0, 0.0),
        (60, 0, 0.0, 0.0),
        (0, 1, 0.0, NOW + 0.4),
        (100, 100, 0.0, 0.0),
    ],
)
def test_a_partly_filled_bucket_opens_when_enough_has_flowed_in(
    left: int, tokens: int, after: float, opens_at: float
) -> None:
    """A request waits as long as it must, and not until the bucket is full."""
    remaining = heard(Quota("tokens", 100, left, 40.0))
    assert remaining.opens_at(tokens, NOW + after) == pytest.approx(opens_at)


@pytest.mark.parametrize(
    ("measure", "need", "opens_at"),
    [
        ("requests", 50, NOW + 1),  # one request is one request, whatever it spends
        ("output_tokens", 50, NOW + 1),  # nobody knows what will be spent: one more is enough
        ("tokens", 50, NOW + 50),
        ("input_tokens", 50, NOW + 50),
    ],
)
def test_each_measure_is_asked_for_what_a_request_needs_of_it(measure: Measure, need: int, opens_at: float) -> None:
    assert heard(Quota(measure, 100, 0, 100.0)).opens_at(need, NOW) == pytest.approx(opens_at)


def test_of_several_measures_the_last_to_open_counts() -> None:
    for quotas in (
        (Quota("requests", 100, 0, 100.0), Quota("tokens", 100, 0, 100.0)),
        (Quota("tokens", 100, 0, 100.0), Quota("requests", 100, 0, 100.0)),
    ):
        assert heard(*quotas).opens_at(30, NOW) == pytest.approx(NOW + 30)
        assert heard(*quotas).opens_at(1, NOW) == pytest.approx(NOW + 1)


@pytest.mark.parametrize(
    ("measure", "tokens", "left"),
    [("requests", 30, 9), ("tokens", 30, 10), ("input_tokens", 4, 36), ("output_tokens", 30, 40)],
)
def test_a_request_that_begins_is_taken_off_what_was_left(measure: Measure, tokens: int, left: int) -> None:
    """The provider's word is older than the request. What it will write is not known, and not taken off."""
    limit = 10 if measure == "requests" else 40
    remaining = heard(Quota(measure, limit, limit, 100.0))
    remaining.claim(tokens, NOW)
    assert remaining.share(NOW) == pytest.approx(left / limit)


def test_a_request_after_the_reset_is_taken_off_nothing() -> None:
    remaining = heard(Quota(REQUESTS, 10, 10, 50.0))
    remaining.claim(1, NOW + 50)
    assert remaining.share(NOW) == 1.0
    remaining.claim(1, NOW + 49)
    assert remaining.share(NOW) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("quota", "known"),
    [
        (Quota(REQUESTS, 100, 50, 10.0), True),
        (Quota(REQUESTS, 1, 0, 0.001), True),
        (Quota(REQUESTS, None, 50, 10.0), False),
        (Quota(REQUESTS, 0, 0, 10.0), False),
        (Quota(REQUESTS, -1, 0, 10.0), False),
        (Quota(REQUESTS, 100, 50, None), False),
        (Quota(REQUESTS, 100, 50, 0.0), False),
        (Quota(REQUESTS, 100, 50, -5.0), False),
    ],
)
def test_a_quota_without_its_limit_or_its_reset_says_nothing_and_takes_back_what_was_said(
    quota: Quota, known: bool
) -> None:
    assert (heard(quota).share(NOW) < 1.0) is known
    remaining = heard(Quota(REQUESTS, 100, 1, 10.0))
    remaining.learn([quota], NOW)
    assert (remaining.share(NOW) < 1.0) is known
    assert remaining.share(NOW) != 0.01


def test_more_left_than_there_can_be_is_all_of_it() -> None:
    assert heard(Quota(REQUESTS, 100, 500, 10.0)).share(NOW) == 1.0


def test_what_a_reply_does_not_name_stays_as_it_was_told() -> None:
    remaining = heard(Quota(REQUESTS, 100, 10, 100.0))
    remaining.learn([Quota("tokens", 100, 50, 100.0)], NOW)
    assert remaining.share(NOW) == pytest.approx(0.1)
    remaining.learn([Quota(REQUESTS, 100, 90, 100.0)], NOW)
    assert remaining.share(NOW) == pytest.approx(0.5)


def test_a_reset_far_ahead_is_looked_at_again_after_some_minutes() -> None:
    remaining = heard(Quota(REQUESTS, 1, 0, 86400.0))
    assert remaining.opens_at(1, NOW) == NOW + LONGEST_QUOTA_WAIT
    assert heard(Quota(REQUESTS, 1, 0, 299.0)).opens_at(1, NOW) == NOW + 299


def test_a_request_that_was_passed_over_is_remembered_until_the_provider_speaks() -> None:
    """Those who wait for the quota are then told at once."""
    remaining = heard(Quota("tokens", 100, 10, 50.0))
    assert not remaining.scarce
    remaining.opens_at(10, NOW)
    assert not remaining.scarce
    remaining.opens_at(11, NOW)
    assert remaining.scarce
    remaining.opens_at(1, NOW)
    assert remaining.scarce
    remaining.learn([Quota("tokens", 100, 90, 50.0)], NOW)
    assert not remaining.scarce


def test_the_share_is_that_of_the_scarcest_measure_and_never_below_nothing() -> None:
    assert Remaining().share(NOW) == 1.0
    both = heard(Quota(REQUESTS, 100, 80, 100.0), Quota("tokens", 1000, 100, 100.0))
    assert both.share(NOW) == pytest.approx(0.1)
    assert both.share(NOW + 50) == pytest.approx(0.55)
    assert both.share(NOW + 100) == 1.0
    both.claim(5000, NOW)
    assert both.share(NOW) == 0.0


@given(
    limit=st.integers(1, 1000),
    left=st.integers(0, 1000),
    resets_in=st.floats(0.1, 300.0),
    need=st.integers(0, 1500),
    after=st.floats(0.0, 400.0),
)
def test_at_the_time_it_opens_there_is_enough_and_before_there_is_not(
    limit: int, left: int, resets_in: float, need: int, after: float
) -> None:
    """Against a bucket that is filled drop by drop."""

    def level(at: float) -> float:
        start = min(left, limit)
        return min(limit, start + (limit - start) * min(1.0, (at - NOW) / resets_in))

    remaining = heard(Quota("tokens", limit, left, resets_in))
    now = NOW + after
    opens_at = remaining.opens_at(need, now)
    wanted = min(need, limit)
    if opens_at <= now:
        assert level(now) >= wanted - 1e-6
    else:
        assert level(now) < wanted
        assert level(opens_at) == pytest.approx(wanted, abs=1e-3)


def test_nothing_is_scarce_and_everything_is_open_before_a_provider_spoke() -> None:
    remaining = Remaining()
    assert not remaining.scarce
    assert remaining.opens_at(10**9, NOW) == 0.0
    assert not remaining.scarce
    remaining.claim(10**9, NOW)
    assert remaining.share(NOW) == 1.0
    assert heard(Quota(REQUESTS, 100, 50, 10.0)).opens_at(1, NOW) == 0.0


def test_quotas_of_models_that_clients_invent_push_out_the_oldest_ones() -> None:
    """Of 513 models the first is forgotten, and a model that is told of again keeps its place."""
    organization = Organization("a")
    kept = [organization.remaining_of(f"m{number}") for number in range(512)]
    assert organization.remaining_of("m0") is kept[0]
    assert len(organization.remaining) == 512
    organization.remaining_of("one more")
    assert len(organization.remaining) == 512
    assert organization.remaining_of("m1") is kept[1]
    assert organization.remaining_of("m0") is not kept[0]
