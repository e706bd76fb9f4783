"""A server with a small scripted core behind it, and a client that speaks in raw bytes."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import h11
import msgspec

from gephyr.runtime.driver import Core, Driver
from gephyr.runtime.errands import Errands
from gephyr.runtime.ports import Feed, UpstreamCall
from gephyr.server import Listener, ServerLimits
from gephyr.server.connection import Connection
from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    Command,
    DescribeModel,
    EndResponse,
    FetchUrl,
    Load,
    ReadBody,
    SendBody,
    StartResponse,
)
from gephyr_core.events import (
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    StateRestored,
)
from gephyr_core.records import Fact, Pin, StoredObject
from tests.waiting import WAIT


class ScriptedCore:
    """Answers by the path: an echo of the request unless the path says otherwise. Keeps all it was told."""

    deadline = math.inf

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.started: dict[int, RequestStarted] = {}
        self.bodies: dict[int, bytearray] = {}
        self.orders: Sequence[Command] = ()
        self._arrival = asyncio.Event()

    def receive(self, event: Event, now: float) -> Sequence[Command]:
        self.events.append(event)
        self._arrival.set()
        match event:
            case RequestStarted(exchange=exchange):
                self.started[exchange] = event
                self.bodies[exchange] = bytearray()
                return self._started(event)
            case RequestBody(exchange=exchange, data=data):
                self.bodies[exchange] += data
                too_large = self.started[exchange].target == "/small" and len(self.bodies[exchange]) > 10
                return reply(exchange, 413, b"too large") if too_large else ()
            case RequestEnded(exchange=exchange):
                return self._ended(exchange)
            case StateRestored():
                return self.orders
            case _:
                return ()

    def _started(self, event: RequestStarted) -> Sequence[Command]:
        exchange = event.exchange
        match event.target:
            case "/refuse":
                return reply(exchange, 401, b"refused")
            case "/hang" | "/unread":
                return ()
            case "/abort":
                return (AbortResponse(exchange, "at once"),)
            case "/start":
                head = StartResponse(exchange, 200, [(b"content-type", b"text/plain")])
                return (head, SendBody(exchange, b"first"))
            case "/upgrade":
                return reply(exchange, 426, b"upgrade")
            case _:
                return (ReadBody(exchange),)

    def _ended(self, exchange: int) -> Sequence[Command]:
        target = self.started[exchange].target
        if target == "/wait":
            return ()
        if target == "/stream":
            head = StartResponse(exchange, 200, [(b"content-type", b"text/plain")])
            return (head, SendBody(exchange, b"one"), SendBody(exchange, b"two"), EndResponse(exchange))
        if target == "/empty":
            return (StartResponse(exchange, 204, [(b"content-length", b"0")]), EndResponse(exchange))
        return reply(exchange, 200, self.echo(exchange))

    def echo(self, exchange: int) -> bytes:
        """What the core was told about the request, as JSON."""
        started = self.started[exchange]
        host = dict(started.headers).get(b"host", b"").decode("latin-1")
        body = bytes(self.bodies[exchange]).decode("latin-1")
        return msgspec.json.encode([started.method, started.target, host, body])

    def of(self, kind: type[Event]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if type(event) is kind]

    async def saw(self, kind: type[Event], count: int = 1) -> None:
        """Wait until *count* events of a kind have come."""
        async with asyncio.timeout(WAIT):
            while len(self.of(kind)) < count:
                self._arrival.clear()
                await self._arrival.wait()


def reply(exchange: int, status: int, body: bytes) -> Sequence[Command]:
    """A whole reply."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    return (StartResponse(exchange, status, headers), SendBody(exchange, body), EndResponse(exchange))


class NoUpstream:
    """No command of the scripted core calls a provider."""

    def call(self, command: CallUpstream, feed: Feed) -> UpstreamCall:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class NoObserver:
    def observe(self, fact: Fact) -> None:
        raise NotImplementedError

    def metrics_for_clients(self) -> tuple[str, bytes]:
        raise NotImplementedError


class NoStore:
    def save(self, record: Pin | StoredObject) -> None:
        raise NotImplementedError


class NoQuestions:
    def fetch(self, command: FetchUrl, feed: Feed) -> None:
        raise NotImplementedError

    def load(self, command: Load, feed: Feed) -> None:
        raise NotImplementedError

    def describe(self, command: DescribeModel, feed: Feed) -> None:
        raise NotImplementedError

    def cancel(self, exchange: int) -> None:
        """Nothing was asked."""

    async def aclose(self) -> None:
        """Nothing is open."""


@attrs.define
class World:
    core: ScriptedCore
    driver: Driver
    listener: Listener

    def command(self, *commands: Command) -> None:
        """Have the core give *commands*, as if something had happened that leads to them."""
        self.core.orders = commands
        self.driver.feed(StateRestored())

    @property
    def connections(self) -> list[Connection]:
        return list(self.listener._shared.connections)

    async def connect(self, **options: Any) -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port, **options)
        return Client(reader, writer)

    async def talk(self, data: bytes) -> bytes:
        """Send *data* on a new connection and return all that comes until the server closes."""
        client = await self.connect()
        client.send(data)
        return await client.read_all()


@attrs.define
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_all(self) -> bytes:
        """Read to the end of the connection."""
        data = await asyncio.wait_for(self.reader.read(), WAIT)
        await self.close()
        return data

    async def read_until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(end), WAIT)

    async def read_cut(self) -> bytes:
        """Read until the connection breaks; what came before is returned, an orderly end is a failure."""
        data = b""
        try:
            while piece := await asyncio.wait_for(self.reader.read(65536), WAIT):
                data += piece
        except ConnectionResetError:
            await self.close()
            return data
        raise AssertionError(f"an orderly end after {data!r}")

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def driver_of(core: Core) -> Driver:
    """A driver for a core that has to do with its clients only."""
    return Driver(
        core,
        upstream=NoUpstream(),
        observer=NoObserver(),
        store=NoStore(),
        questions=NoQuestions(),
        errands=Errands(),
        clock=lambda: 0.0,
    )


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[World]:
    """Run a server; *options* are :class:`Listener`'s, and those of :class:`ServerLimits`."""
    names = [field.name for field in attrs.fields(ServerLimits)]
    limits = {name: options.pop(name) for name in names if name in options}
    core = ScriptedCore()
    driver = driver_of(core)
    listener = Listener(driver, host="127.0.0.1", port=0, limits=ServerLimits(**limits), **options)
    await listener.start()
    try:
        yield World(core, driver, listener)
    finally:
        listener.stop_accepting()
        listener.abort()
        await asyncio.wait_for(listener.wait_closed(), WAIT)
        driver.close()
    assert driver.open_exchanges == 0


def responses(data: bytes, *methods: str) -> list[tuple[int, dict[bytes, bytes], bytes]]:
    """Parse *data* as the responses to requests with *methods* (else GET); junk at the end is an error."""
    found = []
    names = list(methods)
    while data:
        parser = h11.Connection(h11.CLIENT)
        method = names.pop(0) if names else "GET"
        parser.send(h11.Request(method=method, target="/", headers=[("host", "h")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(data)
        parser.receive_data(b"")
        head = parser.next_event()
        while type(head) is h11.InformationalResponse:
            head = parser.next_event()
        assert type(head) is h11.Response, head
        body = b""
        while type(event := parser.next_event()) is h11.Data:
            body += event.data
        assert type(event) is h11.EndOfMessage, event
        found.append((head.status_code, dict(head.headers), body))
        data = parser.trailing_data[0]
    return found
