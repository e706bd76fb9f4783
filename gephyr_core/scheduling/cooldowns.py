"""Cooldowns: how long an account, or an organisation, is left alone, for one model or for all.

There are two kinds, kept apart. A *stated* one is the provider's word, or the operator's, and holds to its end. An
*estimate* is ours, made where a failure came without a hint: it grows with repeated failures, is forgotten after an
hour without one, ends with the first success, and is probed by single requests when it is long. Where no other account
is left, most estimates are cleared (the optimistic reset); :data:`YIELDING` says which.
"""

import attrs

from gephyr_core.errors import ErrorKind
from gephyr_core.providers.classification import LOW_CREDIT, MISSING_PERMISSION
from gephyr_core.scheduling.blocks import Block, Nature

EVERY_MODEL = ""
STEPS: dict[ErrorKind, tuple[float, ...]] = {
    ErrorKind.RATE_LIMIT: (5.0, 10.0, 20.0, 40.0, 60.0),
    ErrorKind.OVERLOADED: (2.0, 5.0, 10.0, 30.0),
    ErrorKind.SERVER: (1.0, 3.0, 10.0, 30.0, 60.0),
    ErrorKind.MONEY: (300.0, 900.0, 1800.0, 3600.0),
    ErrorKind.CREDENTIAL: (60.0, 300.0, 900.0, 1800.0),
}
"""Seconds of the first, second, ... estimate for a reason; the last one repeats."""
OTHER_STEPS = (1.0, 5.0, 15.0, 30.0)
"""For faults of the way there: no connection, no answer in time."""
MEMORY = 3600.0
"""Seconds after which a failure counts no more."""
PROBE_INTERVAL = 15.0
"""Seconds after which an account is tried by one request although its estimate is longer; after a quarter of it, if
that is more: a key that is bad for good costs few requests."""
YIELDING: dict[ErrorKind | str, bool] = {
    ErrorKind.RATE_LIMIT: True,
    ErrorKind.OVERLOADED: True,
    ErrorKind.SERVER: True,
    ErrorKind.BAD_GATEWAY: True,
    ErrorKind.GATEWAY_TIMEOUT: True,
    ErrorKind.MONEY: False,
    LOW_CREDIT: True,
    ErrorKind.CREDENTIAL: False,
    MISSING_PERMISSION: True,
}
"""Which estimates the optimistic reset may clear, by reason or else by kind; every other kind yields.

A key that was refused and an account without credit answer the next request as they did the last one. They are asked
again when a probe is due, and when the operator has mended them. One that may not do just what was asked, or has
credit for a smaller request, may serve the next."""
FAILING = "failures in a row"
"""The reason of an estimate for an account that failed a few times without a word."""
_WORDS: dict[ErrorKind | str, str] = {
    ErrorKind.CREDENTIAL: "credential refused",
    ErrorKind.MONEY: "no credit",
    FAILING: FAILING,
}
"""What is said of an account whose failure the kind's own name does not explain."""
_MOST_MODELS = 512
"""Models with a cooldown, of one account. Their names can be the clients' to choose."""


@attrs.define(eq=False)
class Estimate:
    """A cooldown of our own making."""

    kind: ErrorKind
    failures: int
    failed_at: float
    until: float
    probe_at: float
    yields: bool = True
    """The optimistic reset may clear it."""
    reason: str = ""
    """What kind of failure it was, where the kind alone does not say so."""
    probing: bool = False
    """A request is under way that tries whether the estimate still holds."""

    def block(self, until: float) -> Block:
        """Return the block that it is until a time."""
        reason = _WORDS.get(self.reason) or _WORDS.get(self.kind) or self.kind.value.replace("_", " ")
        return Block(until, Nature.ESTIMATED, reason, self.kind, yields=self.yields)


