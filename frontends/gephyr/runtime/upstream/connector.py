"""From an origin and a route to a connection: TCP, the proxy's handshake, TLS."""

import asyncio
import os
import ssl

import attrs

from gephyr.runtime.upstream import addresses, lacks
from gephyr.runtime.upstream.keepalive import KeepAlive
from gephyr.runtime.upstream.proxies import ProxyRefusedError, Tunnel, open_tunnel
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr_core.errors import Fault
from gephyr_core.faults import internal_error
from gephyr_core.http import Origin


class ConnectError(Exception):
    """No connection can be made."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        """One line, without secrets."""


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Trust the system's store, and the PEM file *ca_file* beside it. Raises OSError when that cannot be used."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


@attrs.define
class Progress:
    """How far a connection has come, for a caller whose time limit ends the making of it."""

    tunnelled: bool = False
    """The proxy has opened the way to the provider; from then on it is not what is slow."""


class Connector:
    """Makes connections. Time limits are the caller's: cancelling at any point closes what there is."""

    def __init__(self, tls: ssl.SSLContext, keepalive: KeepAlive | None = None) -> None:
        """*keepalive* is for connections that may be silent for minutes; those that have a short limit need none."""
        self._tls = tls
        self._keepalive = keepalive

    async def open(
        self, origin: Origin, proxy: ProxyUrl | None, progress: Progress | None = None
    ) -> tuple[asyncio.Transport, asyncio.Transport]:
        """Connect to *origin*, through *proxy* if there is one. Raises :class:`ConnectError`, for ``Fault.LOCAL`` and
        ``Fault.GATEWAY`` logged as ours.

        Returns the transport to speak HTTP on, and the TCP transport at its bottom (the same one without TLS). Give
        the first a protocol before anything else runs on the loop.
        """
        try:
            return await self._open(origin, proxy, progress or Progress())
        except ConnectError as error:
            if error.fault is Fault.LOCAL:
                lacks.tell("no connection can be opened", reason=error.detail)
            raise
        except Exception as error:
            detail = f"a fault of the gateway ({type(error).__name__})"
            if lacks.is_lack(error):
                lacks.tell("no connection can be opened", reason=str(error) or type(error).__name__)
                raise ConnectError(Fault.LOCAL, detail) from error
            lacks.tell("a connection could not be made", place=internal_error(error, "connecting", 0.0).place)
            raise ConnectError(Fault.GATEWAY, detail) from error

    async def _open(
        self, origin: Origin, proxy: ProxyUrl | None, progress: Progress
    ) -> tuple[asyncio.Transport, asyncio.Transport]:
        tunnel = Tunnel()
        tcp = await self._tcp(proxy or origin, Fault.PROXY if proxy else Fault.CONNECT, tunnel)
        try:
            transport = tcp
            if proxy is not None:
                transport = await self._through(proxy, origin, tcp, tunnel)
                progress.tunnelled = True
            if origin.scheme == "https":
                transport = await self._start_tls(transport, tunnel, origin, Fault.TLS)
            if tunnel.leftover:
                raise ConnectError(Fault.PROTOCOL, f"{origin} sent bytes before the request")
            if transport.is_closing():
                raise ConnectError(Fault.CONNECT, f"{origin} closed the connection at once")
        except BaseException:
            tcp.abort()
            raise
        return transport, tcp

    async def _tcp(self, server: Origin | ProxyUrl, fault: Fault, tunnel: Tunnel) -> asyncio.Transport:
        try:
            sock = await addresses.connect(server.host, server.port)
        except (OSError, UnicodeError) as exc:
            raise _failed(fault, f"cannot connect to {server}", exc) from None
        try:
            if self._keepalive is not None:
                self._keepalive.apply(sock)
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: tunnel, sock=sock)
        except BaseException:
            sock.close()
            raise
        tunnel.carry(transport)
        return transport

    async def _through(
        self, proxy: ProxyUrl, origin: Origin, tcp: asyncio.Transport, tunnel: Tunnel
    ) -> asyncio.Transport:
        transport = tcp
        if proxy.scheme == "https":
            transport = await self._start_tls(tcp, tunnel, proxy, Fault.PROXY)
            tunnel.carry(transport)
        try:
            await open_tunnel(tunnel, proxy, origin)
        except ProxyRefusedError as exc:
            raise ConnectError(Fault.PROXY, f"proxy {proxy} {exc}") from None
        return transport

    async def _start_tls(
        self, transport: asyncio.Transport, tunnel: Tunnel, server: Origin | ProxyUrl, fault: Fault
    ) -> asyncio.Transport:
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, tunnel, self._tls, server_hostname=server.host
            )
        except (OSError, UnicodeError) as exc:
            raise _failed(fault, f"TLS with {server} failed", exc) from None
        if secure is None:
            raise ConnectError(fault, f"TLS with {server} failed: connection lost")
        return secure


def _failed(fault: Fault, what: str, exc: OSError | UnicodeError) -> ConnectError:
    return ConnectError(Fault.LOCAL if lacks.is_lack(exc) else fault, f"{what}: {_reason(exc)}")


def _reason(exc: OSError | UnicodeError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {exc.verify_message}"
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "protocol error").lower().replace("_", " ")
    if isinstance(exc, UnicodeError):
        return "not a host name"
    if exc.errno is not None and exc.errno > 0:
        # asyncio's own text names the address only.
        return os.strerror(exc.errno)
    return exc.strerror or type(exc).__name__
