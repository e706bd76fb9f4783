"""A run as text for a terminal: what matters first, short, aligned."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.words import columns, commonest, label, number, seconds, share
from gephyr.harness.world.world import Violation

_MOST_ACCOUNTS = 12
_MOST_TIERS = 3
_COLOURS = {"served": "green", "refused": "yellow", "failed": "red", "left": "cyan"}


def summary(run: Run, missed: Sequence[str] = (), title: str = "") -> Iterator[str]:
    """Yield the lines. *missed*: bounds of the scenario that did not hold; *title*: in place of the scenario's name.
    Colours are click's, for ``click.echo``, which leaves them out where nobody sees them."""
    data = summary_data(run)
    yield _title(title or run.scenario, run, data)
    for each in missed:
        yield click.style(f"missed: {each}", fg="red", bold=True)
    yield ""
    yield from _requests(data)
    yield ""
    yield from _figures(data)
    yield ""
    yield from account_table(data)
    for violation in run.violations:
        yield ""
        yield from violation_lines(violation)


def violation_lines(violation: Violation) -> Iterator[str]:
    """Yield what was broken, when, and what happened last."""
    headline = f"VIOLATION of '{violation.rule}' at {violation.at:.6f} s, seed {violation.seed}"
    yield click.style(headline, fg="red", bold=True)
    yield f"  {violation.detail}"
    yield "  last events:"
    for line in violation.latest:
        yield f"    {line}"


def _title(name: str, run: Run, data: dict[str, Any]) -> str:
    title = f"{name}, seed {run.seed}: {seconds(data['virtual_seconds'])} of traffic"
    if run.wall_seconds:
        pace = data["requests"] / run.wall_seconds
        title += f" in {seconds(run.wall_seconds)} ({number(round(pace))} requests a second)"
    title = click.style(title, bold=True)
    return title + click.style(", interrupted", fg="yellow", bold=True) if run.interrupted else title


def _requests(data: dict[str, Any]) -> Iterator[str]:
    whole = data["requests"]
    rows = [["requests", number(whole), "", ""]]
    rows += [
        [f"  {ending}", number(data[ending]), share(data[ending], whole), commonest(data.get(f"{ending}_why", {}))]
        for ending in _COLOURS
    ]
    numbers = columns([row[:3] for row in rows])
    for line, row, ending in zip(numbers, rows, [None, *_COLOURS], strict=True):
        counted = ending is not None and data[ending]
        yield (click.style(line, fg=_COLOURS[ending]) if counted and ending else line) + (
            f"  {row[3]}" if row[3] else ""
        )


def _figures(data: dict[str, Any]) -> Iterator[str]:
    """What one line each can say."""
    rows = [["", "half", "95 %", "99 %", "longest"]]
    for title, name in (("wait for an account", "waits"), ("first byte", "first_byte"), ("whole answer", "duration")):
        rows.append([title, *(seconds(data[name][part]) for part in ("p50", "p95", "p99", "most"))])
    yield from columns(rows)
    yield ""
    for title, text in _facts(data):
        yield f"{title:<19}  {text}"


def _facts(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    tokens = data["tokens"]
    more = [f"{number(count)} took {name}" for name, count in data["requests_by_attempts"].items() if int(name) > 1]
    yield "calls per request", f"{data['attempts_per_request']:.3f}" + (f"  ({', '.join(more[:6])})" if more else "")
    cached = f"{share(data['cache_hit_share'])} of {number(tokens['input'])} input tokens"
    yield "prompt cache", f"{cached}; {number(tokens['output'])} output tokens"
    yield "cost", f"as much as {number(round(data['cost']))} input tokens"
    tiers = data["fairness"]
    for tier in tiers[:_MOST_TIERS]:
        yield "fairness", f"{tier['index']:.3f} of 1  among {tier['accounts']} accounts ({tier['tier']})"
    if len(tiers) > _MOST_TIERS:
        yield "fairness", f"{len(tiers) - _MOST_TIERS} other tiers are fairer"
    if data["chosen_by"]:
        calls = sum(data["chosen_by"].values())
        chosen = ", ".join(f"{label(rule)} {share(count, calls)}" for rule, count in data["chosen_by"].items())
        yield "accounts chosen", chosen
    if data["account_events"]:
        yield "account events", commonest(data["account_events"], 8)
    if list(data["routes"]) not in ([], ["direct"]):
        routes = {name: route["calls"] for name, route in data["routes"].items()}
        failed = sum(route["failed"] for route in data["routes"].values())
        yield "calls by route", f"{commonest(routes, 8)}; {number(failed)} failed on the way"
    over = data["limit_violations"]
    yield "provider limits", f"{number(over)} calls were over one" if over else "never exceeded"


def account_table(data: dict[str, Any], most: int = _MOST_ACCOUNTS) -> Iterator[str]:
    """Yield the load of the accounts that were asked most, and of all others as one."""
    accounts = sorted(data["accounts"].items(), key=lambda item: -item[1]["calls"])
    if not accounts:
        yield "no account was asked"
        return
    shown, rest = accounts[:most], accounts[most:]
    if rest:
        others = {field: sum(account[field] for _, account in rest) for field in rest[0][1]}
        shown = [*shown, (f"{len(rest)} others", others)]
    header = ["account", "calls", "share", "served", "failed", "429", "cached", "cooling", "out of service"]
    yield from columns([header, *(_account_row(name, account, data["calls"]) for name, account in shown)])


def _account_row(name: str, account: dict[str, Any], calls: int) -> list[str]:
    return [
        name,
        number(account["calls"]),
        share(account["calls"], calls),
        number(account["served"]),
        number(account["failed"]),
        number(account["rate_limited"]),
        share(account["cached_tokens"], account["input_tokens"]),
        seconds(account["cooling_seconds"]),
        seconds(account["disabled_seconds"]),
    ]
