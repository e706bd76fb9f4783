"""What a provider's headers say of its limits: how much is left, and when there will be more.

Sources: platform.openai.com/docs/guides/rate-limits, docs.anthropic.com/en/api/rate-limits,
console.groq.com/docs/rate-limits, docs.fireworks.ai/serverless/rate-limits, and recorded replies of Azure, Mistral,
Together, xAI and Hugging Face.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

import attrs

from gephyr_core.dates import LONGEST_WAIT, bounded_wait, decimal, go_duration, parse_rfc3339, sent_at
from gephyr_core.http import Header, Headers

Measure = Literal["requests", "tokens", "input_tokens", "output_tokens"]


@attrs.frozen
class Quota:
    """What is left of one limit."""

    measure: Measure
    limit: int | None
    """The most there can be; None where the provider does not say."""
    remaining: int
    resets_in: float | None
    """Seconds until the provider's bucket is full again, at most ``LONGEST_WAIT``; None where nothing tells."""


@attrs.frozen(eq=False)
class _Bucket:
    """A limit as its headers name it."""

    measure: Measure
    window: float | None
    """Seconds in which it refills, where its name says so: then it needs no header for its reset."""
    in_thousandths: bool = False
    """What is told is the share that is spent (Anthropic's subscriptions)."""


_LIMIT, _REMAINING, _RESET, _PERIOD, _SPENT, _STATUS = range(6)
_CONTRADICTORY = b"?"
_FIRST_EPOCH = 1e9
"""A number from here on (September 2001, or 31 years of waiting) is a moment and not a wait."""
_LONGEST_RESET = 40
_NO_RESET: tuple[None, bool] = (None, False)
_WINDOWS = (
    *(("-second", 1.0), ("-10-second", 10.0), ("-minute", 60.0), ("-hour", 3600.0), ("-day", 86400.0)),
    ("-month", LONGEST_WAIT),
)
_MEASURES: tuple[tuple[str, Measure], ...] = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("project-requests", "requests"),  # OpenAI, of a project with limits of its own
    ("project-tokens", "tokens"),
    ("tokens_usage_based", "tokens"),
    ("tokens-prompt", "input_tokens"),  # Fireworks
    ("tokens-generated", "output_tokens"),
)
_WINDOWED: tuple[tuple[str, Measure], ...] = (("req", "requests"), ("requests", "requests"), ("tokens", "tokens"))
"""Mistral's, and those who follow it."""
_ANTHROPIC: tuple[tuple[str, Measure], ...] = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("input-tokens", "input_tokens"),
    ("output-tokens", "output_tokens"),
)


def _known() -> dict[bytes, tuple[_Bucket, int]]:
    """Every header of a limit: the bucket that it is about, and what it says."""
    known: dict[bytes, tuple[_Bucket, int]] = {}

    def add(bucket: _Bucket, form: str, **fields: int) -> None:
        for field, meaning in fields.items():
            known[form.replace("*", field).encode()] = (bucket, meaning)

    three = {"limit": _LIMIT, "remaining": _REMAINING, "reset": _RESET}
    for name, measure in _MEASURES:
        add(_Bucket(measure, None), f"x-ratelimit-*-{name}", **three, renewalperiod=_PERIOD)
    for name, measure in _WINDOWED:
        for suffix, seconds in _WINDOWS:
            add(_Bucket(measure, seconds), f"x-ratelimit-*-{name}{suffix}", **three)
    for name, measure in _ANTHROPIC:
        add(_Bucket(measure, None), f"anthropic-ratelimit-{name}-*", **three)
    add(_Bucket("requests", None), "x-ratelimit-*", **three)  # Together, OpenRouter
    for claim in ("-5h", "-7d", ""):
        bucket = _Bucket("requests", None, in_thousandths=True)
        add(bucket, f"anthropic-ratelimit-unified{claim}-*", utilization=_SPENT, reset=_RESET, status=_STATUS)
    return known


_KNOWN = _known()


