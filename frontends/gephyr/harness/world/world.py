"""The world: one agenda, one seed, and the real gateway in the middle of simulated clients and providers."""

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import attrs

from gephyr.harness.world.clients import Clients, PlannedSession
from gephyr.harness.world.faults import host_mates, proxy_is_down
from gephyr.harness.world.invariants import Invariants
from gephyr.harness.world.laws import BrokenInvariantError
from gephyr.harness.world.provider import Call, Providers
from gephyr.harness.world.queue import Agenda
from gephyr.harness.world.settings import ClientSettings, Fault, PlannedChange, ProviderSettings
from gephyr.harness.world.trace import Trace
from gephyr_core import commands
from gephyr_core.commands import Command
from gephyr_core.computing import answer
from gephyr_core.config import Config
from gephyr_core.errors import Fault as Broken
from gephyr_core.events import (
    AdminChanged,
    ClientGone,
    Event,
    Loaded,
    ModelDescribed,
    ProxyChecked,
    RequestStarted,
    StateRestored,
    TimePassed,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
    UrlFetchFailed,
)
from gephyr_core.faults import raise_again
from gephyr_core.gateway import Gateway
from gephyr_core.http import media_type
from gephyr_core.records import Fact, Saved

EPOCH = 1_800_000_000.0
"""When every scenario begins, seconds since the epoch: 2027-01-15 08:00 UTC."""
_INSPECTION = 0.5
"""Seconds between two looks at every open request."""
_STUCK = 1000
"""Steps at one deadline after which time is said to stand still."""
_COLLECT_AFTER = 50_000
"""Objects made before the young ones are looked at."""
_OLD_AFTER = 100
"""Looks at the middle-aged before one at the old."""
_READABLE = (b"application/json", b"text/event-stream")
"""Media types of replies that can be what was asked for."""
_ABOUT_THE_HOST = (Broken.CONNECT, Broken.TLS)
"""What breaks calls of all accounts of a host, and has them all left alone."""
_CHECK_SECONDS = 0.1
"""What a proxy's health check takes."""


@attrs.frozen
class Violation:
    """An invariant that was broken. The same scenario and seed break it again."""

    rule: str
    detail: str
    seed: int
    at: float
    """Seconds of the scenario."""
    latest: tuple[str, ...]
    """The last events and commands, the oldest first."""


