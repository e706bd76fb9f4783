"""Objects that live at one provider: which account each belongs to, and which client key may use it."""

from collections.abc import Iterable

import attrs
import msgspec

from gephyr_core.envelope import Envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Pin

LIFETIME = 30 * 86400.0
"""Seconds: OpenAI keeps stored responses for 30 days (API reference, Responses)."""
_REFRESH_AFTER = 86400.0
"""Seconds: a pin that is met again is renewed no more often than this. Conversations live on while they are used."""
_MOST_PINS = 200_000


class Pins:
    """The pins of a gateway, bounded; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._pins: dict[tuple[str, str], Pin] = {}

    def __len__(self) -> int:
        return len(self._pins)

    def add(self, pin: Pin) -> None:
        """Remember a pin, as the newest."""
        key = (pin.owner, pin.object_id)
        self._pins.pop(key, None)
        self._pins[key] = pin
        if len(self._pins) > _MOST_PINS:
            del self._pins[next(iter(self._pins))]

    def learn(self, pin: Pin, now: float) -> bool:
        """Remember what a reply told; return False where that was known already, but for an insignificant time."""
        known = self.find(pin.owner, pin.object_id, now)
        if (
            known is not None
            and attrs.evolve(known, expires_at=pin.expires_at) == pin
            and known.expires_at > pin.expires_at - _REFRESH_AFTER
        ):
            return False
        self.add(pin)
        return True

    def forget(self, owner: str, object_id: str) -> Pin | None:
        """Remove the pin of an object that is no more, and return it."""
        return self._pins.pop((owner, object_id), None)

    def restore(self, pins: Iterable[Pin], now: float) -> None:
        """Take in what the store held; times that lie too far ahead are clamped."""
        for pin in pins:
            if pin.expires_at > now:
                self.add(attrs.evolve(pin, expires_at=min(pin.expires_at, now + LIFETIME)))

    def find(self, owner: str, object_id: str, now: float) -> Pin | None:
        """Return the pin of an object that *owner* made; None when it is unknown, another's, or expired."""
        pin = self._pins.get((owner, object_id))
        return None if pin is None or pin.expires_at <= now else pin


@attrs.frozen
class Constraint:
    """Which accounts may serve a request because of the objects it refers to."""

    account: str | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    """Ids (as the client knows them, as the provider does) that differ since a fail-over."""


FREE = Constraint()


class RequestRefused(Exception):  # noqa: N818  (it says what happened, as events do)
    """The request cannot go on; carries what the client is told. Never leaves the core."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def constraint_of(pins: Pins, owner: str, object_id: str | None, envelope: Envelope | None, now: float) -> Constraint:
    """Read which stored objects a request refers to. Raises ``RequestRefused`` for one its client does not own."""
    found = []
    if object_id is not None:
        found.append(_owned(pins, owner, object_id, None, now))
    if envelope is None:
        return _merged(found)
    for field in ("previous_response_id", "conversation"):
        if field in envelope.fields:
            value = envelope.value(field)
            if isinstance(value, dict):
                value = value.get("id")
            if isinstance(value, str):
                found.append(_owned(pins, owner, value, field, now))
    return _merged(found)


def _merged(found: list[Pin]) -> Constraint:
    if not found:
        return FREE
    accounts = {pin.account: None for pin in found}
    if len(accounts) > 1:
        message = "the request refers to objects that were made by different accounts"
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param="previous_response_id"))
    renamed = tuple((pin.object_id, pin.upstream_id) for pin in found if pin.upstream_id is not None)
    return Constraint(account=found[0].account, renamed=renamed)


def _owned(pins: Pins, owner: str, object_id: str, field: str | None, now: float) -> Pin:
    pin = pins.find(owner, object_id, now)
    if pin is None:
        message = f"{field or 'id'}: no object {object_id[:120]!r} was made through this gateway with this key"
        code = "previous_response_not_found" if field == "previous_response_id" else None
        raise RequestRefused(Problem(ErrorKind.NOT_FOUND, message, param=field, code=code))
    return pin


def rename(body: bytes, renamed: tuple[tuple[str, str], ...]) -> bytes:
    """Replace ids as the client knows them by the provider's, where they stand as whole JSON strings."""
    for client_id, upstream_id in renamed:
        body = body.replace(msgspec.json.encode(client_id), msgspec.json.encode(upstream_id))
    return body
