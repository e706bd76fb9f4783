"""The service: one gateway with everything around it, assembled. Every front end starts from here."""

import random
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.computing import Computer, Threads
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.credentials import strip_credentials
from gephyr.runtime.driver import Driver
from gephyr.runtime.errands import Errands
from gephyr.runtime.fetching import FetchesNothing, SocketFetcher, UrlFetcher
from gephyr.runtime.live_accounts import LiveAccounts
from gephyr.runtime.memory import MemoryReturn, system_trim
from gephyr.runtime.observers import Observers
from gephyr.runtime.ports import UpstreamPort
from gephyr.runtime.proxy_checks import ProxyCheck
from gephyr.runtime.questions import Questions
from gephyr.runtime.store import Store
from gephyr.runtime.store_tokens import TokenStore
from gephyr.runtime.tokens import TokenEndpoint, TokenRefresh
from gephyr.runtime.upstream import KeepAlive, SocketUpstream
from gephyr_core.config import Config
from gephyr_core.dialects import DIALECTS
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.events import DrainRequested, StateRestored
from gephyr_core.gateway import Gateway
from gephyr_core.http import Headers
from gephyr_core.records import AccountState, Binding, Cooldown, Pin, RememberedReasoning, Saved, StoredObject
from gephyr_core.routing.asking import dialect_of_client

_COME_BACK = 1.0
"""Seconds until a connection that was too many may be one no more."""


class RecordStore(Protocol):
    """What the service needs of :class:`gephyr.runtime.store.Store`."""

    @property
    def tokens(self) -> TokenStore:
        """Where the accounts' OAuth tokens are kept."""

    def load_pins(self, now: float) -> Sequence[Pin]:
        """Return what an earlier process kept."""

    def load_bindings(self, now: float) -> Sequence[Binding]:
        """Return the sessions' accounts, the longest unused first."""

    def load_states(self) -> Sequence[AccountState]:
        """Return the accounts that are out of service."""

    def load_enabled(self) -> Sequence[AccountState]:
        """Return the accounts that the operator put back into service, each with the time of the latest command."""

    def load_cooldowns(self, now: float) -> Sequence[Cooldown]:
        """Return when providers said to come back."""

    def load_reasoning(self, now: float) -> Sequence[RememberedReasoning]:
        """Return what is remembered of reasoning, the oldest first."""

    def forget_reasoning(self) -> None:
        """Remove what is remembered of reasoning."""

    def save(self, record: Saved) -> None:
        """Queue a record for writing."""

    async def load(self, owner: str, object_id: str) -> StoredObject | None:
        """Return the owner's object of this id, if there is one and it has not expired."""

    def close(self, timeout: float = 5.0) -> None:
        """Write what is queued and let go."""


class Service:
    """A gateway ready to serve. Belongs to the running event loop."""

    def __init__(  # noqa: PLR0913 (each is a part of its own, and most have a default)
        self,
        config: Config,
        *,
        upstream: UpstreamPort,
        store: RecordStore,
        observers: Observers,
        clock: Callable[[], float],
        on_stop: Callable[[], None] = lambda: None,
        fetcher: UrlFetcher | None = None,
        errands: Errands | None = None,
        computer: Computer | None = None,
    ) -> None:
        """*on_stop* is called once, when draining is over. Without a *fetcher*, URLs are not fetched; without a
        *computer*, jobs are done at once."""
        self.config = config
        self.upstream = upstream
        self.observers = observers
        self._store = store
        self._live: LiveAccounts | None = None
        self._gateway = Gateway(config, random.Random(secrets.randbits(128)))
        self.questions = Questions(fetcher or FetchesNothing(), store, upstream, computer)
        self.errands = errands or Errands()
        self.driver = Driver(
            self._gateway,
            upstream=upstream,
            observer=observers,
            store=store,
            questions=self.questions,
            errands=self.errands,
            clock=clock,
            on_stop=on_stop,
        )
        observers.add_gauge(
            "gephyr_open_exchanges", "Requests being served.", lambda: float(self._gateway.open_exchanges)
        )
        observers.add_gauge(
            "gephyr_open_leases", "Calls to providers under way.", lambda: float(self._gateway.open_leases)
        )
        observers.add_gauge(
            "gephyr_buffered_bytes",
            "Bytes of requests, whole replies and preludes that are held.",
            lambda: float(self._gateway.buffered_bytes),
        )
        self._memory = MemoryReturn(lambda: self._gateway.released_bytes, system_trim())
        self.driver.feed(self._restored(clock()))

    def _restored(self, now: float) -> StateRestored:
        store, remembers = self._store, self.config.translation.remember_reasoning
        if not remembers:
            store.forget_reasoning()
        return StateRestored(
            pins=store.load_pins(now),
            bindings=store.load_bindings(now) if self.config.scheduling.persist_session_bindings else (),
            states=[*store.load_states(), *store.load_enabled()],
            cooldowns=store.load_cooldowns(now),
            tokens=self.errands.restore_tokens(),
            reasoning=store.load_reasoning(now) if remembers else (),
        )

    def keep_up(self, live: LiveAccounts) -> None:
        """Let *live* tell of the accounts that commands change, until the end."""
        self._live = live

    def drain(self) -> None:
        """Accept nothing new; *on_stop* is called when what runs has ended, after ``server.drain_timeout`` at most."""
        self.driver.feed(DrainRequested())

    async def aclose(self) -> None:
        """Close the connections to providers and write what is left to be written."""
        self.driver.close()
        await self._memory.aclose()
        if self._live is not None:
            await self._live.aclose()
        await self.questions.aclose()
        await self.errands.aclose()
        await self.upstream.aclose()
        self._store.close()


