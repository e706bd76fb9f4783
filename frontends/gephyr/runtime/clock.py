"""The gateway's clock: seconds since the epoch on one timeline that never runs backwards."""

import time
from collections.abc import Callable
from functools import partial


def _elapsed_clock() -> Callable[[], float]:
    """Return the clock that times are measured with: it counts the time a machine sleeps wherever one does."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    return time.monotonic


class GatewayClock:
    """Called without arguments, returns seconds since the epoch: the wall clock's time at construction plus the
    time that has passed since.

    Steps of the wall clock after the start (NTP, an operator) do not show, so deadlines, token expiry and persisted
    times all compare. The clock that counts is ``CLOCK_BOOTTIME`` where the platform has it: it goes on while the
    machine is suspended, so a cooldown ends when the provider says it ends.
    """

    __slots__ = ("_elapsed", "_offset")

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        """*wall* is asked once; *elapsed* must never run backwards."""
        self._elapsed = _elapsed_clock() if elapsed is None else elapsed
        self._offset = wall() - self._elapsed()

    def __call__(self) -> float:
        """Return the time now, seconds since the epoch."""
        return self._offset + self._elapsed()
