"""Chance for workloads, the same on every machine: no logarithm, no power, whose last bits differ between libraries."""

import random
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate


def exponential(rng: random.Random) -> float:
    """Draw from the exponential distribution of mean 1, by comparisons alone (von Neumann, 1951)."""
    whole = 0.0
    while True:
        first = last = rng.random()
        falling = 1
        while (drawn := rng.random()) < last:
            last = drawn
            falling += 1
        if falling % 2:
            return whole + first
        whole += 1.0


class Mix:
    """Draws names by their weights."""

    __slots__ = ("_names", "_totals")

    def __init__(self, weights: Mapping[str, float]) -> None:
        """*weights*: at least one above 0."""
        self._names = [name for name, weight in weights.items() if weight > 0]
        self._totals = list(accumulate(weight for weight in weights.values() if weight > 0))

    def draw(self, rng: random.Random) -> str:
        """Return one name."""
        if len(self._names) == 1:
            return self._names[0]
        place = bisect_right(self._totals, rng.random() * self._totals[-1])
        return self._names[min(place, len(self._names) - 1)]
