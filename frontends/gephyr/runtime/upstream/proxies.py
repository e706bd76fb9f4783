"""The handshakes by which a proxy is asked for a way to a provider: HTTP CONNECT by h11, SOCKS5 by socksio."""

import asyncio
import base64

import h11
from socksio import socks5
from socksio.exceptions import SOCKSError

from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr_core.http import Origin

_ADDRESS_LENGTHS = {1: 4, 4: 16}
"""RFC 1928 section 5: octets of an IPv4 and of an IPv6 address."""
_DOMAIN_NAME = 3


class ProxyRefusedError(Exception):
    """The proxy said no, or something that makes no sense. The text is one line, without secrets."""


class Tunnel(asyncio.Protocol):
    """Holds a transport while it is being made ready: keeps the bytes that arrive, hands them out on demand."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def carry(self, transport: asyncio.Transport) -> None:
        """Use *transport* from now on."""
        self._transport = transport

    @property
    def leftover(self) -> bool:
        """Whether bytes arrived that nobody asked for."""
        return bool(self._received)

    def data_received(self, data: bytes) -> None:
        """Keep *data*."""
        self._received += data
        self._wake()

    def eof_received(self) -> None:
        """Nothing more will come; the transport closes itself."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Nothing more will come."""
        self._ended = True
        self._wake()

    def write(self, data: bytes) -> None:
        """Send *data*."""
        self._transport.write(data)

    async def read(self, least: int = 1) -> None:
        """Wait until *least* bytes are there. Raises :class:`ProxyRefusedError` when the proxy closes before."""
        while len(self._received) < least:
            if self._ended:
                raise ProxyRefusedError("closed the connection")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def take(self, size: int | None = None) -> bytes:
        """Return the first *size* bytes of what was read, or all of it."""
        data = bytes(self._received[:size])
        del self._received[: len(data)]
        return data

    async def read_exactly(self, size: int) -> bytes:
        """Wait for *size* bytes and return them."""
        await self.read(size)
        return self.take(size)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def open_tunnel(tunnel: Tunnel, proxy: ProxyUrl, origin: Origin) -> None:
    """Ask *proxy*, at the other end of *tunnel*, for a way to *origin*. Raises :class:`ProxyRefusedError`."""
    if proxy.scheme.startswith("socks"):
        try:
            await _socks5(tunnel, proxy, origin)
        except SOCKSError:
            raise ProxyRefusedError("gave a malformed SOCKS5 answer") from None
        except OverflowError:
            raise ProxyRefusedError("cannot be told a host name of more than 255 bytes") from None
    else:
        await _http_connect(tunnel, proxy, origin)


async def _http_connect(tunnel: Tunnel, proxy: ProxyUrl, origin: Origin) -> None:
    """RFC 9110 section 9.3.6. The port is always named, as the target form asks for."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}".encode()
    headers = [(b"host", target)]
    if proxy.username:
        token = base64.b64encode(f"{proxy.username}:{proxy.password}".encode())
        headers.append((b"proxy-authorization", b"Basic " + token))
    connection = h11.Connection(h11.CLIENT)
    request = connection.send(h11.Request(method=b"CONNECT", target=target, headers=headers))
    tunnel.write((request or b"") + (connection.send(h11.EndOfMessage()) or b""))
    try:
        event = connection.next_event()
        while type(event) is not h11.Response:
            if event is h11.NEED_DATA:
                await tunnel.read()
                connection.receive_data(tunnel.take())
            event = connection.next_event()
    except h11.RemoteProtocolError:
        raise ProxyRefusedError("gave a malformed HTTP answer") from None
    if not 200 <= event.status_code < 300:
        raise ProxyRefusedError(f"answered {event.status_code}")
    if connection.trailing_data[0]:
        raise ProxyRefusedError("sent bytes of its own after its answer")


async def _socks5(tunnel: Tunnel, proxy: ProxyUrl, origin: Origin) -> None:
    """RFC 1928 and RFC 1929. A host name is the proxy's to look up."""
    connection = socks5.SOCKS5Connection()
    if proxy.username:
        method = socks5.SOCKS5AuthMethod.USERNAME_PASSWORD
        chosen = socks5.SOCKS5State.CLIENT_WAITING_FOR_USERNAME_PASSWORD
    else:
        method = socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED
        chosen = socks5.SOCKS5State.CLIENT_AUTHENTICATED
    connection.send(socks5.SOCKS5AuthMethodsRequest([method]))
    tunnel.write(connection.data_to_send())
    connection.receive_data(await tunnel.read_exactly(2))
    if connection.state is not chosen:
        raise ProxyRefusedError("accepts none of our ways to authenticate")
    if proxy.username:
        name, password = proxy.username.encode(), proxy.password.encode()
        connection.send(socks5.SOCKS5UsernamePasswordRequest(name, password))
        tunnel.write(connection.data_to_send())
        connection.receive_data(await tunnel.read_exactly(2))
        if connection.state is not socks5.SOCKS5State.CLIENT_AUTHENTICATED:
            raise ProxyRefusedError("refused the user name and password")
    address = (origin.host, origin.port)
    connection.send(socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, address))
    tunnel.write(connection.data_to_send())
    reply = connection.receive_data(await _read_socks5_reply(tunnel))
    if isinstance(reply, socks5.SOCKS5Reply) and connection.state is not socks5.SOCKS5State.TUNNEL_READY:
        raise ProxyRefusedError(f"answered: {reply.reply_code.name.lower().replace('_', ' ')}")


async def _read_socks5_reply(tunnel: Tunnel) -> bytes:
    """Read one reply by its own lengths (RFC 1928 section 6): socksio wants it whole."""
    start = await tunnel.read_exactly(5)
    length = start[4] + 1 if start[3] == _DOMAIN_NAME else _ADDRESS_LENGTHS.get(start[3])
    if length is None:
        raise ProxyRefusedError("gave a malformed SOCKS5 answer")
    # The first octet after the type is read already; two octets of port follow the address.
    return start + await tunnel.read_exactly(length - 1 + 2)
