"""HTTP dates and retry hints, read without a clock."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from gephyr_core.http import Header, header_text

_IMF_FIXDATE = re.compile(r"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
LONGEST_WAIT = 31 * 86400.0
"""No hint is believed beyond a month, seconds."""


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch of an IMF-fixdate (RFC 9110 section 5.6.7), or None."""
    match = _IMF_FIXDATE.fullmatch(text.strip())
    if match is None or match[2] not in _MONTHS:
        return None
    day, month, year, hour, minute, second = match.groups()
    try:
        date = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), min(59, int(second)), tzinfo=UTC)
    except ValueError:
        return None
    return date.timestamp()


def retry_after(headers: Iterable[Header], now: float) -> float | None:
    """Return the seconds to wait that ``retry-after-ms`` or ``retry-after`` (seconds or date) ask for, or None.

    A date is measured against the sender's own ``date``, so that its clock need not agree with ours. Azure sends
    ``retry-after-ms: 0`` beside ``retry-after: 1``: no milliseconds are no hint.
    """
    headers = list(headers)
    milliseconds = _number(header_text(headers, b"retry-after-ms"))
    if milliseconds:
        return _bounded(milliseconds / 1000)
    text = header_text(headers, b"retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    date = parse_http_date(text)
    if date is None:
        return None
    sent_at = parse_http_date(header_text(headers, b"date") or "")
    return _bounded(date - (now if sent_at is None else sent_at))


def _number(text: str | None) -> float | None:
    if text is None or re.fullmatch(r"\s*\d{1,12}(\.\d{1,9})?\s*", text) is None:
        return None
    return float(text)


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), LONGEST_WAIT)
