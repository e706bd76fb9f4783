"""Recorded arrival logs: JSON lines, one request each, in the order of their time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

MOST_LINES = 1_000_000
_LONGEST_LINE = 4096
_MOST_TOKENS = 100_000_000

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=_MOST_TOKENS)]


class LogError(ValueError):
    """An arrival log cannot be read; the message names the file and the line."""


class Arrival(msgspec.Struct):
    """One line. Other members of it are not looked at."""

    time: Annotated[float, msgspec.Meta(ge=0.0, le=1e12)]
    """Seconds, of any clock: the first line counts as 0."""
    input_tokens: _Tokens
    """All that was sent, the conversation so far included."""
    output_tokens: _Tokens
    model: Annotated[str, msgspec.Meta(pattern=r"\A(?:[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127})?\Z")] = ""
    """Empty: one of the workload's."""
    session: str = ""
    """Empty: a session of its own."""
    took: Annotated[float, msgspec.Meta(ge=0.0, le=86400.0)] = 0.0
    """Seconds until the reply was over: what is left until the session's next request was spent thinking."""


def read_sessions(path: Path) -> list[list[Arrival]]:
    """Return the requests of each session, the session that began first before the others.

    All of the log is held, as sessions are told apart by what comes after them. Raises :class:`LogError`.
    """
    sessions: dict[str, list[Arrival]] = {}
    alone: list[list[Arrival]] = []
    for arrival in _arrivals(path):
        if arrival.session:
            sessions.setdefault(arrival.session, []).append(arrival)
        else:
            alone.append([arrival])
    return sorted([*sessions.values(), *alone], key=lambda arrivals: arrivals[0].time)


def _arrivals(path: Path) -> Iterator[Arrival]:
    decode = msgspec.json.Decoder(Arrival).decode
    number, begin, latest = 0, None, 0.0
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if number > MOST_LINES or len(line) > _LONGEST_LINE:
                    raise LogError(f"{path}:{number}: at most {MOST_LINES} lines of {_LONGEST_LINE} bytes can be read")
                if not line.strip():
                    continue
                try:
                    arrival = decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise LogError(f"{path}:{number}: {error}") from None
                begin = arrival.time if begin is None else begin
                arrival.time -= begin
                if arrival.time < latest:
                    raise LogError(f"{path}:{number}: time runs backwards")
                latest = arrival.time
                yield arrival
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from None
    if begin is None:
        raise LogError(f"{path}: holds no request")