class Cooldowns:
    """Those of one account, or of one organisation."""

    __slots__ = ("estimates", "stated")

    def __init__(self) -> None:
        self.stated: dict[str, Block] = {}
        """By model; the empty name stands for every one."""
        self.estimates: dict[str, Estimate] = {}
        """By model, as above."""

    def block(self, model: str, now: float) -> Block | None:
        """Return the block on *model*, or None. Of several, the one that lasts longest."""
        worst: Block | None = None
        for name in (EVERY_MODEL, model) if model else (EVERY_MODEL,):
            stated = self.stated.get(name)
            if stated is not None:
                if stated.until <= now:
                    del self.stated[name]
                elif worst is None or stated.until > worst.until:
                    worst = stated
        if worst is None and self.estimates:
            return self._estimated(model, now)
        return worst

    def _estimated(self, model: str, now: float) -> Block | None:
        worst: Block | None = None
        for name in (EVERY_MODEL, model) if model else (EVERY_MODEL,):
            estimate = self.estimates.get(name)
            if estimate is None or estimate.until <= now:
                if estimate is not None and estimate.failed_at + MEMORY <= now:
                    del self.estimates[name]
                continue
            if estimate.probing or estimate.probe_at > now:
                look = now + PROBE_INTERVAL if estimate.probing else estimate.probe_at
                until = min(estimate.until, look)  # the probe's end is told; it need not come
                if worst is None or (worst.yields, until) > (estimate.yields, worst.until):
                    worst = estimate.block(until)
        return worst

    def state(self, model: str, until: float, kind: ErrorKind, reason: str) -> bool:
        """The provider, or the operator's rule, says to stay away until a time. Return whether that is news."""
        known = self.stated.get(model)
        if known is not None and known.until >= until:
            return False
        self.stated[model] = Block(until, Nature.STATED, reason, kind)
        _bound(self.stated)
        return True

    def suspect(self, model: str, kind: ErrorKind, now: float, reason: str = "") -> float:
        """A failure without a hint. Return until when the account is left alone, seconds since the epoch."""
        estimate = self.estimates.pop(model, None)
        failures, yields = 1, YIELDING.get(reason, YIELDING.get(kind, True))
        if estimate is not None and estimate.failed_at + MEMORY > now:
            # What began before the estimate says nothing new: those requests were under way together.
            again = estimate.until <= now or estimate.probing
            failures = estimate.failures + again
            if not (again or estimate.yields):  # nor does it end what is known for certain
                kind, yields, reason = estimate.kind, False, estimate.reason
        steps = STEPS.get(kind, OTHER_STEPS)
        seconds = steps[min(failures, len(steps)) - 1]
        until = now + seconds
        if estimate is not None:
            until = max(until, estimate.until)
        probe_at = now + min(seconds, max(PROBE_INTERVAL, seconds / 4))
        self.estimates[model] = Estimate(kind, failures, now, until, probe_at, yields, reason)
        _bound(self.estimates)
        return until

    def probe(self, model: str, now: float) -> list[Estimate]:
        """Make a request that begins the probe of the estimates that would block it, and return them."""
        probed = []
        for name in (EVERY_MODEL, model) if model else (EVERY_MODEL,):
            estimate = self.estimates.get(name)
            if estimate is not None and estimate.until > now:
                estimate.probing = True
                probed.append(estimate)
        return probed

    def succeeded(self, model: str, now: float) -> list[str]:
        """End the estimates after a success. Return the models whose cooldown ends early."""
        ended = []
        for name in (EVERY_MODEL, model) if model else (EVERY_MODEL,):
            estimate = self.estimates.pop(name, None)
            if estimate is not None and estimate.until > now:
                ended.append(name)
        return ended

    def restore(self, model: str, estimate: Estimate | None) -> None:
        """Replace the latest estimate by the one before it, or by none."""
        if estimate is None:
            self.estimates.pop(model, None)
        else:
            self.estimates[model] = estimate

    def clear_estimates(self, model: str, now: float) -> bool:
        """End the estimates that yield, but keep their count of failures. Return whether there were any."""
        changed = False
        for name in (EVERY_MODEL, model) if model else (EVERY_MODEL,):
            estimate = self.estimates.get(name)
            if estimate is not None and estimate.until > now and estimate.yields:
                estimate.until, estimate.probing, changed = now, False, True
        return changed

    def forget(self, kind: ErrorKind) -> list[str]:
        """End the cooldowns of one kind, whose cause is mended. Return the models that had a stated one."""
        for model in [name for name, estimate in self.estimates.items() if estimate.kind is kind]:
            del self.estimates[model]
        stated = [name for name, block in self.stated.items() if block.kind is kind]
        for model in stated:
            del self.stated[model]
        return stated

    def clear(self) -> None:
        """End all cooldowns."""
        self.stated.clear()
        self.estimates.clear()


def _bound(entries: dict[str, Block] | dict[str, Estimate]) -> None:
    """Forget the oldest entry for a model where there are too many."""
    if len(entries) > _MOST_MODELS:
        entries.pop(next(name for name in entries if name != EVERY_MODEL))
