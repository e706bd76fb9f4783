"""Memory that held large buffers goes back to the system.

A reply of 20 MB is collected from some hundred pieces of 64 KiB. glibc keeps such pieces for later, between others that
are in use, and a process that was busy once stays as large as it was then. ``malloc_trim`` gives back what is free.
"""

import asyncio
import ctypes
from collections.abc import Callable

INTERVAL = 5.0
"""Seconds between looks at what was let go. Until then the client of a large reply has usually read it."""

Trim = Callable[[], object]
"""Gives free memory back. Takes about 100 ms for 400 MB, and is called in a thread."""


def system_trim() -> Trim | None:
    """Return glibc's ``malloc_trim``; None on systems that have none (macOS, musl), where nothing is done."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)


class MemoryReturn:
    """Gives memory back after large buffers were let go, and does nothing else. Belongs to the running loop."""

    def __init__(self, released: Callable[[], int], trim: Trim | None) -> None:
        """*released* tells how many bytes of large buffers were let go since the start."""
        self._released = released
        self._trim = trim
        self._loop = asyncio.get_running_loop()
        self._seen = 0
        self._again = False
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: asyncio.Future[object] | None = None
        if trim is not None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def look(self) -> bool:
        """Give memory back if there may be some; return whether that was begun.

        It is done once more after the last buffer was let go: a slow client may hold its reply for longer.
        """
        released, before = self._released(), self._seen
        due = released > before or self._again
        if self._trim is None or not due or self._under_way is not None:
            return False
        self._seen, self._again = released, released > before
        self._under_way = self._loop.run_in_executor(None, self._trim)
        self._under_way.add_done_callback(self._done)
        return True

    async def aclose(self) -> None:
        """Stop looking; wait until what was begun is done."""
        if self._timer is not None:
            self._timer.cancel()
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    def _tick(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._tick)
        self.look()

    def _done(self, _done: asyncio.Future[object]) -> None:
        self._under_way = None
