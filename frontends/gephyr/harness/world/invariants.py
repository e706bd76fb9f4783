"""What must hold at every step of a run, counted anew from events and commands, apart from the gateway's own books."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import attrs

from gephyr.harness.world.clients import Request
from gephyr.harness.world.laws import BrokenInvariantError, Laws
from gephyr_core.config import AccountConfig, Config
from gephyr_core.gateway import Gateway
from gephyr_core.scheduling.bindings import BindingChange, BindingEvent

_SPAN = 60.0
_SMALL_POOL = 32
"""Accounts up to which leases are counted at every step; the gateway's own count takes time with each account."""
_LEASES_EVERY = 5.0
"""Seconds between two counts in a larger pool."""
_SLACK = 60.0
_ENDS = (
    BindingChange.RELEASED_FOR_A_LONG_WAIT,
    BindingChange.RELEASED_MISSING,
    BindingChange.RELEASED_FAILING,
    BindingChange.EXPIRED,
)


@attrs.define(eq=False)
class _Limits:
    """One account, as the configuration limits it."""

    requests: int | None
    concurrency: int | None
    starts: deque[float]
    in_flight: int = 0
    troubled: bool = False
    """It failed, or may be held back for what its provider or its configuration says."""
    models: dict[str, None] = attrs.field(factory=dict)
    """Models it was seen to serve."""


class Invariants:
    """Watches one gateway. Every method raises :class:`BrokenInvariantError` at the first breach."""

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.laws = Laws()
        self._gateway = gateway
        self._binding_events = gateway.binding_events  # one list for good, to which the latest are added
        self._mode = config.scheduling.mode
        most = config.compliance.in_force.max_global_requests_per_minute
        self._all = _Limits(most, None, deque(maxlen=most or 1))
        self._accounts = {account.id: _limits_of(account, config) for account in config.accounts}
        self._mates = _mates_of(config.accounts)
        self._bound: dict[str, str] = {}
        self._last_binding: BindingEvent | None = None
        attempts = config.upstream.max_attempts
        self.longest = (config.upstream.total_timeout + config.scheduling.acquire_timeout + 2.0) * attempts + _SLACK
        """Seconds that an exchange may take at most."""
        self._counts_leases = len(config.accounts) <= _SMALL_POOL
        self._leases_counted_at = -math.inf

    def called(self, exchange: int, attempt: int, account: str, model: str, now: float) -> None:
        """A provider is called: is there room for it?"""
        self.laws.called(exchange, attempt, account)
        one = self._accounts[account]
        _start(self._all, "all accounts together", now)
        _start(one, account, now)
        one.in_flight += 1
        if one.concurrency is not None and one.in_flight > one.concurrency:
            raise BrokenInvariantError("concurrency", f"{account} has {one.in_flight} calls, {one.concurrency} allowed")
        one.models[model] = None

    def call_over(self, exchange: int, attempt: int, *, well: bool) -> None:
        """A call ended or failed."""
        account = self.laws.call_over(exchange, attempt)
        if account is not None:
            self._accounts[account].in_flight -= 1
            if not well:
                self.troubled(account)

    def cancelled(self, exchange: int, attempt: int) -> None:
        """A call was given up: by the client's leaving or for its slowness."""
        account = self.laws.given_up(exchange, attempt)
        self._accounts[account].in_flight -= 1
        self.troubled(account)

    def detached(self, exchange: int, attempt: int) -> None:
        """A call's reply is over before the call."""
        account = self.laws.given_up(exchange, attempt)
        self._accounts[account].in_flight -= 1

    def troubled(self, account: str) -> None:
        """From now on nobody expects the account to be asked, nor one that shares its organisation's quota."""
        for name in self._mates[account]:
            self._accounts[name].troubled = True

    def disabled(self, account: str) -> None:
        """The operator takes an account out of service."""
        self._accounts[account].troubled = True
        self.laws.removed(account)

    # -- at every step ------------------------------------------------------------------------------------------

    def stepped(self) -> None:
        """The gateway took an event, and all its commands were performed."""
        events = self._binding_events
        if events and events[-1] is not self._last_binding:
            for event in self._new(events):
                self._binding(event)
            self._last_binding = events[-1]
        if self._counts_leases:
            self.leases()

    def leases(self) -> None:
        """Each lease is out for one call, and each call has one.

        The gateway's count may leave out the leases of accounts that are no longer in its pool.
        """
        out, live = self._gateway.open_leases, self.laws.live_calls
        if not live - self.laws.orphans <= out <= live:
            raise BrokenInvariantError("a lease is released exactly once", f"{out} leases are out for {live} calls")

    def _new(self, events: Sequence[BindingEvent]) -> Iterator[BindingEvent]:
        found: list[BindingEvent] = []
        for event in reversed(events):
            if event is self._last_binding:
                break
            found.append(event)
        return reversed(found)

    def _binding(self, event: BindingEvent) -> None:
        held = self._bound.get(event.session)
        if event.change is BindingChange.BOUND:
            right = held is None
            self._bound[event.session] = event.account
        elif event.change in _ENDS:
            right = held == event.account
            self._bound.pop(event.session, None)
        elif event.change is BindingChange.FALLBACK_USED:
            right = held is not None and held != event.account
        else:
            right = held == event.account
        if not right:
            detail = f"session {event.session} is bound to {held}, and then: {event.change.value} {event.account}"
            raise BrokenInvariantError("a binding changes by the rules", detail)

    # -- now and then -------------------------------------------------------------------------------------------

    def inspect(self, requests: dict[int, Request], now: float) -> None:
        """Look at every open request: does it end, and is anybody free for it?"""
        if self._leases_counted_at + _LEASES_EVERY <= now:
            self._leases_counted_at = now
            self.leases()
        oldest = next(iter(requests.values()), None)
        if oldest is not None and oldest.since + self.longest < now:
            detail = f"exchange {oldest.exchange} is open for {now - oldest.since:.0f} s"
            raise BrokenInvariantError("every exchange ends", detail)
        if self._mode == "cache_first" or _is_full(self._all, now):
            return
        for request in requests.values():
            if request.asked and self.laws.waits(request.exchange):
                self._is_not_starved(request, now)

    def _is_not_starved(self, request: Request, now: float) -> None:
        model, tried = request.session.plan.model, self.laws.tried(request.exchange)
        for name, one in self._accounts.items():
            if one.troubled or name in tried or model not in one.models or _is_full(one, now):
                continue
            detail = f"exchange {request.exchange} waits for {model} since {request.since:.3f}, and {name} is free"
            raise BrokenInvariantError("no waiter starves while an eligible account is free", detail)


