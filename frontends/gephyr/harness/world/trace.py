"""The trace: a hash over everything that went into the gateway and came out of it, and the latest of it as text.

One line of fixed width for each event and command: time, kind, exchange, attempt, account, and a number (a status, or
how many bytes). Two runs with the same hash did the same things at the same times.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping
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
    Compute,
    DescribeModel,
    DetachUpstream,
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
    AdminChanged,
    ClientGone,
    Computed,
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

_LINE = struct.Struct("<dBQHIQ")
_PACK = _LINE.pack
_FLUSH_AT = _LINE.size * 2048
_LATEST = _LINE.size * 50

Numbers = Mapping[str, int]
"""The places of accounts in the configuration, from 1."""
_FAULTS: tuple[Fault, ...] = tuple(Fault)
_READ: dict[type, Callable[[float, Any, Numbers], bytes]] = {
    RequestStarted: lambda at, one, _numbers: _PACK(at, 0, one.exchange, 0, 0, 0),
    RequestBody: lambda at, one, _numbers: _PACK(at, 1, one.exchange, 0, 0, len(one.data)),
    RequestEnded: lambda at, one, _numbers: _PACK(at, 2, one.exchange, 0, 0, 0),
    ClientGone: lambda at, one, _numbers: _PACK(at, 3, one.exchange, 0, 0, 0),
    UpstreamStarted: lambda at, one, _numbers: _PACK(at, 4, one.exchange, one.attempt, 0, one.status),
    UpstreamBody: lambda at, one, _numbers: _PACK(at, 5, one.exchange, one.attempt, 0, len(one.data)),
    UpstreamEnded: lambda at, one, _numbers: _PACK(at, 6, one.exchange, one.attempt, 0, 0),
    UpstreamFailed: lambda at, one, _numbers: _PACK(at, 7, one.exchange, one.attempt, 0, _FAULTS.index(one.fault)),
    TimePassed: lambda at, _one, _numbers: _PACK(at, 8, 0, 0, 0, 0),
    TokenRefreshed: lambda at, one, numbers: _PACK(at, 9, 0, 0, numbers.get(one.account, 0), 0),
    TokenRefreshFailed: lambda at, one, numbers: _PACK(at, 10, 0, 0, numbers.get(one.account, 0), int(one.permanent)),
    ProxyChecked: lambda at, one, _numbers: _PACK(at, 11, 0, 0, 0, int(one.healthy)),
    UrlFetchFailed: lambda at, one, _numbers: _PACK(at, 12, one.exchange, 0, 0, one.question),
    Loaded: lambda at, one, _numbers: _PACK(at, 13, one.exchange, 0, 0, one.question),
    ModelDescribed: lambda at, one, numbers: _PACK(at, 14, 0, 0, numbers.get(one.account, 0), one.status),
    StateRestored: lambda at, _one, _numbers: _PACK(at, 15, 0, 0, 0, 0),
    ReadBody: lambda at, one, _numbers: _PACK(at, 16, one.exchange, 0, 0, 0),
    StartResponse: lambda at, one, _numbers: _PACK(at, 17, one.exchange, 0, 0, one.status),
    SendBody: lambda at, one, _numbers: _PACK(at, 18, one.exchange, 0, 0, len(one.data)),
    EndResponse: lambda at, one, _numbers: _PACK(at, 19, one.exchange, 0, 0, 0),
    AbortResponse: lambda at, one, _numbers: _PACK(at, 20, one.exchange, 0, 0, 0),
    CallUpstream: lambda at, one, numbers: _PACK(
        at, 21, one.exchange, one.attempt, numbers.get(one.account, 0), len(one.body)
    ),
    CancelUpstream: lambda at, one, _numbers: _PACK(at, 22, one.exchange, one.attempt, 0, 0),
    RefreshToken: lambda at, one, numbers: _PACK(at, 23, 0, 0, numbers.get(one.account, 0), 0),
    CheckProxy: lambda at, _one, _numbers: _PACK(at, 24, 0, 0, 0, 0),
    Save: lambda at, _one, _numbers: _PACK(at, 25, 0, 0, 0, 0),
    Observe: lambda at, _one, _numbers: _PACK(at, 26, 0, 0, 0, 0),
    FetchUrl: lambda at, one, _numbers: _PACK(at, 27, one.exchange, 0, 0, one.question),
    Load: lambda at, one, _numbers: _PACK(at, 28, one.exchange, 0, 0, one.question),
    CancelQuestions: lambda at, one, _numbers: _PACK(at, 29, one.exchange, 0, 0, 0),
    DescribeModel: lambda at, one, numbers: _PACK(at, 30, 0, 0, numbers.get(one.account, 0), 0),
    CollectMetrics: lambda at, one, _numbers: _PACK(at, 31, one.exchange, 0, 0, 0),
    StopServing: lambda at, _one, _numbers: _PACK(at, 32, 0, 0, 0, 0),
    AdminChanged: lambda at, one, _numbers: _PACK(
        at, 33, 0, 0, 0, len([1 for account in one.accounts if account.enabled])
    ),
    DetachUpstream: lambda at, one, _numbers: _PACK(at, 34, one.exchange, one.attempt, 0, 0),
    Compute: lambda at, one, _numbers: _PACK(at, 35, one.exchange, 0, 0, one.question),
    Computed: lambda at, one, _numbers: _PACK(at, 36, one.exchange, 0, 0, one.question),
}
"""How the line of each event and command is made. The second number is its place in this table."""
_KINDS = tuple(kind.__name__ for kind in _READ)


class Trace:
    """Takes every line of one run."""

    __slots__ = ("_accounts", "_buffer", "_hash", "_numbers", "_tail", "_write")

    def __init__(self, accounts: Iterable[str], write: Callable[[bytes], None] | None) -> None:
        """*accounts*: ids in the order of the configuration. *write* gets each line as JSON, with its line feed; None:
        they are hashed only."""
        self._accounts = ("", *accounts)
        self._numbers = {name: number for number, name in enumerate(self._accounts) if name}
        self._write = write
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._tail = b""
        """The last lines that were hashed."""

    def take(self, at: float, what: Event | Command) -> None:
        """Take one event or command. *at*: seconds since the epoch."""
        line = _READ[type(what)](at, what, self._numbers)
        self._buffer += line
        if len(self._buffer) >= _FLUSH_AT:
            self._flush()
        if self._write is not None:
            self._write(msgspec.json.encode(self._told(line)) + b"\n")

    def latest(self) -> tuple[str, ...]:
        """Return the last lines as text, the oldest first."""
        lines = (self._tail + self._buffer)[-_LATEST:]
        told = [self._told(lines[at : at + _LINE.size]) for at in range(0, len(lines), _LINE.size)]
        return tuple(" ".join(f"{name}={value}" for name, value in line.items() if value) for line in told)

    def digest(self) -> str:
        """Return the SHA-256 hex digest of all lines so far."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._buffer)
        self._tail = (self._tail + self._buffer)[-_LATEST:]
        self._buffer.clear()

    def _told(self, line: bytes) -> dict[str, object]:
        at, kind, exchange, attempt, account, value = _LINE.unpack(line)
        told = {"at": at, "kind": _KINDS[kind], "exchange": exchange, "attempt": attempt}
        return {**told, "account": self._accounts[account], "value": value}
