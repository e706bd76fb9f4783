"""What ``gephyr simulate`` looks for and tells on standard error, by itself: nothing is played here."""

import importlib
import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from gephyr.cli import simulate, swarm
from gephyr.harness.swarm.search import Found
from gephyr.harness.world.world import Violation

searching = importlib.import_module("gephyr.harness.swarm.search")  # its package has a function of the same name
BROKEN = Violation("a rule", "is broken", 7, 1.25, ("first", "last"))
LINES = ["VIOLATION of 'a rule' at 1.250000 s, seed 7", "  is broken", "  last events:", "    first", "    last"]


class Search:
    """Finds what it is told to, and knows what it was asked."""

    def __init__(self, found: Found | None = None) -> None:
        self.found = found
        self.asked: list[Any] = []

    def __call__(self, seeds: range, *, jobs: int | None = None, progress: Any = None) -> Found | None:
        self.asked.append((list(seeds), jobs, progress is not None))
        if progress is not None:
            progress(1)
        return self.found


def run(search: Search, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False, terminal: bool = False) -> Result:
    """Run the command for three seeds from 5 on, as two jobs."""

    @click.command
    def command() -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
        raise SystemExit(swarm.swarm(3, 5, 2, quiet=quiet))

    monkeypatch.setattr(swarm, "search", search)
    return CliRunner().invoke(command)


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_the_seeds_are_searched_by_as_many_jobs_as_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, quiet: bool, terminal: bool
) -> None:
    search = Search()
    result = run(search, monkeypatch, quiet=quiet, terminal=terminal)
    assert search.asked == [([5, 6, 7], 2, terminal and not quiet)]
    assert (result.exit_code, result.stdout) == (0, "" if quiet else "3 runs, no violation (seeds 5 to 7)\n")
    assert ("swarm" in result.stderr) is (terminal and not quiet)


def test_what_is_found_is_told_and_written_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(Search(Found(7, BROKEN, {"scenario": {"name": "x"}})), monkeypatch)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [*LINES, "the same again: gephyr simulate swarm-7.toml --seed 7"]
    assert 'name = "x"' in (tmp_path / "swarm-7.toml").read_text(encoding="utf-8")


def test_where_no_file_can_be_written_the_scenario_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swarm-7.toml").mkdir()
    result = run(Search(Found(7, BROKEN, {"scenario": {"name": "x"}})), monkeypatch)
    assert (result.exit_code, 'name = "x"' in result.stdout) == (1, True)
    assert result.stderr.splitlines() == [*LINES, "error: swarm-7.toml: Is a directory"]


@pytest.mark.parametrize(("jobs", "used"), [(None, 5), (3, 3)])
def test_there_are_as_many_jobs_as_cores_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, jobs: int | None, used: int
) -> None:
    asked: list[int] = []

    def results(seeds: Any, jobs: int) -> Any:
        asked.append(jobs)
        return iter([(seed, None) for seed in seeds])

    monkeypatch.setattr(searching, "_results", results)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(5) if process == 0 else (), raising=False)
    done: list[int] = []
    assert searching.search(range(4), jobs=jobs, progress=done.append) is None
    assert (asked, done) == ([used], [1, 2, 3, 4])
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    searching.search(range(4), jobs=jobs)
    assert asked[-1] == (jobs or 1)


def test_a_quiet_run_tells_what_is_wrong_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    class Run:
        violations = (BROKEN,)

    class Told:
        run, missed, title = Run(), ("p95 of waiting: 3 s, bound 2 s",), "odd"

    simulate._complain([Told()], [])  # type: ignore[list-item]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [click.unstyle(line) for line in shown.err.splitlines()] == [
        "missed: p95 of waiting: 3 s, bound 2 s",
        *LINES,
    ]
