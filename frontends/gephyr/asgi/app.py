"""The application: one gateway behind the ASGI interface (version 3; HTTP, lifespan, and WebSockets to refuse them)."""

import asyncio
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import attrs
import structlog

from gephyr.asgi.configuration import load_for_host, wants_store
from gephyr.asgi.exchange import HostedExchange, ResponseAborted
from gephyr.asgi.identity import UNKNOWN_CALLER, Identify, IdentifyError, identity_of
from gephyr.asgi.scope import (
    Receive,
    Scope,
    Send,
    handshake_headers,
    headers_of,
    peer_of,
    scheme_of,
    target_of,
)
from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.fetching import UrlFetcher
from gephyr.runtime.fields import has_controls
from gephyr.runtime.observers import LineWriter, Observers, RequestLog
from gephyr.runtime.observers.lines import binary
from gephyr.runtime.ports import UpstreamPort
from gephyr.runtime.service import RecordStore, Service, open_store, render_error, socket_service
from gephyr.runtime.store import MemoryStore
from gephyr_core.errors import ErrorKind
from gephyr_core.faults import MESSAGE
from gephyr_core.guards import Cors

_log = structlog.get_logger()


@attrs.frozen
class _Running:
    """A service, and where it runs."""

    service: Service
    loop: asyncio.AbstractEventLoop
    drained: asyncio.Event
    lines: LineWriter | None
    """Of the log that the host gave none for."""


class GephyrApp:
    """Gephyr as an ASGI application, for asyncio hosts.

    It starts with the host's lifespan, with ``async with app:`` where the host application has a lifespan of its own,
    else at the first request; from then on it belongs to that event loop. It ends with the lifespan or the ``async
    with``, and may be started anew after that.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, object] | Loaded,
        *,
        upstream: UpstreamPort | None = None,
        fetcher: UrlFetcher | None = None,
        request_log: RequestLog | None = None,
        environ: Mapping[str, str] | None = None,
        identify: Identify | None = None,
    ) -> None:
        """Read the configuration: a TOML file, what such a file would hold, or one that was loaded before.

        *upstream* is the way to the providers (sockets where none is given); the application closes it at its end.
        *fetcher* fetches URLs (sockets where none is given and no *upstream* either; else nothing is fetched).
        *request_log* takes a line for each request (where none is given, they go to standard error, from a thread of
        their own, and are dropped and counted where nobody reads them). *environ* overlays the
        configuration and is where ``env:NAME`` is looked up; ``os.environ`` where none is given.

        *identify* takes a request's ASGI scope and returns the name of who asks, as the host's own authentication knows
        it; None or an empty text where nobody is known. It may be a coroutine function, and has 10 seconds. Stored
        responses, conversations and remembered reasoning belong to that name, and its text goes no further than a
        digest. With ``auth.mode = "off"``, nothing is kept for a request whose caller is not named, and whoever
        asks for a stored object gets a 400. Where client keys are asked for too, key and name together are the owner.
        If it raises, the request is answered 500 and the log says where it happened.

        Raises :class:`gephyr_core.config.ConfigError` with every mistake. Nothing is hardened or generated here, as
        ``gephyr serve`` does: without a client key, ``auth.mode = "off"`` has to stand in the configuration itself.
        """
        self._loaded = load_for_host(config, os.environ if environ is None else environ)
        self._upstream = upstream
        self._fetcher = fetcher
        self._request_log = request_log
        self._identify = identify
        self._running: _Running | None = None
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope. Raises ``ResponseAborted`` where the host must cut the connection."""
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await self._deny(scope, receive, send)
            case other:
                raise ValueError(f"unknown kind of connection scope: {other!r}")

    async def __aenter__(self) -> Self:
        """Start. Raises ``RuntimeError`` on a host without asyncio, ``StoreError`` and ``OSError`` as ``serve``."""
        self._ended = False
        self._service()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain, within ``server.drain_timeout``, and let go of everything."""
        self._ended = True
        if self._running is None:
            return
        running = self._running
        running.service.drain()
        await running.drained.wait()
        self._running = None
        await running.service.aclose()
        if running.lines is not None:
            await asyncio.to_thread(running.lines.finish)

    # -- starting -----------------------------------------------------------------------------------------------

    def _service(self) -> Service:
        """Return the service, started on the running loop if it is not yet."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "Gephyr needs an asyncio host (uvicorn, or hypercorn with its asyncio worker): there is no asyncio"
                " event loop here"
            ) from None
        if self._running is None:
            if self._ended:
                raise RuntimeError("this GephyrApp has ended; start it again by its lifespan or `async with`")
            self._running = self._start(loop)
        elif self._running.loop is not loop:
            raise RuntimeError(
                "this GephyrApp serves on another event loop; let it end there first, by its lifespan or `async with`"
            )
        return self._running.service

    def _start(self, loop: asyncio.AbstractEventLoop) -> _Running:
        loaded, drained = self._loaded, asyncio.Event()
        for warning in loaded.warnings:
            _log.warning(warning)
        if not loaded.config.accounts:
            _log.warning("no account is configured: every request will be answered 503")
        store: RecordStore = MemoryStore()
        if wants_store(loaded.config):
            store = open_store(loaded)
        log, lines = self._request_log, None
        if log is None:
            lines = LineWriter(binary(sys.stderr))
            log = RequestLog(lines)
        observers = Observers(request_log=log, lines=lines)
        try:
            if self._upstream is None:
                service = socket_service(
                    loaded, store=store, observers=observers, on_stop=drained.set, fetcher=self._fetcher
                )
            else:
                service = Service(
                    loaded.config,
                    upstream=self._upstream,
                    store=store,
                    observers=observers,
                    clock=GatewayClock(),
                    on_stop=drained.set,
                    fetcher=self._fetcher,
                )
        except BaseException:
            store.close()
            raise
        return _Running(service, loop, drained, lines)

    # -- scopes -------------------------------------------------------------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start and end with the host."""
        await receive()
        try:
            await self.__aenter__()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks, and serve the request."""
        driver = self._service().driver
        exchange = None
        try:
            headers = headers_of(scope)
            if has_controls(headers):
                await self._refuse(scope, send, ErrorKind.BAD_REQUEST, "a header has a control character")
                return
            try:
                who = await identity_of(self._identify, scope, auth=self._loaded.config.auth.mode)
            except IdentifyError:
                await self._refuse(scope, send, ErrorKind.SERVER, UNKNOWN_CALLER)
                return
            told = scope["method"], target_of(scope), headers, peer_of(scope), scheme_of(scope)
            exchange = HostedExchange(driver, receive, send)
            await exchange.serve(*told, who)
        except Exception as error:
            if exchange is not None and (exchange.sent or (exchange.begun and not isinstance(error, ResponseAborted))):
                raise
            if exchange is None or not exchange.begun:
                driver.failed(error, "a request's head")
            await self._refuse(scope, send, ErrorKind.SERVER, MESSAGE)

    async def _refuse(self, scope: Scope, send: Send, kind: ErrorKind, message: str) -> None:
        """Answer an error that no exchange will answer."""
        status, told, body = render_error(kind, message, target_of(scope), headers_of(scope))
        cors = Cors(self._loaded.config.cors.origins).response_headers(headers_of(scope))
        headers = [*told, *cors, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _deny(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a WebSocket: with the core's answer where the host can send one, else by closing (403)."""
        await receive()
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close"})
            return
        exchange = HostedExchange(self._service().driver, receive, send, handshake=True)
        headers = handshake_headers(scope)
        await exchange.serve("GET", target_of(scope), headers, peer_of(scope), scheme_of(scope))
