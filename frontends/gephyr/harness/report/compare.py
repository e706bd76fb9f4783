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
    """Yield the lines of a table, and what they come to. Colours are click's, for ``click.echo``."""
    colours = {"better": "green", "worse": "red"}
    rows = [["", *titles, "difference"], *([one.name, one.before, one.after, one.difference] for one in changes)]
    lines = columns(rows)
    width = max(map(len, lines))
    yield click.style(lines[0], bold=True)
    for line, change in zip(lines[1:], changes, strict=True):
        yield (click.style(line.ljust(width), fg=colours.get(change.judgement)) + f"  {change.words}").rstrip()
    yield ""
    yield verdict(titles[1], changes)


def verdict(second: str, changes: list[Change]) -> str:
    """Say in a sentence what the second configuration, called *second*, does better and worse."""
    said = []
    for judgement in ("better", "worse"):
        topics = dict.fromkeys(one.name.partition(" (")[0] for one in changes if one.judgement == judgement)
        said += [f"{judgement} in {', '.join(topics)}"] if topics else []
    return f"{second} is {'; '.join(said)}." if said else f"Nothing gets better or worse by more than {share(_NOISE)}."


# -- measures -------------------------------------------------------------------------------------------------------


def _whole(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    def change(name: str, path: str, kind: _Kind, good: int) -> Change:
        return _change(name, (_at(first, path), _at(second, path)), kind, good)

    yield change("requests", "requests", _COUNT, 0)
    yield change("served", "served", _COUNT, 1)
    yield change("share served", "served_share", _SHARE, 1)
    yield change("refused", "refused", _COUNT, -1)
    yield change("failed", "failed", _COUNT, -1)
    for name, part in (("half", "p50"), ("95 %", "p95"), ("99 %", "p99"), ("longest", "most")):
        yield change(f"wait for an account ({name})", f"waits.{part}", _TIME, -1)
    yield change("first byte (half)", "first_byte.p50", _TIME, -1)
    yield change("first byte (95 %)", "first_byte.p95", _TIME, -1)
    yield change("calls per request", "attempts_per_request", _RATIO, 0)
    yield change("prompt cache", "cache_hit_share", _SHARE, 1)
    yield change("input tokens", "tokens.input", _COUNT, 0)
    yield change("output tokens", "tokens.output", _COUNT, 0)
    yield _change("cost of an answer", (_per_served(first), _per_served(second)), _RATIO, -1)
    yield _change("fairness", (_fairness(first), _fairness(second)), _RATIO, 1)
    yield change("calls over provider limits", "limit_violations", _COUNT, -1)


def _by_account(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Change]:
    """The accounts whose calls differ most."""
    found = []
    for name in dict.fromkeys([*first["accounts"], *second["accounts"]]):
        before, after = (run["accounts"].get(name) for run in (first, second))
        values = (float(before["calls"]) if before else 0.0, float(after["calls"]) if after else 0.0)
        change = _change(f"calls of {name}", values, _COUNT, 0)
        if after is None or before is None:
            change = attrs.evolve(change, words="only in the first" if after is None else "only in the second")
        if change.words:
            found.append(change)
    found.sort(key=lambda change: (-abs(change.values[1] - change.values[0]), change.name))
    yield from found[:_MOST_ACCOUNTS]


@attrs.frozen
class _Kind:
    """How the numbers of a measure are said."""

    said: Callable[[float], str]
    more: str
    less: str
    times: str


_COUNT = _Kind(number, "more", "fewer", "times as many")
_TIME = _Kind(seconds, "longer", "shorter", "times as long")
_SHARE = _Kind(share, "more", "less", "times as much")
_RATIO = _Kind(lambda value: f"{value:,.3f}" if value < 100 else number(value), "more", "less", "times as much")


def _change(name: str, values: tuple[float, float], kind: _Kind, good: int) -> Change:
    (before, after), said = values, kind.said
    difference = after - before
    if abs(difference) <= _NOISE * max(abs(before), abs(after)):
        return Change(name, said(before), said(after), "", "same", "", values)
    judgement: Judgement = "other" if not good else "better" if good * difference > 0 else "worse"
    # Of two shares, the difference is in points: 60 % is 10 points more than 50 %, and 20 % more.
    size = f"{abs(difference) * 100:.1f} points" if kind is _SHARE else said(abs(difference))
    words = _words(before, after, kind)
    return Change(name, said(before), said(after), f"{'+' if difference > 0 else '-'}{size}", judgement, words, values)


def _words(before: float, after: float, kind: _Kind) -> str:
    """Say how one number compares with the one before."""
    if before == 0.0 or after == 0.0:
        return "none before" if after else "none any more"
    ratio = after / before
    if ratio >= 2.0:
        return f"{ratio:.1f} {kind.times}" if ratio < 100.0 else f"over a hundred {kind.times}"
    return f"{share(abs(ratio - 1.0))} {kind.more if ratio > 1.0 else kind.less}"


def _at(data: dict[str, Any], path: str) -> float:
    found: Any = data
    for part in path.split("."):
        found = found[part]
    return float(found)


def _per_served(data: dict[str, Any]) -> float:
    return data["cost"] / data["served"] if data["served"] else 0.0


def _fairness(data: dict[str, Any]) -> float:
    return data["fairness"][0]["index"] if data["fairness"] else 1.0
