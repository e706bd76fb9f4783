"""Reading the few fields of a provider's JSON that the gateway looks at. A provider's fault is None, never raised."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


_BOM = b"\xef\xbb\xbf"


_LEADING = json.JSONDecoder()
_ANY = msgspec.json.Decoder()
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def decode(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T | None:
    """Decode *data*; None when it is no JSON of the expected shape."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode_reply(decoder: msgspec.json.Decoder[T], kind: type[T], body: bytes) -> T | None:
    """Decode a whole reply; None when it is no JSON object of the expected shape.

    A byte order mark may stand before it (RFC 8259, section 8.1), and halves of surrogate pairs in it (section 8.2),
    which msgspec does not read.
    """
    body = body.removeprefix(_BOM)
    decoded = decode(decoder, body)
    if decoded is not None:
        return decoded
    try:
        return msgspec.convert(json.loads(body), kind)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None


def read_object(data: bytes | str) -> dict[str, Any] | None:
    """Read a JSON object, one with halves of surrogate pairs too; None when *data* is none."""
    decoded = decode(_OBJECT, data)
    if decoded is not None:
        return decoded
    try:
        return mapping(json.loads(data))
    except (ValueError, RecursionError):
        return None


def bare_object(event: bytes) -> bytes:
    """Return the JSON object of an event that has no ``data:``, as Google writes errors into its streams; empty where
    the event is none. What may stand on the lines behind it is no part of it."""
    bare = event.strip()
    if not bare.startswith(b"{"):
        return b""
    try:
        _, end = _LEADING.raw_decode(bare.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return bare
    return bare.decode("utf-8", "surrogateescape")[:end].encode("utf-8", "surrogateescape")


def bare_error(event: bytes) -> bytes:
    """Return the JSON object of an event that has no ``data:`` and tells of an error; empty for any other event."""
    if not event.startswith(b"{"):
        return b""
    told = bare_object(event)
    return told if (read_object(told) or {}).get("error") else b""


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


def member(fields: Mapping[str, msgspec.Raw], name: str) -> Any:
    """Return one decoded field of an object whose fields are raw; None when it is missing."""
    raw = fields.get(name)
    return None if raw is None else decode(_ANY, bytes(raw))


def at_least_one(number: object) -> int:
    """Return a number of choices; 1 where it is missing or none."""
    return max(1, number) if isinstance(number, int) else 1


def digest(secret: str) -> str:
    """Return the name under which an encrypted item or a signature is pinned: the SHA-256 hex digest of its text."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def total(*counts: int | None) -> int | None:
    """Add the counts that are known; None when none is."""
    known = [value for value in counts if value is not None]
    return sum(known) if known else None
