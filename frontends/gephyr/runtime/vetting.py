"""Which addresses may be fetched from: what a client names must not lead into the operator's own networks."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import attrs

from gephyr_core.addresses import Address, Network, parse_range, unmapped
from gephyr_core.http import DEFAULT_PORTS, Origin

MOST_URL_LENGTH = 8192
"""Characters."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
"""What parsers of URLs disagree about."""
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"

_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's platform services, inside every virtual machine
    )
)
"""IANA's registry of special-purpose IPv4 addresses (RFC 6890), and multicast. The tables are our own because those of
:mod:`ipaddress` differ between Python's versions."""
_GLOBAL_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
"""All that is assigned for general use. The metadata service ``fd00:ec2::254``, loopback, link-local, unique local and
multicast addresses lie outside."""
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo (2001::/32) among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
"""What of it is not public (RFC 6890), and the tunnels that carry an IPv4 address inside."""
_CARRIES_IPV4 = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
"""IPv4-mapped addresses, and NAT64's (RFC 6052), the way of a network without IPv4 to the public internet: the last 32
bits are the IPv4 address that is meant."""


class FetchError(Exception):
    """Nothing could or may be fetched; the message is for the client: one line that names no address."""

    ours = False
    """The failure is this machine's."""


class LackError(FetchError):
    """This machine has no room for another connection."""

    ours = True


@attrs.frozen
class Location:
    """A URL, taken apart for a request."""

    origin: Origin
    target: str
    """Path and query."""


def parse_url(url: str) -> Location:
    """Take an http or https URL apart. Raises :class:`FetchError`."""
    if len(url) > MOST_URL_LENGTH:
        raise FetchError(f"the URL is longer than {MOST_URL_LENGTH} characters")
    if _UNFIT.search(url):
        raise FetchError("the URL has a character that does not belong there")
    if not url.lower().startswith(("http://", "https://")):
        raise FetchError("the URL is not an http or https one")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host(parts.hostname or "")
        path = quote(parts.path or "/", safe=_URL_SAFE)
        query = f"?{quote(parts.query, safe=_URL_SAFE)}" if parts.query else ""
    except ValueError:
        raise FetchError("the URL has no host or port that can be read") from None
    if "@" in parts.netloc:
        raise FetchError("the URL holds a user name or a password")
    origin = Origin(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port)
    return Location(origin, path + query)


def _host(name: str) -> str:
    """Return an address or a host's name as it goes on the wire. Raises ``ValueError``."""
    if ":" in name and "%" not in name:  # a zone of this machine's is nobody else's business
        return str(ipaddress.IPv6Address(name))
    host = name if name.isascii() else name.encode("idna").decode("ascii")
    if not _HOST_NAME.fullmatch(host):
        raise ValueError("not a host's name")
    return host.removesuffix(".")


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet, whichever way it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried(address)
        if inner is None:
            return address in _GLOBAL_UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)
        address = inner
    return not any(address in network for network in _NOT_PUBLIC_4)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(address in network for network in _CARRIES_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class Vetting:
    """The rule for one configuration: public addresses on the ports of the web, and what the operator allows."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        """*allow* lists networks in CIDR form, addresses and host names."""
        self._networks: list[Network] = []
        self._names: list[str] = []
        for entry in allow:
            try:
                self._networks.append(_network(entry))
            except ValueError:
                self._names.append(entry.lower())

    def vet(self, host: str, port: int, addresses: Sequence[str]) -> None:
        """Raise :class:`FetchError` unless each of the *addresses* of *host* may be connected to on *port*.

        One that may not condemns the host: a name that points inside as well as outside is an attempt.
        """
        if host.lower() in self._names:
            return
        for text in addresses:
            address = ipaddress.ip_address(text)
            if self._allows(address):
                continue
            if not is_public(address):
                raise FetchError("the URL leads to no public address")
            if port not in DEFAULT_PORTS.values():
                raise FetchError("the URL names a port other than 80 and 443")

    def _allows(self, address: Address) -> bool:
        # A mapped address is that IPv4 address; one of NAT64 leads to another network's.
        plain = unmapped(address) or address
        return any(plain in network for network in self._networks)


def _network(entry: str) -> Network:
    """Read an entry of *allow*: one of mapped addresses is the IPv4 network that it maps. Raises ``ValueError``."""
    network = ipaddress.ip_network(entry)
    if unmapped(network.network_address) is None or network.prefixlen < 96:
        return network
    return parse_range(entry).network
