"""Signed reasoning as a provider makes it: opaque to others, and checked when it comes back."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Protocol

import attrs
import msgspec

_KEY = b"gephyr strict simulated provider"
_MAC_BYTES = 16


@attrs.frozen
class Sealed:
    """What a signature says about the reasoning it was made for."""

    kind: str
    """The provider's API: ``anthropic``, ``openai`` or ``gemini``."""
    organization: str
    model: str
    text: str
    """The reasoning itself: a client may be shown none of it."""
    prefix: str = ""
    """Digest of the conversation before it, where the model binds its reasoning to that."""


class Verifier(Protocol):
    """Reads signatures that come back."""

    def opened(self, signature: str) -> Sealed | None:
        """Return what *signature* seals; None for one that was never made here, or was changed."""


class Signer:
    """Makes signatures and reads them; the same for the same content. Any provider of this process reads any other's,
    and then sees whose they are."""

    def sign(self, sealed: Sealed) -> str:
        """Return the opaque text: base64 of a digest with a key, and of what it is about."""
        payload = msgspec.json.encode(attrs.astuple(sealed))
        return base64.b64encode(_digest(payload) + payload).decode()

    def opened(self, signature: str) -> Sealed | None:
        """Return what *signature* seals; None for one that was never made here, or was changed."""
        try:
            raw = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return None
        payload = raw[_MAC_BYTES:]
        if not hmac.compare_digest(raw[:_MAC_BYTES], _digest(payload)):
            return None
        return Sealed(*msgspec.json.decode(payload, type=tuple[str, str, str, str, str]))


def _digest(payload: bytes) -> bytes:
    return hmac.digest(_KEY, payload, "sha256")[:_MAC_BYTES]


def digest_of(values: Sequence[object]) -> str:
    """Return a digest of JSON values in which neither the order of keys nor a null counts."""
    return hashlib.sha256(msgspec.json.encode(_plain(list(values)), order="sorted")).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None and key != "cache_control"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
