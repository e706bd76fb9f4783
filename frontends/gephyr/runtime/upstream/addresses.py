"""From a host's name to a connected socket: the addresses of both families raced (RFC 8305, "happy eyeballs")."""

import asyncio
import errno
import ipaddress
import itertools
import socket
from collections import deque
from collections.abc import Sequence

from gephyr.runtime.upstream.lacks import NoPortError, is_lack, look_for_lack, no_port_is_left

ATTEMPT_DELAY = 0.25
"""Seconds until the next address is tried beside the ones under way (RFC 8305 section 5)."""

Address = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]


async def connect(host: str, port: int) -> socket.socket:
    """Return a connected, non-blocking socket. Raises OSError as :func:`race`, or UnicodeError."""
    addresses = await resolve(host, port)
    sock = await (_connect_one(addresses[0]) if len(addresses) == 1 else race(addresses))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of *host* in the order to try them. Raises OSError or UnicodeError when there are none."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise look_for_lack() or error from None
        return _interleave([(family, address) for family, _, _, _, address in found])
    return [(socket.AF_INET6 if version == 6 else socket.AF_INET, (host, port))]


def _interleave(addresses: Sequence[Address]) -> list[Address]:
    """Let the families take turns, the preferred one first (RFC 8305 section 4)."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    turns = itertools.zip_longest(*families.values())
    return [address for turn in turns for address in turn if address is not None]


async def _connect_one(address: Address) -> socket.socket:
    family, name = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, name)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL and no_port_is_left(family, name):
            raise NoPortError(error.errno, error.strerror) from None
        raise
    return sock


async def race(addresses: Sequence[Address]) -> socket.socket:
    """Return the first of *addresses* to be connected; the others are closed. Raises OSError when all fail: that of
    the first address, unless this machine lacks something for one of them.

    The next attempt starts when one fails, or after ``ATTEMPT_DELAY``.
    """
    waiting = deque(addresses)
    attempts: list[asyncio.Task[socket.socket]] = []
    failures: list[BaseException] = []
    try:
        while waiting or attempts:
            if waiting:
                attempts.append(asyncio.ensure_future(_connect_one(waiting.popleft())))
            timeout = ATTEMPT_DELAY if waiting else None
            done, _ = await asyncio.wait(attempts, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for attempt in [attempt for attempt in attempts if attempt in done]:
                attempts.remove(attempt)
                failure = attempt.exception()
                if failure is None:
                    return attempt.result()
                failures.append(failure)
    finally:
        for attempt in attempts:
            if not attempt.cancel() and attempt.exception() is None:
                attempt.result().close()
    raise next(filter(is_lack, failures), failures[0])
