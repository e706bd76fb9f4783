"""The reading of Gemini's JSON form of protobuf: unknown fields at any level, types, enums, base64."""

import base64
import binascii
from typing import Any

import msgspec

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.gemini_fields import ENUMS, LENIENT_ENUMS, MESSAGES, fields_of
from gephyr.harness.strict.refusal import RefusalError

_FIELDS = {message: fields_of(message) for message in MESSAGES}
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "bool": (bool,),
    "integer": (int, str),
    "number": (int, float, str),
    "object": (dict,),
}
_PROTO_TYPES = {"string": "TYPE_STRING", "bool": "TYPE_BOOL", "integer": "TYPE_INT32", "number": "TYPE_FLOAT"}


def read(given: Object, message: str = "GenerateContentRequest") -> dict[str, Any]:
    """Return *given* with its fields' names in snake case.

    Raises :class:`RefusalError` with every fault found, as the service tells all at once.
    """
    faults: list[tuple[str, str]] = []
    found = _message(given, message, "", faults)
    if faults:
        text = "\n".join(
            f"Invalid JSON payload received. {fault}" if " name " in fault else fault for _, fault in faults
        )
        violations = [{"field": at, "description": fault} for at, fault in faults]
        raise RefusalError(text, details=[{"@type": _BAD_REQUEST, "fieldViolations": violations}])
    return found


def snake(name: str) -> str:
    """Return a field's name in snake case; protobuf's JSON form takes both."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _message(given: Any, message: str, path: str, faults: list[tuple[str, str]]) -> dict[str, Any]:
    if not isinstance(given, dict):
        faults.append((path, f"Invalid value at '{path}' ({message}), {_shown(given)}"))
        return {}
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = snake(key)
        kind = _FIELDS[message].get(name)
        where = f" at '{path}'" if path else ""
        if kind is None:
            faults.append((path, f'Unknown name "{key}"{where}: Cannot find field.'))
        elif isinstance(value, list) and not kind.startswith("[]") and kind != "any":
            faults.append((path, f'Unknown name "{key}"{where}: Proto field is not repeating, cannot start list.'))
        elif value is not None:
            found[name] = _value(value, kind, f"{path}.{name}" if path else name, faults)
    return found


def _value(value: Any, kind: str, path: str, faults: list[tuple[str, str]]) -> Any:
    if kind.startswith("[]"):
        # A single value stands for a list of one, as recorded requests show.
        items = value if isinstance(value, list) else [value]
        return [_value(item, kind[2:], f"{path}[{index}]", faults) for index, item in enumerate(items)]
    if kind.startswith("{}"):
        if not isinstance(value, dict):
            return _message(value, kind, path, faults)
        return {
            key: _value(item, kind[2:], f"{path}[{index}].value", faults)
            for index, (key, item) in enumerate(value.items())
        }
    if kind in _FIELDS:
        return _message(value, kind, path, faults)
    if kind in ENUMS:
        return _enum(value, kind, path, faults)
    if kind == "bytes":
        _check_bytes(value, path, faults)
    elif kind != "any" and (not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind != "bool")):
        faults.append((path, f"Invalid value at '{path}' ({_PROTO_TYPES.get(kind, kind)}), {_shown(value)}"))
    return value


def _enum(value: Any, kind: str, path: str, faults: list[tuple[str, str]]) -> Any:
    """Read an enum's value, which may be given by its number; a number may be newer than the table."""
    words = ENUMS[kind]
    if isinstance(value, int):
        return words[value] if kind == "Type" and value < len(words) else value
    word = value.upper() if isinstance(value, str) and kind in LENIENT_ENUMS else value
    if word not in words:
        name = f"type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}"
        faults.append((path, f"Invalid value at '{path}' ({name}), {_shown(value)}"))
    return word


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _check_bytes(value: Any, path: str, faults: list[tuple[str, str]]) -> None:
    try:
        text = str(value).replace("-", "+").replace("_", "/")
        base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        faults.append(
            (path, f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for \"{str(value)[:40]}\"")
        )
