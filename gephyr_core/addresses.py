"""IP addresses and networks in one form, however they are written.

A machine that listens for IPv6 sees an IPv4 client as ``::ffff:10.0.0.5`` (RFC 4291, section 2.5.5.2), and behind
NAT64 as ``64:ff9b::a00:5`` (RFC 6052) or an address in ``64:ff9b:1::/48`` (RFC 8215). Each stands for the IPv4 address
that it carries, in an operator's list as well as at a peer.
"""

import ipaddress
from functools import lru_cache

import attrs

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_TRANSLATED_LOCALLY = ipaddress.IPv6Network("64:ff9b:1::/48")
_LAST_32 = 96
"""Bits before the IPv4 address in a prefix of that length; the address is the rest."""
_SUFFIX = 2**40 - 1
"""What is 0 in an address made of a prefix of 48 bits: 16 bits of the IPv4 address follow the prefix, then 8 bits that
are 0, then the other 16 (RFC 6052, section 2.2)."""


@attrs.frozen
class AddressRange:
    """An entry of an operator's list: an address or a network, and the zone it is meant in."""

    network: Network
    zone: str = ""
    """Of a link-local address (``fe80::1%eth0``, RFC 4007): an interface of this machine; empty: any."""

    def __str__(self) -> str:
        if not self.zone:
            return str(self.network)
        return f"{self.network.network_address}%{self.zone}/{self.network.prefixlen}"

    def contains(self, text: str) -> bool:
        """Whether the address that *text* is lies in it; False where it is none. A zone counts if both name one."""
        address = parse_address(text)
        if address is None or address not in self.network:
            return False
        zone = text.partition("%")[2]
        return not zone or self.zone in {"", zone}


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Read an address, without its zone, as the IPv4 address that it carries if it carries one; None if it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return carried(address) or address


def parse_range(text: str) -> AddressRange:
    """Read an address or a network in CIDR form. Raises ``ValueError``, for host bits too.

    A network that is larger than what carries IPv4 (``::/0``) stays one of IPv6 and has no IPv4 address in it.
    """
    address, slash, length = text.partition("/")
    bare, percent, zone = address.partition("%")
    if percent and not (zone and ":" in bare):
        raise ValueError("a zone belongs to an IPv6 address")
    network = ipaddress.ip_network(f"{bare}{slash}{length}")
    return AddressRange(_carried_network(network) or network, zone)


def is_loopback(text: str) -> bool:
    """Whether the address is this machine's own. One that NAT64 translates is not: that is another network's."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return (unmapped(address) or address).is_loopback


def unmapped(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv4-mapped one is."""
    return address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None


def carried(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for; None for all others."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    value = int(address)
    if address in _TRANSLATED_LOCALLY and not value & _SUFFIX:
        return ipaddress.IPv4Address(_of_48_bits(value))
    if address in _MAPPED or address in _TRANSLATED or address in _TRANSLATED_LOCALLY:
        return ipaddress.IPv4Address(value & 0xFFFFFFFF)
    return None


def _of_48_bits(value: int) -> int:
    """The IPv4 address in an address with a prefix of 48 bits."""
    return (value >> 48 & 0xFFFF0000) | (value >> 40 & 0xFFFF)


def _carried_network(network: Network) -> ipaddress.IPv4Network | None:
    """The IPv4 network that an IPv6 one stands for."""
    if not isinstance(network, ipaddress.IPv6Network):
        return None
    length, address = network.prefixlen, network.network_address
    if length == network.max_prefixlen:
        inner = carried(address)
        return None if inner is None else ipaddress.IPv4Network(inner)
    if network.subnet_of(_MAPPED) or network.subnet_of(_TRANSLATED):
        return ipaddress.IPv4Network((int(address) & 0xFFFFFFFF, length - _LAST_32))
    if network.subnet_of(_TRANSLATED_LOCALLY):
        if length >= _LAST_32:
            return ipaddress.IPv4Network((int(address) & 0xFFFFFFFF, length - _LAST_32))
        # The 8 bits that are 0 lie between the halves of the IPv4 address.
        known = min(length - 48, 16) + max(0, min(length - 72, 16))
        return ipaddress.IPv4Network((_of_48_bits(int(address)), known))
    return None
