"""Bookkeeping of one's own about a gateway: whether the rules of scheduling held, told from events and commands."""

import json
import math
from collections.abc import Sequence

from gephyr_core.commands import CallUpstream, CancelUpstream, Command, DetachUpstream, RefreshToken
from gephyr_core.config import Config
from gephyr_core.errors import Fault
from gephyr_core.events import Event, TokenRefreshed, TokenRefreshFailed, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.exchange import Exchange
from gephyr_core.gateway import Gateway
from gephyr_core.http import Origin
from gephyr_core.scheduling.bindings import BindingChange
from gephyr_core.scheduling.pool import Pool
from gephyr_core.scheduling.windows import SPAN

NEVER = -math.inf


class Auditor:
    """Watches one gateway, and raises ``AssertionError`` at the first breach of a rule."""

    def __init__(self, gateway: Gateway, config: Config) -> None:
        self.gateway, self.scheduler = gateway, gateway.scheduler
        self.settings = {account.id: account for account in config.accounts}
        self.compliance = config.compliance.in_force
        self.calls: list[tuple[float, str]] = []
        self.live: dict[int, str] = {}
        """Exchange to the account that is called."""
        self.stated: dict[tuple[str, str], float] = {}
        """Account and model to the time that a provider asked to stay away until."""
        self.out: dict[str, str] = {}
        """Accounts that may not be called, and why."""
        self.refreshing: dict[str, float] = {}
        """Accounts that are being refreshed, with the time by which the answer is promised."""
        self.origins: dict[int, Origin] = {}
        """Exchange to the host that was called last."""
        self.dead: dict[Origin, tuple[int, float]] = {}
        """Hosts to which no connection could be made, each with the exchange that tries it (0: none) and until when."""
        self.bound: dict[str, str] = {}
        self.events_read = 0
        self._waiting: dict[int, list[tuple[Pool, int]]] = {}

    def before(self) -> None:
        """Remember who waits, before an event is told."""
        places = self.scheduler.queue.places
        self._waiting = {number: [(pool, pool.waiters[number]) for pool in pools] for number, pools in places.items()}

    def after(self, event: Event, commands: Sequence[Command], now: float) -> None:
        """Check what an event led to."""
        if isinstance(event, UpstreamStarted | UpstreamEnded | UpstreamFailed):
            self._hosts_are_tried_one_at_a_time(event)
        if isinstance(event, UpstreamEnded | UpstreamFailed):
            self.live.pop(event.exchange, None)
        if isinstance(event, TokenRefreshed | TokenRefreshFailed):
            self.refreshing.pop(event.account, None)
        for command in commands:
            match command:
                case CancelUpstream(exchange=exchange) | DetachUpstream(exchange=exchange):
                    del self.live[exchange]
                    self._probe_over(exchange)
                case CallUpstream():
                    self._called(command, now)
                case RefreshToken(account=name, timeout=timeout):
                    assert name not in self.refreshing, "one refresh at a time"
                    self.refreshing[name] = now + timeout
        self._nothing_is_exceeded(now)
        self._bindings_follow_the_rules()
        assert self.gateway.open_leases == len(self.live)
        assert all(account.view.in_flight >= 0 for account in self.scheduler.accounts.values())
        if self.gateway.deadline > now:
            self._nobody_waits_in_vain(now)

    # -- calls --------------------------------------------------------------------------------------------------

    def _called(self, call: CallUpstream, now: float) -> None:
        name = call.account
        self.live[call.exchange] = name
        self.origins[call.exchange] = call.origin
        if call.origin in self.dead:
            exchange, until = self.dead[call.origin]
            assert exchange in {0, call.exchange} or until <= now, f"{call.origin} is tried by two calls at a time"
            if not exchange:
                self.dead[call.origin] = (call.exchange, now + call.limits.connect)
        self.calls.append((now, name))
        assert name not in self.out, f"{name} was called although {self.out[name]}"
        model = json.loads(call.body)["model"]
        assert self.stated.get((name, model), NEVER) <= now, f"{name} asked not to be called for {model}"
        if call.attempt == 1 or call.exchange in self._waiting:
            self._nobody_was_overtaken(call, model, now)

    def _nobody_was_overtaken(self, call: CallUpstream, model: str, now: float) -> None:
        """Who came first, still waits, and could have been served by that account?"""
        own = min((ticket for _, ticket in self._waiting.get(call.exchange, ())), default=math.inf)
        taker = self.gateway._exchanges[call.exchange]
        for number, places in self._waiting.items():
            other = self.gateway._exchanges.get(number)
            if other is None or number not in self.scheduler.queue.places or number == call.exchange:
                continue
            for pool, ticket in places:
                account = self.scheduler.accounts.get(call.account)
                if pool.model != model or account is None or not pool.holds(account) or ticket > own:
                    continue
                if pool not in self.scheduler.queue.places[number]:
                    continue  # it waits for the session's own account now
                if (
                    account not in self._passed_over(other, pool, now)
                    and other.itinerary.search.tokens <= taker.itinerary.search.tokens
                ):
                    raise AssertionError(f"at {now} {call.exchange} overtook {number} at {call.account}")

    def _nothing_is_exceeded(self, now: float) -> None:
        recent = [name for at, name in self.calls if at + SPAN > now]
        rails = self.compliance
        if rails.max_global_requests_per_minute is not None:
            assert len(recent) <= rails.max_global_requests_per_minute
        busy = list(self.live.values())
        for name, settings in self.settings.items():
            limits = [settings.requests_per_minute, rails.max_account_requests_per_minute]
            assert all(recent.count(name) <= limit for limit in limits if limit is not None), f"window of {name}"
            places = [settings.max_concurrency, rails.max_account_concurrency]
            assert all(busy.count(name) <= limit for limit in places if limit is not None), f"places of {name}"

    def _hosts_are_tried_one_at_a_time(self, event: UpstreamStarted | UpstreamEnded | UpstreamFailed) -> None:
        origin = self.origins.get(event.exchange)
        if origin is None or event.exchange not in self.live:
            return
        if isinstance(event, UpstreamStarted):
            self.dead.pop(origin, None)
            return
        if isinstance(event, UpstreamFailed) and event.fault in {Fault.CONNECT, Fault.TLS}:
            self.dead.setdefault(origin, (0, 0.0))
        self._probe_over(event.exchange)

    def _probe_over(self, exchange: int) -> None:
        for origin, (tried_by, _) in list(self.dead.items()):
            if tried_by == exchange:
                self.dead[origin] = (0, 0.0)

    # -- who waits ----------------------------------------------------------------------------------------------

    def _nobody_waits_in_vain(self, now: float) -> None:
        if self.scheduler.held(now) is not None:
            return
        for number, pools in self.scheduler.queue.places.items():
            exchange = self.gateway._exchanges[number]
            for pool in pools:
                for account in pool.accounts:
                    if account not in self._passed_over(exchange, pool, now):
                        block = account.block(pool.model, exchange.itinerary.search.tokens, now)
                        assert block is not None, f"{number} waits while {account.id} is free"

    def _passed_over(self, exchange: Exchange, pool: Pool, now: float) -> list[object]:
        """Accounts that failed the request before, or its session twice in a row."""
        search = exchange.itinerary.search
        avoided = search.avoids.get(pool.model)
        if avoided is None:
            avoided = self.scheduler.learning.avoidance.avoided(search.who, pool.model, now)
        if search.cleared_estimates:
            avoided = []
        return [
            *tried(exchange, pool),
            *search.unreachable,
            *(account for account in pool.accounts if account.id in avoided),
        ]

    # -- bindings -----------------------------------------------------------------------------------------------

    def _bindings_follow_the_rules(self) -> None:
        events = list(self.gateway.binding_events)
        for event in events[self.events_read :]:
            bound = self.bound.get(event.session)
            match event.change:
                case BindingChange.BOUND:
                    assert bound is None, "a session is let go before it is bound anew"
                    self.bound[event.session] = event.account
                case BindingChange.REUSED | BindingChange.KEPT_FOR_A_SHORT_WAIT:
                    assert bound == event.account
                case BindingChange.FALLBACK_USED:
                    assert bound not in {None, event.account}
                case _:
                    assert self.bound.pop(event.session) == event.account
            if event.change in {BindingChange.KEPT_FOR_A_SHORT_WAIT, BindingChange.FALLBACK_USED}:
                assert event.reason, "what stood in the way is told"
        self.events_read = len(events)
        kept = self.scheduler.bindings.accounts()
        assert kept == self.bound


def tried(exchange: Exchange, pool: Pool) -> list[object]:
    """Accounts that failed the request before, where *pool* is asked."""
    return [
        account
        for where, account in exchange.itinerary.tried
        if where is None
        or any(leg.target == where and exchange.shared.pool(leg) is pool for leg in exchange.itinerary.legs)
    ]
