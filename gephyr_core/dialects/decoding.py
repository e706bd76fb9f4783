"""Reading the few fields of a provider's JSON that the gateway looks at. A provider's fault is None, never raised."""

import hashlib
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class UsageReply(msgspec.Struct, gc=False):
    """A whole reply of OpenAI or Anthropic: only its usage is decoded."""

    usage: Any = None


_USAGE_REPLY = msgspec.json.Decoder(UsageReply)


def decode(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T | None:
    """Decode *data*; None when it is no JSON of the expected shape."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def reply_usage(reply: bytes) -> dict[str, Any] | None:
    """Return the ``usage`` object of a whole reply; None when there is none."""
    if b'"usage"' not in reply:
        return None
    decoded = decode(_USAGE_REPLY, reply)
    return None if decoded is None else mapping(decoded.usage)


def mapping(value: object) -> dict[str, Any] | None:
    """Return *value* if it is a JSON object."""
    return value if isinstance(value, dict) else None


def text(value: object) -> str | None:
    """Return *value* if it is a non-empty string."""
    return value if isinstance(value, str) and value else None


def count(fields: dict[str, Any] | None, name: str) -> int | None:
    """Return a number of tokens; None when it is missing or no whole number."""
    value = None if fields is None else fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def digest(secret: str) -> str:
    """Return the name under which an encrypted item or a signature is pinned: the SHA-256 hex digest of its text."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def total(*counts: int | None) -> int | None:
    """Add the counts that are known; None when none is."""
    known = [value for value in counts if value is not None]
    return sum(known) if known else None
