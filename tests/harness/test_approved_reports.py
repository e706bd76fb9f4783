"""What a report says of given facts, and what clients plan to do, in tables that were read and approved."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest

from gephyr.harness.report.compare import compare, comparison, verdict
from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.html import Told, page
from gephyr.harness.report.measurements import Measurements
from gephyr.harness.report.summary import summary
from gephyr.harness.scenario import load_scenario
from gephyr.harness.scenario.load import scenario_of
from gephyr.harness.scenario.schema import About, Burst, Expectations, ProviderTable, Workload
from gephyr.harness.scenario.workload import planned_sessions
from gephyr.harness.world.settings import ClientSettings, Fault, PlannedChange
from gephyr.harness.world.world import Violation
from gephyr_core.config import ConfigError
from gephyr_core.records import AccountEvent, ProxyEvent, Usage
from tests.approved import check_table
from tests.harness.report_facts import BEGIN, account, attempt, refused, request

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "scenarios").glob("*.toml"))


def a_run(accounts: int = 3, *, slow: float = 1.0) -> Run:
    """An hour in which something of everything happens."""
    measurements = Measurements([account(f"a{index}") for index in range(accounts)], BEGIN)
    for index in range(400):
        at = BEGIN + index * 8.0
        rule = ("best_of_two", "bound", "fallback", "only_one")[index % 4]
        duration = (2.0 + index % 11) * slow
        call = attempt(f"a{index % accounts}", started_at=at, duration=duration, waited=index % 3 / 10, rule=rule)
        measurements.take(request(call, started_at=at, duration=call.duration, first_byte=0.1 * (index % 7)))
        if index % 50 == 7:
            measurements.take(refused(started_at=at, duration=5.0))
        if index % 60 == 9:
            failed = attempt("a0", started_at=at, outcome="status", status=429)
            again = attempt("a1", started_at=at + 1, attempt=2, route="proxy:x")
            measurements.take(request(failed, again, started_at=at, usage=Usage(input=50, output=5)))
        if index % 70 == 3:
            broken = attempt("a1", started_at=at, outcome="reset", status=None)
            measurements.take(
                request(broken, started_at=at, outcome="failed", status=502, error="bad_gateway", usage=None)
            )
        if index % 90 == 11:
            measurements.take(
                request(attempt(started_at=at), started_at=at, outcome="aborted", status=0, first_byte=None)
            )
    for event in (
        AccountEvent("a0", "cooldown", BEGIN + 60, until=BEGIN + 300, reason="rate_limit", stated=True),
        AccountEvent("a0", "cooldown", BEGIN + 500, until=BEGIN + 520, reason="server", stated=False),
        AccountEvent("a0", "recovered", BEGIN + 510),
        AccountEvent("a1", "disabled", BEGIN + 900, reason="operator"),
        AccountEvent("a1", "enabled", BEGIN + 1900),
        AccountEvent("a1", "token_refreshed", BEGIN + 100),
        AccountEvent("a1", "token_refresh_failed", BEGIN + 200, reason="http_503"),
        ProxyEvent("p", healthy=False, at=BEGIN + 100, reason="refused"),
        ProxyEvent("p", healthy=True, at=BEGIN + 400),
    ):
        measurements.take(event)
    measurements.ran_until(BEGIN + 3600.0)
    violation = Violation("a rule", "what it was", 7, 1.0, ("one event",))
    return Run(
        scenario="noon", seed=7, measurements=measurements, trace_hash="f00d", violations=(violation,), wall_seconds=0.5
    )


RUNS = {"small": a_run(3), "slower": a_run(3, slow=2.0), "large": a_run(60)}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_summed_up_as_was_approved(name: str) -> None:
    data = summary_data(RUNS[name])
    lines = [f"{key} = {json.dumps(value)[:3000]}" for key, value in data.items()]
    check_table(f"report-{name}", [*click.unstyle("\n".join(summary(RUNS[name], ["a bound"]))).split("\n"), *lines])


def test_the_page_of_a_run_is_as_was_approved() -> None:
    """A line for each element, so that a change shows where it is."""
    changes = compare(summary_data(RUNS["small"]), summary_data(RUNS["slower"]))
    text = page([Told("one", RUNS["small"], ["a bound"]), Told("two", RUNS["slower"])], changes)
    check_table("report-page", text.replace("><", ">\n<").split("\n"))


def test_two_runs_are_compared_as_was_approved() -> None:
    lines: list[str] = []
    for one, other in (("small", "slower"), ("slower", "small"), ("small", "large"), ("small", "small")):
        changes = compare(summary_data(RUNS[one]), summary_data(RUNS[other]))
        lines += [f"## {one} and {other}", verdict("other", changes), *(str(change) for change in changes)]
        lines += click.unstyle("\n".join(comparison(("one", "other"), changes))).split("\n")
    check_table("report-comparison", lines)


def planned(path: Path, seed: int) -> Iterator[str]:
    scenario = load_scenario(path)
    sessions = planned_sessions(scenario.workloads, seed, 3600.0, path.parent, scenario.about.day_starts_at)
    for number, one in enumerate(sessions):
        if number >= 25:
            return
        turns = " ".join(
            f"{turn.think:.3f}/{turn.input_tokens}/{turn.output_tokens}{'s' if turn.stream else ''}"
            f"{'' if turn.leaves_after is None else f'!{turn.leaves_after:.3f}'}"
            for turn in one.turns[:6]
        )
        yield f"{one.start:.3f} {one.session} key {one.key} {one.dialect} {one.model} id {one.sends_id}, {len(one.turns)} turns: {turns}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_clients_plan_as_was_approved(path: Path) -> None:
    check_table(f"workload-{path.stem}", [*planned(path, 1), *planned(path, 2)])


LEAST = {
    "gateway": {"accounts": [{"id": "a", "provider": "openai", "count": 2}]},
    "workloads": [{"sessions_per_minute": 1}],
}
MISTAKES = {
    "scenario": [
        {"duration": 0},
        {"duration": "1x"},
        {"day_starts_at": 24},
        {"odd": 1},
        {"name": ""},
        {"duration": "1.5h"},
    ],
    "clients": [{"retries": -1}, {"backoff": -1}, {"after_failure": "odd"}, {"after_failure": "end"}, {"keys": 0}],
    "expect": [{"max_refused_share": 2}, {"max_wait_p95": "2s"}, {"min_cache_hit_share": -1}, {"odd": 1}],
    "workloads": [
        [],
        [{}],
        [{"sessions_per_minute": 0}],
        [{"sessions_per_minute": 1, "log": "x"}],
        [{"log": "none"}],
        [{"sessions_per_minute": 1, "end": 5, "start": 6}],
        7,
    ],
    "providers": [
        [{"accounts": ["z"]}],
        [{"accounts": []}],
        [{"accounts": ["a-*"], "requests_per_minute": 0}],
        [{"first_byte": {"median": 2, "p95": 1}}],
        [{"hints": "odd"}],
    ],
    "faults": [
        [{}],
        [{"kind": "odd"}],
        [{"kind": "down", "start": 5, "end": 1}],
        [{"kind": "down", "accounts": ["z"]}],
        [{"kind": "proxy_down", "proxies": ["z"]}],
    ],
    "changes": [
        [{}],
        [{"at": 5}],
        [{"at": 5, "disable": ["z"]}],
        [{"at": 5, "disable": ["a-1"]}],
        [{"at": 1e9, "enable": ["a-1"]}],
    ],
    "gateway": [
        {},
        {"accounts": []},
        {"accounts": [{"id": "a"}]},
        {"accounts": [{"id": "a", "provider": "openai", "count": 0}]},
        {"accounts": [{"id": "a", "provider": "odd"}]},
        {"scheduling": {"mode": "odd"}},
    ],
}


def test_each_mistake_of_a_scenario_is_told_as_was_approved(tmp_path: Path) -> None:
    lines = []
    for section, values in MISTAKES.items():
        for value in values:
            try:
                scenario = scenario_of(LEAST | {section: value}, tmp_path / "s.toml")
                told = f"well: {attrs.asdict(scenario.about)}"
            except ConfigError as error:
                told = " | ".join(str(problem) for problem in error.problems)
            lines.append(f"{section} = {value}: {told}")
    check_table("scenario-mistakes", [line.replace(str(tmp_path), "FOLDER") for line in lines])


VALUES: tuple[Any, ...] = (
    *(True, -1, 0, 1e-9, 0.5, 1, 1.5, 2, 23.5, 24, 24.5, 1e6, 1e6 + 1, 1e9, 1e9 + 1, "", "x", "90s", "25h", "-1s"),
    *("x" * 65, [], ["x"], [1.0] * 24, [[]], {}, {"median": 1, "p95": 2}, {"median": 2, "p95": 1}, {"anthropic": 0.5}),
)
NEEDED: dict[str, dict[str, Any]] = {
    "faults": {"kind": "outage"},
    "changes": {"at": 1.0, "disable": ["a"]},
    "bursts": {"at": 1.0, "sessions": 1},
}
SECTIONS = {
    "scenario": About,
    "providers": ProviderTable,
    "workloads": Workload,
    "bursts": Burst,
    "faults": Fault,
    "changes": PlannedChange,
    "clients": ClientSettings,
    "expect": Expectations,
}


def with_setting(section: str, name: str, value: Any) -> dict[str, Any]:
    """A scenario in which one setting has a value."""
    table = {**NEEDED.get(section, {}), name: value}
    if section == "bursts":
        return LEAST | {"workloads": [{"sessions_per_minute": 1, "bursts": [table]}]}
    return LEAST | {section: table if section in {"scenario", "clients", "expect"} else [table]}


def test_each_setting_of_a_scenario_is_read_or_refused_as_was_approved(tmp_path: Path) -> None:
    lines = []
    for section, made in SECTIONS.items():
        for field in attrs.fields(made):
            lines.append(f"## {section}.{field.name}")
            fates: dict[str, list[str]] = {}
            for value in VALUES:
                try:
                    scenario_of(with_setting(section, field.name, value), tmp_path / "s.toml")
                    fate = "well"
                except ConfigError as error:
                    fate = re.sub(r", got .*?(?= \| |$)", "", " | ".join(str(problem) for problem in error.problems))
                fates.setdefault(fate, []).append(f"{value!r:.30}")
            lines += [f"{fate}: {', '.join(values)}" for fate, values in fates.items()]
    check_table("scenario-settings", [line.replace(str(tmp_path), "FOLDER") for line in lines])
