"""JSON Schemas as Anthropic takes them: for a tool's input, and strictly, for a reply or a strict tool."""

from typing import Any

from gephyr_core.conversation.report import Report
from gephyr_core.conversation.schema import DEEPEST, SCHEMA_KEYS, SCHEMA_LISTS, SCHEMA_MAPS, inlined

_CHOICES = ("anyOf", "oneOf", "allOf")
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_BOUNDS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
_KEPT = ("description", "title", "default")
_FEWEST_ITEMS = (0, 1)
"""The values of ``minItems`` that a strict schema may have."""


# -- a tool's input -------------------------------------------------------------------------------------------------


def input_schema(schema: dict[str, Any] | None, report: Report, path: str) -> dict[str, Any]:
    """Return the schema of a tool's input: an object at its root, and valid by JSON Schema 2020-12."""
    if schema is None:
        return {"type": "object", "properties": {}}
    whole = inlined(schema, report, path) if _is_indirect(schema) else schema
    valid = _valid(whole, 0)
    if valid is not whole:
        report.changed(path, "the schema is written as JSON Schema 2020-12 wants it")
    if valid.get("type") == "object" and not any(key in valid for key in _CHOICES):
        return valid
    return _as_object(valid, report, path)


def _is_indirect(schema: dict[str, Any]) -> bool:
    """Whether references at the root, or in its alternatives, stand in the way of an object."""
    return "$ref" in schema or any(key in schema for key in _CHOICES)


def _as_object(schema: dict[str, Any], report: Report, path: str) -> dict[str, Any]:
    if schema.get("type") not in (None, "object") or any(key in schema for key in _CHOICES):
        report.changed(path, "the root of a tool's schema has to be a plain object: alternatives are joined")
    properties, required = dict(_properties(schema)), _names(schema)
    for key in _CHOICES:
        for branch in _items(schema, key):
            if not isinstance(branch, dict):
                continue
            for name, inner in _properties(branch).items():
                properties.setdefault(name, inner)
            if key == "allOf":
                required |= _names(branch)
    kept = {key: value for key, value in schema.items() if key not in _CHOICES}
    return {**kept, "type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _names(schema: dict[str, Any]) -> dict[str, None]:
    """The required properties."""
    return {name: None for name in _items(schema, "required") if isinstance(name, str)}


def _items(schema: dict[str, Any], key: str) -> list[Any]:
    items = schema.get(key)
    return items if isinstance(items, list) else []


def _valid(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return *schema* without what JSON Schema 2020-12 refuses; itself where there is nothing of the kind."""
    if depth > DEEPEST:
        return schema
    changed: dict[str, Any] = {}
    for key, value in schema.items():
        fixed = _valid_member(schema, key, value, depth)
        if fixed is not value:
            changed[key] = fixed
    if not changed:
        return schema
    fresh = {key: changed.get(key, value) for key, value in schema.items()}
    if isinstance(fresh.get("items"), list):
        fresh["prefixItems"] = fresh.pop("items")
    return {key: value for key, value in fresh.items() if value is not None or key in ("default", "const")}


def _valid_member(schema: dict[str, Any], key: str, value: Any, depth: int) -> Any:
    """A keyword's value as it may be; None where it may not be at all."""
    if key == "type":
        return _valid_type(value)
    if key in ("required", "enum", "prefixItems", *_CHOICES) and not isinstance(value, list):
        return None
    for exclusive, plain in _BOUNDS:  # Draft 4 has a boolean beside the bound.
        if key == exclusive and isinstance(value, bool):
            return schema.get(plain) if value else None
        if key == plain and schema.get(exclusive) is True:
            return None
    if isinstance(value, dict):
        if key in SCHEMA_KEYS:
            return _valid(value, depth + 1)
        if key in SCHEMA_MAPS or key in ("$defs", "definitions"):
            fresh = {
                name: _valid(inner, depth + 1) if isinstance(inner, dict) else inner for name, inner in value.items()
            }
            return value if all(fresh[name] is value[name] for name in value) else fresh
    elif isinstance(value, list) and (key in SCHEMA_LISTS or key == "items"):
        listed = [_valid(inner, depth + 1) if isinstance(inner, dict) else inner for inner in value]
        same = key != "items" and all(new is old for new, old in zip(listed, value, strict=True))
        return value if same else listed
    return value


def _valid_type(kind: Any) -> Any:
    if isinstance(kind, list):
        return kind if all(one in _TYPES for one in kind) else [one for one in kind if one in _TYPES] or None
    return kind if kind in _TYPES else None


# -- strict schemas -------------------------------------------------------------------------------------------------


def strict_schema(schema: dict[str, Any], report: Report, path: str) -> dict[str, Any]:
    """Return *schema* with what Anthropic can hold a reply to, as its own SDK writes it: objects take no other
    properties, and what cannot be held to is told in the description."""
    whole = inlined(schema, report, path)
    strict = _strict(whole, 0)
    if strict != whole:
        report.changed(path, "the schema is carried with what Anthropic can hold a reply to; the rest is described")
    return strict


def _strict(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        return {}
    left = {key: value for key, value in schema.items() if key not in ("$schema", "$id", "$defs", "definitions")}
    fresh: dict[str, Any] = {}
    kind = left.pop("type", None)
    alternatives = left.pop("anyOf", None) or left.pop("oneOf", None)
    if isinstance(alternatives, list):
        fresh["anyOf"] = [_strict(one, depth + 1) for one in alternatives if isinstance(one, dict)]
    elif isinstance(every := left.pop("allOf", None), list):
        fresh["allOf"] = [_strict(one, depth + 1) for one in every if isinstance(one, dict)]
    if (kind := _valid_type(kind)) is not None and "anyOf" not in fresh:
        fresh["type"] = kind
    for key in ("enum", "const", *_KEPT):
        if key in left:
            fresh[key] = left.pop(key)
    kinds = kind if isinstance(kind, list) else [kind]
    if "object" in kinds or "properties" in left:
        _strict_object(left, fresh, depth)
    if "array" in kinds:
        _strict_array(left, fresh, depth)
    if "string" in kinds and left.get("format") in _FORMATS:
        fresh["format"] = left.pop("format")
    if left:
        told = ", ".join(f"{key}: {value}" for key, value in left.items())
        described = fresh.get("description")
        fresh["description"] = f"{described}\n\n{{{told}}}" if described else f"{{{told}}}"
    return fresh


def _strict_object(left: dict[str, Any], fresh: dict[str, Any], depth: int) -> None:
    properties = left.pop("properties", None)
    if not isinstance(properties, dict):
        properties = {}
    left.pop("additionalProperties", None)
    fresh.setdefault("type", "object")
    fresh["properties"] = {
        name: _strict(inner, depth + 1) if isinstance(inner, dict) else {} for name, inner in properties.items()
    }
    fresh["additionalProperties"] = False
    required = left.pop("required", None)
    if isinstance(required, list):
        fresh["required"] = required


def _strict_array(left: dict[str, Any], fresh: dict[str, Any], depth: int) -> None:
    if isinstance(items := left.get("items"), dict):
        del left["items"]
        fresh["items"] = _strict(items, depth + 1)
    if left.get("minItems") in _FEWEST_ITEMS:
        fresh["minItems"] = left.pop("minItems")
