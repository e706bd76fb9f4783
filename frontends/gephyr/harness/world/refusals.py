"""How simulated providers refuse, each in its own shape, and what their headers say of limits.

The forms are those that the providers send: OpenAI's resets are Go durations, Anthropic's are RFC 3339 dates, Gemini
has no headers and tells a delay in the body (``google.rpc.RetryInfo``, ``google.rpc.QuotaFailure``).
"""

import datetime
import math

import attrs

from gephyr_core.http import Header

JSON: Header = (b"content-type", b"application/json")
_ANTHROPIC_TYPES = {401: b"authentication_error", 429: b"rate_limit_error", 529: b"overloaded_error"}
_GEMINI_STATUS = {401: b"UNAUTHENTICATED", 429: b"RESOURCE_EXHAUSTED", 503: b"UNAVAILABLE", 504: b"DEADLINE_EXCEEDED"}


@attrs.frozen
class Level:
    """One limit, as its provider counts it now."""

    measure: str
    """``requests`` or ``tokens``."""
    limit: int
    remaining: int
    full_in: float
    """Seconds until all of it is there again."""


def limit_headers(dialect: str, levels: tuple[Level, ...], now: float) -> list[Header]:
    """Say what is left of each limit. *now*: the provider's own clock, seconds since the epoch."""
    headers: list[Header] = []
    if dialect == "anthropic":
        for level in levels:
            name = b"anthropic-ratelimit-%b-" % level.measure.encode()
            headers += (
                (name + b"limit", b"%d" % level.limit),
                (name + b"remaining", b"%d" % level.remaining),
                (name + b"reset", _rfc3339(now + level.full_in)),
            )
    elif dialect != "gemini":
        for level in levels:
            measure = level.measure.encode()
            headers += (
                (b"x-ratelimit-limit-" + measure, b"%d" % level.limit),
                (b"x-ratelimit-remaining-" + measure, b"%d" % level.remaining),
                (b"x-ratelimit-reset-" + measure, _go_duration(level.full_in)),
            )
    return headers


def refusal(dialect: str, status: int, retry_after: float | None) -> tuple[list[Header], bytes]:
    """Return the headers and the body of an error. *retry_after*: seconds, where the provider tells them."""
    headers = [JSON]
    if retry_after is not None and dialect != "gemini":
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after))))
    if dialect == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status, b"api_error" if status >= 500 else b"invalid_request_error")
        body = b'{"type":"error","error":{"type":"%b","message":"simulated"},"request_id":"req_simulated"}' % kind
    elif dialect == "gemini":
        body = _gemini(status, retry_after)
    else:
        kind, code = b"server_error", b"null"
        if status == 429:
            kind, code = b"requests", b'"rate_limit_exceeded"'
        elif status < 500:
            kind, code = b"invalid_request_error", b'"invalid_api_key"' if status == 401 else b"null"
        body = b'{"error":{"message":"simulated","type":"%b","param":null,"code":%b}}' % (kind, code)
    return headers, body


def _gemini(status: int, retry_after: float | None) -> bytes:
    name = _GEMINI_STATUS.get(status, b"INTERNAL" if status >= 500 else b"INVALID_ARGUMENT")
    details = b""
    if status == 429 and retry_after is not None:
        details = (
            b',"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":'
            b'"GenerateRequestsPerMinutePerProjectPerModel"}]},'
            b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"%ds"}]'
        ) % max(1, math.ceil(retry_after))
    return b'{"error":{"code":%d,"message":"simulated","status":"%b"%b}}' % (status, name, details)


def _go_duration(seconds: float) -> bytes:
    """Print a duration as Go does: ``2ms``, ``17.4s``, ``6m0s``."""
    milliseconds = math.ceil(seconds * 1000.0)
    if milliseconds < 1000:
        return b"%dms" % milliseconds if milliseconds else b"0s"
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{rest // 1000}.{rest % 1000:03d}".rstrip("0").rstrip(".") + "s"
    return (f"{minutes}m{text}" if minutes else text).encode()


def _rfc3339(at: float) -> bytes:
    moment = datetime.datetime.fromtimestamp(math.ceil(at), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
