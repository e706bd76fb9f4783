"""What this machine lacks to make a connection: descriptors, memory, ports. Nobody else is to blame for it.

Lacks come in crowds, since every request meets them, so they are logged once a second at most.
"""

import asyncio
import errno
import socket
import weakref
from collections.abc import Callable
from typing import Any

import structlog

INTERVAL = 1.0
"""Seconds between two lines about one thing."""
_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_log = structlog.get_logger()


class NoPortError(OSError):
    """Every local port for the address is taken (EADDRNOTAVAIL)."""


def is_lack(error: BaseException | None) -> bool:
    """Whether an exception says that this machine has run out of something."""
    match error:
        case MemoryError() | NoPortError():
            return True
        case socket.gaierror():
            return error.errno == socket.EAI_MEMORY
        case OSError():
            return error.errno in _ERRNOS
        case RuntimeError():
            return "can't start new thread" in str(error)  # the interpreter has no other name for it
    return False


def look_for_lack() -> OSError | None:
    """Return the error if no socket can be made now: the system's resolver fails in other words then."""
    try:
        socket.socket().close()
    except OSError as error:
        return error if is_lack(error) else None
    return None


def no_port_is_left(family: socket.AddressFamily, name: tuple[Any, ...]) -> bool:
    """Whether EADDRNOTAVAIL for TCP means that the ports are used up. It also comes where the machine has no address of
    the family; then UDP has no way there either. Nothing is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(name)
    except OSError:
        return False
    return True


Timer = Callable[[float, Callable[[], None]], object]


class SparingLog:
    """Writes one line in :data:`INTERVAL` at most, and how many it has left out."""

    def __init__(self, event: str, write: Callable[..., object], timer: Timer) -> None:
        """*write* takes the event and fields; *timer* calls back after some seconds."""
        self._event = event
        self._write = write
        self._timer = timer
        self._waiting = False
        self._left_out = 0
        self._latest: dict[str, object] = {}

    def tell(self, **fields: object) -> None:
        """Write a line, now or with the others of this second."""
        if self._waiting:
            self._left_out += 1
            self._latest = fields
            return
        self._waiting = True
        self._timer(INTERVAL, self._due)
        self._write(self._event, **fields)

    def _due(self) -> None:
        self._waiting = False
        if self._left_out:
            left_out, self._left_out = self._left_out - 1, 0
            self.tell(**self._latest, not_logged=left_out)


_logs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SparingLog]]" = weakref.WeakKeyDictionary()


def tell(event: str, **fields: object) -> None:
    """Log *event* as an error of this process, once a second at most for each event of the running loop."""
    loop = asyncio.get_running_loop()
    logs = _logs.setdefault(loop, {})
    if event not in logs:
        logs[event] = SparingLog(event, _log.error, loop.call_later)
    logs[event].tell(**fields)
