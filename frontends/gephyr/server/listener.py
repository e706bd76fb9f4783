"""The listening side of the server: accepting, TLS, time limits, and the way to a graceful end."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gephyr.runtime.driver import Driver
from gephyr.runtime.upstream import lacks
from gephyr.server.connection import Connection
from gephyr.server.handshake import Handshake
from gephyr.server.response import Render, plain_error
from gephyr.server.shared import LINGER_SECONDS, Counted, ServerLimits, Shared
from gephyr_core.guards import Cors

_BACKLOG = 2048
"""Connections that the system holds until they are accepted."""
_ACCEPTED_AT_ONCE = 16
"""Connections that are accepted before others have their turn. asyncio goes through as many although one cannot be
accepted, and reports each: with the whole backlog, a process without descriptors would do nothing else."""


Handler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class ListenError(Exception):
    """The server cannot listen as configured; the text names the setting and says why."""


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """Make the TLS side of a listener from PEM files: *cert* with its chain, and its private *key*.

    Raises:
        ListenError: A file cannot be read, is not PEM, or the two do not belong together.
    """
    for setting, path in (("server.tls_cert", cert), ("server.tls_key", key)):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise ListenError(f"{setting}: cannot read {path!r}: {error.strerror}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a passphrase callback OpenSSL would ask on the terminal for an encrypted key's.
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ListenError(f"server.tls_cert, server.tls_key: {cert!r}, {key!r}: {reason}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_passphrase() -> str:
    raise ValueError("the private key is encrypted; an unencrypted one is expected")


def raise_open_file_limit() -> int | None:
    """Raise the limit of open files to its hard limit and return it; None on systems without such a limit."""
    try:
        import resource  # noqa: PLC0415 (Unix only)
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS refuses "unlimited"
        return soft
    return hard


def _lengthen_backlog(fileno: int) -> None:
    """Have the system hold more connections than are accepted at once. Listening again sets only that (listen(2))."""
    with socket.socket(fileno=os.dup(fileno)) as listening:
        listening.listen(_BACKLOG)


def _report(
    driver: Driver, otherwise: Handler | None, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Report that connections cannot be accepted as :mod:`lacks` does. asyncio pauses for a second by itself, and
    those who connect meanwhile wait in the backlog.

    What else is raised where nobody catches it is a fault of ours, unless it is the system's (``OSError``) or somebody
    else has a handler for it. The loop's own words for it may quote what a client sent: they are not told.
    """
    error = context.get("exception")
    if "socket.accept()" in str(context.get("message")) and lacks.is_lack(error):
        lacks.tell("no connection can be accepted", reason=os.strerror(getattr(error, "errno", 0)))
    elif otherwise is not None:
        otherwise(loop, context)
    elif isinstance(error, Exception) and not isinstance(error, OSError):
        driver.failed(error, "the event loop")
    else:
        loop.default_exception_handler(context)


class Listener:
    """Accepts connections on one address. Belongs to the running loop, like its driver."""

    def __init__(
        self,
        driver: Driver,
        *,
        host: str,
        port: int,
        limits: ServerLimits | None = None,
        tls: ssl.SSLContext | None = None,
        render: Render = plain_error,
        cors: Cors | None = None,
    ) -> None:
        """Port 0 takes a free one. *render* makes the error replies that no exchange makes, and *cors* lets the pages
        of a browser read them."""
        self._host = host
        self._port = port
        self._limits = limits or ServerLimits()
        self._tls = tls
        loop = asyncio.get_running_loop()
        self._shared = Shared(driver=driver, limits=self._limits, render=render, loop=loop, cors=cors or Cors())
        self._server: asyncio.Server | None = None
        self._handler: Handler | None = None
        """The loop's exception handler before this server's."""
        # Time limits are looked at in a sweep over all connections: this much late at most, free per request.
        shortest = min(self._limits.header_timeout, self._limits.idle_timeout, LINGER_SECONDS)
        self._sweep_interval = min(1.0, max(0.01, shortest / 4))
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: The address cannot be had.
        """
        loop, tls = self._shared.loop, self._tls
        try:
            self._server = await loop.create_server(
                lambda: Handshake(self._shared, tls) if tls else Connection(self._shared),
                self._host,
                self._port,
                backlog=_ACCEPTED_AT_ONCE,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise ListenError(f"server.host, server.port: {self._host}:{self._port}: {reason}") from error
        for listening in self._server.sockets:
            _lengthen_backlog(listening.fileno())
        self._handler = loop.get_exception_handler()
        loop.set_exception_handler(partial(_report, self._shared.driver, self._handler))
        self._port = self._server.sockets[0].getsockname()[1]
        self._sweeper = loop.call_later(self._sweep_interval, self._sweep)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    @property
    def open_connections(self) -> int:
        """How many connections there are, closing ones included."""
        return len(self._shared.connections)

    @property
    def turned_away(self) -> int:
        """How many connections were not served because of a limit."""
        return self._shared.turned_away

    def stop_accepting(self) -> None:
        """Take no further connections; those there are end with their present response, which says so."""
        self._shared.draining = True
        if self._server is not None:
            self._server.close()

    def close_idle(self) -> None:
        """Close the connections that wait for a request."""
        for connection in self._connections():
            connection.close_if_idle()

    async def wait_closed(self) -> None:
        """Wait until the last connection is gone."""
        await self._shared.wait_empty()
        self._shared.loop.set_exception_handler(self._handler)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in self._connections():
            connection.abort()

    def _connections(self) -> Sequence[Counted]:
        """A copy: connections leave while they are gone through."""
        return list(self._shared.connections)

    def _sweep(self) -> None:
        now = self._shared.loop.time()
        for connection in self._connections():
            if connection.deadline <= now:
                connection.expire()
        self._sweeper = self._shared.loop.call_later(self._sweep_interval, self._sweep)
