"""What the connections of one listener have in common: limits, the driver, and who is connected."""

import asyncio
from typing import TYPE_CHECKING

import attrs

from gephyr.runtime.driver import Driver
from gephyr.server.response import DateHeader, Render, ResponseWriter
from gephyr_core.errors import ErrorKind
from gephyr_core.guards import Cors
from gephyr_core.http import Headers

if TYPE_CHECKING:
    from gephyr.server.connection import Connection

MAX_WAITING = 64 * 1024
"""Bytes kept for a request whose turn has not come; beyond that the socket is not read."""
MAX_DRAINED = 64 * 1024
"""Bytes of an unwanted body that are read to keep the connection."""
MAX_DISCARDED = 1024 * 1024
"""Bytes discarded on a connection that is closing, so that no reset overtakes the reply."""
LINGER_SECONDS = 2.0
"""How long that is done, and how long an unwanted body may take to arrive."""
MAX_BURST = 16
"""Pipelined requests started in one go; then other connections get their turn."""
EXCESS_CONNECTIONS = 64
"""Connections beyond the limit that are told so; further ones are cut without a word."""


@attrs.frozen
class ServerLimits:
    """What a client may take up. Sizes in bytes, times in seconds."""

    max_header_size: int = 64 * 1024
    header_timeout: float = 30.0
    """From the first byte of a head to its last."""
    idle_timeout: float = 120.0
    """Without a request, and for a client that does not take the rest of a reply."""
    max_connections: int = 10_000


@attrs.define(eq=False)
class Shared:
    """The state of a listener, as its connections see it."""

    driver: Driver
    limits: ServerLimits
    render: Render
    loop: asyncio.AbstractEventLoop
    cors: Cors = attrs.field(factory=Cors)
    date: DateHeader = attrs.field(factory=DateHeader)
    connections: set["Connection"] = attrs.field(factory=set)
    draining: bool = False
    """Connections end with their present response."""
    _emptied: asyncio.Event = attrs.field(factory=asyncio.Event)

    def refusal(self, kind: ErrorKind, message: str, line: tuple[str, str], headers: Headers) -> bytes:
        """Return the response to a request that never becomes an exchange, after which its connection closes.

        *line*: method and target. *headers*: the request's, as far as they are known; a page's origin counts.
        """
        method, target = line
        status, told, body = self.render(kind, message, target.partition("?")[0])
        fields = [*told, *self.cors.response_headers(headers), (b"content-length", b"%d" % len(body))]
        response = ResponseWriter(method, http_1_0=False, keep=False)
        response.start(status, fields, self.date.now(), close=True)
        return response.body(body) + response.end()

    def joined(self, connection: "Connection") -> int:
        """Count *connection* in; return how many there are beyond the limit."""
        self.connections.add(connection)
        self._emptied.clear()
        return len(self.connections) - self.limits.max_connections

    def left(self, connection: "Connection") -> None:
        """Count *connection* out."""
        self.connections.discard(connection)
        if not self.connections:
            self._emptied.set()

    async def wait_empty(self) -> None:
        """Wait until there is no connection."""
        if self.connections:
            await self._emptied.wait()
