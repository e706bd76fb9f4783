"""The example scenarios: each loads, and plays a while without breaking an invariant."""

from pathlib import Path

import pytest

from gephyr.harness.report.playing import play
from gephyr.harness.scenario import load_scenario
from gephyr.harness.scenario.workload import planned_sessions

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "scenarios").glob("*.toml"))


def test_there_are_examples_of_what_people_have() -> None:
    """The six that were asked for, a large one, and a what-if."""
    assert {path.stem for path in EXAMPLES} >= {
        "burst-of-new-sessions",
        "growing-from-3-to-30",
        "one-account-dies-at-noon",
        "proxy-pool-loses-half",
        "rate-limit-storm",
        "thousand-accounts",
        "token-refresh-stampede",
        "what-if-balance",
        "what-if-cache-first",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_plays_a_while_without_violation(path: Path) -> None:
    """As long as the sessions of some six hundred requests take to begin."""
    scenario = load_scenario(path)
    until, requests = 0.0, 0
    for one in planned_sessions(scenario.workloads, 1, 3600.0, path.parent, scenario.about.day_starts_at):
        until, requests = one.start, requests + len(one.turns)
        if requests > 600:
            break
    run = play(scenario, 1, until + 1.0)
    assert run.violations == ()
    assert requests > 200


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_to_look_at(path: Path) -> None:
    """It begins with a comment, and has a name of its own."""
    text = path.read_text()
    assert text.startswith("# ")
    assert "Look at: " in text
    assert load_scenario(path).about.name


def test_the_halves_of_the_what_if_differ_in_their_scheduling_alone() -> None:
    """Else the comparison would say nothing."""
    one, other = (load_scenario(path) for path in EXAMPLES if path.stem.startswith("what-if"))
    assert one.workloads == other.workloads
    assert one.providers == other.providers
    assert one.config.accounts == other.config.accounts
    assert one.config.scheduling.mode != other.config.scheduling.mode


def test_the_large_one_has_a_thousand_accounts_and_ten_thousand_sessions() -> None:
    """What speed is measured on."""
    (path,) = (path for path in EXAMPLES if path.stem == "thousand-accounts")
    scenario = load_scenario(path)
    sessions = planned_sessions(scenario.workloads, 1, scenario.about.duration, path.parent)
    assert len(scenario.config.accounts) == 1000
    assert 9_500 < sum(1 for _ in sessions) < 10_500


def test_changes_are_played(tmp_path: Path) -> None:
    """Accounts that are enabled at a time serve from then on."""
    path = tmp_path / "growing.toml"
    path.write_text(
        """
        [gateway]
        accounts = [{ id = "a", provider = "openai" }, { id = "b", provider = "openai", enabled = false }]
        [[workloads]]
        sessions_per_minute = 30
        turns = { median = 1, p95 = 1 }
        [[changes]]
        at = "2m"
        enable = ["b"]
        disable = ["a"]
        """
    )
    scenario = load_scenario(path)
    before, after = (play(scenario, 1, until).measurements.accounts for until in (110.0, 240.0))
    assert before["a"].attempts > 20
    assert before["b"].attempts == 0
    assert after["b"].attempts > 20
