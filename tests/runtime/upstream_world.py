"""What the upstream's tests stand on: a provider that plays a script on real sockets, and the news of calls."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from gephyr.runtime.credentials import Vault
from gephyr.runtime.upstream import ProxyUrl, SocketUpstream
from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.events import Event, FrontEndFailed, UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Header, Origin
from tests.waiting import WAIT

UpstreamEvent = UpstreamStarted | UpstreamBody | UpstreamEnded | UpstreamFailed
Script = Callable[["Visitor"], Awaitable[None]]
LIMITS = TimeLimits(connect=10.0, first_byte=10.0, idle=10.0, total=10.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Visitor:
    """One connection as the scripted provider sees it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        """Counts the provider's connections from 1."""
        self.reader = reader
        self.writer = writer
        self.requests = 0
        """How many requests were read."""
        self.gone = asyncio.Event()
        """The script has ended."""

    async def request(self) -> tuple[bytes, bytes]:
        """Read a request: its head, and its body by content-length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = await self.reader.readexactly(length)
        self.requests += 1
        return head, body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Provider:
    """A server on a loopback port; each connection plays the script."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.port = 0
        self.visitors: list[Visitor] = []
        self.log: list[str] = []
        """``came`` and ``gone``, in the order it happened."""

    @property
    def origin(self) -> Origin:
        return Origin(self.scheme, "localhost" if self.scheme == "https" else "127.0.0.1", self.port)


@contextlib.asynccontextmanager
async def provider(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    """Serve *script* until the end of the block; its failures, other than the peer's leaving, fail the test."""
    world = Provider("https" if tls else "http")
    failures: list[BaseException] = []
    tasks: list[asyncio.Task[Any]] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        visitor = Visitor(len(world.visitors) + 1, reader, writer)
        world.visitors.append(visitor)
        world.log.append("came")
        try:
            await script(visitor)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except BaseException as exc:
            failures.append(exc)
        finally:
            visitor.gone.set()
            world.log.append("gone")
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_server(visit, "127.0.0.1", 0, ssl=tls, limit=2**20)
    world.port = server.sockets[0].getsockname()[1]
    try:
        yield world
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
    for failure in failures:
        if not isinstance(failure, asyncio.CancelledError):
            raise failure


def answering(reply: bytes) -> Script:
    """A script that answers every request with the same bytes."""

    async def script(visitor: Visitor) -> None:
        while True:
            await visitor.request()
            await visitor.send(reply)

    return script


def answering_once(reply: bytes, *, then: Callable[[Visitor], object] | None = None) -> Script:
    """A script that answers one request and closes, or does *then* and waits for the peer to leave."""

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(reply)
        if then is not None:
            then(visitor)
            await visitor.reader.read()

    return script


class News:
    """Collects what one call feeds."""

    def __init__(self, faults: list[FrontEndFailed]) -> None:
        self.events: list[UpstreamEvent] = []
        self.faults = faults
        self._changed = asyncio.Event()
        self.on_event: Callable[[UpstreamEvent], object] = lambda _: None

    def feed(self, event: Event) -> None:
        if isinstance(event, FrontEndFailed):
            self.faults.append(event)
            return
        assert isinstance(event, UpstreamEvent)
        self.events.append(event)
        self._changed.set()
        self.on_event(event)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until *condition* holds after some event."""
        async with asyncio.timeout(WAIT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def end(self) -> UpstreamEvent:
        """Wait for the call's last event."""
        await self.until(lambda: self.events and isinstance(self.events[-1], UpstreamEnded | UpstreamFailed))
        return self.events[-1]

    async def failure(self) -> UpstreamFailed:
        end = await self.end()
        assert isinstance(end, UpstreamFailed), self.events
        return end

    async def started(self) -> UpstreamStarted:
        await self.until(lambda: self.events)
        assert isinstance(self.events[0], UpstreamStarted), self.events
        return self.events[0]

    async def reply(self) -> tuple[int, bytes]:
        """Wait for a whole response; return its status and body."""
        end = await self.end()
        assert isinstance(end, UpstreamEnded), end
        assert isinstance(self.events[0], UpstreamStarted)
        return self.events[0].status, self.body

    @property
    def body(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, UpstreamBody))


class Client:
    """A :class:`SocketUpstream` with one account, ``acc``, at one origin."""

    def __init__(self, upstream: SocketUpstream, origin: Origin) -> None:
        self.upstream = upstream
        self.origin = origin
        self.faults: list[FrontEndFailed] = []
        """What our own code got wrong in any call."""
        self._numbers: Iterator[int] = iter(range(1, 10**9))

    def command(self, **changes: Any) -> CallUpstream:
        values: dict[str, Any] = {
            "exchange": next(self._numbers),
            "attempt": 1,
            "account": "acc",
            "method": "POST",
            "origin": self.origin,
            "target": "/v1/things",
            "headers": [(b"content-type", b"application/json")],
            "body": b"{}",
            "route": "direct",
            "limits": LIMITS,
        }
        return CallUpstream(**{**values, **changes})

    def call(self, **changes: Any) -> tuple[Any, News]:
        news = News(self.faults)
        return self.upstream.call(self.command(**changes), news.feed), news

    async def get(self, **changes: Any) -> tuple[int, bytes]:
        return await self.call(**changes)[1].reply()


@contextlib.asynccontextmanager
async def client(origin: Origin, routes: Mapping[str, ProxyUrl] | None = None, **options: Any) -> AsyncIterator[Client]:
    vault = Vault()
    vault.add("acc", origin, secret="sk-secret", header=b"authorization", prefix=b"Bearer ")
    upstream = SocketUpstream(vault, routes or {}, **options)
    try:
        yield Client(upstream, origin)
    finally:
        await upstream.aclose()


def header(event: UpstreamStarted, name: bytes) -> list[bytes]:
    headers: list[Header] = list(event.headers)
    return [value for key, value in headers if key == name]
