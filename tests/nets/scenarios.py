"""The net over scenarios: calls, accounts and replies in order with their times, and apart from them the trace's hash.

The traces of two versions may differ by a waking more or less while everything that anybody sees is the same. That is
why the hash has a row of its own.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec

from gephyr.harness.scenario import Scenario, load_scenario
from gephyr.harness.scenario.load import scenario_of
from gephyr.harness.scenario.workload import planned_sessions
from gephyr.harness.swarm.combine import combined
from gephyr.harness.world.world import EPOCH, World
from gephyr_core.records import Fact, RequestRecord

FOLDER = Path(__file__).parents[2] / "examples" / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))
SWARM = range(1, 41)
"""Seeds of scenarios with everything combined at random."""
_SEED = 1
_SILENT = frozenset({"Observe", "Save", "TimePassed", "RequestBody", "ReadBody", "Compute", "Computed"})
"""What nobody outside sees the time of."""


class _Line(msgspec.Struct):
    """One event or command, as the trace tells it."""

    at: float
    kind: str
    exchange: int = 0
    attempt: int = 0
    account: str = ""
    value: int = 0


@attrs.define
class _Body:
    """What a stream of bytes comes to: so many, in so many pieces, at these times."""

    size: int = 0
    pieces: int = 0
    when: "hashlib._Hash" = attrs.field(factory=hashlib.sha256)

    def add(self, line: _Line) -> None:
        self.size += line.value
        self.pieces += 1
        self.when.update(f"{line.at!r} {line.value};".encode())

    def __str__(self) -> str:
        return f"{self.size} bytes in {self.pieces} pieces, their times {self.when.hexdigest()[:12]}"


class Telling:
    """Takes a trace line by line, and tells what can be seen from outside."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._sent: dict[int, _Body] = {}

    def take(self, data: bytes) -> None:
        """Take one line of the trace."""
        line = msgspec.json.decode(data, type=_Line)
        if line.kind == "SendBody":
            self._sent.setdefault(line.exchange, _Body()).add(line)
        elif line.kind not in _SILENT and not line.kind.startswith("Upstream"):
            what = [f"{line.at - EPOCH:.6f} {line.kind}"]
            if line.exchange:
                what.append(f"exchange {line.exchange}")
            what += [f"attempt {line.attempt}"] if line.attempt else []
            what += [line.account] if line.account else []
            what += [f"({line.value})"] if line.value else []
            if line.kind in {"EndResponse", "AbortResponse", "ClientGone"}:
                what.append(str(self._sent.pop(line.exchange, "without a body")))
            self.lines.append(" ".join(what))


def example(path: Path, most: int) -> Iterator[tuple[str, str]]:
    """The rows of a scenario's file: all of it, or as long as it takes *most* requests to begin."""
    scenario = load_scenario(path)
    until, requests = 0.0, 0
    about = scenario.about
    for one in planned_sessions(scenario.workloads, _SEED, about.duration, path.parent, about.day_starts_at):
        until, requests = one.start, requests + len(one.turns)
        if requests > most:
            break
    else:
        until = about.duration
    yield from _played(scenario, _SEED, until)


def swarm(seed: int) -> Iterator[tuple[str, str]]:
    """The rows of a scenario with everything combined at random."""
    scenario = scenario_of(combined(seed), Path("swarm.toml"))
    yield from _played(scenario, seed, scenario.about.duration)


def _played(scenario: Scenario, seed: int, until: float) -> Iterator[tuple[str, str]]:
    """Play a scenario. What was observed and saved stands behind what happened, kind by kind: the order between kinds
    means nothing."""
    telling, facts = Telling(), list[Fact]()
    about = scenario.about
    sessions = planned_sessions(scenario.workloads, seed, until, scenario.path.parent, about.day_starts_at)
    config, providers, clients = scenario.config, scenario.providers, scenario.clients
    world = World(config, providers, scenario.faults, sessions, seed, facts.append, telling.take, clients)
    outcome = world.run(until, changes=scenario.changes)
    broken = [f"violated: {one.rule}: {one.detail}" for one in outcome.violations]
    told = [f"played for {until:g} s", *telling.lines, *broken]
    facts.sort(key=lambda one: type(one).__name__)
    told += ["## observed", *(_of_record(one) if isinstance(one, RequestRecord) else repr(one) for one in facts)]
    told += ["## saved", *map(repr, sorted(outcome.saved, key=lambda one: type(one).__name__))]
    yield "scenarios", "\n".join(told)
    yield "traces", outcome.trace_hash


def _of_record(record: RequestRecord) -> str:
    tries = "; ".join(
        f"{one.account} {one.outcome} {one.status} by {one.rule} after {one.waited:g} s ({one.decision}) {one.detail}"
        for one in record.attempts
    )
    return (
        f"{record.started_at - EPOCH:.6f} {record.request_id} {record.operation} {record.outcome} {record.status} "
        f"{record.error} in {record.duration:.6f} s, session {record.session}: {tries}"
    )
