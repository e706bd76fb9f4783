"""A run, or two compared, as one HTML page that needs neither network nor scripts."""

import os
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import attrs

from gephyr.harness.report.accounts import AccountMeasure
from gephyr.harness.report.compare import Change, verdict
from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.measurements import ENDINGS, Measurements
from gephyr.harness.report.plots import Row, Series, lines, rows, stacked
from gephyr.harness.report.style import STYLE
from gephyr.harness.report.words import commonest, label, number, seconds, share

_MOST_ROWS = 40
_MOST_LISTED = 100
_ENDING_WORDS = {"served": "served", "refused": "refused by Gephyr", "failed": "failed", "left": "left by the client"}
_BAND_WORDS = {
    "flight": "in flight",
    "stated": "cooling down, as the provider said",
    "estimated": "cooling down, estimated",
    "disabled": "out of service",
    "removed": "not in the pool",
}


@attrs.frozen
class Told:
    """A run with what is said of it beside the numbers."""

    title: str
    run: Run
    missed: Sequence[str] = ()
    """Bounds of the scenario that did not hold."""


def page(told: Sequence[Told], changes: Sequence[Change] = ()) -> str:
    """Return the page. With two runs, *changes* say how the second differs from the first."""
    title = " against ".join(one.title for one in told)
    body = [f"<h1>{escape(title)}</h1>"]
    if changes:
        body.append(_changes(told, changes))
    for one in told:
        if len(told) > 1:
            body.append(f"<h1>{escape(one.title)}</h1>")
        body.extend(_run(one))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def write_whole(path: Path, text: str) -> None:
    """Put *text* at *path*, whole or not at all. Raises ``OSError``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _run(told: Told) -> Iterator[str]:
    data = summary_data(told.run)
    yield f"<p>{_subtitle(told.run, data)}</p>"
    yield from _trouble(told)
    yield _tiles(data)
    yield from _plots(told.run.measurements)
    yield _section("Load by account", _most_asked(data), _accounts(data))
    yield _section("Why", "What requests were refused or failed for, and what chose the accounts.", _why(data))
    hashed = told.run.trace_hash or "none: the run was interrupted"
    yield f"<footer>trace hash <code>{escape(hashed)}</code></footer>"


def _subtitle(run: Run, data: dict[str, Any]) -> str:
    said = f"{seconds(data['virtual_seconds'])} of simulated traffic, seed {run.seed}"
    return said + ("; interrupted" if run.interrupted else "")


def _trouble(told: Told) -> Iterator[str]:
    for violation in told.run.violations:
        said = escape(f"At {violation.at:.6f} s: {violation.detail}")
        events = escape("\n".join(violation.latest))
        heading = f"<h2>Violation: {escape(violation.rule)}</h2>"
        yield f'<section class="trouble">{heading}<p>{said}</p><pre>{events}</pre></section>'
    if told.missed:
        items = "".join(f"<li>{escape(each)}</li>" for each in told.missed)
        yield f'<section class="trouble"><h2>Expected, and missed</h2><ul>{items}</ul></section>'


def _tiles(data: dict[str, Any]) -> str:
    whole = data["requests"]
    tiles = [
        (number(whole), "requests"),
        (share(data["served"], whole), "served"),
        (share(data["refused"], whole), "refused by Gephyr"),
        (share(data["failed"], whole), "failed"),
        (seconds(data["waits"]["p95"]), "19 of 20 waited no longer"),
        (seconds(data["first_byte"]["p50"]), "first byte, half of them"),
        (share(data["cache_hit_share"]), "of input tokens cached"),
        (f"{data['attempts_per_request']:.3f}", "calls per request"),
        *[(f"{tier['index']:.3f}", f"fairness of 1 ({tier['accounts']} accounts)") for tier in data["fairness"][:1]],
        (number(len(data["violations"])), "violations"),
    ]
    return '<div class="tiles">' + "".join(_tile(value, said) for value, said in tiles) + "</div>"


def _tile(value: str, said: str) -> str:
    return f'<div class="tile"><b>{escape(value)}</b><span>{escape(said)}</span></div>'


# -- plots ----------------------------------------------------------------------------------------------------------


def _plots(measured: Measurements) -> Iterator[str]:
    axis, length = measured.axis, max(measured.seconds, 1.0)
    per_minute = 60.0 / axis.width
    endings = [
        Series(_ENDING_WORDS[name], name, [count * per_minute for count in measured.over_time[name].shown()])
        for name in ENDINGS
    ]
    title = "Requests a minute"
    legend = _legend({one.style: one.name for one in endings})
    yield _section(title, "By when they began.", legend + stacked(axis, length, endings, title))
    waits = [
        Series("half waited no longer", "first", measured.waits_over_time.quantiles(50)),
        Series("19 of 20", "second", measured.waits_over_time.quantiles(95)),
        Series("99 of 100", "third", measured.waits_over_time.quantiles(99)),
    ]
    title = "Waits for an account"
    drawn = lines(axis, length, waits, title, unit="seconds")
    yield _section(
        title, "By when the request began; a refused one waited until it was refused.", _line_legend(waits) + drawn
    )
    cached = [Series("cached share of input tokens", "first", _shares(measured))]
    title = "Prompt cache"
    yield _section(
        title,
        "The share of input tokens that a provider's cache held.",
        lines(axis, length, cached, title, unit="share"),
    )
    shown, note = _account_rows(list(measured.accounts.values()))
    if shown:
        title = "Accounts: in flight, and cooldowns"
        yield _section(title, note, _legend(_BAND_WORDS) + rows(axis, length, shown, title))
    if measured.proxies:
        title = "Proxies: out of use"
        proxies = [Row(name, (), bands.spans) for name, bands in list(measured.proxies.items())[:_MOST_ROWS]]
        yield _section(title, "As health checks and failed calls told.", rows(axis, length, proxies, title))


def _shares(measured: Measurements) -> list[float | None]:
    tokens = measured.tokens
    pairs = zip(tokens.cached_over_time.shown(), tokens.input_over_time.shown(), strict=True)
    return [min(1.0, cached / given) if given else None for cached, given in pairs]


def _account_rows(accounts: list[AccountMeasure]) -> tuple[list[Row], str]:
    """Choose the accounts that are drawn: all of them, or those most asked, and the others together."""
    note = "The height of each row is the same number of requests."
    if len(accounts) <= _MOST_ROWS:
        return [Row(one.id, one.in_flight.averages(), one.bands.spans) for one in accounts], note
    ordered = sorted(accounts, key=lambda one: -one.attempts)
    shown, rest = ordered[:_MOST_ROWS], ordered[_MOST_ROWS:]
    drawn = [Row(one.id, one.in_flight.averages(), one.bands.spans) for one in shown]
    columns = zip(*(one.in_flight.averages() for one in rest), strict=True)
    drawn.append(Row(f"average of {len(rest)} others", [sum(column) / len(rest) for column in columns]))
    return drawn, f"The {_MOST_ROWS} accounts that were asked most, and the others' average. {note}"


def _legend(styles: dict[str, str]) -> str:
    return _keys((f'<rect class="{style}" width="12" height="12" rx="2"/>', said) for style, said in styles.items())


def _line_legend(series: Sequence[Series]) -> str:
    return _keys((f'<path class="line {one.style}" d="M0 6H12"/>', one.name) for one in series)


def _keys(marks: Iterable[tuple[str, str]]) -> str:
    items = (f'<span><svg viewBox="0 0 12 12">{mark}</svg>{escape(said)}</span>' for mark, said in marks)
    return f'<div class="legend">{"".join(items)}</div>'


# -- tables ---------------------------------------------------------------------------------------------------------


def _most_asked(data: dict[str, Any]) -> str:
    accounts = len(data["accounts"])
    if accounts > _MOST_LISTED:
        return f"The {_MOST_LISTED} that were asked most, of {number(accounts)}."
    return "Calls to the provider, retries included."


def _accounts(data: dict[str, Any]) -> str:
    ordered = sorted(data["accounts"].items(), key=lambda item: -item[1]["calls"])[:_MOST_LISTED]
    heads = ["account", "calls", "share", "served", "failed", "429", "input tokens", "cached", "output tokens"]
    heads += ["most in flight", "cooling", "out of service"]
    cells = [
        [
            name,
            number(one["calls"]),
            share(one["calls"], data["calls"]),
            *(number(one[field]) for field in ("served", "failed", "rate_limited", "input_tokens")),
            share(one["cached_tokens"], one["input_tokens"]),
            number(one["output_tokens"]),
            f"{one['in_flight_most']:.1f}",
            seconds(one["cooling_seconds"]),
            seconds(one["disabled_seconds"]),
        ]
        for name, one in ordered
    ]
    return _table(heads, cells)


def _why(data: dict[str, Any]) -> str:
    counts = [
        ("refused for", data["refused_why"]),
        ("failed for", data["failed_why"]),
        ("account chosen by", data["chosen_by"]),
        ("calls by route", {name: route["calls"] for name, route in data["routes"].items()}),
        ("calls that a request took", data["requests_by_attempts"]),
        ("account events", data["account_events"]),
    ]
    cells = "".join(
        f'<tr><td>{title}</td><td class="words">{escape(commonest(counted, 12)) or "-"}</td></tr>'
        for title, counted in counts
    )
    return f'<div class="scroll"><table>{cells}</table></div>'


def _changes(told: Sequence[Told], changes: Sequence[Change]) -> str:
    heads = ["", *(one.title for one in told), "difference", ""]
    cells = "".join(
        f"<tr><td>{escape(label(one.name))}</td><td>{escape(one.before)}</td><td>{escape(one.after)}</td>"
        f'<td class="{one.judgement}">{escape(one.difference)}</td><td class="words">{escape(one.words)}</td></tr>'
        for one in changes
    )
    table = f'<div class="scroll"><table><tr>{_heads(heads)}</tr>{cells}</table></div>'
    note = f"The same sessions and the same seed on both configurations. {verdict(told[-1].title, list(changes))}"
    return _section("What changes", note, table)


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in cells)
    return f'<div class="scroll"><table><tr>{_heads(heads)}</tr>{body}</table></div>'


def _heads(heads: Sequence[str]) -> str:
    return "".join(f"<th>{escape(head)}</th>" for head in heads)


def _section(title: str, note: str, inner: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(note)}</p>{inner}</section>"
