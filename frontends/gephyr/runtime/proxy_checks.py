"""Health checks of proxies: a URL is asked for through each, and the status of the answer compared."""

from collections.abc import Mapping

import httpcore

from gephyr.runtime.upstream.connector import ConnectError, Connector, tls_context
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr.runtime.upstream.single import asked, connected, split_url
from gephyr_core import __version__
from gephyr_core.commands import CheckProxy
from gephyr_core.errors import Fault
from gephyr_core.events import ProxyChecked
from gephyr_core.http import Header, Origin

_HEADERS: tuple[Header, ...] = ((b"user-agent", f"gephyr/{__version__}".encode()), (b"connection", b"close"))


class ProxyCheck:
    """Implements :class:`gephyr.runtime.errands.ProxyChecker`. Belongs to the running event loop."""

    def __init__(self, routes: Mapping[str, ProxyUrl], *, ca_file: str = "") -> None:
        """*routes* are looked at for each check. Raises ``OSError`` when *ca_file* cannot be used."""
        self._routes = routes
        self._connector = Connector(tls_context(ca_file))

    async def check(self, command: CheckProxy) -> ProxyChecked:
        """Ask for the URL through the proxy, on a connection of its own. The body of the answer is not read."""
        proxy = self._routes.get(command.route)
        if proxy is None:
            return ProxyChecked(command.proxy, healthy=False, detail=f"there is no outbound route {command.route!r}")
        origin, target = split_url(command.url)
        try:
            status = await self._status(origin, target, proxy)
        except ConnectError as error:
            ours = error.fault in {Fault.LOCAL, Fault.GATEWAY}
            return ProxyChecked(command.proxy, healthy=None if ours else False, detail=error.detail)
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError):
            return ProxyChecked(command.proxy, healthy=False, detail=f"{origin} did not answer through the proxy")
        if status != command.expected_status:
            detail = f"{origin} answered {status}, not {command.expected_status}"
            return ProxyChecked(command.proxy, healthy=False, detail=detail)
        return ProxyChecked(command.proxy, healthy=True)

    async def _status(self, origin: Origin, target: str, proxy: ProxyUrl) -> int:
        async with connected(self._connector, origin, proxy) as stream:
            return (await asked(stream, origin, "GET", target, list(_HEADERS))).status
