"""Reading the few fields of a provider's JSON that the gateway looks at. A provider's fault is None, never raised."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from gephyr_core.dialects.rendering import encode_json
from gephyr_core.surrogates import readable

T = TypeVar("T")


_BOM = b"\xef\xbb\xbf"


_LEADING = json.JSONDecoder()
_ANY = msgspec.json.Decoder()
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def decode_strictly(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T | None:
    """Decode *data*; None when it is no JSON of the expected shape, or holds what msgspec does not read."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T | None:
    """Decode *data*; None when it is no JSON of the expected shape. U+FFFD stands for halves of surrogate pairs, which
    JSON may hold (RFC 8259, section 8.2), and for what is no UTF-8."""
    decoded = decode_strictly(decoder, data)
    if decoded is None and (whole := readable(data)) is not None:
        return decode_strictly(decoder, whole)
    return decoded


def decode_any(data: bytes | str) -> Any:
    """Decode JSON of any shape, as :func:`decode` does; None when it is none."""
    return decode(_ANY, data)


def decode_event(decoder: msgspec.json.Decoder[T], data: bytes | str, raw: str = "") -> T | None:
    """As :func:`decode`, for an event whose texts may be cut inside a character: halves of surrogate pairs stay, for
    :class:`~gephyr_core.dialects.joining.Joiner` to join. *raw*: the member that *decoder* leaves undecoded."""
    decoded = decode_strictly(decoder, data)
    if decoded is not None:
        return decoded
    try:
        value = json.loads(data if isinstance(data, str) else data.decode("utf-8", "replace"))
        if raw and isinstance(value, dict) and raw in value:
            value[raw] = msgspec.Raw(encode_json(value[raw]))
        return msgspec.convert(value, decoder.type)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None


def decode_reply(decoder: msgspec.json.Decoder[T], body: bytes, raw: str = "") -> T | None:
    """Decode a whole reply, before which a byte order mark may stand (RFC 8259, section 8.1); None when it is no JSON
    object of the expected shape. Halves and *raw* are as in :func:`decode_event`."""
    return decode_event(decoder, body.removeprefix(_BOM), raw)


def read_object(data: bytes | str) -> dict[str, Any] | None:
    """Read a JSON object with its halves of surrogate pairs; None when *data* is none."""
    return decode_event(_OBJECT, data)


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


def whole_output(output: int | None, reasoning: int | None, *, given: int | None, all_in_all: int | None) -> int | None:
    """The tokens of a reply with its reasoning. xAI, and Google for xAI's models, count that beside the output, where
    OpenAI counts it as a part: the total tells which.

    *given*: the tokens of input; *all_in_all*: the provider's total.
    """
    if output is None or reasoning is None or reasoning < 1:
        return output
    known = given is not None and all_in_all is not None
    stands_beside = (all_in_all or 0) >= (given or 0) + output + reasoning if known else reasoning > output
    return output + reasoning if stands_beside else output
