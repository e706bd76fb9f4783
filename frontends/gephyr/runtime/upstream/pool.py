"""The connections to providers: which are open, and which wait for a next call."""

import asyncio

from gephyr.runtime.upstream.connection import Connection, Key

_READ_SIZE = 65536
"""Bytes: as much as a client's transport holds before it says that it is full."""


class ConnectionPool:
    """Idle connections by key, last in first out: the one used last is the least likely to be closed by its peer.

    Taking, giving back and forgetting are O(1) whatever the number of connections. Connections that have been idle for
    too long are closed when they are come across, and by a timer that runs only while there are idle ones.
    """

    def __init__(self, *, max_idle_per_key: int, idle_seconds: float, head_start: float) -> None:
        self.read_buffer = memoryview(bytearray(_READ_SIZE))
        """What all connections read into, each taking its bytes out before the next one reads."""
        self._max_idle_per_key = max_idle_per_key
        self._idle_seconds = idle_seconds
        self._head_start = head_start
        self._loop = asyncio.get_running_loop()
        # Dicts for their order and for removal from the middle; the values mean nothing.
        self._open: dict[Connection, None] = {}
        self._idle: dict[Key, dict[Connection, None]] = {}
        self._expected: dict[Key, dict[Connection, None]] = {}
        """Connections on which the rest of a response is still read, and that no call waits for."""
        self._awaited: dict[Connection, asyncio.Future[None]] = {}
        self._slow: dict[Key, None] = {}
        """Keys for whose connections a call has waited in vain: nobody does any more until one is given back."""
        self._timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None

    @property
    def open_count(self) -> int:
        """How many connections are open, idle ones included."""
        return len(self._open)

    @property
    def idle_count(self) -> int:
        """How many connections wait for a call."""
        return sum(map(len, self._idle.values()))

    def add(self, connection: Connection) -> None:
        """Count a new connection as open."""
        self._open[connection] = None

    def take(self, key: Key) -> Connection | None:
        """Return the connection given back last that is still open, or None."""
        idle = self._idle.get(key)
        if idle:
            oldest_allowed = self._loop.time() - self._idle_seconds
            while idle:
                connection, _ = idle.popitem()
                if connection.idle_since >= oldest_allowed and connection.is_open:
                    return connection
                connection.abort()
        return None

    def expect(self, connection: Connection) -> None:
        """Know of a connection that will be given back soon, or closed."""
        self._expected.setdefault(connection.key, {})[connection] = None

    async def soon(self, key: Key) -> Connection | None:
        """Return a connection that is expected, if it is given back within a moment. A stream's last chunk often comes
        behind its last event, and must not cost the next call a connection."""
        expected = self._expected.get(key)
        if not expected or key in self._slow:
            return None
        connection, _ = expected.popitem()
        if not expected:
            del self._expected[key]
        given = self._awaited[connection] = self._loop.create_future()
        try:
            await asyncio.wait((given,), timeout=self._head_start)
        except asyncio.CancelledError:
            if given.done() and connection.is_open:
                self.give(connection)
            raise
        finally:
            self._awaited.pop(connection, None)
        if not given.done():
            self._slow[key] = None
        return connection if given.done() and connection.is_open else None

    def give(self, connection: Connection) -> None:
        """Keep *connection* for a next call, or close it when enough are kept."""
        if self._slow:
            self._slow.pop(connection.key, None)
        if (self._expected or self._awaited) and self._is_awaited(connection):
            return
        idle = self._idle.get(connection.key)
        if idle is None:
            idle = self._idle[connection.key] = {}
        if len(idle) >= self._max_idle_per_key or self._closed is not None:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        idle[connection] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._idle_seconds, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        self._open.pop(connection, None)
        self._is_awaited(connection)
        idle = self._idle.get(connection.key)
        if idle is not None:
            idle.pop(connection, None)
        if self._closed is not None and not self._open and not self._closed.done():
            self._closed.set_result(None)

    async def aclose(self) -> None:
        """Close every connection, those in use too, and wait until the loop has let go of them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._idle.clear()
        if self._closed is None:
            self._closed = self._loop.create_future()
            for connection in list(self._open):
                connection.cut()
            if not self._open:
                self._closed.set_result(None)
        await asyncio.shield(self._closed)

    def _is_awaited(self, connection: Connection) -> bool:
        """A connection that was expected is here, or closed: tell the call that waits for it, if one does."""
        expected = self._expected.get(connection.key)
        if expected is not None and connection in expected:
            del expected[connection]
            if not expected:
                del self._expected[connection.key]
        given = self._awaited.pop(connection, None)
        if given is None:
            return False
        given.set_result(None)
        return True

    def _sweep(self) -> None:
        """Close what has been idle for too long, and look again when the next connection will have been."""
        self._timer = None
        oldest_allowed = self._loop.time() - self._idle_seconds
        next_expiry: float | None = None
        for key, idle in list(self._idle.items()):
            expired = []
            for connection in idle:
                if connection.idle_since > oldest_allowed:
                    expiry = connection.idle_since + self._idle_seconds
                    next_expiry = expiry if next_expiry is None else min(next_expiry, expiry)
                    break
                expired.append(connection)
            for connection in expired:
                del idle[connection]
                connection.abort()
            if not idle:
                del self._idle[key]
        if next_expiry is not None:
            self._timer = self._loop.call_at(next_expiry, self._sweep)
