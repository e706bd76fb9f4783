"""What providers' refusals mean: how long a limit holds, what it is for, and whether waiting mends it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values

from gephyr_core.dates import LONGEST_WAIT, until_pacific_midnight
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Header
from gephyr_core.providers import Verdict, classify_reply

NOW = 1_700_000_000.0
XAI_SPENT = "all available credits or reached its monthly spending limit."


def classify(status: int, body: object, headers: tuple[Header, ...] = ()) -> Verdict:
    """Classify a reply with a JSON body."""
    return classify_reply(status, headers, json.dumps(body).encode(), NOW)


def error(message: str = "", **more: Any) -> dict[str, Any]:
    """An error body as OpenAI, Anthropic and Gemini have it."""
    return {"error": {"message": message, **more}}


# -- money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (
            429,
            error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"),
            "insufficient_quota",
        ),
        (429, error("spent", type="insufficient_quota", code="project_spend_limit_exceeded"), "spend_limit"),
        (429, error("spent", type="insufficient_quota", code="credit_balance_exhausted"), "no_credit"),
        (
            429,
            error("limit", type="rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
            "spend_limit",
        ),
        (402, error("Insufficient Balance", type="unknown_error", code="invalid_request_error"), "no_credit"),
        (402, error("no", type="billing_error"), "no_credit"),
        (400, error("Your credit balance is too low to access the Anthropic API.", type="x"), "no_credit"),
        (
            429,
            {"code": "x", "error": f"Your team 16f2-ab has either used {XAI_SPENT} To continue, purchase more."},
            "spend_limit",
        ),
        (403, {"code": "x", "error": f"Your team 16f2-ab has either used {XAI_SPENT}"}, "spend_limit"),
        (429, error("Your prepayment credits are depleted. Go to AI Studio", status="RESOURCE_EXHAUSTED"), "no_credit"),
    ],
)
def test_a_limit_that_waiting_does_not_mend_is_about_money(status: int, body: dict[str, Any], reason: str) -> None:
    """Anthropic says it with a 400, xAI with a 403 or a 429."""
    verdict = classify(status, body)
    assert (verdict.kind, verdict.fail_over) == (ErrorKind.MONEY, True)
    assert (verdict.lasting, verdict.reason, verdict.retry_after) == (True, reason, None)


def test_a_spend_limit_ends_when_the_provider_says_so() -> None:
    message = "You have reached your specified API usage limits. You will regain access on 2023-12-01 at 00:00 UTC."
    verdict = classify(400, error(message, type="invalid_request_error"))
    assert (verdict.kind, verdict.lasting, verdict.reason) == (ErrorKind.MONEY, True, "spend_limit")
    assert verdict.retry_after == 1_701_388_800.0 - NOW
    assert classify(429, error(code="insufficient_quota"), ((b"retry-after", b"86400"),)).retry_after == 86400.0


def test_a_rate_limiters_habit_is_no_end_of_a_lasting_limit() -> None:
    assert classify(429, error(code="insufficient_quota"), ((b"retry-after", b"20"),)).retry_after is None


def test_credit_for_a_smaller_request_is_credit() -> None:
    """OpenRouter refuses what the credit does not pay, and serves the next request that asks for less."""
    verdict = classify(402, error("This request requires more credits, or fewer max_tokens. You requested up to 65536"))
    assert (verdict.kind, verdict.lasting, verdict.fail_over) == (ErrorKind.MONEY, False, True)


def test_a_ramp_limit_passes() -> None:
    verdict = classify(429, error("slow", type="rate_limit_error", details={"error_code": "ramp_limit_exceeded"}))
    assert (verdict.kind, verdict.lasting, verdict.reason) == (ErrorKind.RATE_LIMIT, False, "")


# -- scopes -----------------------------------------------------------------------------------------------------------


def google(
    *quotas: dict[str, Any], message: str = "You exceeded your current quota", delay: str = ""
) -> dict[str, Any]:
    """Gemini's 429 for exceeded quotas."""
    details: list[dict[str, Any]] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": quotas}]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return error(message, code=429, status="RESOURCE_EXHAUSTED", details=details)


