"""How well an account has done lately, and how much of its provider's quota is left: what the score is made of.

Whatever is known grows old: the longer ago it was learned, the nearer it is to what is assumed of an account of which
nothing is known. Ageing is by ``AGE / (AGE + seconds)``, which needs no logarithm: those differ between machines.
"""

from collections.abc import Sequence

import attrs

from gephyr_core.providers.limits import Quota

AGE = 300.0
"""Seconds after which half of what was learned is believed."""
WEIGHT_OF_LATEST = 0.2
"""What one more success or failure, or one more latency, counts beside all before it."""
NEUTRAL_LATENCY = 1.0
"""Seconds to the first byte, of an account that was not asked yet."""
SLOW = 5.0
"""Seconds to the first byte at which speed halves the score."""
LONGEST_QUOTA_WAIT = 300.0
"""Seconds: a reset that a successful reply names further ahead than this is looked at again after it."""
_MOST_PROVISIONAL = 16
"""More of them make no difference to the score."""
_WINDOW = 10.0
"""Recent requests that weigh as much as one that is in flight."""


class Health:
    """The recent past of one account."""

    __slots__ = ("_judged_at", "_latency", "_recent", "_recent_at", "_success", "_timed_at", "provisional")

    def __init__(self) -> None:
        self._success = 1.0
        self._judged_at = 0.0
        self._latency = NEUTRAL_LATENCY
        self._timed_at = 0.0
        self._recent = 0.0
        self._recent_at = 0.0
        self.provisional = 0
        """Failures that count, and may be taken back yet."""

    def judge(self, *, success: bool, now: float) -> None:
        """A request ended: an exponentially weighted mean of successes (1) and failures (0)."""
        aged = self._aged_success(now)
        self._success = aged + WEIGHT_OF_LATEST * ((1.0 if success else 0.0) - aged)
        self._judged_at = now

    def time(self, seconds: float, now: float) -> None:
        """The first byte came after *seconds*."""
        aged = self.latency(now)
        self._latency = aged + WEIGHT_OF_LATEST * (seconds - aged)
        self._timed_at = now

    def began(self, now: float) -> None:
        """A request begins."""
        self._recent = self.recent(now) + 1.0
        self._recent_at = now

    def success_rate(self, now: float) -> float:
        """Between 0 and 1; 1 where nothing is known."""
        rate = self._aged_success(now)
        if self.provisional:
            for _ in range(min(self.provisional, _MOST_PROVISIONAL)):
                rate -= WEIGHT_OF_LATEST * rate
        return rate

    def _aged_success(self, now: float) -> float:
        return 1.0 - (1.0 - self._success) * AGE / (AGE + now - self._judged_at)

    def latency(self, now: float) -> float:
        """Seconds to the first byte; ``NEUTRAL_LATENCY`` where nothing is known."""
        return NEUTRAL_LATENCY + (self._latency - NEUTRAL_LATENCY) * AGE / (AGE + now - self._timed_at)

    def recent(self, now: float) -> float:
        """Requests begun lately, those of a minute ago counted half."""
        return self._recent * 60.0 / (60.0 + now - self._recent_at)

    def load(self, in_flight: int, now: float) -> float:
        """What the account is doing, in requests: those in flight, and a trace of the recent ones."""
        return in_flight + self.recent(now) / _WINDOW


@attrs.define(eq=False)
class _Measure:
    limit: int
    remaining: float
    resets_at: float
    """When the provider's bucket is full again; it fills evenly until then."""
    seen_at: float

    def level(self, now: float) -> float:
        """How much is left by now."""
        if now >= self.resets_at:
            return float(self.limit)
        share = (now - self.seen_at) / (self.resets_at - self.seen_at)
        return self.remaining + (self.limit - self.remaining) * share

    def reaches(self, need: float, now: float) -> float:
        """When *need* will be left, seconds since the epoch; 0 where it is by now."""
        need = min(need, float(self.limit))
        level = self.level(now)
        if level >= need:
            return 0.0
        return now + (need - level) / (self.limit - level) * (self.resets_at - now)


class Remaining:
    """What a provider's headers said is left of an account's quota for one model.

    Both OpenAI and Anthropic refill their buckets evenly: the reset they name is when the bucket will be *full*
    (platform.openai.com/docs/guides/rate-limits, docs.anthropic.com/en/api/rate-limits), so one more request fits long
    before that.
    """

    __slots__ = ("_measures", "scarce")

    def __init__(self) -> None:
        self._measures: dict[str, _Measure] = {}
        self.scarce = False
        """A request was passed over for it since the provider spoke last."""

    def learn(self, quotas: Sequence[Quota], now: float) -> None:
        """Take in what a reply said."""
        self.scarce = False
        for quota in quotas:
            if quota.limit is None or quota.resets_in is None or quota.limit <= 0 or quota.resets_in <= 0.0:
                self._measures.pop(quota.measure, None)
                continue
            remaining = float(min(quota.remaining, quota.limit))
            resets_at = now + min(quota.resets_in, LONGEST_QUOTA_WAIT)
            self._measures[quota.measure] = _Measure(quota.limit, remaining, resets_at, now)

    def claim(self, tokens: int, now: float) -> None:
        """A request begins that may spend *tokens*: it is not in what the provider said last."""
        for name, measure in self._measures.items():
            if now < measure.resets_at:
                measure.remaining -= 1 if name == "requests" else tokens if name != "output_tokens" else 0

    def opens_at(self, tokens: int, now: float) -> float:
        """When there will be enough for one more request, seconds since the epoch; 0 where there is by now."""
        latest = 0.0
        for name, measure in self._measures.items():
            need = 1.0 if name in {"requests", "output_tokens"} else float(tokens)
            latest = max(latest, measure.reaches(need, now))
        self.scarce = self.scarce or latest > now
        return latest

    def share(self, now: float) -> float:
        """The smallest share that is left of any measure, between 0 and 1; 1 where nothing is known."""
        least = 1.0
        for measure in self._measures.values():
            least = min(least, measure.level(now) / measure.limit)
        return max(0.0, least)
