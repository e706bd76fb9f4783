"""Allow and block lists of client addresses."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from gephyr_core.http import Headers, header_text

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class IpFilter:
    """Decides by a client's address; behind trusted proxies, by the address they forward."""

    def __init__(self, *, allow: Sequence[str], block: Sequence[str], trusted_proxies: Sequence[str]) -> None:
        """Entries are addresses or CIDR networks. An empty *allow* list allows everybody; *block* wins."""
        self._allow = _networks(allow)
        self._block = _networks(block)
        self._trusted = _networks(trusted_proxies)

    def client_address(self, peer: str, headers: Headers) -> str:
        """Return the client's address: the last one in ``x-forwarded-for`` that is no trusted proxy's own."""
        if not self._trusted or not _within(peer, self._trusted):
            return peer
        forwarded = (header_text(headers, b"x-forwarded-for") or "").split(",")
        for hop in reversed([peer, *(part.strip() for part in forwarded if part.strip())][1:]):
            if not _within(hop, self._trusted):
                return hop
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
