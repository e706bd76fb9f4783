"""What a provider's error reply means: for the client, for the account, and for the next attempt.

The rules are those of the provider's documents; which replies go to the client unchanged is a promise to coding
agents, whose retry logic reads status and wording.
"""

import re
from typing import Literal

import attrs

from gephyr_core.dates import (
    bounded_wait,
    decimal,
    go_duration,
    parse_rfc3339,
    retry_after,
    sent_at,
    until_pacific_midnight,
)
from gephyr_core.error_words import kind_of_words
from gephyr_core.errors import ErrorKind, kind_of_status
from gephyr_core.http import Headers
from gephyr_core.providers.error_body import ErrorBody, read_error, read_error_body
from gephyr_core.providers.limits import seconds_until, wait_for_quota

Scope = Literal["", "model", "account"]

_NOT_THE_CREDENTIAL = re.compile(r"region|country|territor|location|moderat|flagged|content|policy", re.IGNORECASE)
_MONEY_CODES = {
    "insufficient_quota": "insufficient_quota",
    "credit_balance_exhausted": "no_credit",
    "organization_usage_limit_exceeded": "spend_limit",
    "organization_spend_limit_exceeded": "spend_limit",
    "project_spend_limit_exceeded": "spend_limit",
    "enforced_spend_limit_reached": "spend_limit",
    "contract_spend_limit_reached": "spend_limit",
}
"""The codes of a 429 that waiting does not mend (help.openai.com 5955604, Anthropic's SDK), and our word for each."""
_MONEY_WORDS = re.compile(
    r"(?P<no_credit>Your credit balance is too low"  # Anthropic, with status 400
    r"|Your prepayment credits are depleted)"  # Gemini
    r"|(?P<spend_limit>You have reached your specified (?:workspace )?API usage limits"  # Anthropic, with status 400
    r"|Your project has exceeded its (?:monthly )?spending cap"  # Gemini
    r"|Your team \S+ has either used all available credits or reached its monthly spending limit)"  # xAI, 403 or 429
)
_TOLD_BY_WORDS = (400, 413, 422)
"""Statuses that tell a prompt that is too long, or against a policy, from another bad request by words alone."""
_MODEL_CODES = ("model_not_found", "DeploymentNotFound")
"""OpenAI's, and Azure's, whose message speaks of a deployment."""

_OF_A_MODEL = re.compile(
    r"^(?:Rate limit reached|Request too large) for (?:model )?(?!\d+KTPM)\S+ .*\bin organization"  # OpenAI, Groq
    r"|\(org: [^)]*\bmodel: "  # Anthropic
    r"|^Too many \w+ for team \S+ and model "  # xAI
    r"|^Your requests to \S+ for \S+ in \S+ have exceeded"  # Azure
    r"|\bfree-models-per-"  # OpenRouter: its other models are not touched
)
_STATUS_DIGITS = re.compile(r"[45][0-9]{2}")
_OF_THE_ACCOUNT = re.compile(r"exceed your account's rate limit")  # Anthropic's subscriptions
_GOOGLE_PER_MODEL = re.compile(r"Per(?:Base)?Model|per_(?:base_)?model")
_GOOGLE_PER_DAY = re.compile(r"PerDay|per_day")
_NO_QUOTA = re.compile(r"\blimit: 0(?![\d.]*\d)")
_PER_DAY = re.compile(r"\([RT]PD\)|\bper[ -]day\b|\bdaily (?:limit|quota)", re.IGNORECASE)
_COME_BACK = re.compile(
    r"(?:try again in|retry in|retry after|reset after) (?:(\d[\d.hms]*[hms])|(\d+(?:\.\d+)?) seconds?\b)",
    re.IGNORECASE,
)
_REGAIN = re.compile(r"regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC")
LOW_CREDIT = "low_credit"
"""The reason of a 402 that a request for fewer tokens would not have got."""
MISSING_PERMISSION = "missing_permission"
"""The reason of a 401 or 403 for a credential that is good, but not for what was asked."""
_PERMISSION = re.compile(
    r"Missing scopes:|insufficient permissions for this operation"  # OpenAI's restricted keys, with status 401
    r"|permission to use the specified resource"  # Anthropic, with status 403
)
_NO_ACCESS = re.compile(r"(?:not have access to|not allowed to (?:access|sample from)) (?:the )?model", re.IGNORECASE)
_CAN_AFFORD_LESS = "fewer max_tokens"
"""OpenRouter's 402 for a request that asks for more tokens than the credit pays."""
_SHORT_WAIT = 300.0
"""Seconds: a lasting limit does not end so soon, so such a hint on one is a rate limiter's habit and no reset."""


