"""The page: whole, readable without network, and nothing that a scenario says becomes markup."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gephyr.harness.report.compare import compare
from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.html import Told, page, write_whole
from gephyr.harness.report.measurements import Measurements
from gephyr.harness.world.world import Violation
from gephyr_core.records import AccountEvent, ProxyEvent
from tests.harness.report_facts import BEGIN, account, attempt, refused, request

NASTY = "<script>alert('x')</script>\"&"
VOID = ("meta", "br", "hr", "link", "img")


def run(accounts: int = 3, *, name: str = "noon", requests: int = 600) -> Run:
    measurements = Measurements([account(f"a{index}") for index in range(accounts)], BEGIN)
    for index in range(requests):
        at = BEGIN + index * 5.0
        call = attempt(f"a{index % accounts}", started_at=at, duration=3.0 + index % 11, waited=index % 3 / 10)
        measurements.take(request(call, started_at=at, duration=call.duration))
        if index % 50 == 7:
            measurements.take(refused(started_at=at, duration=5.0))
    measurements.take(AccountEvent("a0", "cooldown", BEGIN + 60, until=BEGIN + 300, reason=NASTY, stated=True))
    measurements.take(AccountEvent("a0", "disabled", BEGIN + 900, reason="operator"))
    measurements.take(ProxyEvent("p", False, BEGIN + 100, "refused"))
    measurements.ran_until(BEGIN + 3600.0)
    violation = Violation("a rule", NASTY, 7, 1.0, (NASTY,))
    return Run(scenario=name, seed=7, measurements=measurements, trace_hash="f00d", violations=(violation,))


class Nesting(HTMLParser):
    """Checks that every element is closed in its turn, and collects what would be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.active: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        names = [name for name, _ in attrs]
        if tag in ("script", "link", "img", "iframe", "object") or "src" in names or "href" in names:
            self.active.append(tag)
        self.active += [name for name in names if name.startswith("on")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(text: str) -> str:
    nesting = Nesting()
    nesting.feed(text)
    nesting.close()
    assert nesting.open == []
    assert nesting.active == []
    assert not re.search(r"url\(|@import|https?:", text)
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(drawing)  # noqa: S314
        assert "nan" not in drawing.lower()
    return text


def test_a_long_name_of_an_account_is_shortened_in_a_plot_and_whole_in_its_title():
    """Beside the plots there is room for 22 letters."""
    fits, long = "a" * 22, "b" * 23
    measurements = Measurements([account(fits), account(long)], BEGIN)
    for name in (fits, long):
        measurements.take(request(attempt(name)))
    measurements.ran_until(BEGIN + 60.0)
    played = Run(scenario="s", seed=7, measurements=measurements, trace_hash="f", violations=())
    text = checked(page([Told("s", played)]))
    assert f"<title>{fits}</title>{fits}</text>" in text
    assert f"<title>{long}</title>{long[:21]}…</text>" in text


def test_the_page_fetches_nothing_runs_nothing_and_escapes_what_it_is_given():
    text = checked(page([Told(NASTY, run(name=NASTY), [NASTY])]))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("accounts", [1, 30, 1000])
def test_the_page_is_readable_however_many_accounts_there_are(accounts):
    text = checked(page([Told("pool", run(accounts, requests=1200))]))
    rows = re.findall(r'class="base"', text)
    drawn_proxies = 1
    assert len(rows) - drawn_proxies == min(accounts, 41)
    assert ("average of 960 others" in text) == (accounts == 1000)
    assert len(text) < 1_500_000


def test_a_run_in_which_nothing_happened_has_a_page():
    empty = Run(scenario="nothing", seed=1, measurements=Measurements([], BEGIN), trace_hash=None)
    assert "the run was interrupted" in checked(page([Told("nothing", empty)]))


def test_two_runs_are_told_with_what_changes():
    before, after = run(2), run(3)
    changes = compare(summary_data(before), summary_data(after))
    text = checked(page([Told("two", before), Told("three", after)], changes))
    assert "What changes" in text
    assert "only in the second" in text


def test_a_cooldown_is_drawn_with_its_reason():
    text = page([Told("noon", run())])
    assert 'class="stated"' in text
    assert "cooling down, as the provider said, from 1 min on, for 4 min" in text
    assert "disabled from 15 min on: operator" in text


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "report.html"
    write_whole(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "second \ud800")
    assert path.read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="missing"):
        write_whole(tmp_path / "missing" / "report.html", "text")
