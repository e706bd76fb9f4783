"""What the connections of one listener have in common: limits, the driver, and who is connected."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import attrs

from gephyr.runtime.driver import Driver
from gephyr.server.response import DateHeader, Render, ResponseWriter
from gephyr_core.addresses import parse_address
from gephyr_core.errors import ErrorKind
from gephyr_core.guards import Cors, IpFilter
from gephyr_core.http import Headers

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
"""Connections beyond a limit that are told so; further ones are cut without a word."""


@attrs.frozen
class ServerLimits:
    """What a client may take up. Sizes in bytes, times in seconds."""

    max_header_size: int = 64 * 1024
    header_timeout: float = 30.0
    """From the first byte of a head to its last; and from the start of a connection to its first byte."""
    idle_timeout: float = 120.0
    """Without a further request, and for a client that does not take the rest of a reply."""
    max_connections: int = 10_000
    max_connections_per_address: int = 0
    """0: no limit. An IPv6 client is counted by its /64 network, of which it may choose every address."""
    trusted_proxies: Sequence[str] = ()
    """Addresses and networks that this limit is not for: they bring many clients each."""


class Counted(Protocol):
    """A connection, as the listener sees it."""

    deadline: float
    """When :meth:`expire` is wanted, on the loop's clock."""

    def expire(self) -> None:
        """The deadline has passed."""

    def close_if_idle(self) -> None:
        """Close unless a request runs or has begun to arrive."""

    def abort(self) -> None:
        """Close at once, losing what was not sent."""


@attrs.frozen
class TurnedAway:
    """Why a connection is not served."""

    kind: ErrorKind
    message: str
    silent: bool = False
    """It is not even told."""


_TOO_MANY = TurnedAway(ErrorKind.UNAVAILABLE, "the gateway has too many connections (server.max_connections)")
_TOO_MANY_OF_ONE = TurnedAway(
    ErrorKind.RATE_LIMIT, "this address has too many connections (server.max_connections_per_address)"
)


@attrs.define(eq=False)
class Shared:
    """The state of a listener, as its connections see it."""

    driver: Driver
    limits: ServerLimits
    render: Render
    loop: asyncio.AbstractEventLoop
    cors: Cors = attrs.field(factory=Cors)
    date: DateHeader = attrs.field(factory=DateHeader)
    connections: dict[Counted, str] = attrs.field(factory=dict)
    """With whom each is counted; empty where that is nobody."""
    turned_away: int = 0
    """Connections that a limit kept from being served."""
    draining: bool = False
    """Connections end with their present response."""
    _reasons: dict[Counted, TurnedAway] = attrs.field(factory=dict)
    """Why those are not served that are not."""
    _of_address: dict[str, int] = attrs.field(factory=dict)
    _proxies: IpFilter = attrs.field(init=False)
    _emptied: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self._proxies = IpFilter(trusted_proxies=self.limits.trusted_proxies)

    def refusal(self, kind: ErrorKind, message: str, line: tuple[str, str], headers: Headers) -> bytes:
        """Return the response to a request that never becomes an exchange, after which its connection closes.

        *line*: method and target. *headers*: the request's, as far as they are known; they tell the
        client's dialect, and a page's origin.
        """
        method, target = line
        status, told, body = self.render(kind, message, target, headers)
        fields = [*told, *self.cors.response_headers(headers), (b"content-length", b"%d" % len(body))]
        response = ResponseWriter(method, http_1_0=False, keep=False)
        response.start(status, fields, self.date.now(), close=True)
        return response.body(body) + response.end()

    def joined(self, connection: Counted, peer: str) -> TurnedAway | None:
        """Count *connection* of *peer* in, unless it was; return why it is not served, if it is not."""
        if connection in self.connections:
            return self._reasons.pop(connection, None)
        client = self._client(peer) if self.limits.max_connections_per_address else ""
        self.connections[connection] = client
        self._emptied.clear()
        reason, excess = _TOO_MANY, len(self.connections) - self.limits.max_connections
        if client:
            count = self._of_address[client] = self._of_address.get(client, 0) + 1
            if excess <= 0:
                reason, excess = _TOO_MANY_OF_ONE, count - self.limits.max_connections_per_address
        if excess <= 0:
            return None
        self.turned_away += 1
        reason = self._reasons[connection] = attrs.evolve(reason, silent=excess > EXCESS_CONNECTIONS)
        return reason

    def hand_over(self, counted: Counted, connection: Counted) -> None:
        """Let *connection* be counted in the place of what it was until now, and be served or not as that."""
        self.connections[connection] = self.connections.pop(counted)
        if counted in self._reasons:
            self._reasons[connection] = self._reasons.pop(counted)

    def _client(self, peer: str) -> str:
        """What the connections of *peer* are counted under; empty where they are not."""
        address = parse_address(peer)
        if address is None or self._proxies.trusts(peer):
            return ""
        return str(address) if address.version == 4 else address.packed[:8].hex()

    def left(self, connection: Counted) -> None:
        """Count *connection* out."""
        self._reasons.pop(connection, None)
        client = self.connections.pop(connection, "")
        if client:
            self._of_address[client] -= 1
            if not self._of_address[client]:
                del self._of_address[client]
        if not self.connections:
            self._emptied.set()

    async def wait_empty(self) -> None:
        """Wait until there is no connection."""
        if self.connections:
            await self._emptied.wait()
