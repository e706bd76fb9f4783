"""Through which proxy a call leaves: the account's own, one that the pool selects, the app-wide one, or none.

The pool judges its proxies by the calls that go through them, and by health checks where a URL is set for them. A proxy
that failed is left alone for a pause that grows, then tried again.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

import attrs

from gephyr_core.commands import CheckProxy
from gephyr_core.config import ProxyPoolConfig
from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.events import ProxyChecked
from gephyr_core.outbound.route import DIRECT, choose_route
from gephyr_core.records import ProxyEvent

PAUSES = (5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds that a proxy is left alone after its first, second, ... failure in a row; the last one repeats."""


@attrs.define(eq=False)
class _Proxy:
    config: ProxyConfig
    bound: bool
    """An account has it for its own."""
    healthy: bool = True
    failures: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0
    """When it is tried again although it failed, seconds since the epoch."""
    in_flight: int = 0
    check_at: float = 0.0
    """When it is checked next; ``math.inf`` while it is being."""

    @property
    def route(self) -> str:
        return self.config.url


class ProxyPool:
    """All outbound routes of a gateway."""

    def __init__(
        self, config: ProxyPoolConfig, accounts: Iterable[tuple[str, str]], app_proxy: str, rng: random.Random
    ) -> None:
        """*accounts*: each with the route it is bound to (``proxy:ID``, ``pool:NAME``, or empty). *app_proxy*: the
        app-wide proxy's route, or empty."""
        self._config = config
        self._app_proxy = app_proxy
        self._rng = rng
        self._bound = dict(accounts)
        taken = list(self._bound.values())
        proxies = config.proxies if config.enabled else ()
        self._proxies = {proxy.url: _Proxy(proxy, proxy.url in taken) for proxy in proxies if proxy.enabled}
        self._ready: list[_Proxy] = []
        self._weights: list[int] = []
        self._turn = 0
        self._next_retry = math.inf
        """When the first proxy that failed is tried again; ``math.inf`` where none did."""
        self._begun = False
        self.deadline = 0.0 if self._proxies and config.health_check_url else math.inf
        """When the next health check is due, seconds since the epoch; ``math.inf`` where none is."""
        self._sort_out(0.0)

    def bind(self, account: str, route: str) -> None:
        """An account was added, or is bound to another route."""
        self._bound[account] = route
        if route in self._proxies:
            self._proxies[route].bound = True
            self._sort_out(0.0)

    # -- choosing -----------------------------------------------------------------------------------------------

    def choose(self, account: str, now: float, avoiding: Sequence[str] = ()) -> str | None:
        """Return the route for a call of *account*; None where a proxy is demanded and there is none.

        *avoiding*: routes that failed the request before.
        """
        bound = self._bound.get(account, "")
        if not self._config.enabled:
            return choose_route(bound, self._app_proxy)
        if bound and self._serves(bound, now, avoiding):
            return bound
        if self._next_retry <= now:
            self._sort_out(now)
        selected = self._select(avoiding)
        if selected is not None:
            return selected.route
        if self._app_proxy and self._app_proxy not in avoiding:
            return self._app_proxy
        if self._config.require_proxy_for_account_requests:
            return None
        return bound or DIRECT  # what is bound to a proxy never leaves without one

    def _serves(self, bound: str, now: float, avoiding: Sequence[str]) -> bool:
        """Whether an account's own proxy is to be used."""
        if not self._config.auto_failover:
            return True
        proxy = self._proxies.get(bound)
        return bound not in avoiding and (proxy is None or proxy.healthy or proxy.retry_at <= now)

    def _select(self, avoiding: Sequence[str]) -> _Proxy | None:
        ready = self._ready
        if avoiding and self._config.auto_failover:
            ready = [proxy for proxy in ready if proxy.route not in avoiding]
        if not ready:
            return None
        match self._config.strategy:
            case "round_robin":
                self._turn += 1
                return ready[(self._turn - 1) % len(ready)]
            case "random":
                return ready[int(self._rng.random() * len(ready))]
            case "priority":
                return ready[0]
            case "least_connections":
                return min(ready, key=lambda proxy: proxy.in_flight)
            case "weighted_round_robin":
                weights = self._weights if ready is self._ready else _weights(ready)
                return ready[bisect_right(weights, int(self._rng.random() * weights[-1]))]

    def _sort_out(self, now: float) -> None:
        """Find anew which proxies may be selected, the highest priority first."""
        config = self._config
        free = [proxy for proxy in self._proxies.values() if config.allow_shared_proxy_fallback or not proxy.bound]
        free.sort(key=lambda proxy: -proxy.config.priority)
        self._ready = [proxy for proxy in free if proxy.healthy or proxy.retry_at <= now or not config.auto_failover]
        self._weights = _weights(self._ready)
        unwell = [proxy.retry_at for proxy in self._proxies.values() if not proxy.healthy and proxy.retry_at > now]
        self._next_retry = min(unwell, default=math.inf)

    def why(self, account: str) -> str:
        """Say in a line where an account's calls go."""
        bound = self._bound.get(account, "")
        if bound:
            return f"{bound}: bound to the account"
        if self._config.enabled:
            ready, known = len(self._ready), len(self._proxies)
            return f"the pool ({self._config.strategy}): {ready} of {known} proxies may be selected"
        return f"{self._app_proxy}: the app-wide proxy" if self._app_proxy else DIRECT

    # -- what becomes of calls ----------------------------------------------------------------------------------

    def opened(self, route: str) -> None:
        """A call begins."""
        proxy = self._proxies.get(route)
        if proxy is not None:
            proxy.in_flight += 1

    def closed(self, route: str) -> None:
        """A call is over."""
        proxy = self._proxies.get(route)
        if proxy is not None:
            proxy.in_flight -= 1

    def failed(self, route: str, now: float) -> ProxyEvent | None:
        """A call could not be made through a proxy. Return what an operator wants to know of it."""
        proxy = self._proxies.get(route)
        return None if proxy is None else self._fail(proxy, "a call through it failed", now)

    def succeeded(self, route: str, called_at: float, now: float) -> ProxyEvent | None:
        """A provider answered a call of *called_at* through a proxy. One that began before the proxy failed went by a
        connection that stood already, and says nothing."""
        proxy = self._proxies.get(route)
        if proxy is None or proxy.healthy or called_at <= proxy.failed_at:
            return None
        return self._recover(proxy, now)

    def _fail(self, proxy: _Proxy, reason: str, now: float) -> ProxyEvent | None:
        if proxy.retry_at > now:
            return None  # calls that were under way together say it once
        news = proxy.healthy
        proxy.retry_at = now + PAUSES[min(proxy.failures, len(PAUSES) - 1)]
        proxy.failures, proxy.healthy, proxy.failed_at = proxy.failures + 1, False, now
        self._sort_out(now)
        return ProxyEvent(proxy.config.id, healthy=False, at=now, reason=reason) if news else None

    def _recover(self, proxy: _Proxy, now: float) -> ProxyEvent:
        proxy.failures, proxy.healthy, proxy.retry_at = 0, True, 0.0
        self._sort_out(now)
        return ProxyEvent(proxy.config.id, healthy=True, at=now)

    # -- health checks ------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[CheckProxy]:
        """Return the health checks to be begun now."""
        config = self._config
        if not self._begun:  # spread over the interval, so that they do not come all at once for ever
            self._begun = True
            for number, proxy in enumerate(self._proxies.values()):
                proxy.check_at = now + config.health_check_interval * number / len(self._proxies)
        checks = []
        for proxy in self._proxies.values():
            if proxy.check_at <= now:
                proxy.check_at = math.inf
                url, status = config.health_check_url, config.health_check_expected_status
                checks.append(CheckProxy(proxy.config.id, proxy.route, url, status, config.health_check_timeout))
        self._set_deadline()
        return checks

    def checked(self, event: ProxyChecked, now: float) -> ProxyEvent | None:
        """The answer to a check. Return what an operator wants to know of it."""
        proxy = next((one for one in self._proxies.values() if one.config.id == event.proxy), None)
        if proxy is None:
            return None
        change = None
        if not event.healthy:
            change = self._fail(proxy, event.detail or "a health check failed", now)
        elif not proxy.healthy:
            change = self._recover(proxy, now)
        pause = PAUSES[min(proxy.failures, len(PAUSES)) - 1] if proxy.failures else math.inf
        proxy.check_at = now + min(self._config.health_check_interval, pause)
        self._set_deadline()
        return change

    def _set_deadline(self) -> None:
        self.deadline = min((proxy.check_at for proxy in self._proxies.values()), default=math.inf)


def _weights(proxies: Sequence[_Proxy]) -> list[int]:
    """Return the running totals of the proxies' weights: their priorities, 1 at least."""
    return list(accumulate(max(1, proxy.config.priority) for proxy in proxies))
