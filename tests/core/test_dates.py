"""HTTP dates and retry hints, read without a clock."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import header_lists

from gephyr_core.dates import LONGEST_WAIT, parse_http_date, retry_after

NOW = 1_700_000_000.0
utc_dates = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(utc_dates)
def test_every_date_the_standard_library_writes_is_read(date: datetime) -> None:
    """The small parser stands in for ``email.utils``, which loads ``socket``."""
    date = date.replace(microsecond=0)
    assert parse_http_date(format_datetime(date, usegmt=True)) == date.timestamp()


def test_the_date_of_the_standard_is_read() -> None:
    """RFC 9110 section 5.6.7."""
    assert parse_http_date(" Sun, 06 Nov 1994 08:49:37 GMT ") == 784111777.0


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
