"""The search for a broken invariant: it finds none in the gateway, and finds the one that a test puts in."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gephyr.cli import main
from gephyr.harness.scenario import load_scenario
from gephyr.harness.scenario.load import scenario_of
from gephyr.harness.swarm import search, written
from gephyr.harness.swarm.combine import combined
from gephyr.harness.swarm.search import violation_of
from gephyr.harness.swarm.shrink import shrunk
from gephyr_core.scheduling.windows import RequestWindow
from tests.approved import check_table


def test_what_is_combined_is_a_scenario_and_the_same_each_time() -> None:
    for seed in range(300):
        scenario = combined(seed)
        assert scenario == combined(seed)
        scenario_of(scenario, Path("swarm.toml"))


def values_in(found: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Each value of a scenario with the path to it, in which numbers of items are left out."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from values_in(value, f"{path}.{name}".lstrip("."))
    elif isinstance(found, list):
        yield f"{path}[]", f"of {len(found)}"
        for value in found:
            yield from values_in(value, f"{path}[]")
    else:
        yield path, repr(found)


def test_each_value_is_drawn_as_often_as_was_approved() -> None:
    """A fault that is never drawn is one whose consequences nobody looks for."""
    drawn: dict[str, Counter[str]] = {}
    for seed in range(1000):
        scenario = combined(seed)
        del scenario["scenario"]["name"]
        for path, value in values_in(scenario):
            drawn.setdefault(path, Counter())[value] += 1
    check_table(
        "swarm-values",
        [
            f"{path}: " + ", ".join(f"{value} x{times}" for value, times in sorted(values.items()))
            for path, values in sorted(drawn.items())
        ],
    )


def test_a_written_scenario_reads_as_it_was() -> None:
    for seed in range(50):
        scenario = combined(seed)
        assert tomllib.loads(written(scenario)) == {name: value for name, value in scenario.items() if value}


def test_the_gateway_breaks_nothing() -> None:
    """Five hundred are played in CI (``tox -e swarm``)."""
    assert search(range(1000, 1012), jobs=1) is None


@pytest.fixture
def leaky(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway whose windows let one request too many in."""
    monkeypatch.setattr(RequestWindow, "opens_at", lambda _window: 0.0)


@pytest.mark.usefixtures("leaky")
def test_a_violation_is_found_and_shrunk(tmp_path: Path) -> None:
    found = search(range(30), jobs=1)
    assert found is not None
    assert found.violation.rule == "requests per minute"
    assert found.violation.latest
    assert len(found.scenario["gateway"]["accounts"]) <= len(combined(found.seed)["gateway"]["accounts"])
    assert not found.scenario.get("faults")
    path = tmp_path / "swarm.toml"
    path.write_text(written(found.scenario), encoding="utf-8")
    again = load_scenario(path)
    assert again.about.duration <= combined(found.seed)["scenario"]["duration"]
    repeated = violation_of(tomllib.loads(path.read_text(encoding="utf-8")), found.seed)
    assert repeated == found.violation


@pytest.mark.usefixtures("leaky")
def test_the_command_tells_it_and_writes_how_to_see_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["simulate", "--swarm", "30", "--seed", "0", "--jobs", "1"])
    assert result.exit_code == 1
    [path] = tmp_path.glob("swarm-*.toml")
    assert f"the same again: gephyr simulate {path.name} --seed" in result.output


def test_the_command_says_that_all_is_well_and_refuses_what_does_not_fit() -> None:
    fine = CliRunner().invoke(main, ["simulate", "--swarm", "2", "--seed", "1000", "--jobs", "1"])
    assert (fine.exit_code, fine.output) == (0, "2 runs, no violation (seeds 1000 to 1001)\n")
    assert CliRunner().invoke(main, ["simulate", "some.toml", "--swarm", "2"]).exit_code == 2
    assert CliRunner().invoke(main, ["simulate"]).exit_code == 2


def test_what_is_shrunk_keeps_only_what_breaks_the_rule() -> None:
    """A setting of the second account breaks it: what is left is that account, with that setting."""

    def breaks(scenario: Mapping[str, Any]) -> bool:
        return any(account.get("weight") == 3 for account in scenario["gateway"]["accounts"])

    whole = {
        "scenario": {"name": "s", "duration": 60.0},
        "gateway": {
            "accounts": [
                {"id": "a", "provider": "openai", "priority": 1},
                {"id": "b", "provider": "openai", "weight": 3, "priority": 2, "max_concurrency": 4},
            ],
            "scheduling": {"mode": "balance"},
            "compliance": {"enabled": True},
        },
        "providers": [{"name": "openai", "latency": 1.0}],
        "workloads": [{"name": "w", "rate": 1.0}, {"name": "x", "rate": 2.0}],
        "faults": [{"at": 1.0, "kind": "slow"}],
        "clients": {"patience": 3.0},
    }
    least = shrunk(whole, breaks, at=2.5)
    assert least["scenario"]["duration"] == 3.5
    assert least["gateway"] == {"accounts": [{"id": "b", "provider": "openai", "weight": 3}], "scheduling": {}}
    assert [least["providers"], least["faults"], least["workloads"]] == [[], [], [{}]]
    assert "clients" not in least
    assert whole["scenario"]["duration"] == 60.0


def test_a_rule_that_breaks_later_than_it_broke_keeps_its_duration() -> None:
    """Shortened to just after the first break, the scenario must still break the rule."""
    whole = {"scenario": {"duration": 60.0}, "gateway": {"accounts": [{"id": "a"}]}, "workloads": [{}]}
    assert shrunk(whole, lambda one: one["scenario"]["duration"] == 60.0, at=2.0) == whole
