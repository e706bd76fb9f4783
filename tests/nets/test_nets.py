"""The nets hold: the same code is as it was, and whatever changes is found and named."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.nets import scenarios
from tests.nets.asking import events, small
from tests.nets.catching import Catch, catch
from tests.nets.comparing import compare, differences
from tests.nets.rows import replies, requests
from tests.nets.store import Caught, Store, caught
from tests.replay.recordings import recordings
from tests.waiting import WAIT

pytestmark = pytest.mark.recordings
ROOT = Path(__file__).parents[2]
SMALL = ("--selection", "--most", "16", "--requests", "20", "--swarm", "1", "--workers", "1")


def nets(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "tests.nets", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=20 * WAIT
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small recording, made by the command."""
    folder = tmp_path_factory.mktemp("nets")
    made = nets("record", folder, *SMALL)
    assert (made.returncode, made.stderr) == (0, "")
    return folder


@pytest.fixture
def store(recorded: Path) -> Iterator[Store]:
    """What was recorded; changes are undone."""
    one = Store(recorded)
    yield one
    one.close()


def changed(store: Store, name: str, old: str, new: str) -> Caught:
    """A row in which one text stands in the place of another."""
    row = store.find(name)
    assert row is not None
    assert old in row.text
    return caught(name, row.text.replace(old, new, 1))


def first(store: Store, net: str, held: str) -> str:
    """The first row of a net whose text holds something."""
    for name in store.names():
        row = store.find(name)
        if row is not None and row.net == net and held in row.text:
            return name
    raise AssertionError(f"no row of {net} holds {held!r}")


def compared(store: Store, *made: Caught) -> tuple[bool, str]:
    """Compare some rows, and return whether they are equal, and what is said."""
    said: list[str] = []
    found = compare(store, made, lambda _name: False, said.append)
    assert found.is_equal(traces_may_differ=True) == (not found.differing)
    return found.is_equal(), "\n".join([*said, *found.verdict()])


def test_the_same_code_is_as_it_was(recorded: Path) -> None:
    """In another process, with other hashes of its strings: what is caught does not vary by itself."""
    result = nets("compare", recorded, "--selection", "--workers", "2")
    assert result.stderr == ""
    assert result.returncode == 0, result.stdout
    assert ", 0 differ" in result.stdout
    assert "not made any more" not in result.stdout


def test_every_net_catches_something(store: Store) -> None:
    caught_in = {name.partition("/")[0] for name in store.names()}
    assert caught_in == {"requests", "replies", "kept", "scenarios", "traces"}


def test_a_change_of_what_was_recorded_is_found_by_the_command(recorded: Path, store: Store) -> None:
    """The command ends with 1, and shows what was and what is."""
    name = first(store, "requests", "a body of ")
    before = store.find(name)
    assert before is not None
    store.replace(changed(store, name, "a body of ", "a body of as many as "))
    try:
        result = nets("compare", recorded, "--selection", "--only", "requests", "--workers", "1")
    finally:
        store.replace(before)
    assert result.returncode == 1
    assert f"{name} differs:" in result.stdout
    assert "-   a body of as many as " in result.stdout
    assert "+   a body of " in result.stdout


@pytest.mark.parametrize(
    ("net", "old", "new"),
    [
        ("requests", '"model":"', '"modem":"'),
        ("requests", "  content-type: ", "  content-kind: "),
        ("requests", "translation[0]: Entry(fate=<Fate.DROPPED", "translation[0]: Entry(fate=<Fate.CHANGED"),
        ("replies", "the response", "the reply"),
        ("replies", "pieces: ", "pieces: 9"),
        ("replies", "outcome: 'ok'", "outcome: 'failed'"),
        ("kept", "Load {", "Loads {"),
        ("scenarios", " by only_one ", " by best_of_two "),
        ("scenarios", "expires_at=", "expired_at="),
        ("scenarios", " CallUpstream exchange 2 attempt 1 ", " CallUpstream exchange 2 attempt 2 "),
    ],
)
def test_a_change_of_one_word_is_found(store: Store, net: str, old: str, new: str) -> None:
    """Of a body, a header, the report, what the client gets and when, the record, what is asked, which call."""
    name = first(store, net, old)
    equal, said = compared(store, changed(store, name, old, new))
    assert not equal
    assert f"{name} differs:" in said
    assert f"{net}: 0 rows are as they were, 1 differ" in said


