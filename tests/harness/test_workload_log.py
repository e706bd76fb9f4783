"""Recorded arrival logs: the same requests again, with mistakes named by their line."""

import contextlib
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.harness.scenario import arrivals
from gephyr.harness.scenario.arrivals import Arrival, LogError, read_sessions
from gephyr.harness.scenario.schema import Workload
from gephyr.harness.scenario.sessions import PlannedSession
from gephyr.harness.scenario.workload import planned_sessions

RECORDED = [
    {"time": 1000.0, "input_tokens": 100, "output_tokens": 10, "model": "m-1", "session": "x", "took": 4.0},
    {"time": 1002.5, "input_tokens": 7, "output_tokens": 0},
    {"time": 1003, "input_tokens": 50, "output_tokens": 5, "session": "y", "other": [1, {"a": None}]},
    {"time": 1010.0, "input_tokens": 300, "output_tokens": 20, "model": "m-1", "session": "x"},
    {"time": 1011.0, "input_tokens": 400, "output_tokens": 30, "model": "m-1", "session": "x"},
]


def logged(folder: Path, *lines: object) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def planned(path: Path, until: float = 1e9, start: float = 0.0) -> list[PlannedSession]:
    workload = Workload(log=path.name, start=start, models={"drawn": 1.0}, leaves=0.0)
    return list(planned_sessions([workload], 1, until, path.parent))


def test_a_log_is_played_again_as_it_was_recorded(tmp_path: Path) -> None:
    """Starts from 0, sizes, models; a line without a session is one of its own, one without a model draws it."""
    sessions = planned(logged(tmp_path, *RECORDED), start=60.0)
    assert [(one.start, one.model) for one in sessions] == [(60.0, "m-1"), (62.5, "drawn"), (63.0, "drawn")]
    assert [[turn.input_tokens for turn in one.turns] for one in sessions] == [[100, 300, 400], [7], [50]]
    assert [one.turns[0].output_tokens for one in sessions] == [10, 1, 5]
    assert len({one.session for one in sessions}) == 3


def test_what_the_reply_took_was_not_spent_thinking(tmp_path: Path) -> None:
    """A reply takes as long as it does in the simulation, not twice; without `took`, all of the gap is thought."""
    thinks = [turn.think for turn in planned(logged(tmp_path, *RECORDED))[0].turns]
    assert thinks == [0.0, 6.0, 1.0]


def test_a_run_may_be_shorter_than_its_log(tmp_path: Path) -> None:
    """Sessions that begin later do not begin."""
    assert len(planned(logged(tmp_path, *RECORDED), until=2.6)) == 2


def test_blank_lines_are_no_requests(tmp_path: Path) -> None:
    """A file may end in some."""
    assert len(planned(logged(tmp_path, RECORDED[0], "", "   ", RECORDED[1], ""))) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Input data was truncated"),
        ("[]", "Expected `object`"),
        ({"time": 2000.0, "input_tokens": 1}, "missing required field `output_tokens`"),
        ({"time": "now", "input_tokens": 1, "output_tokens": 1}, r"Expected `float`, got `str` - at `\$.time`"),
        ({"time": 2000.0, "input_tokens": -1, "output_tokens": 1}, r"\$.input_tokens"),
        ({"time": 2000.0, "input_tokens": 10**10, "output_tokens": 1}, r"\$.input_tokens"),
        ({"time": 2000.0, "input_tokens": 1, "output_tokens": 1, "model": 'a"b'}, r"\$.model"),
        ({"time": 2000.0, "input_tokens": 1, "output_tokens": 1, "model": "ab\n"}, r"\$.model"),
        ({"time": 999.0, "input_tokens": 1, "output_tokens": 1}, "time runs backwards"),
        ("x" * 5000, "at most"),
    ],
)
def test_a_mistake_is_named_by_its_line(tmp_path: Path, line: object, words: str) -> None:
    """And says what was expected there."""
    path = logged(tmp_path, RECORDED[0], "", line)
    with pytest.raises(LogError, match=rf"log\.jsonl:3: .*{words}"):
        planned(path)


def test_a_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is held in memory, so there is a most of lines."""
    monkeypatch.setattr(arrivals, "MOST_LINES", 2)
    with pytest.raises(LogError, match=r"log\.jsonl:3: at most 2 lines"):
        planned(logged(tmp_path, *RECORDED[:3]))


def test_a_log_that_is_not_there_or_holds_nothing_is_told(tmp_path: Path) -> None:
    """Nothing to play is a mistake, no success."""
    with pytest.raises(LogError, match="holds no request"):
        read_sessions(logged(tmp_path, ""))
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(LogError, match="No such file"):
        read_sessions(tmp_path / "log.jsonl")


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Never anything else: a log may come from anywhere."""
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    sessions: list[list[Arrival]] = []
    with contextlib.suppress(LogError):
        sessions = read_sessions(path)
    assert all(one[0].time <= other[0].time for one, other in pairwise(sessions))
