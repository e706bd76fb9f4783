"""Allow and block lists of client addresses."""

from collections.abc import Sequence

from gephyr_core import addresses
from gephyr_core.addresses import AddressRange, parse_address, parse_range
from gephyr_core.http import Headers

_LONGEST_ADDRESS = 64
"""Characters of an address with its zone; what is longer is none, and is not worth remembering."""


class IpFilter:
    """Decides by a client's address; behind trusted proxies, by the address they forward."""

    def __init__(
        self, *, allow: Sequence[str] = (), block: Sequence[str] = (), trusted_proxies: Sequence[str] = ()
    ) -> None:
        """Entries are addresses or CIDR networks. An empty *allow* list allows everybody; *block* wins."""
        self._allow = _ranges(allow)
        self._block = _ranges(block)
        self._trusted = _ranges(trusted_proxies)

    def trusts(self, peer: str) -> bool:
        """Whether *peer* is a proxy whose word on its clients is taken."""
        return bool(self._trusted) and _within(peer, self._trusted)

    def client_address(self, peer: str, headers: Headers) -> str:
        """Return the client's address: the last one in ``x-forwarded-for`` that is no trusted proxy's own.

        A proxy may add to the client's header by a second one of the name: all of them are one list, in order.
        """
        if not self.trusts(peer):
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
    return not address or addresses.is_loopback(address)


def _ranges(entries: Sequence[str]) -> tuple[AddressRange, ...]:
    return tuple(parse_range(entry) for entry in entries)


def _within(address: str, ranges: tuple[AddressRange, ...]) -> bool:
    return any(entry.contains(address) for entry in ranges)
