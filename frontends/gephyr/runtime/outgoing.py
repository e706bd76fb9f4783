"""Large data on its way out, a piece at a time: a transport that is given 100 MB at once copies them at once."""

import asyncio
from collections import deque
from collections.abc import Callable

PIECE = 512 * 1024
"""Bytes that a transport is given in one turn of the loop."""


class Outgoing:
    """What a transport is still to be given. Whoever owns the transport tells when it is full and when it has room."""

    __slots__ = ("_loop", "_on_empty", "_transport", "_turn", "_waiting", "full")

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        """Nothing waits at first."""
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[memoryview] = deque()
        self._turn: asyncio.Handle | None = None
        self._on_empty: Callable[[], None] | None = None
        self.full = False
        """The transport wants no more now."""

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def write(self, data: bytes | memoryview) -> None:
        """Write *data* after all that waits: at once, as far as it is no more than a piece and nothing waits."""
        if self._waiting:
            self._waiting.append(memoryview(data))
        elif len(data) <= PIECE:
            self._transport.write(data)
        else:
            self._waiting.append(memoryview(data))
            self._go_on()

    def when_empty(self, then: Callable[[], None]) -> None:
        """Call *then* once nothing waits any more, which may be now. The latest wish counts."""
        if self._waiting:
            self._on_empty = then
        else:
            then()

    def room(self) -> None:
        """The transport has room again."""
        self.full = False
        if self._waiting and self._turn is None:
            self._turn = self._loop.call_soon(self._go_on)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._on_empty = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _go_on(self) -> None:
        """Write a piece; the next one has a turn of its own, after other connections had theirs."""
        self._turn = None
        if self.full or not self._waiting:
            return
        data = self._waiting.popleft()
        if len(data) > PIECE:
            self._waiting.appendleft(data[PIECE:])
            data = data[:PIECE]
        self._transport.write(data)
        if self._waiting:
            if not self.full and self._turn is None:
                self._turn = self._loop.call_soon(self._go_on)
        elif self._on_empty is not None:
            then, self._on_empty = self._on_empty, None
            then()
