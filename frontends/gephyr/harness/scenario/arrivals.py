"""Recorded arrival logs: JSON lines, one request each."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gephyr.harness.scenario.chance import Mix
from gephyr.harness.scenario.schema import Workload
from gephyr.harness.scenario.sessions import PlannedSession, Turn

MOST_LINES = 5_000_000
_LONGEST_LINE = 65536


class LogError(ValueError):
    """An arrival log cannot be read; the message names the file and the line."""


class _Arrival(msgspec.Struct):
    time: float
    """Seconds since the log's begin, or since the epoch: the first line counts as 0."""
    input_tokens: int
    output_tokens: int
    model: str = ""
    session: str = ""


def read_log(path: Path, workload: Workload, rng: random.Random, until: float) -> Iterator[PlannedSession]:
    """Yield the sessions of a log, in the order of their start. A session's later requests come as long after its first
    as they were recorded; a line without a session is one of its own.

    Raises :class:`LogError`.
    """
    sessions: dict[str, list[_Arrival]] = {}
    begin: float | None = None
    for number, arrival in enumerate(_arrivals(path)):
        begin = arrival.time if begin is None else begin
        arrival.time -= begin
        sessions.setdefault(arrival.session or f"line {number}", []).append(arrival)
    models, dialects = Mix(workload.models), Mix(workload.dialects)
    for name, arrivals in sessions.items():
        first = arrivals[0]
        if workload.start + first.time >= min(until, workload.end):
            continue
        turns, before = [], first.time
        for arrival in arrivals:
            streams = rng.random() < workload.streams
            gap = max(0.0, arrival.time - before)
            turns.append(Turn(gap, max(1, arrival.input_tokens), max(1, arrival.output_tokens), streams))
            before = arrival.time
        yield PlannedSession(
            workload.start + first.time,
            name,
            int(rng.random() * workload.keys),
            dialects.draw(rng),
            first.model or models.draw(rng),
            tuple(turns),
            rng.random() < workload.sends_id,
        )


def _arrivals(path: Path) -> Iterator[_Arrival]:
    decode = msgspec.json.Decoder(_Arrival).decode
    latest = float("-inf")
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                if number > MOST_LINES or len(line) > _LONGEST_LINE:
                    raise LogError(
                        f"{path}:{number}: more than can be read ({MOST_LINES} lines of {_LONGEST_LINE} bytes)"
                    )
                try:
                    arrival = decode(line)
                except msgspec.MsgspecError as error:
                    raise LogError(f"{path}:{number}: {error}") from None
                if arrival.time < latest:
                    raise LogError(f"{path}:{number}: time runs backwards")
                latest = arrival.time
                yield arrival
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from None
