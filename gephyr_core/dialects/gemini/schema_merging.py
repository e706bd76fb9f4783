"""JSON Schemas that hold at once, as one: ``allOf``, and what stands beside an ``anyOf``."""

from itertools import takewhile
from typing import Any

from gephyr_core.dialects.rendering import encode_json

_LISTED = ("required",)
_MAPPED = ("properties", "$defs", "definitions", "patternProperties")
_GREATER = ("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum")
_LESSER = ("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum")


def merged(*schemas: dict[str, Any]) -> dict[str, Any]:
    """A schema for what all of them take, as far as one can say it; what cannot be joined is the last one's. Changes
    none of them. Linear in their size together."""
    values: dict[str, list[Any]] = {}
    for schema in schemas:
        for key, value in schema.items():
            values.setdefault(key, []).append(value)
    return {key: several[0] if len(several) == 1 else _joined(key, several) for key, several in values.items()}


def _joined(key: str, values: list[Any]) -> Any:
    """What several schemas say under one keyword, from the last that cannot be joined with those before it on."""
    if key in _LISTED:
        names = [name for value in _last(values, list) for name in value]
        return (
            list(dict.fromkeys(name for name in names if isinstance(name, str)))
            if _several(values, list)
            else values[-1]
        )
    if key in _MAPPED:
        return _maps(_last(values, dict)) if _several(values, dict) else values[-1]
    joined = values[0]
    for value in values[1:]:
        if key in _GREATER and _are_numbers(value, joined):
            joined = max(value, joined)
        elif key in _LESSER and _are_numbers(value, joined):
            joined = min(value, joined)
        elif key == "enum" and isinstance(value, list) and isinstance(joined, list):
            taken = dict.fromkeys(map(encode_json, joined))
            joined = [one for one in value if encode_json(one) in taken] or value
        elif key == "type":
            joined = _types(joined, value)
        else:
            joined = value
    return joined


def _last(values: list[Any], kind: type) -> list[Any]:
    """The values at the end that are of a *kind*."""
    return list(takewhile(lambda value: isinstance(value, kind), reversed(values)))[::-1]


def _several(values: list[Any], kind: type) -> bool:
    return isinstance(values[-1], kind) and isinstance(values[-2], kind)


def described(schema: dict[str, Any], branch: dict[str, Any]) -> dict[str, Any]:
    """An alternative together with what stands beside it: both describe it, and what is said of the field comes
    first."""
    joined = merged(schema, branch)
    said, more = schema.get("description"), branch.get("description")
    if isinstance(said, str) and isinstance(more, str) and said and more and said != more:
        joined["description"] = f"{said}\n{more}"
    return joined


def unique(values: list[Any]) -> list[Any]:
    """The values, each once, in their order. Linear, whatever they are."""
    found: dict[bytes, Any] = {}
    for value in values:
        found.setdefault(encode_json(value), value)
    return list(found.values())


def _maps(maps: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for one in maps:
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return {
        name: {"allOf": _last(values, dict)} if len(values) > 1 and _several(values, dict) else values[-1]
        for name, values in found.items()
    }


def _types(first: Any, second: Any) -> Any:
    """The types of *second* that *first* takes too."""
    firsts = first if isinstance(first, list) else [first]
    if "number" in firsts:
        firsts = [*firsts, "integer"]
    if not isinstance(second, list):
        return second
    return [kind for kind in second if kind in firsts] or second


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
