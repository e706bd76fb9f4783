"""Scenario files: what they may hold, and that every mistake is told at once, with its place."""

from pathlib import Path

import pytest

from gephyr.harness.scenario import load_scenario
from gephyr.harness.scenario.reading import seconds
from gephyr_core.config import ConfigError

ACCOUNTS = 'accounts = [{ id = "a", provider = "openai", count = 2 }, { id = "b", provider = "anthropic" }]'
LEAST = f"""
[gateway]
{ACCOUNTS}
[[workloads]]
sessions_per_minute = 1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as refused:
        load_scenario(written(folder, text))
    found = {problem.path: problem.message for problem in refused.value.problems}
    assert len(found) == len(refused.value.problems), "a mistake is told once"
    return found


def test_a_scenario_needs_accounts_and_clients_and_no_more(tmp_path: Path) -> None:
    """Everything else has a default; the file's name is the scenario's."""
    scenario = load_scenario(written(tmp_path, LEAST))
    assert scenario.name == "scenario"
    assert [*scenario.providers] == ["a-1", "a-2", "b"]
    assert scenario.about.duration == 3600.0


def test_what_every_section_says_is_read(tmp_path: Path) -> None:
    """Times with units, providers by pattern (the first that fits), changes in the order of their time."""
    scenario = load_scenario(
        written(
            tmp_path,
            f"""
            scenario = {{ name = "all of it", duration = "1.5h", day_starts_at = 8 }}
            clients = {{ retries = 1, backoff = "2s", after_failure = "end" }}
            expect = {{ max_refused_share = 0.01, max_wait_p95 = "2s" }}
            gateway = {{ {ACCOUNTS}, scheduling = {{ mode = "cache_first" }} }}

            [[providers]]
            accounts = ["a-*"]
            requests_per_minute = 7
            first_byte = {{ median = "1s", p95 = 2.5 }}
            clock_skew = -30

            [[providers]]
            cache_lifetime = "1h"

            [[workloads]]
            name = "people"
            sessions_per_minute = 0.5
            think = {{ median = "8s", p95 = "1m" }}
            bursts = [{{ at = "5m", sessions = 3 }}]

            [[faults]]
            kind = "stall"
            start = "10m"
            end = "20 m"
            accounts = ["b"]
            share = 0.5

            [[changes]]
            at = "1h"
            disable = ["b"]

            [[changes]]
            at = 60
            enable = ["a-2", "b"]
            """,
        )
    )
    assert (scenario.name, scenario.about.duration) == ("all of it", 5400.0)
    assert scenario.config.scheduling.mode == "cache_first"
    assert (scenario.clients.backoff, scenario.clients.retries) == (2.0, 1)
    assert scenario.expect.max_wait_p95 == 2.0
    assert scenario.providers["a-2"].requests_per_minute == 7
    assert scenario.providers["a-2"].first_byte.median == 1.0
    assert scenario.providers["b"].cache_lifetime == 3600.0
    assert scenario.workloads[0].think.p95 == 60.0
    assert scenario.workloads[0].bursts[0].at == 300.0
    assert (scenario.faults[0].start, scenario.faults[0].end, scenario.faults[0].share) == (600.0, 1200.0, 0.5)
    assert [(change.at, change.enable) for change in scenario.changes] == [(60.0, ("a-2", "b")), (3600.0, ())]


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    """Of the scenario's own settings, of the gateway's, and of those that contradict each other."""
    found = mistakes(
        tmp_path,
        """
        [scenario]
        durations = "6h"
        duration = "6 hours"
        [gateway]
        accounts = [{ id = "a", provider = "openai", count = 0 }, { id = "b", provider = "opanai", count = 3 }]
        scheduling = { mode = "fair" }
        [[workloads]]
        sessions_per_minute = -1
        think = { median = "soon", p95 = 5 }
        dialects = { klingon = 1 }
        models = { 'mo"del' = 1 }
        [[workloads]]
        name = "w"
        hourly = [1, 2]
        [[workloads]]
        name = "w"
        bursts = [{ at = "1m", sessions = 5, within = true }]
        start = "2h"
        end = "1h"
        [[faults]]
        kind = "earthquake"
        [expect]
        min_cache_hit_share = 60
        [extra]
        """,
    )
    assert found == {
        "extra": "unknown setting",
        "scenario.durations": "unknown setting; did you mean 'duration'?",
        "scenario.duration": "expected seconds, or a time such as '90s', '5m' or '6h', got '6 hours'",
        "workloads[0].sessions_per_minute": "expected a number from 0 to 1e+06, got -1",
        "workloads[0].think.median": "expected seconds, or a time such as '90s', '5m' or '6h', got 'soon'",
        'workloads[0].models."mo"del"': "expected a model's name, got 'mo\"del'",
        "workloads[0].dialects.klingon": "expected one of openai-chat, anthropic, gemini, openai-responses",
        "workloads[1].sessions_per_minute": "missing: nobody comes without it, bursts or a log",
        "workloads[1].hourly": "expected 24 weights, got 2",
        "workloads[2].name": "'w' is the name of workloads[1] too",
        "workloads[2].bursts[0].within": "expected a number from 0 to 1e+09, got true",
        "workloads[2].end": "expected a time after start",
        "faults[0].kind": found["faults[0].kind"],
        "expect.min_cache_hit_share": "expected a number from 0 to 1, got 60",
        "gateway.accounts[0].count": "expected a whole number from 1 to 10000",
        "gateway.accounts[1].provider": found["gateway.accounts[1].provider"],
        "gateway.scheduling.mode": "expected one of 'balance', 'cache_first', 'performance_first', got 'fair'",
    }
    assert found["faults[0].kind"].startswith("expected one of 'outage', 'brownout'")


def test_patterns_have_to_fit_something(tmp_path: Path) -> None:
    """A fault that concerns nobody is a slip of the pen."""
    found = mistakes(
        tmp_path,
        LEAST
        + """
        [[providers]]
        accounts = ["a-*", "c-*"]
        [[faults]]
        kind = "outage"
        accounts = ["z"]
        [[faults]]
        kind = "proxy_down"
        proxies = ["eu-*"]
        [[changes]]
        at = "1m"
        enable = ["a-3"]
        disable = ["a-1", "a"]
        """,
    )
    assert found == {
        "providers[0].accounts[1]": "nothing has the id 'c-*'",
        "faults[0].accounts[0]": "nothing has the id 'z'",
        "faults[1].proxies[0]": "nothing has the id 'eu-*'",
        "changes[0].enable[0]": "nothing has the id 'a-3'",
        "changes[0].disable[1]": "nothing has the id 'a'",
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "workloads"),
        ("[[workloads]]\nsessions_per_minute = 1\n", "gateway"),
        ("gateway = 3\n[[workloads]]\nsessions_per_minute = 1\n", "gateway"),
        ("[gateway]\n[[workloads]]\nsessions_per_minute = 1\n", "gateway.accounts"),
        (LEAST + "models = { a = 0 }", "workloads[0].models"),
        (LEAST + f"hourly = {[0] * 24}", "workloads[0].hourly"),
        (LEAST + 'log = "x.jsonl"', "workloads[0].log"),
        (LEAST + 'name = "Zürich"', "workloads[0].name"),
        (LEAST + "workloads = 1", "workloads[0].workloads"),
        (LEAST.replace("sessions_per_minute = 1", "bursts = 5"), "workloads[0].bursts"),
        (LEAST + "[[changes]]", "changes[0].at"),
    ],
)
def test_what_is_missing_or_senseless_is_told(tmp_path: Path, text: str, place: str) -> None:
    """Each at its place."""
    assert place in mistakes(tmp_path, text)


def test_one_wrong_value_is_one_mistake(tmp_path: Path) -> None:
    """What only follows from it is not told."""
    assert [*mistakes(tmp_path, LEAST.replace("= 1", '= "many"'))] == ["workloads[0].sessions_per_minute"]
    late = LEAST + '[[faults]]\nkind = "outage"\nstart = "later"\nend = 0\n'
    assert [*mistakes(tmp_path, late)] == ["faults[0].start"]


def test_a_file_that_is_no_toml_says_why(tmp_path: Path) -> None:
    """Not there, not text, not TOML, too large."""
    path = tmp_path / "scenario.toml"
    cases: list[tuple[bytes | None, str]] = [
        (None, "No such file"),
        (b"\xff", "not UTF-8"),
        (b"a = ", "Invalid value"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"#" * 2_000_000, "larger than"),
    ]
    for content, words in cases:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=words) as refused:
            load_scenario(path)
        assert refused.value.problems[0].path == str(path)


def test_tables_in_tables_without_end_are_a_mistake_and_no_crash(tmp_path: Path) -> None:
    """TOML's dotted names nest as deep as they are long, without a parser's recursion to stop them."""
    assert [*mistakes(tmp_path, LEAST + f"[extra{'.a' * 5000}]\nb = 1\n")] == ["extra"]
    deep = mistakes(tmp_path, LEAST + f"turns{'.a' * 5000} = 1\n")
    assert {*deep} == {"workloads[0].turns.a", "workloads[0].turns.median", "workloads[0].turns.p95"}
    assert [*mistakes(tmp_path, LEAST + f"[gateway.extra{'.a' * 5000}]\nb = 1\n")] == ["gateway.extra"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90.0), ("5m", 300.0), ("1.5h", 5400.0), ("2 d", 172800.0), ("5", None), ("m", None), ("-5s", None)],
)
def test_times_have_a_unit(text: str, value: float | None) -> None:
    """Seconds, minutes, hours, days."""
    assert seconds(text) == value
