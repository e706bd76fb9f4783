"""``SocketUpstream``: the way to the providers over real sockets."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from gephyr.runtime.credentials import CredentialError
from gephyr.runtime.faults import failure
from gephyr.runtime.ports import Feed
from gephyr.runtime.upstream.connection import Call, Connection
from gephyr.runtime.upstream.connector import ConnectError, Connector, Progress, tls_context
from gephyr.runtime.upstream.echoes import Echoes
from gephyr.runtime.upstream.heads import request_head
from gephyr.runtime.upstream.keepalive import KeepAlive
from gephyr.runtime.upstream.pool import ConnectionPool
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr_core.commands import CallUpstream
from gephyr_core.errors import Fault, Sent
from gephyr_core.http import Header, Origin
from gephyr_core.outbound.route import DIRECT

"""The route without a proxy."""


class Authorizer(Protocol):
    """What is needed of :class:`gephyr.runtime.credentials.Vault`."""

    def authorize(self, account: str, origin: Origin) -> Sequence[Header]:
        """Return the headers that authorize a call; raise CredentialError where there are none for *origin*."""


class SocketUpstream:
    """Performs calls by HTTP/1.1 on connections that are kept; implements ``UpstreamPort``. Belongs to one loop.

    A call on a kept connection is written before :meth:`call` returns, and its events are fed from the loop's
    callbacks: no task and no future. Only making a connection is a task.
    """

    def __init__(
        self,
        vault: Authorizer,
        routes: Mapping[str, ProxyUrl],
        *,
        ca_file: str = "",
        max_head_size: int = 65536,
        max_idle_per_route: int = 256,
        idle_seconds: float = 60.0,
        keepalive: KeepAlive | None = None,
        head_start: float = 0.25,
    ) -> None:
        """*routes* maps the ids of outbound routes, other than ``direct``, to proxies.

        *ca_file* is trusted beside the system's store. *max_head_size* limits a response's head, bytes. At most
        *max_idle_per_route* connections are kept for each pair of origin and route, each for *idle_seconds*.
        *keepalive* is set on every connection, to proxies too. A call waits *head_start* seconds for a connection whose
        last response is about to end, before it opens one. Raises OSError when *ca_file* cannot be used.
        """
        self._vault = vault
        self._routes = routes
        self._max_head_size = max_head_size
        self._connector = Connector(tls_context(ca_file), keepalive)
        self._loop = asyncio.get_running_loop()
        self._pool = ConnectionPool(
            max_idle_per_key=max_idle_per_route, idle_seconds=idle_seconds, head_start=head_start
        )
        self._opening: dict[asyncio.Task[None], Call] = {}
        self._closing = False

    @property
    def open_connections(self) -> int:
        """How many connections to providers are open, idle ones included."""
        return self._pool.open_count

    @property
    def idle_connections(self) -> int:
        """How many connections wait for a call."""
        return self._pool.idle_count

    def call(self, command: CallUpstream, feed: Feed) -> Call:
        """Send the request of *command* and return at once; see ``UpstreamPort``."""
        call = Call(command.exchange, command.attempt, command.method, feed)
        origin, route = command.origin, command.route
        if self._closing:
            call.fail(Fault.GATEWAY, "the gateway is closing its connections")
        elif route != DIRECT and route not in self._routes:
            call.fail(Fault.PROXY, f"there is no outbound route {route!r}")
        else:
            try:
                credentials = self._vault.authorize(command.account, origin)
                call.echoes = Echoes(credentials)
                head = request_head(command, credentials)
            except CredentialError as exc:
                call.fail(Fault.GATEWAY, str(exc))
            except ValueError:
                # The text of the exception may quote what it could not encode.
                call.fail(Fault.PROTOCOL, "the request's head cannot be written as HTTP")
            else:
                connection = None if command.fresh else self._pool.take((origin, route))
                if connection is None:
                    self._open(call, command, head)
                else:
                    connection.send(call, head, command.body)
        return call

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        self._closing = True
        opening = [(task, call) for task, call in self._opening.items() if not task.done()]
        for task, call in opening:
            call.opened()
            task.cancel()
            call.fail(Fault.GATEWAY, "the gateway is closing its connections")
        await asyncio.gather(*(task for task, _ in opening), return_exceptions=True)
        await self._pool.aclose()

    def _open(self, call: Call, command: CallUpstream, head: bytes) -> None:
        task = self._loop.create_task(self._open_and_send(call, command, head))
        self._opening[task] = call
        task.add_done_callback(self._opened)
        call.opening(task.cancel)

    def _opened(self, task: asyncio.Task[None]) -> None:
        """A task has ended; if our own code failed in it, so has its call."""
        call = self._opening.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            call.feed(failure(error, "CallUpstream"))
            call.cancel_connection()
            call.fail(Fault.GATEWAY, f"a fault of the gateway ({type(error).__name__})", sent=Sent.ALL)

    async def _open_and_send(self, call: Call, command: CallUpstream, head: bytes) -> None:
        origin, route, limit = command.origin, command.route, command.limits.connect
        proxy, progress = self._routes.get(route), Progress()
        if not command.fresh and (kept := await self._pool.soon((origin, route))) is not None:
            call.opened()
            kept.send(call, head, command.body)
            return
        try:
            async with asyncio.timeout(limit):
                transport, tcp = await self._connector.open(origin, proxy, progress)
        except TimeoutError:
            if proxy is not None and not progress.tunnelled:
                call.fail(Fault.PROXY, f"proxy {proxy} opened no way to {origin} within {limit:g} s")
            else:
                call.fail(Fault.TIMEOUT, f"no connection to {origin} within {limit:g} s")
        except ConnectError as exc:
            if exc.fault is Fault.GATEWAY and exc.__cause__ is not None:
                call.feed(failure(exc.__cause__, "CallUpstream"))
            call.fail(exc.fault, exc.detail)
        else:
            connection = Connection((origin, route), self._pool, self._max_head_size, transport, tcp)
            self._pool.add(connection)
            call.opened()
            if call.over:
                connection.abort()
            else:
                connection.send(call, head, command.body)
