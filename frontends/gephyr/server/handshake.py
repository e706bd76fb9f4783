"""The time between accepting a connection and the end of its TLS handshake.

A listener of asyncio's tells of a connection only when its handshake is done, so that those who never finish one would
have as many as they like. Here a connection is counted when it is accepted, and the handshake is begun after that.
"""

import asyncio
import functools
import math
import ssl
import types
from collections.abc import Awaitable, Coroutine, Generator

from gephyr.server.connection import Connection
from gephyr.server.shared import LINGER_SECONDS, Shared

_Greeting = Coroutine[object, object, asyncio.Transport | None]


class Handshake(asyncio.Protocol):
    """A connection whose client has yet to greet; then a :class:`Connection` takes its place."""

    _transport: asyncio.Transport

    def __init__(self, shared: Shared, context: ssl.SSLContext) -> None:
        self._shared = shared
        self._context = context
        self._early: list[bytes] = []
        """What the client sent with the end of its handshake."""
        self._ended = False
        self._task: asyncio.Task[None] | None = None
        self.deadline = math.inf
        """The handshake has a time limit of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and begin the handshake unless there are far too many."""
        self._transport = transport  # type: ignore[assignment]  # what a stream server makes is both-way
        peer = transport.get_extra_info("peername")
        turned_away = self._shared.joined(self, peer[0] if isinstance(peer, tuple) else "")
        if turned_away is not None and turned_away.silent:
            self._ended = True
            self._shared.left(self)
            self._transport.abort()
        else:
            # Up to its first wait it runs here: what the client sends is for the TLS layer from now on, and uvloop may
            # read it before a task gets its first turn.
            greeting = self._start_tls()
            self._task = self._shared.loop.create_task(self._greet(_continued(greeting, greeting.send(None))))

    def data_received(self, data: bytes) -> None:
        """Keep what comes before :class:`Connection` can take it."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is gone before its handshake was done."""
        self._ended = True

    # -- as the listener sees a connection ----------------------------------------------------------------------

    def expire(self) -> None:
        """There is no time limit here."""

    def close_if_idle(self) -> None:
        """Close: nothing was asked."""
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _start_tls(self) -> _Greeting:
        return self._shared.loop.start_tls(
            self._transport,
            self,
            self._context,
            server_side=True,
            ssl_handshake_timeout=self._shared.limits.header_timeout,
            ssl_shutdown_timeout=LINGER_SECONDS,
        )

    async def _greet(self, greeting: Awaitable[asyncio.Transport | None]) -> None:
        shared = self._shared
        try:
            transport = await greeting
        except OSError:  # what is no TLS, what came too late, and who left
            transport = None
        if transport is None or self._ended:
            self._transport.abort()
            shared.left(self)
            return
        connection = Connection(shared)
        shared.hand_over(self, connection)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if self._early:
            connection.data_received(b"".join(self._early))


@types.coroutine
def _continued(begun: _Greeting, waiting: object) -> Generator[object, object, asyncio.Transport | None]:
    """Go on with a coroutine that is *waiting* for something already."""
    while True:
        try:
            value = yield waiting
        except BaseException as error:
            step = functools.partial(begun.throw, error)
        else:
            step = functools.partial(begun.send, value)
        try:
            waiting = step()
        except StopIteration as end:
            transport: asyncio.Transport | None = end.value
            return transport
