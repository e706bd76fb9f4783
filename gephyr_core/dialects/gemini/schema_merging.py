"""JSON Schemas that hold at once, as one: ``allOf``, and what stands beside an ``anyOf``."""

from typing import Any

from gephyr_core.dialects.rendering import encode_json

_LISTED = ("required",)
_MAPPED = ("properties", "$defs", "definitions", "patternProperties")
_GREATER = ("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum")
_LESSER = ("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum")


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """A schema for what both take, as far as one can say it; what cannot be joined is *second*'s. Changes neither."""
    joined = dict(first)
    for key, value in second.items():
        if key not in first:
            joined[key] = value
        elif key in _LISTED and isinstance(value, list) and isinstance(first[key], list):
            joined[key] = list(dict.fromkeys(name for name in [*first[key], *value] if isinstance(name, str)))
        elif key in _MAPPED and isinstance(value, dict) and isinstance(first[key], dict):
            joined[key] = _maps(first[key], value)
        elif key in _GREATER and _are_numbers(value, first[key]):
            joined[key] = max(value, first[key])
        elif key in _LESSER and _are_numbers(value, first[key]):
            joined[key] = min(value, first[key])
        elif key == "enum" and isinstance(value, list) and isinstance(first[key], list):
            taken = dict.fromkeys(map(encode_json, first[key]))
            joined[key] = [one for one in value if encode_json(one) in taken] or value
        elif key == "type":
            joined[key] = _types(first[key], value)
        else:
            joined[key] = value
    return joined


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


def _maps(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    joined = dict(first)
    for name, value in second.items():
        beside = first.get(name)
        joined[name] = {"allOf": [beside, value]} if isinstance(beside, dict) and isinstance(value, dict) else value
    return joined


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
