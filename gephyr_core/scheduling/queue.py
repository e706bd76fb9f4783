"""The waiting room: who waits for which pool, and who is next when an account comes back."""

import math
from collections.abc import Sequence

from gephyr_core.scheduling.pool import Pool


class WaitingRoom:
    """Exchanges in the order in which they began to wait. First come, first served, for each pool."""

    def __init__(self) -> None:
        self._pools: dict[Pool, None] = {}
        """Pools with waiters."""
        self.places: dict[int, list[Pool]] = {}
        """What each exchange waits for."""
        self._tickets = 0
        self.held_until = 0.0
        """When the limit on all requests together opens, where somebody waits for that."""

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, exchange: int) -> bool:
        return exchange in self.places

    def enter(self, exchange: int, pools: Sequence[Pool]) -> None:
        """Wait for any of *pools*. Who waits already keeps the place."""
        places = self.places.setdefault(exchange, [])
        for pool in pools:
            if exchange not in pool.waiters:
                self._tickets += 1
                pool.waiters[exchange] = self._tickets
                places.append(pool)
                self._pools[pool] = None

    def leave(self, exchange: int) -> None:
        """Wait no more."""
        for pool in self.places.pop(exchange, ()):
            del pool.waiters[exchange]
            if not pool.waiters:
                del self._pools[pool]

    def next(self, passed: dict[int, None], now: float) -> int | None:
        """Return who is to be asked next: the first of those in whose pools an account came back. Leaves out who was
        *passed* already, for whom it was no use."""
        if self.held_until > now:
            return None
        first: int | None = None
        best = math.inf
        for pool in self._pools:
            if not pool.fresh or not pool.has_ready:
                continue
            for exchange, ticket in pool.waiters.items():
                if exchange not in passed:
                    if ticket < best:
                        first, best = exchange, ticket
                    break
        return first

    def asked(self) -> None:
        """Everybody who could be served was."""
        for pool in self._pools:
            pool.fresh = False

    def wake_at(self) -> float:
        """When time alone may bring an account back that is waited for; ``math.inf`` where none is."""
        if not self._pools:
            return math.inf
        wake = min(pool.next_change() for pool in self._pools)
        return min(wake, self.held_until) if self.held_until else wake

    def time_passed(self, now: float) -> None:
        """Offer what time has brought back."""
        if self.held_until and self.held_until <= now:
            self.held_until = 0.0
            for pool in self._pools:
                pool.fresh = True
        for pool in self._pools:
            pool.unpark_due(now)