def test_a_row_that_was_not_recorded_is_told(store: Store) -> None:
    equal, said = compared(store, caught("requests/new/to anthropic", "call"))
    assert not equal
    assert "it was not recorded" in said


def test_a_row_that_is_missing_now_is_told(store: Store) -> None:
    said: list[str] = []
    name = next(name for name in store.names() if name.startswith("kept/"))
    found = compare(store, (), lambda one: one == name, said.append)
    assert found.differing == {"kept": 1}
    assert said == [f"\n{name} differs:", "  it is not made any more"]


def test_a_trace_that_differs_alone_is_told_apart(store: Store) -> None:
    """A waking less changes the hash, and nothing that anybody sees."""
    name = next(name for name in store.names() if name.startswith("traces/"))
    scenario = name.partition("/")[2]
    same = store.find(f"scenarios/{scenario}")
    assert same is not None
    equal, said = compared(store, same, caught(name, "0" * 64))
    assert not equal
    assert f"{scenario}: trace differs, but calls, accounts, replies and times are equal" in said
    other = changed(store, same.name, " CallUpstream ", " CallsUpstream ")
    _, said = compared(store, other, caught(name, "0" * 64))
    assert f"{scenario}: the trace differs, and so do calls, accounts, replies or times" in said


def test_a_long_line_is_shown_where_it_differs() -> None:
    before, after = (caught("replies/x", "a\n" + "b" * 5000 + mark + "b" * 5000 + "\nc") for mark in "xy")
    told = differences(before, after)
    assert told[0] == "from line 2 on:"
    assert ["x" in line for line in told if line.startswith("- ")] == [True]
    assert all(len(line) < 300 for line in told)


def test_another_request_is_another_row() -> None:
    """One letter of the client's arrives at every provider."""
    exchange = next(one for one in recordings() if one.file == "openai-chat" and b'"content": "' in one.body)
    other = attrs.evolve(exchange, body=exchange.body.replace(b'"content": "', b'"content": "X', 1))
    before, after = dict(requests(exchange)), dict(requests(other))
    assert before.keys() == after.keys()
    assert all(before[what] != after[what] for what in before if "a body of " in before[what])


def test_another_reply_is_another_row() -> None:
    """One letter of the provider's arrives at every client."""
    exchange = next(
        one
        for one in recordings()
        if one.file == "anthropic-messages" and one.status == 200 and b'{"type": "text", "text": "' in one.reply
    )
    reply = exchange.reply.replace(b'{"type": "text", "text": "', b'{"type": "text", "text": "X', 1)
    before, after = (dict(replies(one)) for one in (exchange, attrs.evolve(exchange, reply=reply)))
    assert [what for what in before if before[what] == after[what]] == []


def test_a_reply_is_cut_without_loss() -> None:
    stream = b"data: one\n\ndata: two\r\n\r\ndata: thr"
    assert events(stream) == [b"data: one\n\n", b"data: two\r\n\r\n", b"data: thr"]
    for data in (stream, b"{}", b""):
        assert b"".join(events(data)) == b"".join(small(data, 3)) == data


def test_another_seed_is_another_scenario() -> None:
    """What is told of a scenario is what happened in it."""
    one, other = (dict(scenarios.swarm(seed)) for seed in (1, 2))
    assert one["scenarios"] != other["scenarios"]
    assert one["traces"] != other["traces"]
    assert one["scenarios"].count("CallUpstream") > 10


def test_a_part_of_what_was_recorded_can_be_compared(recorded: Path, store: Store) -> None:
    """Although only some recordings were taken: those of the name, and no others."""
    _, recording = next(name for name in store.names() if name.startswith("requests/")).split("/", 1)
    match = recording.rpartition("/")[0]
    expected = sum(name.startswith(f"requests/{match}/") for name in store.names())
    result = nets("compare", recorded, "--selection", "--only", "requests", "--match", match, "--workers", "1")
    assert result.returncode == 0, result.stdout
    assert f"requests: {expected} rows are as they were, 0 differ" in result.stdout


def test_only_what_is_asked_for_is_caught() -> None:
    """A part of the nets answers within seconds while somebody works at one thing."""
    wanted = Catch(nets=("scenarios",), match="rate-limit-storm", requests=5, workers=1)
    names = [row.name for row in catch(wanted, lambda _line: None)]
    assert names == ["scenarios/rate-limit-storm", "traces/rate-limit-storm"]
    assert [wanted.wants(name) for name in (*names, "scenarios/swarm 1", "kept/x/y")] == [True, True, False, False]