def _limits_of(account: AccountConfig, config: Config) -> _Limits:
    compliance = config.compliance.in_force
    requests = _least(account.requests_per_minute, compliance.max_account_requests_per_minute)
    concurrency = _least(account.max_concurrency, compliance.max_account_concurrency)
    limits = _Limits(requests, concurrency, deque(maxlen=requests or 1))
    limits.troubled = bool(account.tokens_per_minute or account.oauth or account.service_account)
    return limits


def _mates_of(accounts: Iterable[AccountConfig]) -> dict[str, list[str]]:
    """Return the accounts of each account's organisation, by the account's id."""
    organizations: dict[tuple[str, str], list[str]] = {}
    mates = {}
    for account in accounts:
        name = (account.provider, account.organization or f"account {account.id}")
        mates[account.id] = organizations.setdefault(name, [])
        mates[account.id].append(account.id)
    return mates


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _start(limits: _Limits, name: str, now: float) -> None:
    if limits.requests is None:
        return
    if _is_full_of_starts(limits, now):
        raise BrokenInvariantError("requests per minute", f"{name}: {limits.requests} allowed, one more is called")
    limits.starts.append(now)


def _is_full_of_starts(limits: _Limits, now: float) -> bool:
    return len(limits.starts) == limits.requests and limits.starts[0] + _SPAN > now


def _is_full(limits: _Limits, now: float) -> bool:
    busy = limits.concurrency is not None and limits.in_flight >= limits.concurrency
    return busy or _is_full_of_starts(limits, now)
