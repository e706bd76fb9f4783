"""What is read of a provider's limits in the headers of its replies."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import header_lists, reply_headers

from gephyr_core.dates import LONGEST_WAIT
from gephyr_core.http import Header
from gephyr_core.providers.limits import Quota, read_quotas, wait_for_quota
from tests.recordings import traffic

NOW = 1_700_000_000.0
"""2023-11-14, 22:13:20 UTC."""


def headers_of(text: str) -> list[Header]:
    """Headers, one a line."""
    lines = (line.strip().partition(": ") for line in text.strip().splitlines())
    return [(name.encode(), value.encode()) for name, _, value in lines]


def openai(remaining: str = "59", limit: str = "60", reset: str = "1s") -> list[Header]:
    """OpenAI's headers on requests."""
    return headers_of(
        f"""
        x-ratelimit-limit-requests: {limit}
        x-ratelimit-remaining-requests: {remaining}
        x-ratelimit-reset-requests: {reset}
        """
    )


def read(text: str) -> dict[str, tuple[int | None, int, float | None]]:
    """What is read of headers: limit, remaining and reset of each measure."""
    return {
        quota.measure: (quota.limit, quota.remaining, quota.resets_in) for quota in read_quotas(headers_of(text), NOW)
    }


# -- providers --------------------------------------------------------------------------------------------------------


def test_openai_tells_two_measures_and_their_resets_as_durations() -> None:
    assert read(
        """
        content-type: application/json
        x-ratelimit-limit-requests: 30000
        x-ratelimit-limit-tokens: 150000000
        x-ratelimit-remaining-requests: 29999
        x-ratelimit-remaining-tokens: 149999945
        x-ratelimit-reset-requests: 2ms
        x-ratelimit-reset-tokens: 6m0s
        """
    ) == {"requests": (30000, 29999, 0.002), "tokens": (150000000, 149999945, 360.0)}


ANTHROPIC = """
    anthropic-ratelimit-requests-limit: 4000
    anthropic-ratelimit-requests-remaining: 3999
    anthropic-ratelimit-requests-reset: 2023-11-14T22:13:21Z
    anthropic-ratelimit-tokens-limit: 4800000
    anthropic-ratelimit-tokens-remaining: 4700000
    anthropic-ratelimit-tokens-reset: 2023-11-14T22:13:23Z
    anthropic-ratelimit-input-tokens-limit: 4000000
    anthropic-ratelimit-input-tokens-remaining: 3900000
    anthropic-ratelimit-input-tokens-reset: 2023-11-14T22:13:22Z
    anthropic-ratelimit-output-tokens-limit: 800000
    anthropic-ratelimit-output-tokens-remaining: 0
    anthropic-ratelimit-output-tokens-reset: 2023-11-14T22:14:20Z
    """


def test_anthropic_tells_four_measures_and_their_resets_as_dates() -> None:
    assert read(ANTHROPIC) == {
        "requests": (4000, 3999, 1.0),
        "tokens": (4800000, 4700000, 3.0),
        "input_tokens": (4000000, 3900000, 2.0),
        "output_tokens": (800000, 0, 60.0),
    }


def test_a_date_is_measured_by_the_providers_own_clock() -> None:
    """Ours may be an hour behind, or ahead."""
    dated = headers_of(ANTHROPIC + "date: Tue, 14 Nov 2023 22:13:20 GMT")
    for now in (NOW, NOW - 3600, NOW + 3600):
        assert [quota.resets_in for quota in read_quotas(dated, now)] == [1.0, 3.0, 2.0, 60.0]
        assert wait_for_quota(dated, now) == 60.0


def test_a_subscription_tells_the_share_that_is_spent_in_thousandths() -> None:
    quotas = """
        anthropic-ratelimit-unified-status: allowed
        anthropic-ratelimit-unified-reset: 1700003600
        anthropic-ratelimit-unified-5h-status: allowed
        anthropic-ratelimit-unified-5h-utilization: 0.42
        anthropic-ratelimit-unified-5h-reset: 1700003600
        anthropic-ratelimit-unified-7d-status: allowed
        anthropic-ratelimit-unified-7d-utilization: 0.3
        anthropic-ratelimit-unified-7d-reset: 2023-11-16T22:13:20Z
        """
    assert read(quotas) == {"requests": (1000, 580, 3600.0)}
    assert read("anthropic-ratelimit-unified-5h-utilization: 1.04") == {"requests": (1000, 0, None)}


