"""Connections for one request beside the traffic: to a token endpoint, or through a proxy that is checked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpcore

from gephyr.runtime.upstream.connector import Connector
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr.runtime.vetted_connection import SocketStream
from gephyr_core.http import DEFAULT_PORTS, Header, Origin


def split_url(url: str) -> tuple[Origin, str]:
    """Return the origin of an http(s) URL, and its path with the query."""
    parts = urlsplit(url)
    scheme, path = parts.scheme.lower(), parts.path or "/"
    origin = Origin(scheme, (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS[scheme])
    return origin, f"{path}?{parts.query}" if parts.query else path


@contextlib.asynccontextmanager
async def connected(
    connector: Connector, origin: Origin, proxy: ProxyUrl | None, limit: float | None = None
) -> AsyncIterator[httpcore.AsyncNetworkStream]:
    """Connect to *origin*, through *proxy* if there is one, within *limit* seconds; closed with the block.

    Raises ``ConnectError`` and ``TimeoutError``.
    """
    async with asyncio.timeout(limit):
        transport, tcp = await connector.open(origin, proxy)
    try:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        yield SocketStream(reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop()))
    finally:
        transport.abort()
        tcp.abort()


async def asked(
    stream: httpcore.AsyncNetworkStream,
    origin: Origin,
    method: str,
    target: str,
    headers: list[Header],
    body: bytes = b"",
) -> httpcore.Response:
    """Send one request; return the response, its body unread. Raises ``OSError`` and ``httpcore.ProtocolError``."""
    scheme, host = origin.scheme.encode(), origin.host.encode()
    url = httpcore.URL(scheme=scheme, host=host, port=origin.port, target=target.encode())
    connection = httpcore.AsyncHTTP11Connection(httpcore.Origin(scheme, host, origin.port), stream)
    everything = [(b"host", origin.netloc.encode()), *headers]
    return await connection.handle_async_request(httpcore.Request(method, url, headers=everything, content=body))
