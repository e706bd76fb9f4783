"""Connections to vetted addresses, in the form in which httpcore wants them."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore

from gephyr.runtime.upstream import addresses
from gephyr.runtime.upstream.lacks import look_for_lack
from gephyr.runtime.vetting import FetchError, Vetting

_MOST_ADDRESSES = 8
"""Of one host that are tried."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a host, for a port, in the order to try them. Raises ``OSError`` or ``UnicodeError``."""


class VettedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were vetted, and to nothing else. Made for one request."""

    def __init__(self, vetting: Vetting, resolve: Resolve) -> None:
        self._vetting = vetting
        self._resolve = resolve
        self._streams: list[SocketStream] = []

    def close(self) -> None:
        """Close at once whatever was opened, however the request ended: httpcore itself leaves a connection open that
        is cancelled in the middle of TLS's handshake."""
        for stream in self._streams:
            stream.abort()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 (the whole fetch is limited by who asked for it)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Look *host* up, vet all its addresses, and connect to one of them. Raises ``FetchError``, ``OSError``."""
        try:
            found = (await self._resolve(host, port))[:_MOST_ADDRESSES]
        except (OSError, UnicodeError):
            found = []
            if lack := look_for_lack():
                raise lack from None
        if not found:
            raise FetchError("the URL leads to no public address")
        self._vetting.vet(host, port, found)
        sock = await addresses.race([(_family(address), (address, port)) for address in found])
        try:
            reader, writer = await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
        self._streams.append(SocketStream(reader, writer))
        return self._streams[-1]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET


class SocketStream(httpcore.AsyncNetworkStream):
    """A connection; its errors are those of asyncio, all of them ``OSError``. Time limits are the caller's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tcp = writer.transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109
        return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        self._writer.write(buffer)
        await self._writer.drain()

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()
        self._tcp.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """Speak TLS from now on."""
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what asyncio knows of the connection."""
        return self._writer.get_extra_info(info)