def open_store(loaded: Loaded) -> Store:
    """Open the store in the configured directory, with the configured bounds. Raises what :meth:`Store.open` does."""
    return Store.open(
        loaded.config.server.data_dir,
        clock=GatewayClock(),
        most_object_bytes=loaded.config.translation.stored_responses_max_bytes,
        most_reasoning_bytes=loaded.config.translation.remember_reasoning_max_bytes,
        credential_digests=loaded.credential_digests,
    )


def socket_service(
    loaded: Loaded,
    *,
    store: RecordStore,
    observers: Observers,
    on_stop: Callable[[], None] = lambda: None,
    fetcher: UrlFetcher | None = None,
    clock: Callable[[], float] | None = None,
) -> Service:
    """Assemble a service that reaches its providers by sockets. Raises ``OSError`` if ``outbound.ca_file`` is bad.

    *clock* gives seconds since the epoch; where none is given, a :class:`~gephyr.runtime.clock.GatewayClock` does.
    URLs are fetched by *fetcher*; where none is given, by sockets if ``translation.fetch_urls`` says so, else not.
    The accounts that commands added to a *store* on the disk are served too. Raises ``ConfigError`` where they do not
    fit the configuration.
    """
    live = LiveAccounts(loaded, store) if isinstance(store, Store) else None
    if live is not None:
        loaded = live.loaded
    config = loaded.config
    observers.redact = loaded.vault.redact
    ca_file, translation = config.outbound.ca_file, config.translation
    if fetcher is None and translation.fetch_urls:
        fetcher = SocketFetcher(allow=translation.fetch_allow, ca_file=ca_file)
    keepalive, clock = KeepAlive.configured(config.upstream), clock or GatewayClock()
    upstream = SocketUpstream(loaded.vault, loaded.routes, ca_file=ca_file, keepalive=keepalive)
    endpoint = TokenEndpoint(loaded.routes, ca_file=ca_file)
    refresher = TokenRefresh(loaded.grants, vault=loaded.vault, store=store.tokens, endpoint=endpoint, clock=clock)
    service = Service(
        config,
        upstream=upstream,
        store=store,
        observers=observers,
        clock=clock,
        on_stop=on_stop,
        fetcher=fetcher,
        errands=Errands(refresher=refresher, checker=ProxyCheck(loaded.routes, ca_file=ca_file)),
        computer=Threads(),
    )
    if isinstance(store, Store):
        _show_store(observers, store)
    if live is not None:
        service.keep_up(live)
        live.attach(refresher, service.driver.feed)
    _show_connections(observers, upstream)
    return service


def _show_store(observers: Observers, store: Store) -> None:
    observers.add_gauge(
        "gephyr_store_unwritten_records",
        "Records that are kept in memory until the disk takes them.",
        lambda: float(store.unwritten),
    )
    observers.add_counter(
        "gephyr_store_records_dropped_total",
        "Records that were given up: the disk takes none or too few, or they are too long.",
        lambda: float(store.dropped),
    )


def _show_connections(observers: Observers, upstream: SocketUpstream) -> None:
    observers.add_gauge(
        "gephyr_upstream_connections", "Open connections to providers.", lambda: float(upstream.open_connections)
    )
    observers.add_gauge(
        "gephyr_upstream_connections_idle",
        "Connections to providers that wait for a call.",
        lambda: float(upstream.idle_connections),
    )


def render_error(kind: ErrorKind, message: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
    """Render an error about a request that never became an exchange, in the dialect of the client that sent it.

    *headers* of the request: all that are known.
    """
    request_id = f"req_{secrets.token_hex(12)}"
    passing = kind in {ErrorKind.UNAVAILABLE, ErrorKind.RATE_LIMIT}
    problem = Problem(kind, message, retry_after=_COME_BACK if passing else None)
    bare = strip_credentials(headers, target)
    dialect = dialect_of_client(bare.target.partition("?")[0], bare.headers, bare.names)
    rendered = DIALECTS[dialect].render_error(problem, request_id)
    return rendered.status, [*rendered.headers, (b"x-request-id", request_id.encode())], rendered.body