PER_MINUTE = {
    "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
    "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
    "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
    "quotaValue": "10",
}
PER_DAY = {**PER_MINUTE, "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}
OF_THE_PROJECT = {"quotaMetric": "x/requests", "quotaId": "RequestsPerMinutePerProject"}


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        (google(PER_MINUTE), "model"),
        (google({"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}), "model"),
        (google({"quotaMetric": "aiplatform.googleapis.com/generate_requests_per_minute_per_base_model"}), "model"),
        (google({"quotaId": "x", "quotaDimensions": {"model": "m"}}), "model"),
        (google(OF_THE_PROJECT), "account"),
        (google(PER_MINUTE, OF_THE_PROJECT), "account"),
        (error("No capacity", code=429, details=[{"reason": "MODEL_CAPACITY_EXHAUSTED"}]), "model"),
        (error("Resource exhausted. Please try again later.", status="RESOURCE_EXHAUSTED"), ""),
        (error("Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000"), "model"),
        (error("Request too large for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000"), "model"),
        (error("Rate limit reached for model `llama-3` in organization `org_x` service tier `on_demand` on"), "model"),
        (error("Rate limit reached for 10KTPM-200RPM in organization org-x on tokens per min."), ""),
        (error("Rate limit reached for requests"), ""),
        (error("exceed your organization's rate limit of 30,000 input tokens per minute (org: 1, model: c)."), "model"),
        (error("This request would exceed the rate limit for your organization (x) of 1,000 input tokens"), ""),
        (error("This request would exceed your account's rate limit. Please try again later."), "account"),
        ({"error": "Too many tokens for team e9fe and model grok-4-0709. Your team's rate limit is"}, "model"),
        (error("Your requests to grok-4 for grok-4 in westeurope have exceeded rate limit."), "model"),
        (error("Provider returned error", code=429, metadata={"provider_name": "Google", "raw": "x"}), "model"),
        (error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000"), "model"),
        (error("slow down"), ""),
    ],
)
def test_a_limit_is_for_what_the_reply_says(body: dict[str, Any], scope: str) -> None:
    assert (classify(429, body).kind, classify(429, body).scope) == (ErrorKind.RATE_LIMIT, scope)


def test_only_limits_have_a_scope() -> None:
    assert classify(503, google(OF_THE_PROJECT)).scope == ""


def test_a_daily_quota_lasts_until_midnight_in_california() -> None:
    """Whatever the delay says, which is for the minute's quota."""
    verdict = classify(429, google(PER_MINUTE, PER_DAY, delay="34s"))
    assert (verdict.kind, verdict.lasting, verdict.reason) == (ErrorKind.RATE_LIMIT, True, "daily_quota")
    assert (verdict.scope, verdict.retry_after) == ("model", until_pacific_midnight(NOW))
    ahead = ((b"date", b"Tue, 14 Nov 2023 23:13:20 GMT"),)
    assert classify(429, google(PER_DAY), ahead).retry_after == until_pacific_midnight(NOW) - 3600


def test_the_minutes_quota_is_back_after_the_delay() -> None:
    verdict = classify(429, google(PER_MINUTE, delay="34s"))
    assert (verdict.retry_after, verdict.lasting, verdict.reason) == (34.0, False, "")


@pytest.mark.parametrize(
    "body",
    [
        google({**PER_DAY, "quotaValue": "0"}, delay="20s"),
        google(
            PER_DAY, message="* Quota exceeded for metric: x/requests, limit: 0, model: gemini-2.5-pro", delay="20s"
        ),
        error("* Quota exceeded for metric: x, limit: 0\nPlease retry in 20.1s.", status="RESOURCE_EXHAUSTED"),
    ],
)
def test_a_quota_of_nothing_is_never_back(body: dict[str, Any]) -> None:
    verdict = classify(429, body)
    assert (verdict.kind, verdict.lasting, verdict.reason) == (ErrorKind.MONEY, True, "no_quota")
    assert verdict.retry_after is None


@pytest.mark.parametrize("limit", ["limit: 01", "limit: 0.5", "limit: 10", "rate limit: 05"])
def test_a_small_quota_is_a_quota(limit: str) -> None:
    assert classify(429, error(limit, status="RESOURCE_EXHAUSTED")).kind is ErrorKind.RATE_LIMIT


@pytest.mark.parametrize(
    ("message", "wait", "lasting"),
    [
        ("on tokens per day (TPD): Limit 100000, Used 97050. Please try again in 9m38.016s. Need", 578.016, True),
        ("on requests per day (RPD): Limit 10000. Please try again in 8.64s. Visit", 8.64, False),
        ("Rate limit exceeded: free-models-per-day-high-balance.", None, False),
    ],
)
def test_a_day_that_slides_is_believed_as_far_as_it_says(message: str, wait: float | None, lasting: bool) -> None:
    verdict = classify(429, error(message))
    assert verdict.retry_after == (None if wait is None else pytest.approx(wait))
    assert (verdict.kind, verdict.reason, verdict.lasting) == (ErrorKind.RATE_LIMIT, "daily_quota", lasting)


def test_openrouter_tells_its_reset_in_the_body() -> None:
    headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700010000000"}
    body = error("Rate limit exceeded: free-models-per-day", code=429, metadata={"headers": headers})
    assert (classify(429, body).retry_after, classify(429, body).lasting) == (10_000.0, True)


@pytest.mark.parametrize(
    ("message", "wait"),
    [
        ("Limit 30000, Used 18928. Please try again in 174ms. Visit", 0.174),
        ("Limit 12000. Please try again in 1.984999999s. Need", 1.984999999),
        ("Please try again in 7m12s.", 432.0),
        ("Please try again in 20 seconds.", 20.0),
        ("Please retry after 26 seconds.", 26.0),
        ("Please retry in 20.04466179s.", 20.04466179),
        ("Your quota will reset after 5h59m59s.", 21599.0),
        ("Please try again in 99999999h.", LONGEST_WAIT),
        ("Please try again in a moment.", None),
        ("Please try again in 1..2s.", None),
        ("Please try again later.", None),
    ],
)
def test_a_wait_in_words_is_a_wait(message: str, wait: float | None) -> None:
    assert classify(429, error(message)).retry_after == (None if wait is None else pytest.approx(wait))
    assert classify(500, error(message)).retry_after is None


USED_UP = (
    *((b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"17.4s")),
    *((b"x-ratelimit-remaining-tokens", b"900"), (b"x-ratelimit-reset-tokens", b"6m0s")),
)


def test_without_a_hint_the_wait_is_until_the_used_up_limit_is_back() -> None:
    assert classify(429, error(), USED_UP).retry_after == 17.4
    anthropic = (
        *((b"anthropic-ratelimit-tokens-remaining", b"0"), (b"date", b"Tue, 14 Nov 2023 23:13:20 GMT")),
        (b"anthropic-ratelimit-tokens-reset", b"2023-11-14T23:14:00Z"),
    )
    assert classify(429, error(), anthropic).retry_after == 40.0


def test_hints_come_before_resets_and_only_a_429_has_them() -> None:
    assert classify(429, error(), (*USED_UP, (b"retry-after", b"2"))).retry_after == 2.0
    assert classify(429, error("Please try again in 3s."), USED_UP).retry_after == 3.0
    assert classify(503, error(), USED_UP).retry_after is None


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["violations", "retryDelay", "reason"]), json_values | st.lists(json_values)),
        max_size=3,
    ),
    st.dictionaries(st.sampled_from(["provider_name", "headers"]), json_values),
)
def test_any_details_are_understood_somehow(details: list[Any], metadata: dict[str, Any]) -> None:
    verdict = classify(429, error("x", details=details, metadata=metadata))
    assert verdict.retry_after is None or 0 <= verdict.retry_after <= LONGEST_WAIT
