"""Strategies: which one of several proxies a call takes. The cost does not grow with their number."""

import heapq
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from gephyr_core.outbound.proxy import Proxy

Strategy = Literal["round_robin", "random", "priority", "least_connections", "weighted_round_robin"]


class Selection:
    """Proxies that may be taken, the highest priority first."""

    def __init__(self, strategy: Strategy, rng: random.Random) -> None:
        self._strategy = strategy
        self._rng = rng
        self._proxies: list[Proxy] = []
        self._members: dict[int, Proxy] = {}
        """By rank."""
        self._turn = 0
        self._weights: list[int] = []
        """Running totals; empty where they have to be made anew."""
        self._least: list[tuple[int, int, int]] = []
        """A heap of calls under way, last use and rank. What has changed since leaves its entry behind."""

    def __len__(self) -> int:
        return len(self._proxies)

    def __contains__(self, proxy: Proxy) -> bool:
        return proxy.rank in self._members

    def add(self, proxy: Proxy) -> None:
        """Let *proxy* be taken from now on."""
        insort(self._proxies, proxy, key=_rank)
        self._members[proxy.rank] = proxy
        self._weights.clear()
        self.changed(proxy)

    def remove(self, proxy: Proxy) -> None:
        """Let *proxy* be taken no more."""
        del self._members[proxy.rank]
        del self._proxies[bisect_left(self._proxies, proxy.rank, key=_rank)]
        self._weights.clear()

    def changed(self, proxy: Proxy) -> None:
        """A call through one of these proxies has begun or ended."""
        if self._strategy != "least_connections":
            return
        if len(self._least) > 64 + 4 * len(self._proxies):
            self._least = [(one.in_flight, one.used, one.rank) for one in self._proxies]
            heapq.heapify(self._least)
        else:
            heapq.heappush(self._least, (proxy.in_flight, proxy.used, proxy.rank))

    def select(self, avoiding: Sequence[str] = ()) -> Proxy | None:
        """Return the next proxy whose route is not one of *avoiding*; None where there is none."""
        proxies = self._proxies
        if avoiding:
            proxies = [proxy for proxy in proxies if proxy.route not in avoiding]
        if not proxies:
            return None
        match self._strategy:
            case "round_robin":
                self._turn += 1
                return proxies[(self._turn - 1) % len(proxies)]
            case "random":
                return proxies[int(self._rng.random() * len(proxies))]
            case "priority":
                return proxies[0]
            case "least_connections":
                return min(proxies, key=_calls) if avoiding else self._least_used()
            case "weighted_round_robin":
                weights = _running_weights(proxies) if avoiding else self._all_weights()
                return proxies[bisect_right(weights, int(self._rng.random() * weights[-1]))]

    def _least_used(self) -> Proxy:
        """Return the one with the fewest calls under way, of several the one that was used longest ago."""
        heap = self._least
        while True:
            in_flight, used, rank = heap[0]
            proxy = self._members.get(rank)
            if proxy is not None and (proxy.in_flight, proxy.used) == (in_flight, used):
                return proxy
            heapq.heappop(heap)

    def _all_weights(self) -> list[int]:
        if not self._weights:
            self._weights = _running_weights(self._proxies)
        return self._weights


def _rank(proxy: Proxy) -> int:
    return proxy.rank


def _calls(proxy: Proxy) -> tuple[int, int]:
    return proxy.in_flight, proxy.used


def _running_weights(proxies: Sequence[Proxy]) -> list[int]:
    """Return the running totals of the proxies' weights: their priorities, 1 at least."""
    return list(accumulate(max(1, proxy.config.priority) for proxy in proxies))