@attrs.frozen
class Outcome:
    """What a run came to."""

    seed: int
    trace_hash: str
    violations: tuple[Violation, ...]
    """At most one: it stops the run."""
    requests: int
    """Client requests, retries included."""
    calls: int
    """Calls to providers."""
    virtual_seconds: float
    limit_violations: Mapping[str, int]
    """By account: requests that a provider's own limits refused."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    token_refreshes: int
    saved: Sequence[Saved]
    """What the gateway wanted kept, the latest of each kind and identity left to the reader. Bounded."""


_MOST_SAVED = 100_000


class World:
    """One run. Made once, run once."""

    def __init__(
        self,
        config: Config,
        providers: Mapping[str, ProviderSettings],
        faults: Sequence[Fault],
        sessions: Iterator[PlannedSession],
        seed: int,
        on_fact: Callable[[Fact], None],
        trace: Callable[[bytes], None] | None = None,
        clients: ClientSettings | None = None,
    ) -> None:
        """*providers* are by account id; *sessions* come in the order of their start. *on_fact* gets what the gateway
        observes, *trace* every event and command as a line of JSON. Raises ``ValueError`` for an account without a
        provider."""
        self._seed = seed
        self._agenda = Agenda(EPOCH)
        # Each part has chance of its own: another provider's pace does not change who asks when.
        self._gateway = Gateway(config, random.Random(f"gateway {seed}"), on_fault=raise_again)
        self._providers = Providers(
            config, providers, tuple(faults), self._agenda, self._feed, random.Random(f"providers {seed}")
        )
        self._clients = Clients(
            sessions,
            clients or ClientSettings(),
            config.auth,
            self._agenda,
            self._feed,
            random.Random(f"clients {seed}"),
        )
        self._invariants = Invariants(config, self._gateway)
        self._laws = self._invariants.laws
        for account in config.accounts:
            settings = providers[account.id]
            if settings.hints == "full" and (settings.requests_per_minute or settings.tokens_per_minute):
                self._invariants.troubled(account.id)  # what its headers say may hold it back
        self._trace = Trace((account.id for account in config.accounts), trace)
        self._take, self._receive = self._trace.take, self._gateway.receive
        self._proxy_faults = tuple(fault for fault in faults if fault.kind == "proxy_down")
        self._accounts = {account.id: account for account in config.accounts}
        self._host_mates = host_mates(config)
        self._on_fact = on_fact
        self._calls: dict[int, Call] = {}
        self._saved: list[Saved] = []

    def run(
        self,
        until: float,
        progress: Callable[[float], None] | None = None,
        changes: Sequence[PlannedChange] = (),
    ) -> Outcome:
        """Play until *until* (seconds of the scenario), and then until what was begun has ended. *progress* is told the
        time now and then; *changes* are what the operator does."""
        violations: tuple[Violation, ...] = ()
        try:
            with _rare_collections():
                self._feed(StateRestored())
                self._agenda.add(EPOCH, self._inspect, (until, progress))
                for change in changes:
                    self._agenda.add(EPOCH + change.at, self._change, change)
                self._play(EPOCH + until)
                self._invariants.leases()
        except BrokenInvariantError as broken:
            at = self._agenda.now - EPOCH
            violations = (Violation(broken.rule, broken.detail, self._seed, at, self._trace.latest()),)
        counts = self._providers.counts
        return Outcome(
            seed=self._seed,
            trace_hash=self._trace.digest(),
            violations=violations,
            requests=self._clients.requests,
            calls=counts.calls,
            virtual_seconds=self._agenda.now - EPOCH,
            limit_violations=counts.over_limit,
            input_tokens=counts.input_tokens,
            cached_tokens=counts.cached_tokens,
            output_tokens=counts.output_tokens,
            token_refreshes=self._providers.tokens.refreshes,
            saved=self._saved,
        )

    def _play(self, end: float) -> None:
        agenda, gateway, clients, stuck = self._agenda, self._gateway, self._clients, 0
        while True:
            deadline, planned = gateway.deadline, agenda.next_at
            soonest = min(deadline, planned)
            if soonest > end and not clients.open:
                break
            clients.closed = soonest > end
            if planned < deadline:  # at the same moment the gateway hears of the time first: so nobody sees it late
                agenda.step()
                stuck = 0
                continue
            stuck = stuck + 1 if deadline <= agenda.now else 0
            if stuck > _STUCK:
                raise BrokenInvariantError("time moves forward", f"the deadline {deadline:.6f} is never over")
            agenda.now = max(agenda.now, deadline)
            self._feed(TimePassed())
        agenda.now = max(agenda.now, end)

    def _inspect(self, run: tuple[float, Callable[[float], None] | None]) -> None:
        until, progress = run
        now = self._agenda.now
        self._invariants.inspect(self._clients.open, now)
        if progress is not None:
            progress(min(now - EPOCH, until))
        if now <= EPOCH + until or self._clients.open:  # so whoever is open is looked at again
            self._agenda.add(now + _INSPECTION, self._inspect, run)

    def _change(self, change: PlannedChange) -> None:
        """The operator does something: accounts are in service, or out of it."""
        for name, account in self._accounts.items():
            for patterns, enabled in ((change.enable, True), (change.disable, False)):
                if any(fnmatchcase(name, pattern) for pattern in patterns):
                    self._accounts[name] = attrs.evolve(account, enabled=enabled)
            if not self._accounts[name].enabled:
                self._invariants.disabled(name)
        self._feed(AdminChanged(tuple(self._accounts.values())))

    # -- one step -----------------------------------------------------------------------------------------------

    def _feed(self, event: Event) -> None:
        """Have the gateway take an event, and perform what it wants. What comes of that is planned, never fed at once:
        the gateway is not entered twice."""
        now, take, perform = self._agenda.now, self._take, _PERFORM
        take(now, event)
        watch = _WATCH.get(type(event))
        if watch is not None:
            watch(self, event)
        try:
            wanted = self._receive(event, now)
        except Exception as error:
            raise BrokenInvariantError("a peer's fault is no exception", f"{type(error).__name__}: {error}") from error
        for command in wanted:
            take(now, command)
            perform[type(command)](self, command)
        if type(event) is ClientGone:
            self._laws.gone(event.exchange)
        self._invariants.stepped()

    def _begun(self, event: RequestStarted) -> None:
        self._laws.begun(event.exchange)

    def _answered(self, event: UpstreamStarted) -> None:
        odd = event.status >= 400 or media_type(event.headers) not in _READABLE
        if odd and (call := self._calls.get(event.exchange)) is not None:
            self._invariants.troubled(call.account)

    def _call_over(self, event: UpstreamEnded | UpstreamFailed) -> None:
        call = self._calls.pop(event.exchange, None)
        self._invariants.call_over(event.exchange, event.attempt, well=type(event) is UpstreamEnded)
        if call is not None and type(event) is UpstreamFailed and event.fault in _ABOUT_THE_HOST:
            for name in self._host_mates[call.account]:
                self._invariants.troubled(name)

    # -- performing ---------------------------------------------------------------------------------------------

    def _read_body(self, command: commands.ReadBody) -> None:
        self._clients.read_body(command.exchange)

    def _start_response(self, command: commands.StartResponse) -> None:
        self._laws.head(command)
        request = self._clients.open.get(command.exchange)
        if request is not None:
            request.status, request.headers = command.status, command.headers

    def _send_body(self, command: commands.SendBody) -> None:
        self._laws.body(command.exchange, len(command.data))

    def _end_response(self, command: commands.EndResponse) -> None:
        self._laws.ended(command.exchange, aborted=False)
        self._clients.ended(command.exchange, cut_off=False)

    def _abort_response(self, command: commands.AbortResponse) -> None:
        self._laws.ended(command.exchange, aborted=True)
        self._clients.ended(command.exchange, cut_off=True)

    def _call_upstream(self, command: commands.CallUpstream) -> None:
        exchange = command.exchange
        request = self._clients.open.get(exchange)
        if request is None:
            raise BrokenInvariantError("nobody is called for who left", f"exchange {exchange}")
        session, turn = request.session.plan, request.turn
        now = self._agenda.now
        self._invariants.called(exchange, command.attempt, command.account, session.model, now)
        self._calls[exchange] = self._providers.call(command, session.session, turn.input_tokens, turn.output_tokens)

    def _cancel_upstream(self, command: commands.CancelUpstream) -> None:
        self._invariants.cancelled(command.exchange, command.attempt)
        self._providers.cancel(self._calls.pop(command.exchange))

    def _detach_upstream(self, command: commands.DetachUpstream) -> None:
        self._invariants.detached(command.exchange, command.attempt)
        self._providers.cancel(self._calls.pop(command.exchange))

    def _refresh_token(self, command: commands.RefreshToken) -> None:
        self._providers.tokens.refresh(command)

    def _check_proxy(self, command: commands.CheckProxy) -> None:
        self._agenda.add(self._agenda.now + _CHECK_SECONDS, self._proxy_checked, command.proxy)

    def _proxy_checked(self, proxy: str) -> None:
        down = proxy_is_down(self._proxy_faults, proxy, self._agenda.now - EPOCH)
        self._feed(ProxyChecked(proxy, not down, "simulated" if down else ""))

    def _save(self, command: commands.Save) -> None:
        if len(self._saved) < _MOST_SAVED:
            self._saved.append(command.record)

    def _observe(self, command: commands.Observe) -> None:
        self._on_fact(command.fact)

    def _fetch_url(self, command: commands.FetchUrl) -> None:
        self._later(UrlFetchFailed(command.exchange, command.question, "nothing can be fetched here"))

    def _load(self, command: commands.Load) -> None:
        self._later(Loaded(command.exchange, command.question, None))

    def _compute(self, command: commands.Compute) -> None:
        self._later(answer(command))

    def _describe_model(self, command: commands.DescribeModel) -> None:
        self._later(ModelDescribed(command.account, command.model, 0, b""))

    def _nothing(self, command: Command) -> None:
        """There is nobody to do it here."""

    def _later(self, event: Event) -> None:
        self._agenda.add(self._agenda.now, self._feed, event)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Have garbage collected less often: a run makes many objects that live long, and few cycles among them. Looking
    at all of them again and again took a quarter of its time."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, before[1], _OLD_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


_WATCH: dict[type[Event], Callable[[World, Any], None]] = {
    RequestStarted: World._begun,
    UpstreamStarted: World._answered,
    UpstreamEnded: World._call_over,
    UpstreamFailed: World._call_over,
}
_PERFORM: dict[type[Command], Callable[[World, Any], None]] = {
    commands.ReadBody: World._read_body,
    commands.StartResponse: World._start_response,
    commands.SendBody: World._send_body,
    commands.EndResponse: World._end_response,
    commands.AbortResponse: World._abort_response,
    commands.CallUpstream: World._call_upstream,
    commands.CancelUpstream: World._cancel_upstream,
    commands.DetachUpstream: World._detach_upstream,
    commands.CollectMetrics: World._nothing,
    commands.FetchUrl: World._fetch_url,
    commands.Load: World._load,
    commands.Compute: World._compute,
    commands.CancelQuestions: World._nothing,
    commands.DescribeModel: World._describe_model,
    commands.RefreshToken: World._refresh_token,
    commands.CheckProxy: World._check_proxy,
    commands.Save: World._save,
    commands.Observe: World._observe,
    commands.StopServing: World._nothing,
}
