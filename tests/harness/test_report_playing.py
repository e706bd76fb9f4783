"""Playing a scenario and measuring it: early ends, other traffic, and bounds."""

from pathlib import Path

import pytest

from gephyr.harness.report.data import summary_data
from gephyr.harness.report.expectations import missed
from gephyr.harness.report.playing import play, with_traffic_of
from gephyr.harness.scenario import Expectations, Scenario, load_scenario

SCENARIO = """
[scenario]
name = "small"
duration = "5m"
[gateway]
accounts = [{ id = "a", provider = "openai", count = 2 }]
[[providers]]
requests_per_minute = 20
[[workloads]]
sessions_per_minute = 10
[[faults]]
kind = "outage"
accounts = ["a-1"]
start = "2m"
end = "3m"
[[changes]]
at = "4m"
disable = ["a-2"]
"""


def scenario(folder: Path, text: str = SCENARIO) -> Scenario:
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def test_what_is_measured_agrees_with_what_the_world_counted(tmp_path):
    """Two ways of counting the same run: the facts that the gateway tells, and the providers' own books."""
    run = play(scenario(tmp_path), 1)
    data = summary_data(run)
    assert run.violations == ()
    assert data["virtual_seconds"] >= 300
    assert data["requests"] == sum(sum(counts.shown()) for counts in run.measurements.over_time.values())
    assert data["calls"] == sum(account["calls"] for account in data["accounts"].values())
    assert data["accounts"]["a-1"]["failed"] > data["accounts"]["a-1"]["rate_limited"] >= 0
    assert data["limit_violations"] == sum(run.limit_violations.values())
    assert data["accounts"]["a-2"]["disabled_seconds"] >= 60


def test_an_interrupted_run_returns_what_was_measured(tmp_path):
    def progress(at: float) -> None:
        if at >= 60:
            raise KeyboardInterrupt

    run = play(scenario(tmp_path), 1, progress=progress)
    assert run.interrupted
    assert run.trace_hash is None
    assert 30 < run.measurements.seconds <= 60
    assert run.measurements.requests > 0


def test_another_configuration_meets_the_same_clients(tmp_path):
    """The second scenario's own clients, keys and length do not count."""
    first = scenario(tmp_path)
    other = scenario(tmp_path, SCENARIO.replace('"5m"', '"1m"').replace("minute = 10", "minute = 1\nkeys = 1"))
    same = with_traffic_of(other, first)
    assert play(same, 2).trace_hash == play(first, 2).trace_hash != play(other, 2).trace_hash


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        ({}, []),
        (
            {
                "max_refused_share": 1.0,
                "max_wait_p95": 1e6,
                "min_cache_hit_share": 0.0,
                "max_attempts_per_request": 9.0,
            },
            [],
        ),
        (
            {"max_refused_share": 0.4},
            ["max_refused_share: at most 40.0 % of the requests, 50.0 % were refused or failed"],
        ),
        ({"max_wait_p95": 1.0}, ["max_wait_p95: 95 % wait no longer than 1 s, it was 4 s"]),
        (
            {"min_cache_hit_share": 0.5},
            ["min_cache_hit_share: at least 50.0 % of the input tokens cached, 25.0 % were"],
        ),
        (
            {"max_attempts_per_request": 1.5},
            ["max_attempts_per_request: at most 1.50 calls for each request, it was 2.000"],
        ),
    ],
)
def test_a_bound_that_did_not_hold_is_said_with_what_it_came_to(bounds, named):
    data = {
        "requests": 10,
        "refused": 3,
        "failed": 2,
        "waits": {"p95": 4.0},
        "cache_hit_share": 0.25,
        "attempts_per_request": 2.0,
    }
    assert list(missed(Expectations(**bounds), data)) == named
