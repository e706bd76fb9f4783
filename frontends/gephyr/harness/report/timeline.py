"""Counts over time in bounded memory: buckets that double in width whenever the run has outgrown them.

Everything measured over time shares one :class:`Axis`, so that a bucket is the same span everywhere.
"""

from array import array
from collections.abc import Callable
from operator import add

from gephyr.harness.report.quantiles import Histogram

MOST_BUCKETS = 600
_MICROSECONDS = 1_000_000
_FIRST_WIDTH = 1.0
_EMPTY = array("q", bytes(8 * MOST_BUCKETS))


class Axis:
    """Time from the begin of a run, cut into buckets of equal width."""

    __slots__ = ("_halve", "_limit", "begin", "used", "width")

    def __init__(self, begin: float) -> None:
        """*begin*: seconds since the epoch."""
        self.begin = begin
        self.width = _FIRST_WIDTH
        """Seconds; a power of two."""
        self.used = 0
        """How many buckets there is anything in, those before included."""
        self._limit = MOST_BUCKETS * _FIRST_WIDTH
        self._halve: list[Callable[[], None]] = []

    def bucket(self, at: float) -> int:
        """Return the bucket that *at* (seconds since the epoch) falls into; what is before the begin counts as then."""
        elapsed = at - self.begin
        while elapsed >= self._limit:
            self.width *= 2.0
            self._limit *= 2.0
            self.used = (self.used + 1) // 2
            for halve in self._halve:
                halve()
        bucket = int(elapsed / self.width) if elapsed > 0.0 else 0
        if bucket >= self.used:
            self.used = bucket + 1
        return bucket

    def follow(self, halve: Callable[[], None]) -> None:
        """Have *halve* called whenever two buckets become one."""
        self._halve.append(halve)


class Counts:
    """A whole number for each bucket."""

    __slots__ = ("_axis", "values")

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self.values = _EMPTY[:]
        """One for each bucket of the axis; those past ``Axis.used`` are 0. Add to them after ``Axis.bucket``."""
        axis.follow(self._halve)

    def _halve(self) -> None:
        _halve(self.values)

    def shown(self) -> list[int]:
        """Return the buckets that are used."""
        return self.values[: self._axis.used].tolist()


class Durations:
    """A histogram of durations for each bucket; there is none where nothing was counted."""

    __slots__ = ("_axis", "_histograms")

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._histograms: dict[int, Histogram] = {}
        axis.follow(self._halve)

    def add(self, bucket: int, seconds: float) -> None:
        """Count one duration in *bucket*."""
        histogram = self._histograms.get(bucket)
        if histogram is None:
            histogram = self._histograms[bucket] = Histogram()
        histogram.add(seconds)

    def whole(self) -> Histogram:
        """Return one histogram of all buckets."""
        whole = Histogram()
        for histogram in self._histograms.values():
            whole.merge(histogram)
        return whole

    def _halve(self) -> None:
        halved: dict[int, Histogram] = {}
        for bucket, histogram in self._histograms.items():
            halved.setdefault(bucket // 2, Histogram()).merge(histogram)
        self._histograms = halved

    def quantiles(self, percent: int) -> list[float | None]:
        """Return the quantile of each bucket that is used; None where nothing was counted."""
        found = (self._histograms.get(bucket) for bucket in range(self._axis.used))
        return [None if histogram is None else histogram.quantile(percent) for histogram in found]


class Occupancy:
    """How many of something were under way at a time, on average over each bucket.

    Kept as begins less ends, and as the sum of their times, so that a span costs the same however long it is.
    """

    __slots__ = ("_axis", "_moments", "_net")

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._net = _EMPTY[:]
        self._moments = _EMPTY[:]
        """Microseconds from the begin of the axis."""
        axis.follow(self._halve)

    def add(self, begin: float, end: float) -> None:
        """Count one that lasted from *begin* to *end*, seconds since the epoch."""
        axis = self._axis
        # The end first: it may widen the buckets.
        last = axis.bucket(end)
        first = axis.bucket(begin)
        origin, net, moments = axis.begin, self._net, self._moments
        net[first] += 1
        net[last] -= 1
        moments[first] += int((begin - origin) * _MICROSECONDS)
        moments[last] -= int((end - origin) * _MICROSECONDS)

    def _halve(self) -> None:
        _halve(self._net)
        _halve(self._moments)

    def averages(self) -> list[float]:
        """Return the average of each bucket that is used."""
        width = int(self._axis.width * _MICROSECONDS)
        running = 0
        averages = []
        for bucket in range(self._axis.used):
            net = self._net[bucket]
            busy = running * width + net * (bucket + 1) * width - self._moments[bucket]
            averages.append(busy / width)
            running += net
        return averages


def _halve(values: "array[int]") -> None:
    summed = array("q", map(add, values[::2], values[1::2]))
    summed.extend(_EMPTY[len(summed) :])
    values[:] = summed
