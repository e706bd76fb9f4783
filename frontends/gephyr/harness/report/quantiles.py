"""Quantiles of many durations in little memory: a histogram whose buckets grow with the value.

As in HdrHistogram: each power of two is cut into 32 buckets, so that a quantile is off by 1/64 of itself at most, or by
half a microsecond. Counts and sums are whole numbers: the result does not depend on the order or the platform.
"""

_SUB_BITS = 5
_SUBS = 1 << _SUB_BITS
_MICROSECONDS = 1_000_000
_LONGEST = float(1 << 40)
"""Seconds; what is longer counts as this long. Keeps the number of buckets below 2,000."""


class Histogram:
    """Durations in seconds."""

    __slots__ = ("_buckets", "_greatest", "_least", "_total", "count")

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[int, int] = {}
        self._total = 0
        self._least = 0
        self._greatest = 0

    def add(self, seconds: float) -> None:
        """Count one duration; a negative one counts as 0."""
        value = 0 if seconds <= 0.0 else int(min(seconds, _LONGEST) * _MICROSECONDS + 0.5)
        shift = value.bit_length() - _SUB_BITS - 1
        bucket = value if shift <= 0 else shift * _SUBS + (value >> shift)
        buckets = self._buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        if value < self._least or not self.count:
            self._least = value
        self._greatest = max(self._greatest, value)
        self.count += 1
        self._total += value

    def merge(self, other: "Histogram") -> None:
        """Count all that *other* has counted."""
        if not other.count:
            return
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self._least = min(self._least, other._least) if self.count else other._least
        self._greatest = max(self._greatest, other._greatest)
        self.count += other.count
        self._total += other._total

    @property
    def mean(self) -> float:
        """Seconds; 0 where nothing was counted."""
        return self._total / self.count / _MICROSECONDS if self.count else 0.0

    @property
    def greatest(self) -> float:
        """Seconds; 0 where nothing was counted."""
        return self._greatest / _MICROSECONDS

    def quantile(self, percent: int) -> float:
        """Return the duration, in seconds, that *percent* of a hundred do not exceed; 0 where nothing was counted."""
        return self.quantiles(percent)[0]

    def quantiles(self, *percents: int) -> list[float]:
        """Return :meth:`quantile` of each of *percents*, which ascend."""
        found: list[float] = []
        seen = 0
        buckets = iter(sorted(self._buckets.items()))
        value = 0
        for percent in percents:
            rank = max(1, -(-percent * self.count // 100))
            while seen < rank:
                bucket, count = next(buckets, (None, 0))
                if bucket is None:
                    break
                seen += count
                value = min(max(_middle(bucket), self._least), self._greatest)
            found.append(value / _MICROSECONDS)
        return found


def _middle(bucket: int) -> int:
    """Return the value in the middle of a bucket, in microseconds."""
    shift = bucket // _SUBS - 1
    if shift <= 0:
        return bucket
    return (bucket - shift * _SUBS << shift) + (1 << shift - 1)
