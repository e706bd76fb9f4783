"""HTTP dates and retry hints, read without a clock."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import header_lists

from gephyr_core.dates import (
    LONGEST_WAIT,
    go_duration,
    parse_http_date,
    parse_rfc3339,
    retry_after,
    until_pacific_midnight,
)

NOW = 1_700_000_000.0
utc_dates = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(utc_dates)
def test_every_date_the_standard_library_writes_is_read(date: datetime) -> None:
    """The small parser stands in for ``email.utils``, which loads ``socket``."""
    date = date.replace(microsecond=0)
    assert parse_http_date(format_datetime(date, usegmt=True)) == date.timestamp()


@pytest.mark.parametrize(
    "text", [" Sun, 06 Nov 1994 08:49:37 GMT ", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_date_of_the_standard_is_read_in_its_three_forms(text: str) -> None:
    """RFC 9110 section 5.6.7: a recipient MUST accept the two obsolete ones."""
    assert parse_http_date(text) == 784111777.0


def test_two_digits_of_a_year_are_of_this_age() -> None:
    assert parse_http_date("Monday, 23-Nov-26 12:00:00 GMT") == parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT")
    assert parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT") == 0.0


@given(utc_dates)
def test_the_obsolete_forms_say_the_same_as_the_new_one(date: datetime) -> None:
    date = date.replace(microsecond=0)
    clock = f"{date:%H:%M:%S}"
    assert parse_http_date(f"{date:%a %b} {date.day:2d} {clock} {date.year:04d}") == date.timestamp()
    if 1970 <= date.year < 2070:
        assert parse_http_date(f"{date:%A, %d-%b-%y} {clock} GMT") == date.timestamp()


def test_a_leap_second_is_read_as_the_second_before() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nom 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 31-Feb-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.text(max_size=40))
def test_any_text_gives_a_date_or_none(text: str) -> None:
    assert isinstance(parse_http_date(text), float | None)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"retry-after", b"20")], 20.0),
        ([(b"retry-after", b" 1.5 ")], 1.5),
        ([(b"retry-after", b"0")], 0.0),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"1")], 0.25),
        ([(b"retry-after-ms", b"0"), (b"retry-after", b"1")], 1.0),
        ([(b"retry-after-ms", b"soon"), (b"retry-after", b"1")], 1.0),
        ([(b"retry-after", b"Tue, 14 Nov 2023 22:13:30 GMT")], 10.0),
        ([(b"retry-after", b"Tuesday, 14-Nov-23 22:13:30 GMT")], 10.0),
        ([(b"retry-after", b"Tue Nov 14 22:13:30 2023")], 10.0),
        ([(b"retry-after", b"999999999999")], LONGEST_WAIT),
        ([(b"retry-after", b"Tue, 14 Nov 2023 22:00:00 GMT")], 0.0),
        ([(b"retry-after", b"-5")], None),
        ([(b"retry-after", b"1e3")], None),
        ([(b"retry-after", b"\xb2")], None),
        ([(b"retry-after", b"9" * 5000)], None),
        ([(b"retry-after", b"")], None),
        ([], None),
    ],
)
def test_the_hint_is_read_in_all_its_forms(headers: list[tuple[bytes, bytes]], expected: float | None) -> None:
    assert retry_after(headers, NOW) == expected


def test_a_date_is_measured_by_the_senders_own_clock() -> None:
    """A provider whose clock is an hour ahead does not make us wait an hour longer."""
    headers = [(b"date", b"Tue, 14 Nov 2023 23:13:20 GMT"), (b"retry-after", b"Tue, 14 Nov 2023 23:13:50 GMT")]
    assert retry_after(headers, NOW) == 30.0


@given(header_lists, st.binary(max_size=30), st.binary(max_size=30))
def test_any_hint_is_a_bounded_wait_or_none(headers: list[tuple[bytes, bytes]], hint: bytes, date: bytes) -> None:
    wait = retry_after([*headers, (b"retry-after", hint), (b"date", date)], NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT


# -- RFC 3339 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1985-04-12T23:20:50.52Z", 482196050.52),
        ("1996-12-19T16:39:57-08:00", 851042397.0),
        ("1990-12-31T23:59:60Z", 662687999.0),
        ("1990-12-31T15:59:60-08:00", 662687999.0),
        ("1937-01-01T12:00:27.87+00:20", -1041337172.13),
        ("2023-11-14t22:13:20.123456789z", 1700000000.123456789),
    ],
)
def test_the_dates_of_rfc_3339_are_read(text: str, expected: float) -> None:
    """Section 5.8; a leap second is the second before it."""
    assert parse_rfc3339(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2023-11-14", "2023-11-14T22:13:20", "20231114T221320Z", "2023-W46-2T22:13:20Z", "2023-11-14T22:13Z"),
        *("2023-02-30T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:13:20,5Z", "2023-11-14T22:13:20+0100", "9"),
        *("2023-11-14T22:13:20+99:00", "0000-11-14T22:13:20Z", "\u0662023-11-14T22:13:20Z"),
    ],
)
def test_other_dates_are_none(text: str) -> None:
    assert parse_rfc3339(text) is None


@given(utc_dates)
def test_every_date_that_isoformat_writes_is_read(date: datetime) -> None:
    assert parse_rfc3339(date.isoformat()) == pytest.approx(date.timestamp(), abs=1e-3)


@given(st.text(max_size=40) | st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)\Z"))
def test_any_text_gives_a_moment_or_none(text: str) -> None:
    assert isinstance(parse_rfc3339(text), float | None)


# -- durations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("6m0s", 360.0), ("17.4s", 17.4), ("2ms", 0.002), ("1h2m3s", 3723.0), ("0s", 0.0), ("17.399999999s", 17.4)),
        *(("1.5h", 5400.0), ("100ns", 1e-7), ("3µs", 3e-6), ("3μs", 3e-6), ("3us", 3e-6), (".5s", 0.5), ("1.s", 1.0)),
        *(("10h17m2.5s", 37022.5), ("1m500ms", 60.5), ("20.04466179s", 20.04466179)),
    ],
)
def test_a_duration_is_read_as_go_prints_it(text: str, seconds: float) -> None:
    assert go_duration(text) == pytest.approx(seconds, abs=1e-8)


@pytest.mark.parametrize(
    "text", ["", "s", "5", "0", "-5s", "+5s", "5 s", "5s ", "1h2", "m5", ".s", "1e3s", "\u0665s", "5S"]
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert go_duration(text) is None


def printed_as_go_does(nanoseconds: int) -> str:
    """``time.Duration.String`` of Go, in whole nanoseconds."""

    def point(value: int, unit: int) -> str:
        whole, rest = divmod(value, unit)
        digits = len(str(unit)) - 1
        return str(whole) + (f".{rest:0{digits}d}".rstrip("0") if rest else "")

    if nanoseconds == 0:
        return "0s"
    for unit, name in ((1, "ns"), (1_000, "µs"), (1_000_000, "ms")):
        if nanoseconds < unit * 1000:
            return point(nanoseconds, unit) + name
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    text = point(rest, 1_000_000_000) + "s"
    if minutes >= 60:
        return f"{minutes // 60}h{minutes % 60}m{text}"
    return f"{minutes}m{text}" if minutes else text


@given(st.integers(0, 2**63 - 1) | st.integers(0, 10**12))
def test_printing_a_duration_and_reading_it_gives_it_back(nanoseconds: int) -> None:
    assert go_duration(printed_as_go_does(nanoseconds)) == pytest.approx(nanoseconds / 1e9, rel=1e-12)


@given(st.text(max_size=40) | st.text("0123456789.hmsuµn", max_size=40))
def test_any_text_gives_a_duration_or_none(text: str) -> None:
    seconds = go_duration(text)
    assert seconds is None or seconds >= 0.0


# -- midnight in Los Angeles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2026-01-15T08:00:00Z", 24.0),  # midnight itself, standard time
        ("2026-01-15T07:30:00Z", 0.5),
        ("2026-07-15T06:30:00Z", 0.5),  # daylight-saving time
        ("2026-03-08T08:00:00Z", 23.0),  # the day on which it begins
        ("2026-03-08T09:59:59Z", 21.0 + 1 / 3600),
        ("2026-03-08T10:00:00Z", 21.0),
        ("2026-11-01T07:00:00Z", 25.0),  # the day on which it ends
        ("2026-11-01T08:59:59Z", 23.0 + 1 / 3600),
        ("2026-11-01T09:00:00Z", 23.0),
        ("2026-12-31T23:00:00Z", 9.0),
    ],
)
def test_midnight_in_los_angeles_follows_its_summer_time(now: str, hours: float) -> None:
    moment = parse_rfc3339(now)
    assert moment is not None
    assert until_pacific_midnight(moment) == pytest.approx(hours * 3600)


@given(st.floats(0, 4e9))
def test_midnight_is_within_a_day_and_an_hour(now: float) -> None:
    wait = until_pacific_midnight(now)
    assert 0.0 < wait <= 25 * 3600
    assert (now + wait) % 3600 == pytest.approx(0, abs=1e-3) or (now + wait) % 3600 > 3599.999