def read_quotas(headers: Headers, now: float) -> tuple[Quota, ...]:
    """Return what the headers of a reply say is left, at most one quota for each measure; empty where nothing.

    Of several limits on one measure (a minute's and a month's) it is the one of which least is left. Nothing is ever
    an error: what cannot be read is not there, and limits whose headers contradict each other are not believed.
    """
    found = [header for header in headers if header[0] in _KNOWN]
    if not found:
        return ()
    tightest: dict[Measure, Quota] = {}
    for measure, limit, remaining, resets_in in _limits(found, headers, now):
        if remaining is None or (limit is not None and not remaining <= limit > 0):
            continue
        other = tightest.get(measure)
        if other is None or remaining < other.remaining:
            tightest[measure] = Quota(measure, limit, remaining, resets_in)
    return tuple(tightest.values())


def wait_for_quota(headers: Headers, now: float) -> float | None:
    """Return the seconds until all limits that are used up are full again, or None where the headers name no reset.

    Asked of a refusal that does not say itself when to come back. A limit that tells its reset but not what is left
    counts where no other is seen to be used up; one of which something is left never does.
    """
    used_up = perhaps = None
    for _, _, remaining, resets_in in _limits([header for header in headers if header[0] in _KNOWN], headers, now):
        if resets_in is None:
            continue
        if remaining == 0:
            used_up = max(resets_in, used_up or 0.0)
        elif remaining is None:
            perhaps = max(resets_in, perhaps or 0.0)
    return perhaps if used_up is None else used_up


def seconds_until(reset: bytes, sent: Callable[[], float]) -> float | None:
    """Read a reset in any provider's format; None where it is none.

    A Go duration (OpenAI), a plain number of seconds (Azure, Together, Cerebras), a moment as RFC 3339 date
    (Anthropic), in seconds since the epoch (Anthropic's subscriptions), or in milliseconds (OpenRouter). *sent* says
    when the provider sent it, by its own clock; it is asked for moments only.
    """
    seconds, is_moment = _reset(reset) if len(reset) <= _LONGEST_RESET else _NO_RESET
    if seconds is None:
        return None
    return bounded_wait(seconds - sent() if is_moment else seconds)


@lru_cache(maxsize=1024)
def _reset(text: bytes) -> tuple[float | None, bool]:
    """Read a reset: seconds, and whether they are since the epoch. Cached: the same few come again and again."""
    reset = text.decode("utf-8", "replace")
    if reset.endswith(("s", "m", "h")):
        return go_duration(reset), False
    number = decimal(reset)
    if number is None:
        return parse_rfc3339(reset), True
    if number < _FIRST_EPOCH:
        return number, False
    return (number if number < _FIRST_EPOCH * 1000 else number / 1000), True


def _limits(
    found: Sequence[Header], headers: Headers, now: float
) -> Iterator[tuple[Measure, int | None, int | None, float | None]]:
    """Yield each limit that the headers in *found* tell of: measure, limit, what is left, seconds until it is full."""
    told: dict[_Bucket, list[bytes]] = {}
    for name, value in found:
        bucket, field = _KNOWN[name]
        fields = told.get(bucket)
        if fields is None:
            told[bucket] = fields = [b""] * 6
        fields[field] = value if fields[field] in (b"", value) else _CONTRADICTORY
    sent: list[float] = []

    def sent_once() -> float:
        if not sent:
            sent.append(sent_at(headers, now))
        return sent[0]

    for bucket, (limit, remaining, reset, period, spent, status) in told.items():
        resets_in = seconds_until(reset, sent_once) if reset else bucket.window
        if resets_in is not None and period:
            resets_in = _within(resets_in, decimal(period.decode("latin-1")))
        if bucket.in_thousandths:
            yield bucket.measure, 1000, _left_in_thousandths(spent, status), resets_in
        else:
            yield bucket.measure, _count(limit), _count(remaining), resets_in


def _count(value: bytes) -> int | None:
    """Read a whole number; ``-1`` (Azure) is unknown, like all that is none."""
    return int(value) if value.isdigit() and len(value) <= 20 else None


def _left_in_thousandths(spent: bytes, status: bytes) -> int | None:
    if status == b"rejected":
        return 0
    share = decimal(spent.decode("latin-1"))
    return None if share is None else max(0, 1000 - round(share * 1000))


def _within(resets_in: float, period: float | None) -> float:
    """Believe Azure's reset no further than its own renewal period.

    Some of its deployments tell the reset in seconds, others in milliseconds (both are recorded): a number beyond the
    period can only be the latter.
    """
    if period is None or resets_in <= period:
        return resets_in
    return min(resets_in / 1000, period)
