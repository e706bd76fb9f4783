"""Session bindings: a session keeps its account, so that the provider's prompt cache serves it.

A session has one binding for each group of accounts it is served from: what is bound among Anthropic's accounts says
nothing of OpenAI's. Bindings expire when they are idle for too long, and the longest unused ones when there are too
many.
"""

import enum
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from gephyr_core.records import Binding

_SAVE_INTERVAL = 60.0
"""Seconds: how often a binding that is used goes to the disk, or four times in its life where that is shorter."""
_MOST_EVENTS = 4096
_MOST_EXPIRED_AT_ONCE = 64
"""Bindings that one request clears away at most."""


class BindingChange(enum.Enum):
    """What happened to a binding."""

    BOUND = "bound"
    REUSED = "reused"
    KEPT_FOR_A_SHORT_WAIT = "kept_for_a_short_wait"
    RELEASED_FOR_A_LONG_WAIT = "released_for_a_long_wait"
    RELEASED_MISSING = "released_missing"
    RELEASED_FAILING = "released_failing"
    FALLBACK_USED = "fallback_used"
    EXPIRED = "expired"


class BindingEvent(msgspec.Struct, frozen=True, gc=False):
    """One change of a binding."""

    at: float
    """Seconds since the epoch."""
    session: str
    """The binding's key."""
    account: str
    change: BindingChange
    model: str = ""
    reason: str = ""
    """What stood in the bound account's way."""


class Bound:
    """A binding in memory: as small as it can be, since there are many."""

    __slots__ = ("account", "bound_at", "saved_at", "used_at")

    def __init__(self, account: str, bound_at: float, used_at: float, saved_at: float) -> None:
        self.account = account
        self.bound_at = bound_at
        self.used_at = used_at
        self.saved_at = saved_at


class Bindings:
    """All bindings of a gateway, the longest unused first."""

    def __init__(self, idle_seconds: float, most: int, save: Callable[[Binding], None] | None) -> None:
        """*idle_seconds*: how long a binding is kept unused. *most*: how many there may be. *save* has one kept on the
        disk; None: they are not."""
        self._idle_seconds = idle_seconds
        self._save_interval = min(_SAVE_INTERVAL, idle_seconds / 4)
        self._most = most
        self._save_record = save
        self._bindings: dict[str, Bound] = {}
        self.events: deque[BindingEvent] = deque(maxlen=_MOST_EVENTS)
        """The latest changes, the oldest first."""

    def __len__(self) -> int:
        return len(self._bindings)

    def accounts(self) -> dict[str, str]:
        """Return the key of each binding with the id of its account, the longest unused first."""
        return {key: bound.account for key, bound in self._bindings.items()}

    def find(self, key: str, now: float) -> str | None:
        """Return the id of the account that *key* is bound to, if it is to one."""
        bound = self._bindings.get(key)
        if bound is None:
            return None
        if bound.used_at + self._idle_seconds <= now:
            self._remove(key, BindingChange.EXPIRED, now, reason="idle")
            return None
        return bound.account

    def bind(self, key: str, account: str, model: str, now: float) -> None:
        """Bind *key* to an account, or use the binding that there is to it."""
        bound = self._bindings.pop(key, None)
        if bound is not None and bound.account == account:
            self._bindings[key] = bound  # the latest used is last
            bound.used_at = now
            self.note(key, account, BindingChange.REUSED, model, now)
            if bound.saved_at + self._save_interval <= now:
                self._save(key, bound, now)
            return
        bound = self._bindings[key] = Bound(account, now, now, now)
        self.note(key, account, BindingChange.BOUND, model, now)
        self._save(key, bound, now)
        self._make_room(now)

    def release(self, key: str, change: BindingChange, model: str, now: float, reason: str) -> None:
        """Let a session go from its account."""
        self._remove(key, change, now, model, reason)

    def release_account(self, account: str, now: float, reason: str) -> None:
        """Let every session of an account go, which is out of service."""
        keys = [key for key, bound in self._bindings.items() if bound.account == account]
        for key in keys:
            self._remove(key, BindingChange.RELEASED_MISSING, now, reason=reason)

    def restore(self, bindings: Iterable[Binding], now: float) -> None:
        """Take in what the store kept, the longest unused first."""
        for one in bindings:
            if one.expires_at > now and len(self._bindings) < self._most:
                used_at = min(one.used_at, now)
                self._bindings[one.session] = Bound(one.account, min(one.bound_at, now), used_at, used_at)

    def note(self, key: str, account: str, change: BindingChange, model: str, now: float, reason: str = "") -> None:
        """Record what happened."""
        self.events.append(BindingEvent(now, key, account, change, model, reason))

    def _make_room(self, now: float) -> None:
        for _ in range(_MOST_EXPIRED_AT_ONCE):
            key = next(iter(self._bindings))
            if len(self._bindings) > self._most:
                self._remove(key, BindingChange.EXPIRED, now, reason="too many")
            elif self._bindings[key].used_at + self._idle_seconds <= now:
                self._remove(key, BindingChange.EXPIRED, now, reason="idle")
            else:
                break

    def _remove(self, key: str, change: BindingChange, now: float, model: str = "", reason: str = "") -> None:
        bound = self._bindings.pop(key, None)
        if bound is not None:
            self.note(key, bound.account, change, model, now, reason)
            if self._save_record is not None:
                self._save_record(Binding(key, bound.account, bound.bound_at, bound.used_at, expires_at=now))

    def _save(self, key: str, bound: Bound, now: float) -> None:
        bound.saved_at = now
        if self._save_record is not None:
            expires_at = now + self._idle_seconds
            self._save_record(Binding(key, bound.account, bound.bound_at, bound.used_at, expires_at))
