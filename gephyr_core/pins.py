"""Objects that live at one provider: which account each belongs to, and which client key may use it."""

import re
from collections.abc import Iterable, Sequence

import attrs
import msgspec

from gephyr_core.conversation.signatures import SEAL
from gephyr_core.dialects.decoding import digest
from gephyr_core.envelope import Envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Pin

LIFETIME = 30 * 86400.0
"""Seconds: OpenAI keeps stored responses for 30 days (API reference, Responses)."""
_REFRESH_AFTER = 86400.0
"""Seconds: a pin that is met again is renewed no more often than this. Conversations live on while they are used."""
_MOST_PINS = 200_000
_SIGNATURES_LOOKED_AT = 8
_SIGNATURE = re.compile(rb'"signature"\s*:\s*"([A-Za-z0-9+/=_-]+)"')


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
    organization: str | None = None
    unknown_item: str | None = None
    """An encrypted item of unknown origin: allowed where one organisation serves the model."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Ids (as the client knows them, as the provider does) that differ since a fail-over."""


FREE = Constraint()


class RequestRefused(Exception):  # noqa: N818  (it says what happened, as events do)
    """The request cannot go on; carries what the client is told. Never leaves the core."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def constraint_of(
    pins: Pins,
    owner: str,
    object_id: str | None,
    envelope: Envelope | None,
    now: float,
    encrypted: Sequence[tuple[int, str]] | None = None,
) -> Constraint:
    """Read which stored objects a request refers to. Raises ``RequestRefused`` for one its client does not own.

    *encrypted*: what :func:`encrypted_items` says of the request, where it was asked already.
    """
    found = []
    if object_id is not None:
        found.append(_owned(pins, owner, object_id, None, now))
    if envelope is None:
        return _merged(found, None, None)
    for field in ("previous_response_id", "conversation"):
        if field in envelope.fields:
            value = envelope.value(field)
            if isinstance(value, dict):
                value = value.get("id")
            if isinstance(value, str):
                found.append(_owned(pins, owner, value, field, now))
    items = encrypted_items(envelope) if encrypted is None else encrypted
    organization, unknown = _makers(pins, owner, items, now)
    return _merged(found, organization, unknown)


def latest_signatures(body: bytes) -> tuple[str, ...]:
    """Return the digests of the latest signatures of thinking in a request for Anthropic, the latest first."""
    found: list[str] = []
    end = len(body)
    for _ in range(_SIGNATURES_LOOKED_AT):
        end = body.rfind(b'"signature"', 0, end)
        if end < 0:
            break
        match = _SIGNATURE.match(body, end)
        if match is not None:
            found.append(digest(match[1].decode("utf-8", "replace")))
    return tuple(found)


def signer_of(pins: Pins, owner: str, signatures: Sequence[str], now: float) -> str | None:
    """Return the organisation that signed the latest thinking in a request; None where it is not known.

    Signed thinking is good at its maker's only; a client sends back what it got, turn after turn. *signatures* are
    those of :func:`latest_signatures`.
    """
    for signature in signatures:
        pin = pins.find(owner, signature, now)
        if pin is not None:
            return pin.organization
    return None


def _merged(found: list[Pin], organization: str | None, unknown: str | None) -> Constraint:
    if not found:
        return FREE if organization is None and unknown is None else Constraint(None, organization, unknown)
    accounts = {pin.account: None for pin in found}
    if len(accounts) > 1:
        message = "the request refers to objects that were made by different accounts"
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param="previous_response_id"))
    if organization not in (None, found[0].organization):
        message = "input: holds encrypted items of another organisation than the objects the request refers to"
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param="input"))
    renamed = tuple((pin.object_id, pin.upstream_id) for pin in found if pin.upstream_id is not None)
    return Constraint(account=found[0].account, renamed=renamed)


def _owned(pins: Pins, owner: str, object_id: str, field: str | None, now: float) -> Pin:
    pin = pins.find(owner, object_id, now)
    if pin is None:
        message = f"{field or 'id'}: no object {object_id[:120]!r} was made through this gateway with this key"
        code = "previous_response_not_found" if field == "previous_response_id" else None
        raise RequestRefused(Problem(ErrorKind.NOT_FOUND, message, param=field, code=code))
    return pin


def encrypted_items(envelope: Envelope) -> tuple[tuple[int, str], ...]:
    """Return the places in ``input`` of items that their provider encrypted, each with the digest of what it did."""
    if b'"encrypted_content"' not in envelope.body:
        return ()
    try:
        items = envelope.value("input")
    except ValueError:
        return ()  # the provider will say what is wrong with it
    found = []
    for index, item in enumerate(items if isinstance(items, list) else []):
        secret = item.get("encrypted_content") if isinstance(item, dict) else None
        if isinstance(secret, str) and not secret.startswith(SEAL):
            found.append((index, digest(secret)))
    return tuple(found)


def _makers(pins: Pins, owner: str, items: Sequence[tuple[int, str]], now: float) -> tuple[str | None, str | None]:
    """Return the organisation that made the encrypted items, and the path of one of unknown origin."""
    organization, unknown = None, None
    for index, secret in items:
        pin = pins.find(owner, secret, now)
        if pin is None:
            unknown = unknown or f"input[{index}].encrypted_content"
        elif organization is None:
            organization = pin.organization
        elif organization != pin.organization:
            path = f"input[{index}].encrypted_content"
            message = f"{path}: was made by another organisation than the items before it"
            raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param=path))
    return organization, None if organization is not None else unknown


def rename(body: bytes, renamed: tuple[tuple[str, str], ...]) -> bytes:
    """Replace ids as the client knows them by the provider's, where they stand as whole JSON strings."""
    for client_id, upstream_id in renamed:
        body = body.replace(msgspec.json.encode(client_id), msgspec.json.encode(upstream_id))
    return body