def test_a_subscription_is_there_again_when_its_last_rejected_window_is() -> None:
    """The limits hold together: a five-hour window that rolls in a minute does not help while the week's is spent."""
    rejected = headers_of(
        """
        anthropic-ratelimit-unified-5h-status: rejected
        anthropic-ratelimit-unified-5h-reset: 1700000060
        anthropic-ratelimit-unified-7d-status: rejected
        anthropic-ratelimit-unified-7d-reset: 1700086400
        """
    )
    assert wait_for_quota(rejected, NOW) == 86400.0


def test_azure_tells_plain_seconds() -> None:
    assert read(
        """
        x-ratelimit-limit-requests: 50
        x-ratelimit-remaining-requests: 49
        x-ratelimit-reset-requests: 1
        x-ratelimit-renewalperiod-requests: 60
        """
    ) == {"requests": (50, 49, 1.0)}


def test_azure_tells_milliseconds_where_seconds_would_be_beyond_its_period() -> None:
    """As recorded: 119 of 120 requests are left, the next comes in half a second."""
    assert read(
        """
        x-ratelimit-limit-requests: 120
        x-ratelimit-remaining-requests: 119
        x-ratelimit-reset-requests: 500
        x-ratelimit-renewalperiod-requests: 60
        """
    ) == {"requests": (120, 119, 0.5)}


def test_minus_one_is_unknown() -> None:
    assert read_quotas(openai(remaining="-1", limit="-1", reset="0"), NOW) == ()
    assert read_quotas(openai(limit="-1", reset="-1"), NOW) == (Quota("requests", None, 59, None),)


def test_mistral_tells_the_window_in_the_name_and_the_tightest_counts() -> None:
    assert read(
        """
        x-ratelimit-limit-req-10-second: 60
        x-ratelimit-remaining-req-10-second: 51
        x-ratelimit-limit-tokens-minute: 2000000
        x-ratelimit-remaining-tokens-minute: 1999147
        x-ratelimit-limit-tokens-month: 10000000000
        x-ratelimit-remaining-tokens-month: 9999999147
        x-ratelimit-tokens-query-cost: 78
        """
    ) == {"requests": (60, 51, 10.0), "tokens": (2000000, 1999147, 60.0)}


def test_a_month_that_is_nearly_spent_is_tighter_than_the_minute() -> None:
    assert read(
        """
        x-ratelimit-limit-tokens-minute: 500000
        x-ratelimit-remaining-tokens-minute: 499497
        x-ratelimit-limit-tokens-month: 1000000000
        x-ratelimit-remaining-tokens-month: 12
        """
    ) == {"tokens": (1000000000, 12, LONGEST_WAIT)}


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1", 1.0), ("1700000030", 30.0), ("1700000030000", 30.0), ("33011.382867", 33011.382867), ("1699999999", 0.0)],
)
def test_one_limit_without_a_name_is_on_requests(reset: str, seconds: float) -> None:
    """Together in seconds, others as a moment in seconds or (OpenRouter) milliseconds since the epoch."""
    text = f"x-ratelimit-limit: 2\nx-ratelimit-remaining: 0\nx-ratelimit-reset: {reset}"
    assert read(text) == {"requests": (2, 0, pytest.approx(seconds))}


def test_fireworks_tells_tokens_of_prompts_and_generated_ones() -> None:
    assert read(
        """
        x-ratelimit-limit-tokens-prompt: 900000
        x-ratelimit-remaining-tokens-prompt: 899000
        x-ratelimit-limit-tokens-generated: 36000
        x-ratelimit-remaining-tokens-generated: 36000
        """
    ) == {"input_tokens": (900000, 899000, None), "output_tokens": (36000, 36000, None)}


# -- what is not believed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remaining", ["", "x", "1.5", "-3", "+3", "1_0", "\u0663", "9" * 21, " 5"])
def test_what_is_no_count_is_not_there(remaining: str) -> None:
    assert read_quotas(openai(remaining=remaining), NOW) == ()


@pytest.mark.parametrize("limit", ["0", "58"])
def test_more_left_than_there_can_be_is_a_contradiction(limit: str) -> None:
    assert read_quotas(openai(limit=limit), NOW) == ()


def test_two_headers_of_one_name_that_differ_are_not_believed() -> None:
    assert read_quotas([*openai(), (b"x-ratelimit-remaining-requests", b"3")], NOW) == ()
    twice = [*openai(), (b"x-ratelimit-reset-requests", b"9s"), (b"x-ratelimit-reset-requests", b"9s")]
    assert read_quotas(twice, NOW) == (Quota("requests", 60, 59, None),)
    assert read_quotas([*openai(), *openai()], NOW) == read_quotas(openai(), NOW)


@pytest.mark.parametrize("reset", ["soon", "", "-5", "-5s", "1h2", "2023-02-30T00:00:00Z", "1e9", "x" * 5000, "5S"])
def test_what_is_no_reset_is_none(reset: str) -> None:
    assert read_quotas(openai(reset=reset), NOW) == (Quota("requests", 60, 59, None),)


