"""The trace: a hash over everything that went into the gateway and came out of it, and the latest of it as text.

One line of fixed width for each event and command: time, kind, exchange, attempt, account, and a number (a status, or
how many bytes). Two runs with the same hash did the same things at the same times.
"""

import hashlib
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelQuestions,
    CancelUpstream,
    CheckProxy,
    CollectMetrics,
    Command,
    DescribeModel,
    EndResponse,
    FetchUrl,
    Load,
    Observe,
    ReadBody,
    RefreshToken,
    Save,
    SendBody,
    StartResponse,
    StopServing,
)
from gephyr_core.errors import Fault
from gephyr_core.events import (
    ClientGone,
    Event,
    Loaded,
    ModelDescribed,
    ProxyChecked,
    RequestBody,
    RequestEnded,
    RequestStarted,
    StateRestored,
    TimePassed,
    TokenRefreshed,
    TokenRefreshFailed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
    UrlFetchFailed,
)

_PACK = struct.Struct("<dBQHIQ").pack
_FLUSH_AT = 1 << 16
_LATEST = 50

_FAULTS: tuple[Fault, ...] = tuple(Fault)
Line = tuple[int, int, str, int]
"""Exchange, attempt, account, and a number."""

_READ: dict[type, Callable[[Any], Line]] = {
    RequestStarted: lambda one: (one.exchange, 0, "", 0),
    RequestBody: lambda one: (one.exchange, 0, "", len(one.data)),
    RequestEnded: lambda one: (one.exchange, 0, "", 0),
    ClientGone: lambda one: (one.exchange, 0, "", 0),
    UpstreamStarted: lambda one: (one.exchange, one.attempt, "", one.status),
    UpstreamBody: lambda one: (one.exchange, one.attempt, "", len(one.data)),
    UpstreamEnded: lambda one: (one.exchange, one.attempt, "", 0),
    UpstreamFailed: lambda one: (one.exchange, one.attempt, "", _FAULTS.index(one.fault)),
    TimePassed: lambda _: (0, 0, "", 0),
    TokenRefreshed: lambda one: (0, 0, one.account, 0),
    TokenRefreshFailed: lambda one: (0, 0, one.account, int(one.permanent)),
    ProxyChecked: lambda one: (0, 0, "", int(one.healthy)),
    UrlFetchFailed: lambda one: (one.exchange, 0, "", one.question),
    Loaded: lambda one: (one.exchange, 0, "", one.question),
    ModelDescribed: lambda one: (0, 0, one.account, one.status),
    StateRestored: lambda _: (0, 0, "", 0),
    ReadBody: lambda one: (one.exchange, 0, "", 0),
    StartResponse: lambda one: (one.exchange, 0, "", one.status),
    SendBody: lambda one: (one.exchange, 0, "", len(one.data)),
    EndResponse: lambda one: (one.exchange, 0, "", 0),
    AbortResponse: lambda one: (one.exchange, 0, "", 0),
    CallUpstream: lambda one: (one.exchange, one.attempt, one.account, len(one.body)),
    CancelUpstream: lambda one: (one.exchange, one.attempt, "", 0),
    RefreshToken: lambda one: (0, 0, one.account, 0),
    CheckProxy: lambda _: (0, 0, "", 0),
    Save: lambda _: (0, 0, "", 0),
    Observe: lambda _: (0, 0, "", 0),
    FetchUrl: lambda one: (one.exchange, 0, "", one.question),
    Load: lambda one: (one.exchange, 0, "", one.question),
    CancelQuestions: lambda one: (one.exchange, 0, "", 0),
    DescribeModel: lambda one: (0, 0, one.account, 0),
    CollectMetrics: lambda one: (one.exchange, 0, "", 0),
    StopServing: lambda _: (0, 0, "", 0),
}
"""How the line of each event and command is made. Their order is part of the hash."""
_CODES = {kind: number for number, kind in enumerate(_READ)}


class Trace:
    """Takes every line of one run."""

    __slots__ = ("_accounts", "_buffer", "_hash", "_latest", "_write")

    def __init__(self, accounts: Iterable[str], write: Callable[[bytes], None] | None) -> None:
        """*accounts*: ids in the order of the configuration. *write* gets each line as JSON, with its line feed; None:
        they are hashed only."""
        self._accounts = {name: number for number, name in enumerate(accounts, 1)}
        self._write = write
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._latest: deque[tuple[float, type, Line]] = deque(maxlen=_LATEST)

    def take(self, at: float, what: Event | Command) -> None:
        """Take one event or command. *at*: seconds since the epoch."""
        kind = type(what)
        line = _READ[kind](what)
        exchange, attempt, account, value = line
        self._buffer += _PACK(at, _CODES[kind], exchange, attempt, self._accounts.get(account, 0), value)
        self._latest.append((at, kind, line))
        if len(self._buffer) >= _FLUSH_AT:
            self._flush()
        if self._write is not None:
            told = {"at": at, "kind": kind.__name__, "exchange": exchange, "attempt": attempt}
            self._write(msgspec.json.encode({**told, "account": account, "value": value}) + b"\n")

    def latest(self) -> tuple[str, ...]:
        """Return the last lines as text, the oldest first."""
        return tuple(
            f"{at:.6f} {kind.__name__} exchange={exchange} attempt={attempt} account={account} value={value}"
            for at, kind, (exchange, attempt, account, value) in self._latest
        )

    def digest(self) -> str:
        """Return the SHA-256 hex digest of all lines so far."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._buffer)
        self._buffer.clear()
