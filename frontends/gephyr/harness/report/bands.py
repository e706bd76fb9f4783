"""Spans of time in which something was out of use, with why: what a report draws as bands."""

import math

import attrs

MOST_SPANS = 240
"""Kept of one account; then the nearest become one."""


@attrs.define
class Span:
    """From *begin* to *until*, seconds since the epoch."""

    kind: str
    """``stated`` and ``estimated`` are cooldowns, by who said so; else ``disabled``, ``removed`` (or not there
    yet), ``down``."""
    begin: float
    until: float
    """``math.inf``: nobody knows. May lie beyond the end of the run."""
    reason: str
    model: str = ""
    """Empty: every one."""
    times: int = 1
    """How many spans, one right after another, this one is made of."""


class Bands:
    """The spans of one account or proxy."""

    __slots__ = ("_gap", "_latest", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._latest: dict[tuple[str, str], Span] = {}
        """By kind and model."""
        self._gap = 1.0
        """Seconds: a span that begins so shortly after another of its kind continues it."""

    def begin(self, kind: str, model: str, at: float, until: float, reason: str) -> None:
        """Something is out of use from *at* on, until *until* as far as is known."""
        latest = self._latest.get((kind, model))
        if latest is not None and at <= latest.until + self._gap and reason == latest.reason:
            latest.until = max(latest.until, until)
            latest.times += 1
            return
        if latest is not None:
            latest.until = min(latest.until, at)
        span = self._latest[kind, model] = Span(kind, at, until, reason, model)
        self.spans.append(span)
        if len(self.spans) > MOST_SPANS:
            self._thin_out()

    def end(self, at: float, *kinds: str, model: str | None = None) -> None:
        """Spans of *kinds* are over: those for *model*, or all where none is given."""
        for (kind, name), span in self._latest.items():
            if kind in kinds and model in (None, name) and span.until > at:
                span.until = max(span.begin, at)

    def covered(self, until: float, *kinds: str) -> float:
        """Return the seconds before *until* that lie in a span of *kinds*; what overlaps counts once."""
        reached, seconds = -math.inf, 0.0
        for span in sorted(self.spans, key=lambda span: span.begin):
            end = min(span.until, until)
            if span.kind in kinds and end > reached:
                seconds += max(0.0, end - max(span.begin, reached))
                reached = end
        return seconds

    def _thin_out(self) -> None:
        """Join what is near, of whatever model and reason, until half of the room is free."""
        while len(self.spans) > MOST_SPANS // 2:
            self._gap *= 2.0
            joined: list[Span] = []
            latest: dict[str, Span] = {}
            for span in sorted(self.spans, key=lambda span: span.begin):
                before = latest.get(span.kind)
                if before is not None and span.begin <= before.until + self._gap:
                    before.until = max(before.until, span.until)
                    before.times += span.times
                    before.model = before.model if before.model == span.model else ""
                    continue
                latest[span.kind] = span
                joined.append(span)
            self.spans = joined
            self._latest = {(span.kind, span.model): span for span in joined}
