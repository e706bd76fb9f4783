"""Plots over time as SVG, without scripts: colours come from the page's style, by class."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

import attrs

from gephyr.harness.report.bands import Span
from gephyr.harness.report.timeline import Axis
from gephyr.harness.report.words import label, number, seconds

WIDTH, LEFT, RIGHT = 960, 64, 12
"""Of the drawing; its left and right margin. In units that the page scales to its own width."""
_HEIGHT, _TOP, _BOTTOM = 190, 8, 22
_ROW, _ROW_GAP = 20, 4
_ROW_LEFT = 150
_LONGEST_NAME = 22
_ROW_POINTS = 300
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MOST_TICKS = 9

_BANDS = {
    "stated": "cooling down, as the provider said,",
    "estimated": "cooling down, estimated,",
    "removed": "not in the pool",
}


@attrs.frozen
class Series:
    """One value for each bucket of an axis."""

    name: str
    style: str
    """Class of the page's style."""
    values: Sequence[float | None]
    """None: there is none."""


@attrs.frozen
class Row:
    """One account or proxy over time."""

    name: str
    values: Sequence[float]
    """In flight, for each bucket; empty: not known."""
    spans: Sequence[Span] = ()


@attrs.frozen
class _Scale:
    """Time from left to right."""

    axis: Axis
    length: float
    """Seconds that are drawn."""
    left: int = LEFT

    def x(self, elapsed: float) -> str:
        inner = WIDTH - RIGHT - self.left
        return _short(self.left + inner * min(max(elapsed / self.length, 0.0), 1.0))

    def ticks(self) -> Iterator[float]:
        days = 86400 * max(1, int(self.length // (86400 * _MOST_TICKS)) + 1)
        step = next((step for step in _TICKS if self.length / step <= _MOST_TICKS), days)
        at = 0
        while at <= self.length:
            yield float(at)
            at += step


def stacked(axis: Axis, length: float, series: Sequence[Series], title: str) -> str:
    """Draw areas one upon another, the first at the bottom. *length*: seconds."""
    tops: list[list[float]] = []
    height = [0.0] * axis.used
    for one in series:
        height = [below + (value or 0.0) for below, value in zip(height, one.values, strict=True)]
        tops.append(height)
    most = _ceiling(max(height, default=0.0))
    scale = _Scale(axis, length)
    # The highest first: each covers the lower part of the one before.
    areas = [_area(scale, top, most, one.style) for one, top in zip(series, tops, strict=True) if any(one.values)]
    return _figure(scale, title, "".join(reversed(areas)), most, number)


def lines(axis: Axis, length: float, series: Sequence[Series], title: str, *, unit: str) -> str:
    """Draw lines; *unit* is ``seconds``, ``share`` (of 1) or ``number``."""
    values = [value for one in series for value in one.values if value is not None]
    most = 1.0 if unit == "share" else _ceiling(max(values, default=0.0))
    scale = _Scale(axis, length)
    drawn = "".join(_line(scale, one, most) for one in series)
    said = {"seconds": seconds, "share": lambda value: f"{100 * value:.0f} %"}.get(unit, number)
    return _figure(scale, title, drawn, most, said)


def rows(axis: Axis, length: float, shown: Sequence[Row], title: str) -> str:
    """Draw a row for each: what was in flight as an area, on the spans in which it was out of use."""
    scale = _Scale(axis, length, _ROW_LEFT)
    most = max((max(row.values, default=0.0) for row in shown), default=0.0) or 1.0
    height = len(shown) * (_ROW + _ROW_GAP) + _BOTTOM
    parts = [_grid(scale, height)]
    for place, row in enumerate(shown):
        top = place * (_ROW + _ROW_GAP)
        parts.append(_row(scale, row, top, most))
    return _svg(height, title, "".join(parts))


def _row(scale: _Scale, row: Row, top: int, most: float) -> str:
    base = top + _ROW
    name = row.name if len(row.name) <= _LONGEST_NAME else row.name[: _LONGEST_NAME - 1] + "…"
    parts = [
        f'<text class="name" x="{_ROW_LEFT - 8}" y="{base - 5}"><title>{escape(row.name)}</title>{escape(name)}</text>'
    ]
    parts += [_band(scale, span, top) for span in row.spans if span.begin - scale.axis.begin < scale.length]
    if any(row.values):
        values, width = _thinned(row.values, scale.axis.width)
        steps = _steps(scale, values, width, lambda value: _short(base - _ROW * value / most))
        peak = f"<title>{escape(row.name)}: {number(round(max(row.values), 2))} in flight at most</title>"
        parts.append(f'<path class="flight" d="{steps}V{base}H{scale.x(0.0)}Z">{peak}</path>')
    parts.append(f'<path class="base" d="M{_ROW_LEFT} {base}H{WIDTH - RIGHT}"/>')
    return "".join(parts)


def _band(scale: _Scale, span: Span, top: int) -> str:
    begin = span.begin - scale.axis.begin
    end = span.until - scale.axis.begin
    left, right = scale.x(begin), scale.x(end)
    width = max(1.0, float(right) - float(left))
    said = f"{_BANDS.get(span.kind, span.kind)} from {seconds(begin)} on"
    said += "" if end == math.inf else f", for {seconds(max(0.0, end - begin))}"
    said += f": {label(span.reason)}" if span.reason else ""
    said += f", {span.model}" if span.model else ""
    said += f" ({span.times} times)" if span.times > 1 else ""
    title = f"<title>{escape(said)}</title>"
    return (
        f'<rect class="{escape(span.kind)}" x="{left}" y="{top}" width="{_short(width)}" height="{_ROW}">{title}</rect>'
    )


def _thinned(values: Sequence[float], width: float) -> tuple[Sequence[float], float]:
    while len(values) > _ROW_POINTS:
        pairs = [values[place : place + 2] for place in range(0, len(values), 2)]
        values, width = [max(pair) for pair in pairs], width * 2
    return values, width


# -- curves ---------------------------------------------------------------------------------------------------------


def _height(value: float, most: float) -> str:
    return _short(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1.0 - value / most))


def _area(scale: _Scale, top: Sequence[float], most: float, style: str) -> str:
    steps = _steps(scale, top, scale.axis.width, lambda value: _height(value, most))
    return f'<path class="{style}" d="{steps}V{_height(0.0, most)}H{scale.x(0.0)}Z"/>'


def _steps(scale: _Scale, values: Sequence[float], width: float, y: Callable[[float], str]) -> str:
    parts, before = [], None
    for bucket, value in enumerate(values):
        if bucket * width >= scale.length:
            break
        height = y(value)
        if before is None:
            parts.append(f"M{scale.x(0.0)} {height}")
        elif height == before:
            parts.pop()
        else:
            parts.append(f"V{height}")
        parts.append(f"H{scale.x((bucket + 1) * width)}")
        before = height
    return "".join(parts)


def _line(scale: _Scale, series: Series, most: float) -> str:
    parts, drawing = [], False
    for bucket, value in enumerate(series.values):
        middle = (bucket + 0.5) * scale.axis.width
        if value is None or middle > scale.length:
            drawing = False
            continue
        # A point without neighbours is drawn by its round cap.
        parts.append(f"{'L' if drawing else 'M'}{scale.x(middle)} {_height(value, most)}" + ("" if drawing else "h0"))
        drawing = True
    return f'<path class="line {series.style}" d="{"".join(parts)}"/>' if parts else ""


# -- frame ----------------------------------------------------------------------------------------------------------


def _figure(scale: _Scale, title: str, drawn: str, most: float, said: Callable[[float], str]) -> str:
    marks = []
    for value in (0.0, most / 2, most):
        y = _height(value, most)
        marks.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        marks.append(f'<text class="name" x="{LEFT - 6}" y="{float(y) + 4:.0f}">{escape(said(value))}</text>')
    return _svg(_HEIGHT, title, _grid(scale, _HEIGHT) + "".join(marks) + drawn)


def _grid(scale: _Scale, height: int) -> str:
    parts = []
    for at in scale.ticks():
        x = scale.x(at)
        parts.append(f'<path class="grid" d="M{x} 0V{height - _BOTTOM}"/>')
        # A label at the right edge ends there.
        style = "name" if float(x) > WIDTH - 3 * RIGHT else "time"
        parts.append(f'<text class="{style}" x="{x}" y="{height - 6}">{seconds(at)}</text>')
    return "".join(parts)


def _svg(height: int, title: str, inner: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{inner}</svg>'


def _ceiling(value: float) -> float:
    """Return a round number that is no less; 1 for nothing."""
    if value <= 0.0:
        return 1.0
    power = 1.0
    while power < value:
        power *= 10.0
    while power / 10.0 >= value > 0.001:
        power /= 10.0
    return next(power * part for part in (0.2, 0.4, 0.6, 0.8, 1.0) if power * part >= value)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