@pytest.mark.parametrize(
    "reset", ["9999h0m0s", "9999-12-31T23:59:59Z", "9999999", "4102444800", "999999999999999", "9" * 20 + "h"]
)
def test_no_reset_is_believed_beyond_a_month(reset: str) -> None:
    assert read_quotas(openai(reset=reset), NOW) == (Quota("requests", 60, 59, LONGEST_WAIT),)


def test_a_reset_that_is_past_is_now() -> None:
    assert read_quotas(openai(reset="2023-11-14T22:00:00Z"), NOW) == (Quota("requests", 60, 59, 0.0),)


# -- how long to wait -------------------------------------------------------------------------------------------------


def test_the_wait_is_that_of_the_limit_that_is_used_up() -> None:
    tokens_left = headers_of("x-ratelimit-remaining-tokens: 9\nx-ratelimit-reset-tokens: 50s")
    assert wait_for_quota([*openai(remaining="0", reset="20s"), *tokens_left], NOW) == 20.0
    assert wait_for_quota(openai(reset="20s"), NOW) is None


def test_of_two_that_are_used_up_the_later_counts() -> None:
    tokens = headers_of("x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 50s")
    assert wait_for_quota([*openai(remaining="0", reset="20s"), *tokens], NOW) == 50.0


def test_a_reset_alone_is_a_wait() -> None:
    assert wait_for_quota(headers_of("x-ratelimit-reset-requests: 7s"), NOW) == 7.0
    assert wait_for_quota(headers_of("anthropic-ratelimit-tokens-reset: 2023-11-14T22:13:30Z"), NOW) == 10.0


def test_without_a_reset_there_is_no_wait() -> None:
    assert wait_for_quota(openai(remaining="0", reset="soon"), NOW) is None
    assert wait_for_quota([], NOW) is None


# -- any headers ------------------------------------------------------------------------------------------------------

NAMES = [
    *(f"x-ratelimit-{field}-requests".encode() for field in ("limit", "remaining", "reset", "renewalperiod")),
    *(f"anthropic-ratelimit-tokens-{field}".encode() for field in ("limit", "remaining", "reset")),
    *(f"anthropic-ratelimit-unified-5h-{field}".encode() for field in ("status", "utilization", "reset")),
    *(b"x-ratelimit-remaining", b"x-ratelimit-reset", b"x-ratelimit-remaining-tokens-month", b"date"),
]
values = st.one_of(
    st.binary(max_size=40),
    st.integers().map(lambda number: str(number).encode()),
    st.floats().map(lambda number: str(number).encode()),
    st.datetimes().map(lambda date: date.isoformat().encode() + b"Z"),
    st.text("0123456789.hmsuµn-:TZ", max_size=20).map(str.encode),
)


@given(header_lists, st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=12), st.floats(0, 4e9))
def test_any_headers_are_read_somehow(others: list[Header], told: list[Header], now: float) -> None:
    quotas = read_quotas([*others, *told], now)
    assert len({quota.measure for quota in quotas}) == len(quotas)
    for quota in quotas:
        assert quota.remaining >= 0
        assert quota.limit is None or quota.remaining <= quota.limit
        assert quota.resets_in is None or 0.0 <= quota.resets_in <= LONGEST_WAIT
    wait = wait_for_quota([*others, *told], now)
    assert wait is None or 0.0 <= wait <= LONGEST_WAIT


# -- recorded replies -------------------------------------------------------------------------------------------------


def recorded() -> Iterator[dict[str, Any]]:
    """The recorded replies whose headers say what is left."""
    for record in traffic.records():
        if any("ratelimit" in name and "remaining" in name for name in record["response_headers"]):
            yield record


@pytest.mark.recordings
def test_every_recorded_reply_says_what_its_provider_meant() -> None:
    """The measures of each provider, and OpenAI's to the last header."""
    measures: dict[str, dict[str, None]] = {}
    for record in recorded():
        for quota in read_quotas(reply_headers(record), NOW):
            measures.setdefault(record["provider"], {})[quota.measure] = None
            if record["provider"] == "openai":
                assert quota.limit is not None, record["id"]
                assert quota.resets_in is not None, record["id"]
    two, four = ["requests", "tokens"], ["input_tokens", "output_tokens", "requests", "tokens"]
    assert {provider: sorted(found) for provider, found in sorted(measures.items())} == {
        "anthropic": four,
        "azure": two,
        "huggingface": two,
        "local": two,
        "mirascope-router": four,
        "mistral": two,
        "openai": two,
        "portkey": two,
        "pydantic-gateway": two,
        "together": ["requests"],
        "xai": two,
    }
