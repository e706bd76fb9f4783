"""A run as text and as data."""

import json

import click
import pytest

from gephyr.harness.report import words
from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.measurements import Measurements
from gephyr.harness.report.summary import summary
from gephyr.harness.world.world import Violation
from gephyr_core.records import AccountEvent
from tests.harness.report_facts import BEGIN, account, attempt, refused, request

VIOLATION = Violation("concurrency", "a has 3 calls, 2 allowed", 7, 12.5, ("one event", "another event"))


def run(*facts, accounts=(), **values) -> Run:
    measurements = Measurements(accounts, BEGIN)
    for fact in facts:
        measurements.take(fact)
    measurements.ran_until(BEGIN + 3600.0)
    return Run(scenario="noon", seed=7, measurements=measurements, trace_hash="f00d", **values)


def text(of: Run, *missed: str) -> str:
    return click.unstyle("\n".join(summary(of, missed)))


def busy() -> Run:
    return run(
        *[request(attempt("a"))] * 1233,
        *[refused()] * 10,
        request(attempt("a", outcome="status", status=429), attempt("b", attempt=2, waited=0.25)),
        AccountEvent("a", "cooldown", BEGIN + 1, until=BEGIN + 91, reason="rate_limit", stated=True),
        accounts=[account("a"), account("b")],
        limit_violations={"a": 1},
        wall_seconds=0.5,
    )


def test_the_summary_says_what_became_of_the_requests_first():
    lines = text(busy()).splitlines()
    assert lines[0] == "noon, seed 7: 1 h of traffic in 500 ms (2,488 requests a second)"
    assert [line.split() for line in lines[2:5]] == [
        ["requests", "1,244"],
        ["served", "1,234", "99.2", "%"],
        ["refused", "10", "0.8", "%", "rate", "limit", "(429)", "10"],
    ]
    said = "\n".join(lines)
    assert "prompt cache         50.0 % of 123,400 input tokens" in said
    assert "provider limits      1 calls were over one" in said
    assert [line.split() for line in lines if line.startswith("a  ")] == [
        ["a", "1,234", "99.9", "%", "1,233", "1", "1", "50.0", "%", "1", "min", "30", "s", "0", "s"]
    ]


def test_no_line_is_wider_than_a_screen():
    assert max(map(len, text(busy()).splitlines())) <= 140


def test_a_violation_is_told_with_its_last_events():
    said = text(run(violations=(VIOLATION,)), "served_share: at least 0.99, got 0.5")
    assert "VIOLATION of 'concurrency' at 12.500000 s, seed 7" in said
    assert "    another event" in said
    assert "missed: served_share: at least 0.99, got 0.5" in said


def test_of_many_accounts_the_busiest_are_shown_and_the_others_together():
    facts = [request(attempt(f"a{index}")) for index in range(1000)] + [request(attempt("a7"))]
    lines = text(run(*facts)).splitlines()
    assert sum(line.startswith("a") and line[1:2].isdigit() for line in lines) == 12
    assert any(line.startswith("a7 ") for line in lines)
    assert any(line.split()[:3] == ["988", "others", "988"] for line in lines)


def test_a_run_in_which_nothing_happened_has_a_summary():
    assert "no account was asked" in text(run())


def test_the_data_is_json_and_the_same_for_the_same_run():
    data = summary_data(busy())
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert json.dumps(data) == json.dumps(summary_data(busy()))
    assert (data["trace_hash"], data["violations"], data["virtual_seconds"]) == ("f00d", [], 3600.0)
    assert data["served"] + data["refused"] + data["failed"] + data["left"] == data["requests"] == 1244
    assert data["accounts"]["a"]["cooling_seconds"] == 90.0
    broken = summary_data(run(violations=(VIOLATION,)))["violations"]
    assert broken[0]["rule"] == "concurrency"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 s"),
        (0.0351, "35 ms"),
        (1.25, "1.25 s"),
        (42, "42 s"),
        (59.99, "1 min"),
        (90, "1 min 30 s"),
        (23400, "6 h 30 min"),
    ],
)
def test_times_are_said_as_people_do(value, said):
    assert words.seconds(value) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "-"), (0, 9, "0 %"), (9, 9, "100 %"), (99999, 100000, "99.9 %"), (1, 1e6, "0.1 %")],
)
def test_a_share_is_all_or_nothing_only_if_it_is(part, whole, said):
    assert words.share(part, whole) == said
