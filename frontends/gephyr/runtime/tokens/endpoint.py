"""The way to a token endpoint: one POST on a connection of its own, by httpcore, through the account's own proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import httpcore

from gephyr.runtime.tokens.grants import GrantError, TokenRequest
from gephyr.runtime.upstream.connector import ConnectError, Connector, tls_context
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr.runtime.vetted_connection import SocketStream
from gephyr_core import __version__
from gephyr_core.http import DEFAULT_PORTS, Header, Headers, Origin

DIRECT = "direct"
CONNECT_TIMEOUT = 10.0
"""Seconds until a connection stands."""
MOST_BYTES = 256 * 1024
"""Of an answer's body. Microsoft's tokens have some thousand bytes."""
_HEADERS: tuple[Header, ...] = (
    (b"user-agent", f"gephyr/{__version__}".encode()),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"connection", b"close"),
)


class LostAnswerError(GrantError):
    """The request was sent, and no answer came: whether the refresh token was used up is not known."""


class TokenEndpoint:
    """Posts to token endpoints over sockets. Belongs to the running event loop."""

    def __init__(self, routes: Mapping[str, ProxyUrl], *, ca_file: str = "") -> None:
        """*routes* are looked at for each request. Raises ``OSError`` when *ca_file* cannot be used."""
        self._routes = routes
        self._connector = Connector(tls_context(ca_file))

    async def post(self, request: TokenRequest, route: str, timeout: float) -> tuple[int, Headers, bytes]:  # noqa: ASYNC109
        """Return status, headers (lower-case names) and body of the answer, whatever its status; redirects too.

        *timeout* is in seconds, everything included. Raises :class:`LostAnswerError` once the request was sent, else
        :class:`GrantError`.
        """
        proxy = self._routes.get(route)
        if proxy is None and route != DIRECT:
            raise GrantError("proxy", f"there is no outbound route {route!r}")
        origin, target = _split(request.url)
        deadline = asyncio.get_running_loop().time() + timeout
        async with self._connected(origin, proxy, min(timeout, CONNECT_TIMEOUT)) as stream:
            try:
                async with asyncio.timeout_at(deadline):
                    return await _exchange(stream, origin, target, request)
            except TimeoutError:
                raise LostAnswerError("timeout", f"no answer of {origin} within {timeout:g} s") from None
            except OSError:
                raise LostAnswerError("reset", f"the connection to {origin} broke before its answer came") from None
            except httpcore.ProtocolError:
                raise LostAnswerError("protocol", f"{origin} does not answer by HTTP/1.1 as it should") from None

    @contextlib.asynccontextmanager
    async def _connected(
        self, origin: Origin, proxy: ProxyUrl | None, limit: float
    ) -> AsyncIterator[httpcore.AsyncNetworkStream]:
        try:
            async with asyncio.timeout(limit):
                transport, tcp = await self._connector.open(origin, proxy)
        except TimeoutError:
            raise GrantError("timeout", f"no connection to {origin} within {limit:g} s") from None
        except ConnectError as error:
            raise GrantError(error.fault.value, error.detail) from None
        try:
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            yield SocketStream(reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop()))
        finally:
            transport.abort()
            tcp.abort()


def _split(url: str) -> tuple[Origin, str]:
    parts = urlsplit(url)
    scheme, path = parts.scheme.lower(), parts.path or "/"
    origin = Origin(scheme, (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS[scheme])
    return origin, f"{path}?{parts.query}" if parts.query else path


async def _exchange(
    stream: httpcore.AsyncNetworkStream, origin: Origin, target: str, request: TokenRequest
) -> tuple[int, Headers, bytes]:
    scheme, host, body = origin.scheme.encode(), origin.host.encode(), request.body
    headers = [
        (b"host", origin.netloc.encode()),
        *_HEADERS,
        *request.headers,
        (b"content-length", b"%d" % len(body)),
    ]
    url = httpcore.URL(scheme=scheme, host=host, port=origin.port, target=target.encode())
    connection = httpcore.AsyncHTTP11Connection(httpcore.Origin(scheme, host, origin.port), stream)
    response = await connection.handle_async_request(httpcore.Request("POST", url, headers=headers, content=body))
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_stream():
        size += len(piece)
        if size > MOST_BYTES:
            raise LostAnswerError("too_large", f"the answer of {origin} has more than {MOST_BYTES} bytes")
        pieces.append(piece)
    return response.status, [(name.lower(), value) for name, value in response.headers], b"".join(pieces)
