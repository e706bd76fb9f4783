"""Chance that is the same on every machine: made of ``Random.random()``, sums, products and square roots alone.

Logarithms and powers differ in their last bit between mathematical libraries, and one bit would change a whole run.
"""

import math
import random

_NORMAL = (
    *(-21, -16, -14, -12, -10, -9, -8, -7, -6, -5, -4, -4, -3, -2, -1, 0),
    *(0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 21),
)
"""Quantiles of the normal distribution at 1/64, 3/64, ... 63/64, in sixteenths of the 95th percentile's."""


class Spread:
    """A log-normal distribution, told by its median and its 95th percentile; drawn from a table of 32 quantiles."""

    __slots__ = ("_quantiles",)

    def __init__(self, median: float, p95: float) -> None:
        """Raises ``ValueError`` unless 0 < *median* <= *p95*."""
        if not 0.0 < median <= p95:
            raise ValueError(f"expected 0 < median <= p95, got {median} and {p95}")
        root = p95 / median
        for _ in range(4):  # the sixteenth root
            root = math.sqrt(root)
        self._quantiles = [median * _power(root, step) for step in _NORMAL]

    def draw(self, rng: random.Random) -> float:
        """Return one value."""
        place = rng.random() * (len(self._quantiles) - 1)
        index = int(place)
        low, high = self._quantiles[index], self._quantiles[index + 1]
        return low + (high - low) * (place - index)


def _power(base: float, exponent: int) -> float:
    value = 1.0
    for _ in range(abs(exponent)):
        value *= base
    return value if exponent >= 0 else 1.0 / value
