"""``gephyr simulate``: what it prints, writes and returns, on small scenarios."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gephyr.cli import main
from gephyr.harness.world import invariants
from tests.waiting import WAIT

SCENARIO = """
[scenario]
name = "small"
duration = "4m"
[gateway]
accounts = [{ id = "openai", provider = "openai", count = 2, requests_per_minute = 30 }]
[[workloads]]
sessions_per_minute = 6
turns = { median = 3, p95 = 5 }
"""
ENDLESS = SCENARIO.replace('"4m"', '"300d"')


def written(folder: Path, text: str = SCENARIO, name: str = "small.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def test_a_run_that_is_fine_is_summed_up_and_returns_0(tmp_path):
    result = simulate(written(tmp_path), "--seed", 3)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("small, seed 3: ")
    assert "openai-1 " in result.stdout


def test_json_is_all_that_is_printed_and_the_same_every_time(tmp_path):
    path = written(tmp_path)
    first, second = (simulate(path, "--seed", 3, "--json", "-") for _ in range(2))
    assert first.stdout == second.stdout
    data = json.loads(first.stdout)
    assert data["violations"] == []
    assert len(data["trace_hash"]) == 64
    assert (data["scenario"], data["seed"]) == ("small", 3)
    assert data["served"] == data["requests"] > 10
    other = json.loads(simulate(path, "--seed", 4, "--json", "-").stdout)
    assert other["trace_hash"] != data["trace_hash"]


def test_a_run_can_be_stopped_early_and_written_to_files(tmp_path):
    page, data, trace = (tmp_path / name for name in ("report.html", "report.json", "trace.jsonl"))
    result = simulate(written(tmp_path), "--until", "1m", "--html", page, "--json", data, "--trace", trace, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    summed = json.loads(data.read_bytes())
    assert 60 <= summed["virtual_seconds"] < 240
    lines = [json.loads(line) for line in trace.read_bytes().splitlines()]
    assert sum(line["kind"] == "RequestStarted" for line in lines) == summed["requests"]


def test_a_bound_that_is_missed_is_named_and_returns_1(tmp_path):
    path = written(tmp_path, SCENARIO + "[expect]\nmin_cache_hit_share = 1.0\nmax_refused_share = 0.1\n")
    result = simulate(path)
    assert result.exit_code == 1
    assert "missed: min_cache_hit_share: at least 100 % of the input tokens cached" in result.stdout
    assert "max_refused_share" not in result.stdout
    quiet = simulate(path, "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (1, "")
    assert quiet.stderr.startswith("missed: min_cache_hit_share")


def test_a_violation_returns_1_and_says_how_to_see_it_again(tmp_path, monkeypatch):
    """Provoked by a watch that looks further back than the limit it watches."""
    monkeypatch.setattr(invariants, "_SPAN", 3600.0)
    path = written(tmp_path, SCENARIO.replace("requests_per_minute = 30", "requests_per_minute = 3"))
    result = simulate(path, "--seed", 5, "--until", "10m")
    assert result.exit_code == 1
    assert "VIOLATION of 'requests per minute' at " in result.stdout
    assert "kind=CallUpstream" in result.stdout
    assert result.stderr == f"the same again: gephyr simulate {path} --seed 5 --until 600s\n"
    data = json.loads(simulate(path, "--seed", 5, "--until", "10m", "--json", "-").stdout)
    assert data["violations"][0]["rule"] == "requests per minute"


def test_every_mistake_of_a_scenario_is_told_and_returns_2(tmp_path):
    path = written(tmp_path, SCENARIO.replace('"4m"', '"soon"').replace("turns =", "turnes ="))
    result = simulate(path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(":")[:2] for line in result.stderr.splitlines()] == [
        ["error", " scenario.duration"],
        ["error", " workloads[0].turnes"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [["missing.toml"], ["small.toml", "--until", "soon"], ["small.toml", "--until", "0s"]],
)
def test_what_cannot_be_read_returns_2(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    result = simulate(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rror: " in result.stderr


@pytest.mark.parametrize("option", ["--html", "--json", "--trace"])
def test_a_file_that_cannot_be_written_returns_2(tmp_path, option):
    result = simulate(written(tmp_path), "--until", "10s", option, tmp_path / "missing" / "file")
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_an_arrival_log_with_a_bad_line_returns_2(tmp_path):
    """It is read while the run goes, and the line is named."""
    arrival = b'{"time": 1, "input_tokens": 10, "output_tokens": 10}\n'
    (tmp_path / "log.jsonl").write_bytes(arrival * 3 + b"?\n")
    result = simulate(written(tmp_path, SCENARIO.partition("sessions_per")[0] + 'log = "log.jsonl"\n'))
    assert result.exit_code == 2
    assert "log.jsonl:4: " in result.stderr


def test_two_configurations_meet_the_same_traffic_and_what_changes_is_told(tmp_path):
    small = written(tmp_path)
    larger = SCENARIO.replace("count = 2", "count = 3").replace("sessions_per_minute = 6", "sessions_per_minute = 99")
    other = written(tmp_path, larger, "larger.toml")
    result = simulate(small, "--against", other)
    assert result.exit_code == 0
    assert "only in the second" in result.stdout
    assert result.stdout.splitlines()[-1].startswith(("larger.toml is ", "Nothing gets better or worse"))
    page = tmp_path / "page.html"
    data = json.loads(simulate(small, "--against", other, "--json", "-", "--html", page).stdout)
    assert data["against"]["requests"] == data["requests"]
    assert data["trace_hash"] != data["against"]["trace_hash"]
    assert [change["name"] for change in data["changes"]][:2] == ["requests", "served"]
    assert "What changes" in page.read_text(encoding="utf-8")


def test_a_configuration_against_itself_changes_nothing(tmp_path):
    path = written(tmp_path)
    data = json.loads(simulate(path, "--against", path, "--json", "-").stdout)
    assert data["trace_hash"] == data["against"]["trace_hash"]
    assert {change["judgement"] for change in data["changes"]} == {"same"}


@pytest.mark.skipif(not Path("/dev/stderr").exists(), reason="needs /dev/stderr")
def test_an_interrupt_tells_what_was_measured_and_returns_130(tmp_path):
    """The trace is read here, so that the run is certainly under way. The signal is not ignored, as it is by whatever
    a shell runs in the background, these tests included."""
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heeded}; from gephyr.cli import main; main()"]
    command += ["simulate", str(written(tmp_path, ENDLESS)), "--trace", "/dev/stderr"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["kind"] == "StateRestored"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert "interrupted" in output.decode().splitlines()[0]
