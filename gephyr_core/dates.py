"""Dates and waits as providers write them, read without a clock and without a database of time zones."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from gephyr_core.http import Header, header_text

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_HTTP_DATES = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_CLOCK} GMT",  # IMF-fixdate
        rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_CLOCK} GMT",  # RFC 850
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})",  # C's asctime
    )
)
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d{1,9})?(?:[Zz]|([+-]\d\d:\d\d))", re.ASCII)
_DECIMAL = re.compile(r"\s*\d{1,15}(\.\d{1,20})?\s*", re.ASCII)
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_GO_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
_SIMPLE_GO = re.compile(r"(\d+(?:\.\d+)?)(s|ms)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_WAIT = 31 * 86400.0
"""No hint is believed beyond a month, seconds."""


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch of a date in any of the three forms of RFC 9110 section 5.6.7, or None.

    The two digits of an obsolete RFC 850 year mean 1970 to 2069: nobody asks to come back fifty years from now.
    """
    text = text.strip()
    for form in _HTTP_DATES:
        match = form.fullmatch(text)
        if match is not None:
            break
    else:
        return None
    year, month = int(match["year"]), _MONTHS.get(match["month"])
    if month is None:
        return None
    if len(match["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    clock = int(match["hour"]), int(match["minute"]), min(59, int(match["second"]))
    try:
        return datetime(year, month, int(match["day"]), *clock, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def parse_rfc3339(text: str) -> float | None:
    """Return the seconds since the epoch of a date like ``2026-04-23T20:54:58Z`` (RFC 3339 section 5.6), or None."""
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    day, minute, second, fraction, offset = match.groups()
    try:  # a leap second is read as the second before it: Python has none
        moment = datetime.fromisoformat(f"{day}T{minute}:{min(59, int(second)):02d}{offset or '+00:00'}")
        return moment.timestamp() + float(fraction or 0)
    except (ValueError, OverflowError):
        return None


def go_duration(text: str) -> float | None:
    """Read a duration as Go prints it: ``6m0s``, ``17.4s``, ``2ms``, ``1h2m3s`` (``time.ParseDuration``).

    Seconds, unbounded; None for a negative one and for what is none.
    """
    simple = _SIMPLE_GO.fullmatch(text)  # nearly all are of one part
    if simple is not None:
        return float(simple[1]) * _GO_UNITS[simple[2]]
    seconds, end = 0.0, 0
    while end < len(text):
        part = _GO_PART.match(text, end)
        if part is None:
            return None
        seconds += float(part[1]) * _GO_UNITS[part[2]]
        end = part.end()
    return seconds if end else None


def decimal(text: str | None) -> float | None:
    """Read a plain number without sign or exponent, of at most 15 digits before the point; else None."""
    return None if text is None or _DECIMAL.fullmatch(text) is None else float(text)


def retry_after(headers: Iterable[Header], now: float) -> float | None:
    """Return the seconds to wait that ``retry-after-ms`` or ``retry-after`` (seconds or date) ask for, or None.

    A date is measured against the sender's own ``date``, so that its clock need not agree with ours. Azure sends
    ``retry-after-ms: 0`` beside ``retry-after: 1``: no milliseconds are no hint.
    """
    headers = list(headers)
    milliseconds = decimal(header_text(headers, b"retry-after-ms"))
    if milliseconds:
        return bounded_wait(milliseconds / 1000)
    text = header_text(headers, b"retry-after")
    if text is None:
        return None
    seconds = decimal(text)
    if seconds is not None:
        return bounded_wait(seconds)
    moment = parse_http_date(text)
    return None if moment is None else bounded_wait(moment - sent_at(headers, now))


def sent_at(headers: Iterable[Header], now: float) -> float:
    """Return when a reply was sent by its sender's own clock, seconds since the epoch; *now* where it does not say.

    A moment that a reply names is as far ahead of this as the provider means, whatever our own clock says.
    """
    moment = parse_http_date(header_text(headers, b"date") or "")
    return now if moment is None else moment


def bounded_wait(seconds: float) -> float:
    """Return a wait that can be believed: not negative, not longer than ``LONGEST_WAIT``."""
    return min(max(0.0, seconds), LONGEST_WAIT)


def until_pacific_midnight(now: float) -> float:
    """Return the seconds from *now* until the next midnight in Los Angeles, where Google's daily quotas start anew.

    Pacific time is UTC-8, and UTC-7 from the second Sunday of March to the first Sunday of November, both at 2:00 by
    the clock that goes until then (15 U.S.C. 260a).
    """
    utc = _EPOCH + timedelta(seconds=now)
    today = utc + _pacific_offset(utc)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
    # Eight hours later it is midnight there, or one o'clock: the clocks change at two, so the offset is the same.
    return (midnight - _pacific_offset(midnight + timedelta(hours=8)) - utc).total_seconds()


def _pacific_offset(utc: datetime) -> timedelta:
    """What the clocks of Los Angeles are off UTC at a moment, by the rule of 2007."""
    begins = datetime(utc.year, 3, _sunday(utc.year, 3, 2), 10, tzinfo=UTC)
    ends = datetime(utc.year, 11, _sunday(utc.year, 11, 1), 9, tzinfo=UTC)
    return timedelta(hours=-7 if begins <= utc < ends else -8)


def _sunday(year: int, month: int, count: int) -> int:
    """The day of the month that is its first Sunday, or its second."""
    return 8 - date(year, month, 1).isoweekday() + 7 * (count - 1)
