"""The waiting room: who waits for which pool, and who is next when an account comes back."""

import math
from collections import deque
from collections.abc import Sequence

from gephyr_core.scheduling.pool import Pool


class WaitingRoom:
    """Exchanges in the order in which they began to wait. First come, first served, for each pool."""

    def __init__(self) -> None:
        self._pools: dict[Pool, None] = {}
        """Pools with waiters."""
        self.places: dict[int, list[Pool]] = {}
        """What each exchange waits for."""
        self._tickets: dict[int, int] = {}
        """When each exchange came, as a number: it is kept while other pools are waited for."""
        self._latest = 0
        self._passed: dict[int, None] = {}
        """Who was asked since an account came back."""
        self._lines: dict[Pool, deque[int]] = {}
        """Waiters who are still to be asked, of pools whose first one was."""
        self.ask_again = False
        """Accounts came back while those who wait were asked: who was passed may be served now."""
        self.held_until = 0.0
        """When the limit on all requests together opens, where somebody waits for that."""

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, exchange: int) -> bool:
        return exchange in self.places

    def enter(self, exchange: int, pools: Sequence[Pool]) -> None:
        """Wait for any of *pools*, and for no other any more. Who waits already keeps the place."""
        places = self.places.setdefault(exchange, [])
        for pool in [pool for pool in places if pool not in pools]:
            places.remove(pool)
            self._leave(exchange, pool)
        ticket = self._tickets.get(exchange)
        if ticket is None:
            self._latest += 1
            ticket = self._tickets[exchange] = self._latest
        for pool in pools:
            if exchange not in pool.waiters:
                comes_last = not pool.waiters or ticket > next(reversed(pool.waiters.values()))
                pool.waiters[exchange] = ticket
                if not comes_last:
                    pool.waiters = dict(sorted(pool.waiters.items(), key=_ticket))
                places.append(pool)
                self._pools[pool] = None

    def leave(self, exchange: int) -> None:
        """Wait no more."""
        self._tickets.pop(exchange, None)
        for pool in self.places.pop(exchange, ()):
            self._leave(exchange, pool)

    def _leave(self, exchange: int, pool: Pool) -> None:
        del pool.waiters[exchange]
        if not pool.waiters:
            del self._pools[pool]

    def next(self, now: float) -> int | None:
        """Return who is to be asked next: the first of those in whose pools an account came back. Each is asked once
        until :meth:`asked`."""
        if self.held_until > now:
            return None
        if self.ask_again:
            self._start_anew()
        first: int | None = None
        best = math.inf
        for pool in self._pools:
            if pool.fresh and pool.is_worth_asking:
                head = self._head(pool)
                if head is not None and pool.waiters[head] < best:
                    first, best = head, pool.waiters[head]
        if first is not None:
            self._passed[first] = None
        return first

    def _start_anew(self) -> None:
        self.ask_again = False
        self._passed.clear()
        self._lines.clear()

    def _head(self, pool: Pool) -> int | None:
        """Return the first of a pool's waiters who was not asked yet."""
        head = next(iter(pool.waiters))
        if head not in self._passed:
            return head
        line = self._lines.get(pool)
        if line is None:
            line = self._lines[pool] = deque(pool.waiters)
        while line:
            if line[0] in pool.waiters and line[0] not in self._passed:
                return line[0]
            line.popleft()
        return None

    def asked(self) -> None:
        """Everybody who could be served was."""
        self._start_anew()
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


def _ticket(place: tuple[int, int]) -> int:
    return place[1]