@attrs.frozen
class Verdict:
    """An error reply, understood."""

    kind: ErrorKind
    message: str
    """The provider's own message, bounded; empty when its body has none."""
    fail_over: bool
    """Another account may serve the request."""
    next_target: bool = False
    """The model is unknown here: the next target of the route may know it, another account will not."""
    retry_after: float | None = None
    """Seconds until the account may be asked again, as the provider stated it."""
    scope: Scope = ""
    """What a limit is for, where the reply says so."""
    lasting: bool = False
    """Waiting a while does not mend it: no credit, a spend limit, a daily quota."""
    reason: str = ""
    """A word for a limit or a refusal that is not the usual one: ``insufficient_quota``, ``no_credit``,
    ``spend_limit``, ``low_credit`` (not enough for a request of this size), ``no_quota`` (the plan has none of this
    model's), ``daily_quota``, ``missing_permission`` (the credential is good, but not for this)."""


def classify_reply(status: int, headers: Headers, body: bytes, now: float) -> Verdict:
    """Say what a reply with an error status (or a redirect) means. *body* is decoded, and may be anything."""
    return _classified(status, headers, read_error_body(body), now)


def classify_error(
    told: object, kind: ErrorKind, status: int | None, headers: Headers, now: float
) -> tuple[int, Verdict]:
    """Say what an error means that came with a status of success, whole or in a stream, and the status it should have
    had: its own code if that is one, else *status*, else that of the *kind* that its dialect reads in it.

    *told*: the error as it was written. *headers*: the reply's, where they were written with the error in mind.
    """
    error = read_error(told)
    status = _told_status(told) or status or kind.http_status
    verdict = _classified(status, headers, error, now)
    if verdict.kind is ErrorKind.BAD_REQUEST and kind is not ErrorKind.BAD_REQUEST:
        status = kind.http_status
        verdict = _classified(status, headers, error, now)
    return status, verdict


def _told_status(told: object) -> int | None:
    """The status of an error that an error object names as its code (Google, OpenRouter, vLLM), as a number or as
    its digits."""
    code = told.get("code") if isinstance(told, dict) else None
    if isinstance(code, str) and _STATUS_DIGITS.fullmatch(code):
        code = int(code)
    return code if isinstance(code, int) and 400 <= code <= 599 else None


def _classified(status: int, headers: Headers, error: ErrorBody, now: float) -> Verdict:
    kind = _kind(status, error)
    names_model = status == 404 and _names_model(error)
    reason = _reason(kind, error)
    wait = _wait(status, kind, reason, headers, error, now)
    return Verdict(
        kind=ErrorKind.MODEL_NOT_FOUND if names_model else kind,
        message=error.message,
        fail_over=_fails_over(status, kind),
        next_target=names_model,
        retry_after=wait,
        scope=_scope(kind, error),
        lasting=_lasts(kind, reason, wait, error),
        reason=reason,
    )


def _kind(status: int, error: ErrorBody) -> ErrorKind:
    if status == 400 and _is_401_in_disguise(error):
        return ErrorKind.CREDENTIAL
    if status in {400, 403, 429} and _MONEY_WORDS.match(error.message):
        return ErrorKind.MONEY
    if status == 429 and (any(code in _MONEY_CODES for code in error.codes) or _has_no_quota(error)):
        return ErrorKind.MONEY
    if status == 403 and not _NOT_THE_CREDENTIAL.search(" ".join((error.message, *error.codes))):
        return ErrorKind.CREDENTIAL
    if status < 400:
        return ErrorKind.BAD_GATEWAY  # a redirect is never followed: it would carry the credential elsewhere
    told = kind_of_words(error.message, error.codes) if status in _TOLD_BY_WORDS else None
    return told or kind_of_status(status)


def _is_401_in_disguise(error: ErrorBody) -> bool:
    """Gemini says so by a reason, xAI by its words alone."""
    return "API_KEY_INVALID" in error.codes or error.message.startswith("Incorrect API key provided")


def _has_no_quota(error: ErrorBody) -> bool:
    """Google allows none at all: the plan does not have the model, however long one waits."""
    if any(violation.is_zero for violation in error.violations):
        return True
    return "RESOURCE_EXHAUSTED" in error.codes and _NO_QUOTA.search(error.message) is not None


