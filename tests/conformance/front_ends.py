"""The two front ends, each with a client: the server over loopback sockets, the application in a strict host."""

import asyncio
import contextlib
import io
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import h11

from gephyr.asgi import GephyrApp
from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.observers import Observers, RequestLog
from gephyr.runtime.service import Service, render_error
from gephyr.runtime.store import MemoryStore
from gephyr.server import Listener, ServerLimits
from gephyr_core.guards import Cors
from gephyr_core.http import Header
from tests.conformance.asgi_host import HostedTalk, Lifespan, http_scope
from tests.conformance.talk import AUTHORIZED, KEY, CutError, FrontEnd, Talk
from tests.conformance.upstream import ScriptedUpstream
from tests.waiting import WAIT


def account(name: str, provider: str = "openai", **more: Any) -> dict[str, Any]:
    """An account of the configuration, at a host of its own: one that is dead tells nothing of the others."""
    own = {"base_url": f"https://{name}.invalid"}
    return {"id": name, "provider": provider, "api_key": f"credential-of-{name}", **own, **more}


def configuration(accounts: Sequence[dict[str, Any]], **sections: Any) -> dict[str, Any]:
    """What a ``gephyr.toml`` with these accounts and sections would hold."""
    return {"auth": {"api_keys": [KEY]}, "accounts": list(accounts), **sections}


# -- the server -----------------------------------------------------------------------------------------------


class SocketTalk(Talk):
    """A connection of its own for one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._parser = h11.Connection(h11.CLIENT)

    def start(self, method: str, target: str, headers: Sequence[Header]) -> None:
        """Send the request's head."""
        self.writer.write(self._parser.send(h11.Request(method=method, target=target, headers=list(headers))) or b"")

    def send(self, data: bytes, *, last: bool = False) -> None:
        self.writer.write(self._parser.send(h11.Data(data=data)) or b"")
        if last:
            self.writer.write(self._parser.send(h11.EndOfMessage()) or b"")

    async def head(self) -> tuple[int, list[Header]]:
        event = await self.event()
        while type(event) is h11.InformationalResponse:
            event = await self.event()
        assert type(event) is h11.Response, event
        return event.status_code, [(bytes(name), bytes(value)) for name, value in event.headers]

    async def read(self) -> bytes:
        event = await self.event()
        return bytes(event.data) if type(event) is h11.Data else b""

    def leave(self) -> None:
        self.writer.transport.abort()

    async def until_closed(self) -> bytes:
        """Read what comes, as it comes, until the server closes."""
        return await asyncio.wait_for(self._reader.read(), WAIT)

    async def event(self) -> Any:
        """Wait for the next event of the response."""
        try:
            while (event := self._parser.next_event()) is h11.NEED_DATA:
                self._parser.receive_data(await asyncio.wait_for(self._reader.read(65536), WAIT))
        except (h11.RemoteProtocolError, ConnectionError) as error:
            raise CutError(str(error)) from error
        return event


class ServerFrontEnd(FrontEnd):
    """The raw server."""

    def __init__(
        self,
        service: Service,
        listener: Listener,
        stopped: asyncio.Event,
        upstream: ScriptedUpstream,
        log: io.BytesIO,
    ) -> None:
        super().__init__(upstream, log)
        self._service = service
        self._listener = listener
        self._stopped = stopped
        self._talks: list[SocketTalk] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    async def connect(self) -> SocketTalk:
        """Open a connection; the client's system takes little that is not read."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._listener.port))
        talk = SocketTalk(*await asyncio.open_connection(sock=connection, limit=4096))
        self._talks.append(talk)
        return talk

    async def talk(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Sequence[Header] = (AUTHORIZED,),
        *,
        more: bool = False,
    ) -> SocketTalk:
        talk = await self.connect()
        talk.start(method, target, [(b"host", b"gateway"), *headers, *framing(body, more=more)])
        talk.send(body or b"", last=not more)
        return talk

    def drain(self) -> None:
        self._service.drain()

    async def drained(self) -> None:
        await asyncio.wait_for(self._stopped.wait(), WAIT)

    async def aclose(self) -> None:
        for talk in self._talks:
            talk.writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await talk.writer.wait_closed()
        self._listener.stop_accepting()
        self._listener.abort()
        await asyncio.wait_for(self._listener.wait_closed(), WAIT)
        await self._service.aclose()


def framing(body: bytes | None, *, more: bool) -> list[Header]:
    """The headers that say how long a body is."""
    if more:
        return [(b"transfer-encoding", b"chunked")]
    return [] if body is None else [(b"content-length", b"%d" % len(body))]


@contextlib.asynccontextmanager
async def serve_by_sockets(mapping: dict[str, Any]) -> AsyncIterator[FrontEnd]:
    """Run the server on *mapping*."""
    upstream, log = ScriptedUpstream(), io.BytesIO()
    stopped = asyncio.Event()
    config = load_mapping(mapping, {}).config
    service = Service(
        config,
        upstream=upstream,
        store=MemoryStore(),
        observers=Observers(request_log=RequestLog(log)),
        clock=GatewayClock(),
        on_stop=stopped.set,
    )
    limits = ServerLimits(max_connections=config.server.max_connections)
    cors = Cors(config.cors.origins)
    listener = Listener(service.driver, host="127.0.0.1", port=0, limits=limits, render=render_error, cors=cors)
    await listener.start()
    front = ServerFrontEnd(service, listener, stopped, upstream, log)
    try:
        yield front
    finally:
        await front.aclose()
    assert service.driver.open_exchanges == 0


# -- the application ------------------------------------------------------------------------------------------


class AsgiFrontEnd(FrontEnd):
    """The application, in the strict host."""

    def __init__(self, app: GephyrApp, upstream: ScriptedUpstream, log: io.BytesIO) -> None:
        super().__init__(upstream, log)
        self._others = asyncio.all_tasks()
        self.app = app
        self._lifespan = Lifespan(app)
        self._stopping = False
        self._talks: list[HostedTalk] = []

    async def start(self) -> None:
        assert await self._lifespan.start() == {"type": "lifespan.startup.complete"}

    async def talk(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Sequence[Header] = (AUTHORIZED,),
        *,
        more: bool = False,
    ) -> HostedTalk:
        fields = [(b"host", b"gateway"), *headers, *framing(body, more=more)]
        talk = HostedTalk(self.app, http_scope(method, target, fields))
        self._talks.append(talk)
        talk.send(body or b"", last=not more)
        return talk

    def drain(self) -> None:
        self._stopping = True
        self._lifespan.stop()

    async def drained(self) -> None:
        assert await self._lifespan.stopped() == {"type": "lifespan.shutdown.complete"}

    async def aclose(self) -> None:
        for talk in self._talks:
            talk.leave()
            await talk.over()
        if not self._stopping:
            self.drain()
            await self.drained()
        assert self.upstream.closed
        assert asyncio.all_tasks() - self._others == set(), "tasks are left over"


@contextlib.asynccontextmanager
async def serve_by_asgi(mapping: dict[str, Any]) -> AsyncIterator[FrontEnd]:
    """Run the application on *mapping*."""
    upstream, log = ScriptedUpstream(), io.BytesIO()
    app = GephyrApp(mapping, upstream=upstream, request_log=RequestLog(log), environ={})
    front = AsgiFrontEnd(app, upstream, log)
    await front.start()
    try:
        yield front
    finally:
        await front.aclose()


FRONT_ENDS = {"server": serve_by_sockets, "asgi": serve_by_asgi}
