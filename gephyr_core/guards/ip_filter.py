"""Allow and block lists of client addresses."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from gephyr_core.http import Headers

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LONGEST_ADDRESS = 64
"""Characters of an address with its zone; what is longer is none, and is not worth remembering."""


class IpFilter:
    """Decides by a client's address; behind trusted proxies, by the address they forward."""

    def __init__(self, *, allow: Sequence[str], block: Sequence[str], trusted_proxies: Sequence[str]) -> None:
        """Entries are addresses or CIDR networks. An empty *allow* list allows everybody; *block* wins."""
        self._allow = _networks(allow)
        self._block = _networks(block)
        self._trusted = _networks(trusted_proxies)

    def client_address(self, peer: str, headers: Headers) -> str:
        """Return the client's address: the last one in ``x-forwarded-for`` that is no trusted proxy's own.

        A proxy may add to the client's header by a second one of the name: all of them are one list, in order.
        """
        if not self._trusted or not _within(peer, self._trusted):
            return peer
        forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        for hop in reversed(",".join(forwarded).split(",")):
            address = hop.strip()[:_LONGEST_ADDRESS]
            if address and not _within(address, self._trusted):
                return address
        return peer

    def admits(self, address: str) -> bool:
        """Whether a client with this address may pass. An unreadable address passes only where no list is set."""
        if not self._allow and not self._block:
            return True
        if parse_address(address) is None:
            return False
        if _within(address, self._block):
            return False
        return not self._allow or _within(address, self._allow)


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own; a local socket (no address) is."""
    parsed = parse_address(address)
    return not address or (parsed is not None and parsed.is_loopback)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Read an address; an IPv4-mapped IPv6 one becomes the IPv4 one it stands for."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _networks(entries: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(entry, strict=False) for entry in entries)


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)