def _fails_over(status: int, kind: ErrorKind) -> bool:
    if kind in {ErrorKind.CREDENTIAL, ErrorKind.MONEY}:
        return True
    return status < 400 or status in {408, 429} or status >= 500


def _names_model(error: ErrorBody) -> bool:
    names = any(code in error.codes for code in _MODEL_CODES)
    return names or re.search(r"\bmodels?\b", error.message, re.IGNORECASE) is not None


# -- limits -----------------------------------------------------------------------------------------------------------


def _reason(kind: ErrorKind, error: ErrorBody) -> str:
    if kind is ErrorKind.MONEY:
        words = _MONEY_WORDS.match(error.message)
        if words is not None and words.lastgroup:
            return words.lastgroup
        if _CAN_AFFORD_LESS in error.message:
            return LOW_CREDIT
        told = next((_MONEY_CODES[code] for code in error.codes if code in _MONEY_CODES), "")
        return told or ("no_quota" if _has_no_quota(error) else "no_credit")
    if kind is ErrorKind.CREDENTIAL and _PERMISSION.search(error.message):
        return MISSING_PERMISSION
    if kind is ErrorKind.RATE_LIMIT and (_is_daily_at_google(error) or _PER_DAY.search(error.message)):
        return "daily_quota"
    return ""


def _is_daily_at_google(error: ErrorBody) -> bool:
    return any(_GOOGLE_PER_DAY.search(violation.quota) for violation in error.violations)


def _scope(kind: ErrorKind, error: ErrorBody) -> Scope:
    if kind is ErrorKind.CREDENTIAL:  # a key may be good for other models
        return "model" if any(code in error.codes for code in _MODEL_CODES) or _NO_ACCESS.search(error.message) else ""
    if kind not in {ErrorKind.RATE_LIMIT, ErrorKind.MONEY}:
        return ""
    if error.violations:
        of_models = [it.of_a_model or _GOOGLE_PER_MODEL.search(it.quota) is not None for it in error.violations]
        return "model" if all(of_models) else "account"
    if error.passed_on or "MODEL_CAPACITY_EXHAUSTED" in error.codes or _OF_A_MODEL.search(error.message):
        return "model"
    return "account" if _OF_THE_ACCOUNT.search(error.message) else ""


def _wait(status: int, kind: ErrorKind, reason: str, headers: Headers, error: ErrorBody, now: float) -> float | None:
    """Seconds until the account may be asked again, as the provider stated it: of several hints the most exact."""
    if kind is ErrorKind.RATE_LIMIT and _is_daily_at_google(error):
        # Its retryDelay is for the minute's quota (ai.google.dev/gemini-api/docs/rate-limits: "reset at midnight").
        return until_pacific_midnight(sent_at(headers, now))
    if reason == "no_quota":
        return None
    wait = retry_after(headers, now)
    if wait is None:
        wait = error.retry_delay
    if wait is None and (status in {429, 503} or kind is ErrorKind.MONEY):
        wait = _wait_in_words(headers, error, now)
    if wait is None and status == 429:
        wait = wait_for_quota(headers, now)
    if kind is ErrorKind.MONEY and wait is not None and wait < _SHORT_WAIT:
        return None
    return wait


def _wait_in_words(headers: Headers, error: ErrorBody, now: float) -> float | None:
    if error.reset:
        return seconds_until(error.reset, lambda: sent_at(headers, now))
    words = _COME_BACK.search(error.message)
    if words is not None:
        seconds = go_duration(words[1]) if words[1] else decimal(words[2])
        return None if seconds is None else bounded_wait(seconds)
    words = _REGAIN.search(error.message)  # Anthropic's spend limit, at the end of the month
    moment = parse_rfc3339(f"{words[1]}T{words[2]}:00Z") if words is not None else None
    return None if moment is None else bounded_wait(moment - sent_at(headers, now))


def _lasts(kind: ErrorKind, reason: str, wait: float | None, error: ErrorBody) -> bool:
    """Whether waiting a while does not mend it.

    A daily limit of which nothing tells when it resets does not last: it is tried again, since the days of most
    providers are the last 24 hours and more is allowed all the time.
    """
    if kind is ErrorKind.MONEY:
        return _CAN_AFFORD_LESS not in error.message
    return reason == "daily_quota" and wait is not None and wait >= _SHORT_WAIT
