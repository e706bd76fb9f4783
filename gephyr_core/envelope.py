"""The envelope of a request's body: its top-level fields, each still raw, so that what is not ours stays as sent."""

import json
from collections.abc import Mapping

import attrs
import msgspec

from gephyr_core.raw_json import members
from gephyr_core.surrogates import mended, readable

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


class EnvelopeError(ValueError):
    """The body cannot be read; the message names the field at fault, ``param`` carries it."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


OWNED_FIELDS = {"model": b'"model"', "stream": b'"stream"'}
"""The fields that decide where a request goes, and how they are written: they must not stand twice."""
_ESCAPED_LETTERS = (b"\\u006", b"\\u007")
"""How a small letter looks that was escaped without need, maybe to hide a field's name. Writers of JSON do not."""


@attrs.define
class Envelope:
    """A JSON object, decoded one level deep."""

    fields: dict[str, msgspec.Raw]
    body: bytes
    """The body as it came; forwarded untouched when no field changes."""

    def text(self, name: str) -> str | None:
        """Return a field's value if it is a string; None if it is absent or something else."""
        raw = self.fields.get(name)
        if raw is None:
            return None
        value = self.value(name)
        return value if isinstance(value, str) else None

    def value(self, name: str) -> object:
        """Return a field's decoded value, None if absent, with U+FFFD for halves of surrogate pairs. Raises
        ``EnvelopeError``."""
        raw = self.fields.get(name)
        if raw is None:
            return None
        try:
            return _value(raw)
        except RecursionError as error:
            raise EnvelopeError(f"{name}: nested too deeply", name) from error
        except msgspec.DecodeError as error:
            raise EnvelopeError(f"{name}: {error}", name) from error

    def with_model(self, model: str) -> bytes:
        """Return the body with its ``model`` replaced; every other value keeps its bytes."""
        return self.with_fields({"model": model})

    def with_fields(self, values: Mapping[str, object], *, without: tuple[str, ...] = ()) -> bytes:
        """Return the body with fields set and others left out; every other value keeps its bytes."""
        kept = {name: raw for name, raw in self.fields.items() if name not in without}
        return _encode({**kept, **{name: msgspec.Raw(_encode(value)) for name, value in values.items()}})


_TYPES = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}


def json_type(value: object) -> str:
    """Name the JSON type of a decoded value, for messages."""
    return _TYPES.get(type(value), "an object")


def read_envelope(body: bytes) -> Envelope:
    """Decode the top level of a JSON object. Raises ``EnvelopeError``.

    msgspec accepts duplicate keys and, inside raw values, invalid UTF-8: both are looked for here. It refuses halves of
    surrogate pairs, which JSON may hold: they stay as they were sent.
    """
    try:
        body.decode("utf-8")
        fields = read_fields(body)
    except UnicodeDecodeError as error:
        raise EnvelopeError(f"the body is not valid UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise EnvelopeError("the body is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise EnvelopeError("the body must be a JSON object") from error
    except msgspec.DecodeError as error:
        raise EnvelopeError(f"the body is not valid JSON: {error}") from error
    escaped = b"\\" in body and any(escape in body for escape in _ESCAPED_LETTERS)
    for name, written in OWNED_FIELDS.items():
        if (escaped or body.count(written) > 1) and _stands_twice(body, name):
            raise EnvelopeError(f"{name}: the field stands twice", name)
    return Envelope(fields, body)


def read_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Decode the top level of a JSON object, each value as it was sent. Raises ``msgspec.DecodeError``."""
    try:
        return _decode_fields(body)
    except msgspec.DecodeError:
        whole = readable(body)
        if whole is None:
            raise
    fields = _decode_fields(whole)
    sent = {mended(name): value for name, value in members(body).items()}
    return {name: msgspec.Raw(sent.get(name, raw)) for name, raw in fields.items()}


def _value(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        whole = readable(bytes(raw))
        if whole is None:
            raise
    return msgspec.json.decode(whole)


def _stands_twice(body: bytes, name: str) -> bool:
    """Whether a top-level key is repeated. Slow; asked only when the name is, or may be, written more than once."""
    outermost: list[tuple[str, object]] = []

    def remember(pairs: list[tuple[str, object]]) -> None:
        nonlocal outermost
        outermost = pairs  # objects are reported inside out, so the last one is the body itself

    try:
        json.loads(body, object_pairs_hook=remember, parse_int=str)  # int() refuses what has over 4,300 digits
    except RecursionError as error:
        raise EnvelopeError("the body is nested too deeply") from error
    return [key for key, _ in outermost].count(name) > 1
