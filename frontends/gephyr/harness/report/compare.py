"""Two configurations on the same traffic: what changes, in numbers and in plain words."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import attrs
import click

from gephyr.harness.report.words import columns, number, seconds, share

_MOST_ACCOUNTS = 10
_NOISE = 0.005
"""A relative difference below this is said to be none."""

Judgement = Literal["better", "worse", "same", "other"]


@attrs.frozen
class Change:
    """One measure of both runs."""

    name: str
    before: str
    after: str
    difference: str
    """With its sign; empty where there is none."""
    judgement: Judgement
    """Of the second run, for an operator; ``other`` where neither is better in itself."""
    words: str
    values: tuple[float, float]
    """Before and after, for programs."""


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[Change]:
    """Return what differs between two runs, given as their :func:`~gephyr.harness.report.data.summary_data`."""
    return [*_whole(first, second), *_by_account(first, second)]


def comparison_data(changes: list[Change]) -> list[dict[str, Any]]:
    """Return the changes as plain values, for JSON."""
    return [
        {
            "name": change.name,
            "before": change.values[0],
            "after": change.values[1],
            "judgement": change.judgement,
            "words": change.words,
        }
        for change in changes
    ]


def comparison(titles: tuple[str, str], changes: list[Change]) -> Iterator[str]:
    """Yield the lines of a table. Colours are click's, for ``click.echo``."""
    colours = {"better": "green", "worse": "red"}
    rows = [["", *titles, "difference"], *([one.name, one.before, one.after, one.difference] for one in changes)]
    lines = columns(rows)
    width = max(map(len, lines))
    yield click.style(lines[0], bold=True)
    for line, change in zip(lines[1:], changes, strict=True):
        yield click.style(line.ljust(width), fg=colours.get(change.judgement)) + f"  {change.words}".rstrip()


# -- measures -------------------------------------------------------------------------------------------------------


def _whole(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    def change(name: str, path: str, said: Callable[[float], str], good: int, thing: str) -> Change:
        return _change(name, (_at(first, path), _at(second, path)), said, good, thing)

    yield change("requests", "requests", number, 0, "requests (a refused client tries again)")
    yield change("served", "served", number, 1, "requests served")
    yield change("share served", "served_share", share, 1, "of all requests served")
    yield change("refused", "refused", number, -1, "requests refused")
    yield change("failed", "failed", number, -1, "requests failed")
    for name, part in (("wait, half", "p50"), ("wait, 95 %", "p95"), ("wait, 99 %", "p99"), ("wait, longest", "most")):
        yield change(name, f"waits.{part}", seconds, -1, "waiting for an account")
    yield change("first byte, half", "first_byte.p50", seconds, -1, "until the first byte")
    yield change("first byte, 95 %", "first_byte.p95", seconds, -1, "until the first byte")
    yield change("calls per request", "attempts_per_request", _ratio, -1, "calls for each request")
    yield change("prompt cache", "cache_hit_share", share, 1, "of input tokens from the cache")
    yield change("input tokens", "tokens.input", number, 0, "input tokens")
    yield change("output tokens", "tokens.output", number, 0, "output tokens")
    costs = (_per_served(first), _per_served(second))
    yield _change("cost per answer", costs, number, -1, "input tokens' worth for each request served")
    fairness = (_fairness(first), _fairness(second))
    yield _change("fairness", fairness, _ratio, 1, "fairness of the least fair tier")
    yield change("over provider limits", "limit_violations", number, -1, "calls over a provider's limit")


def _by_account(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    """The accounts whose calls differ most."""
    found = []
    for name in dict.fromkeys([*first["accounts"], *second["accounts"]]):
        before, after = (run["accounts"].get(name) for run in (first, second))
        values = (float(before["calls"]) if before else 0.0, float(after["calls"]) if after else 0.0)
        change = _change(f"calls of {name}", values, number, 0, "calls")
        if after is None or before is None:
            change = attrs.evolve(change, words="only in the first" if after is None else "only in the second")
        found.append(change)
    found.sort(key=lambda change: (-abs(change.values[1] - change.values[0]), change.name))
    yield from found[:_MOST_ACCOUNTS]


def _change(name: str, values: tuple[float, float], said: Callable[[float], str], good: int, thing: str) -> Change:
    before, after = values
    difference = after - before
    if abs(difference) <= _NOISE * max(abs(before), abs(after)):
        return Change(name, said(before), said(after), "", "same", "", values)
    sign = "+" if difference > 0 else "-"
    judgement: Judgement = "other" if not good else "better" if good * difference > 0 else "worse"
    words = f"{_times(before, after)} {thing}"
    return Change(name, said(before), said(after), sign + _difference(said, abs(difference)), judgement, words, values)


def _difference(said: Callable[[float], str], size: float) -> str:
    # Of two shares, the difference is in points: 60 % is 10 points more than 50 %, and 20 % more.
    return f"{100 * size:.1f} points" if said is share else said(size)


def _times(before: float, after: float) -> str:
    """Say how one number compares with the one before."""
    if before == 0.0:
        return "there were none before:" if after else "no"
    if after == 0.0:
        return "no more"
    ratio = after / before
    if ratio >= 2.0:
        return f"{ratio:.1f} times as many" if ratio < 100 else "very many times as many"
    percent = abs(ratio - 1.0) * 100
    return f"{percent:.1f} % {'more' if ratio > 1 else 'less'}"


def _at(data: dict[str, Any], path: str) -> float:
    found: Any = data
    for part in path.split("."):
        found = found[part]
    return float(found)


def _per_served(data: dict[str, Any]) -> float:
    return data["cost"] / data["served"] if data["served"] else 0.0


def _fairness(data: dict[str, Any]) -> float:
    return data["fairness"][0]["index"] if data["fairness"] else 1.0


def _ratio(value: float) -> str:
    return f"{value:.3f}"
