"""Through which proxy a call leaves: the account's own, one that the pool selects, the app-wide one, or none.

The pool judges its proxies by the calls that go through them, and by health checks where a URL is set for them. A proxy
that failed is left alone for a pause that grows. Then one call tries it; or a check, where there are checks.
"""

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Sequence

from gephyr_core.commands import CheckProxy
from gephyr_core.config import ProxyConfig, ProxyPoolConfig
from gephyr_core.events import ProxyChecked
from gephyr_core.outbound.proxy import Proxy
from gephyr_core.outbound.route import DIRECT, choose_route
from gephyr_core.outbound.selection import Selection
from gephyr_core.records import ProxyEvent


class ProxyPool:
    """All outbound routes of a gateway."""

    def __init__(
        self, config: ProxyPoolConfig, accounts: Iterable[tuple[str, str]], app_proxy: str, rng: random.Random
    ) -> None:
        """*accounts*: each with the route it is bound to (``proxy:ID``, ``pool:NAME``, or empty). *app_proxy*: the
        app-wide proxy's route, or empty."""
        self._config = config
        self._app_proxy = app_proxy
        self._bound: dict[str, str] = {}
        """Each account's own route, where it has one."""
        enabled = [proxy for proxy in config.proxies if proxy.enabled and config.enabled]
        enabled.sort(key=lambda proxy: -proxy.priority)
        self._ranks = [Proxy(proxy, rank) for rank, proxy in enumerate(enabled)]
        self._proxies = {proxy.route: proxy for proxy in self._ranks}
        self._by_id = {proxy.config.id: proxy for proxy in self._ranks}
        self._ready = Selection(config.strategy, rng)
        self._doubtful = Selection(config.strategy, rng)
        """Those that failed nothing but checks."""
        self._trials: list[tuple[float, int]] = []
        """A heap of times and ranks: when a proxy that failed a call is given one again."""
        self._checks: list[tuple[float, int]] = []
        """A heap of times and ranks: when a proxy is checked."""
        self._counts = config.strategy == "least_connections"
        self._calls = 0
        self._begun = False
        self.deadline = 0.0 if self._ranks and config.health_check_url else math.inf
        """When the next health check is due, seconds since the epoch; ``math.inf`` where none is."""
        for proxy in self._ranks:
            self._sort_in(proxy)
        for account, route in accounts:
            self.bind(account, route)

    def bind(self, account: str, route: str) -> None:
        """An account was added, is bound to another route, or (*route* is empty) to none any more."""
        before = self._proxies.get(self._bound.pop(account, ""))
        if before is not None:
            before.accounts -= 1
            self._sort_in(before)
            if not (before.accounts or before.pooled):
                del self._proxies[before.route]
        if not route:
            return
        self._bound[account] = route
        if not self._config.enabled:
            return
        if route not in self._proxies:
            self._proxies[route] = Proxy(ProxyConfig(id=route, url=route), -1, pooled=False)
        proxy = self._proxies[route]
        proxy.accounts += 1
        self._sort_in(proxy)

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
        if not self._config.auto_failover:
            avoiding = ()
        selected = self._trial(now, avoiding) or self._ready.select(avoiding)
        if selected is not None:
            return selected.route
        if self._app_proxy and self._app_proxy not in avoiding:
            return self._app_proxy
        doubtful = self._doubtful.select(avoiding)
        if doubtful is not None:  # a check's address may be what is down
            return doubtful.route
        if bound:  # it never leaves but through a proxy, and may have none but this
            return bound
        return None if self._config.require_proxy_for_account_requests else DIRECT

    def routes(self, account: str) -> Iterator[str]:
        """Every route that :meth:`choose` may return for an account, as the proxies are now."""
        config, bound = self._config, self._bound.get(account, "")
        if bound or not config.enabled:
            yield choose_route(bound, self._app_proxy)
            if not (config.enabled and config.auto_failover):
                return
        usable = [proxy.route for proxy in self._ranks if self._is_free(proxy) and not proxy.call_failed]
        yield from usable
        if self._app_proxy:
            yield self._app_proxy
        if not (bound or usable or self._app_proxy or config.require_proxy_for_account_requests):
            yield DIRECT

    def _serves(self, bound: str, now: float, avoiding: Sequence[str]) -> bool:
        """Whether an account's own proxy is to be used."""
        if not self._config.auto_failover:
            return True
        proxy = self._proxies[bound]
        return bound not in avoiding and (proxy.healthy or self._may_be_tried(proxy, now))

    def _trial(self, now: float, avoiding: Sequence[str]) -> Proxy | None:
        """Return a proxy that failed and is to be given a call again, if one is."""
        trials = self._trials
        while trials and trials[0][0] <= now:
            proxy = self._ranks[trials[0][1]]
            if self._may_be_tried(proxy, now) and self._is_free(proxy):
                return None if proxy.route in avoiding else proxy
            heapq.heappop(trials)
        return None

    def _may_be_tried(self, proxy: Proxy, now: float) -> bool:
        """Whether a call may show that a proxy is back. Where checks can, no client's call is risked."""
        due = proxy.call_failed and proxy.retry_at <= now
        return due and not proxy.on_trial and not (proxy.pooled and self._config.health_check_url)

    def _is_free(self, proxy: Proxy) -> bool:
        """Whether accounts may have it that it does not belong to."""
        return proxy.pooled and (not proxy.accounts or self._config.allow_shared_proxy_fallback)

    def _sort_in(self, proxy: Proxy) -> None:
        """Put a proxy where its state wants it to be."""
        home: Selection | None = None
        if self._is_free(proxy):
            if proxy.healthy or not self._config.auto_failover:
                home = self._ready
            elif not proxy.call_failed:
                home = self._doubtful
            else:
                self._plan_trial(proxy)
        for selection in (self._ready, self._doubtful):
            if selection is not home and proxy in selection:
                selection.remove(proxy)
        if home is not None and proxy not in home:
            home.add(proxy)

    def _plan_trial(self, proxy: Proxy) -> None:
        if len(self._trials) > 64 + 4 * len(self._ranks):  # some are of failures that are over
            self._trials = [(one.retry_at, one.rank) for one in self._ranks if one.call_failed]
            heapq.heapify(self._trials)
        else:
            heapq.heappush(self._trials, (proxy.retry_at, proxy.rank))

    def why(self, account: str) -> str:
        """Say in a line where an account's calls go, and why."""
        config, bound = self._config, self._bound.get(account, "")
        app = f"{self._app_proxy}, the app-wide proxy" if self._app_proxy else ""
        proxy = self._proxies.get(bound)
        if bound and (proxy is None or proxy.healthy):
            return f"{bound}, its own proxy"
        if not config.enabled:
            return app or f"{DIRECT}: no proxy is configured for it"
        about = "" if proxy is None else f"{bound}, its own proxy, failed ({proxy.reason}): "
        if bound and not config.auto_failover:
            return f"{about}used all the same, as auto_failover is off"
        ready, known = len(self._ready), len(self._ranks)
        if ready:
            return f"{about}one of the pool by {config.strategy}: {ready} of {known} proxies may be selected"
        none = f"{about}none of {known} proxies of the pool may be selected"
        if app:
            return f"{none}; {app}"
        if len(self._doubtful):
            return f"{none}; one of {len(self._doubtful)} that failed their health checks only"
        if bound:
            return f"{none}; used all the same"
        closed = config.require_proxy_for_account_requests
        return f"{none}; refused, as a proxy is required" if closed else f"{none}; {DIRECT}"

    # -- what becomes of calls ----------------------------------------------------------------------------------

    def opened(self, route: str) -> None:
        """A call begins."""
        proxy = self._proxies.get(route)
        if proxy is not None:
            self._calls += 1
            proxy.in_flight, proxy.used = proxy.in_flight + 1, self._calls
            proxy.on_trial = proxy.call_failed
            if self._counts:
                self._count(proxy)

    def closed(self, route: str) -> None:
        """A call is over."""
        proxy = self._proxies.get(route)
        if proxy is not None:
            proxy.in_flight -= 1
            if self._counts:
                self._count(proxy)
            if proxy.on_trial:  # it showed nothing: the client left, or the gateway is shutting down
                proxy.on_trial = False
                self._sort_in(proxy)

    def _count(self, proxy: Proxy) -> None:
        for selection in (self._ready, self._doubtful):
            if proxy in selection:
                selection.changed(proxy)

    def failed(self, route: str, now: float) -> ProxyEvent | None:
        """A call could not be made through a proxy. Return what an operator wants to know of it."""
        proxy = self._proxies.get(route)
        if proxy is None:
            return None
        if proxy.call_failed and not (proxy.on_trial and proxy.retry_at <= now):
            return None  # calls that were under way together say it once
        was_healthy = proxy.healthy
        proxy.fail("a call through it failed", now)
        proxy.call_failed = True
        if proxy.retry_at < proxy.check_at < math.inf:
            self._plan_check(proxy, proxy.retry_at)
        return self._changed(proxy, now, was_healthy=was_healthy)

    def succeeded(self, route: str, called_at: float, now: float) -> ProxyEvent | None:
        """A provider answered a call of *called_at* through a proxy. One that began before the proxy failed went by a
        connection that stood already, and says nothing."""
        proxy = self._proxies.get(route)
        if proxy is None or not proxy.call_failed or called_at <= proxy.failed_at:
            return None
        proxy.call_failed = proxy.on_trial = False
        return self._changed(proxy, now, was_healthy=False)

    def _changed(self, proxy: Proxy, now: float, *, was_healthy: bool) -> ProxyEvent | None:
        """Act on what calls or checks have shown; return the news, if it is any."""
        if proxy.healthy and not was_healthy:
            proxy.recovered_at, proxy.reason = now, ""
        self._sort_in(proxy)
        if proxy.healthy == was_healthy:
            return None
        return ProxyEvent(proxy.config.id, healthy=proxy.healthy, at=now, reason=proxy.reason)

    # -- health checks ------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[CheckProxy]:
        """Return the health checks to be begun now."""
        config = self._config
        if self.deadline < math.inf and not self._begun:
            self._begun = True  # spread over the interval, so that they do not come all at once for ever
            for proxy in self._ranks:
                self._plan_check(proxy, now + config.health_check_interval * proxy.rank / len(self._ranks))
        checks = []
        while self._checks and self._checks[0][0] <= now:
            at, rank = heapq.heappop(self._checks)
            proxy = self._ranks[rank]
            if at == proxy.check_at:
                proxy.check_at, proxy.check_began = math.inf, now
                url, status = config.health_check_url, config.health_check_expected_status
                checks.append(CheckProxy(proxy.config.id, proxy.route, url, status, config.health_check_timeout))
        self.deadline = self._checks[0][0] if self._checks else math.inf
        return checks

    def checked(self, event: ProxyChecked, now: float) -> ProxyEvent | None:
        """The answer to a check. Return what an operator wants to know of it."""
        proxy = self._by_id.get(event.proxy)
        if proxy is None:
            return None
        was_healthy = proxy.healthy
        if event.healthy is None:
            pass
        elif not event.healthy:
            proxy.fail(event.detail or "a health check failed", now)
            proxy.check_failed = True
        elif proxy.check_began > proxy.failed_at:  # else a call failed meanwhile, and what the check saw is old
            proxy.call_failed = proxy.check_failed = proxy.on_trial = False
        interval = self._config.health_check_interval
        self._plan_check(proxy, now + (interval if proxy.healthy else min(interval, proxy.pause)))
        return self._changed(proxy, now, was_healthy=was_healthy)

    def _plan_check(self, proxy: Proxy, at: float) -> None:
        proxy.check_at = at
        heapq.heappush(self._checks, (at, proxy.rank))
        self.deadline = self._checks[0][0]
