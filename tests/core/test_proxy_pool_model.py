"""The pool against a naive model: whatever calls and checks show, a route is one that the rules allow."""

import math
import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gephyr_core.commands import CheckProxy
from gephyr_core.config import ProxyPoolConfig
from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.events import ProxyChecked
from gephyr_core.outbound.proxy_pool import ProxyPool

NAMES = ("x", "y", "z")
ACCOUNTS = ("a", "b", "c")
OWN = ("", "", "pool:x", "pool:y", "proxy:own")
STRATEGIES = ("round_robin", "random", "priority", "least_connections", "weighted_round_robin")


class Pool(RuleBasedStateMachine):
    """Calls, checks and bindings in any order. The model keeps who is bound, what failed, and what is under way."""

    @initialize(
        strategy=st.sampled_from(STRATEGIES),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
        app=st.sampled_from(("", "proxy:app")),
        own=st.tuples(*(st.sampled_from(OWN) for _ in ACCOUNTS)),
        priorities=st.tuples(*(st.integers(-2, 5) for _ in NAMES)),
    )
    def begin(
        self,
        strategy: Any,
        flags: tuple[bool, ...],
        app: str,
        own: tuple[str, ...],
        priorities: tuple[int, ...],
    ) -> None:
        self.shared, self.required, self.failover, checks = flags
        self.config = ProxyPoolConfig(
            enabled=True,
            strategy=strategy,
            allow_shared_proxy_fallback=self.shared,
            require_proxy_for_account_requests=self.required,
            auto_failover=self.failover,
            health_check_url="http://check.test/" if checks else "",
            proxies=tuple(
                ProxyConfig(id=name, url=f"pool:{name}", priority=priority)
                for name, priority in zip(NAMES, priorities, strict=True)
            ),
        )
        self.app, self.own = app, dict(zip(ACCOUNTS, own, strict=True))
        self.pool = ProxyPool(self.config, self.own.items(), app, random.Random(3))
        self.now = 1000.0
        self.unwell: dict[str, bool] = {}
        """Routes that failed, by whether it was a call that did."""
        self.calls: list[tuple[str, float]] = []
        self.open_checks: list[CheckProxy] = []

    @rule(seconds=st.sampled_from((0.0, 0.5, 5.0, 60.0, 400.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(account=st.sampled_from(ACCOUNTS), avoiding=st.lists(st.sampled_from(("pool:x", "pool:y", "proxy:app"))))
    def call(self, account: str, avoiding: list[str]) -> None:
        route = self.pool.choose(account, self.now, avoiding)
        own = self.own[account]
        free = {f"pool:{name}" for name in NAMES if self.shared or f"pool:{name}" not in self.own.values()}
        shunned = set(avoiding) if self.failover else set()
        well = {one for one in free if one not in self.unwell or not self.failover} - shunned
        if own and (not self.failover or (own not in self.unwell and own not in shunned)):
            assert route == own
        elif well:
            assert route in {*free, own}
            assert route in well or route in self.unwell, "another is taken only on trial"
        if route is None:
            assert self.required
            assert not own
        if route == "direct":
            assert not own
            assert not self.required
        if route is None or route == "direct":
            assert not well
            assert not self.app or self.app in shunned
        elif route not in {own, self.app}:
            assert route in free - shunned
        if route is not None:
            self.pool.opened(route)
            self.calls.append((route, self.now))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), end=st.sampled_from(("answered", "failed", "cancelled")))
    def end_call(self, data: st.DataObject, end: str) -> None:
        route, began = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        known = route.startswith("pool:") or route in self.own.values()
        event = None
        if end == "failed":
            event = self.pool.failed(route, self.now)
            assert (event is not None) == (known and route not in self.unwell)
            if known:
                self.unwell[route] = True
        elif end == "answered":
            event = self.pool.succeeded(route, began, self.now)
            if event is not None:
                assert self.unwell.pop(route), "a call excuses no failed check"
        assert event is None or event.proxy == route.removeprefix("pool:")
        self.pool.closed(route)

    @rule()
    def check(self) -> None:
        due = self.pool.due(self.now)
        assert not due or self.config.health_check_url
        self.open_checks += due
        assert len({check.proxy for check in self.open_checks}) == len(self.open_checks), "one for a proxy at a time"
        assert self.pool.deadline > self.now

    @precondition(lambda self: self.open_checks)
    @rule(healthy=st.booleans())
    def end_check(self, *, healthy: bool) -> None:
        check = self.open_checks.pop(0)
        event = self.pool.checked(ProxyChecked(check.proxy, healthy), self.now)
        if not healthy:
            assert (event is not None) == (check.route not in self.unwell)
            self.unwell.setdefault(check.route, False)
        elif event is not None:
            del self.unwell[check.route]
        assert self.pool.deadline < math.inf

    @rule(account=st.sampled_from(ACCOUNTS), route=st.sampled_from(OWN))
    def bind(self, account: str, route: str) -> None:
        self.pool.bind(account, "")
        self.own[account] = ""
        if "proxy:own" not in self.own.values():
            self.unwell.pop("proxy:own", None)
        self.pool.bind(account, route)
        self.own[account] = route

    @invariant()
    def everybody_is_told_something(self) -> None:
        for account in ACCOUNTS:
            assert self.pool.why(account)


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
