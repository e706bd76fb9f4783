"""The way to a token endpoint: one POST on a connection of its own, by httpcore, through the account's own proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import httpcore

from gephyr.runtime.tokens.grants import GrantError, TokenRequest
from gephyr.runtime.upstream.connector import ConnectError, Connector, tls_context
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr.runtime.upstream.single import asked, connected, split_url
from gephyr_core import __version__
from gephyr_core.http import Header, Headers, Origin
from gephyr_core.outbound.route import DIRECT

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
        origin, target = split_url(request.url)
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
        async with contextlib.AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(connected(self._connector, origin, proxy, limit))
            except TimeoutError:
                raise GrantError("timeout", f"no connection to {origin} within {limit:g} s") from None
            except ConnectError as error:
                raise GrantError(error.fault.value, error.detail) from None
            yield stream


async def _exchange(
    stream: httpcore.AsyncNetworkStream, origin: Origin, target: str, request: TokenRequest
) -> tuple[int, Headers, bytes]:
    body = request.body
    headers = [*_HEADERS, *request.headers, (b"content-length", b"%d" % len(body))]
    response = await asked(stream, origin, "POST", target, headers, body)
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_stream():
        size += len(piece)
        if size > MOST_BYTES:
            raise LostAnswerError("too_large", f"the answer of {origin} has more than {MOST_BYTES} bytes")
        pieces.append(piece)
    return response.status, [(name.lower(), value) for name, value in response.headers], b"".join(pieces)
