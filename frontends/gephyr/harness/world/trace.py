"""The trace: a hash over everything that went into the gateway and came out of it, and the latest of it as text.

One line of fixed width for each event and command: time, kind, exchange, attempt, account, and a number (a status, or
how many bytes). Two runs with the same hash did the same things at the same times.
"""

import hashlib
import struct
from collections import deque
from collections.abc import Callable

import msgspec

_PACK = struct.Struct("<dBQHIQ").pack
_FLUSH_AT = 1 << 16
_LATEST = 50

KINDS = (
    *("RequestStarted", "RequestBody", "RequestEnded", "ClientGone", "UpstreamStarted", "UpstreamBody"),
    *("UpstreamEnded", "UpstreamFailed", "TimePassed", "TokenRefreshed", "TokenRefreshFailed", "ProxyChecked"),
    *("Loaded", "UrlFetchFailed", "ModelDescribed", "MetricsCollected", "StateRestored"),
    *("ReadBody", "StartResponse", "SendBody", "EndResponse", "AbortResponse", "CallUpstream", "CancelUpstream"),
    *("RefreshToken", "CheckProxy", "Save", "Observe", "FetchUrl", "Load", "DescribeModel", "CollectMetrics"),
    *("CancelQuestions", "StopServing"),
)
"""The events, then the commands. Their order is part of the hash."""
_CODES = {name: number for number, name in enumerate(KINDS)}


class Trace:
    """Takes every line of one run."""

    __slots__ = ("_buffer", "_hash", "_latest", "_write")

    def __init__(self, write: Callable[[bytes], None] | None) -> None:
        """*write* gets each line as JSON, with its line feed; None: it is hashed only."""
        self._write = write
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._latest: deque[tuple[float, str, int, int, int, int]] = deque(maxlen=_LATEST)

    def line(self, at: float, kind: str, exchange: int = 0, attempt: int = 0, account: int = 0, value: int = 0) -> None:
        """Take one event or command. *account*: its place in the configuration, from 1; 0 for none."""
        self._buffer += _PACK(at, _CODES[kind], exchange, attempt, account, value)
        self._latest.append((at, kind, exchange, attempt, account, value))
        if len(self._buffer) >= _FLUSH_AT:
            self._flush()
        if self._write is not None:
            line = {"at": at, "kind": kind, "exchange": exchange, "attempt": attempt, "account": account}
            self._write(msgspec.json.encode({**line, "value": value}) + b"\n")

    def latest(self) -> tuple[str, ...]:
        """Return the last lines as text, the oldest first."""
        return tuple(
            f"{at:.6f} {kind} exchange={exchange} attempt={attempt} account={account} value={value}"
            for at, kind, exchange, attempt, account, value in self._latest
        )

    def digest(self) -> str:
        """Return the SHA-256 hex digest of all lines so far."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._buffer)
        self._buffer.clear()
