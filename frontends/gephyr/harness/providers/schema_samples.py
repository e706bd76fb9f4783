"""A value that satisfies a JSON Schema: what a model would fill in, made without one.

Reads the subset that providers take for tools and structured output (JSON Schema draft 2020-12, and the OpenAPI 3.0
form with upper-case types and ``nullable`` that Gemini takes). ``pattern`` and ``not`` are not satisfied on purpose.
"""

import math
from collections.abc import Mapping
from typing import Any

_STRINGS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_RECURSION = 8
"""Nesting from which on optional ways out (null, empty lists) are taken."""
_MAX_DEPTH, _MAX_NODES = 32, 5_000


def sample(schema: Mapping[str, Any]) -> Any:
    """Return a value for *schema*, the same for the same schema."""
    return _Sampler(schema).value(schema, 0)


class _Sampler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def value(self, schema: Any, depth: int) -> Any:
        self._nodes += 1
        if not isinstance(schema, Mapping):
            return "example"  # ``true``: anything goes
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            return None
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        if schema.get("allOf"):
            return self.value(self._merge(schema), depth + 1)
        for key in ("anyOf", "any_of", "oneOf"):
            if schema.get(key):
                return self.value(self._choose(schema[key], depth), depth + 1)
        if "default" in schema and schema["default"] is not None:
            return schema["default"]
        return self._typed(_kind(schema, depth), schema, depth)

    def _typed(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                properties = schema.get("properties") or {}
                required = [name for name in schema.get("required") or () if isinstance(name, str)]
                return {name: self.value(properties.get(name, True), depth + 1) for name in required}
            case "array":
                return self._array(schema, depth)
            case "integer":
                return int(_number(schema, 1))
            case "number":
                number = _number(schema, 1)
                # As models write it: agents declare a "number", and read an integer (Codex does).
                return int(number) if number.is_integer() else number
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return _string(schema)

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        items = [self.value(item, depth + 1) for item in schema.get("prefixItems") or ()]
        wanted = int(schema.get("minItems") or (0 if depth > _RECURSION else 1))
        wanted = min(wanted, int(schema.get("maxItems", wanted)), _MAX_NODES)
        while len(items) < wanted and self._nodes <= _MAX_NODES:
            items.append(self.value(schema.get("items", True), depth + 1))
        return items

    def _resolve(self, reference: Any) -> Any:
        """Follow a reference inside the schema (RFC 6901); a foreign one allows anything."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return True
        found: Any = self._root
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, True) if isinstance(found, Mapping) else True
        return found

    def _merge(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            resolved = self._resolve(part["$ref"]) if isinstance(part, Mapping) and "$ref" in part else part
            if isinstance(resolved, Mapping):
                properties = {**(merged.get("properties") or {}), **(resolved.get("properties") or {})}
                required = [*(merged.get("required") or ()), *(resolved.get("required") or ())]
                merged = {**merged, **resolved, "properties": properties, "required": required}
        return merged if merged.get("properties") else {k: v for k, v in merged.items() if k != "properties"}

    def _choose(self, options: Any, depth: int) -> Any:
        """Take the first option that is not null, or null when nesting has gone far enough."""
        nulls = [option for option in options if isinstance(option, Mapping) and option.get("type") == "null"]
        others = [option for option in options if option not in nulls]
        return nulls[0] if nulls and (depth > _RECURSION or not others) else others[0]


def _kind(schema: Mapping[str, Any], depth: int) -> str:
    declared = schema.get("type")
    kinds = [str(kind).lower() for kind in (declared if isinstance(declared, list) else [declared]) if kind]
    nullable = "null" in kinds or schema.get("nullable") is True
    if nullable and depth > _RECURSION:
        return "null"
    for kind in kinds:
        if kind != "null":
            return kind
    if kinds:
        return "null"
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _number(schema: Mapping[str, Any], preferred: float) -> float:
    """Return *preferred*, moved into the bounds that the schema gives."""
    step = schema.get("multipleOf") or 1
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if isinstance(bound := schema.get("exclusiveMinimum"), int | float) and not isinstance(bound, bool):
        low = max(low, bound + step)
    if isinstance(bound := schema.get("exclusiveMaximum"), int | float) and not isinstance(bound, bool):
        high = min(high, bound - step)
        if high < low < bound:  # The range is narrower than a step.
            high = low
    value = float(min(max(preferred, low), high))
    if "multipleOf" in schema and value % step:
        value = step * math.ceil(value / step)
        value = value - step if value > high else value
    return value


def _string(schema: Mapping[str, Any]) -> str:
    text = _STRINGS.get(str(schema.get("format", "")), "example")
    text += "." * (int(schema.get("minLength") or 0) - len(text))
    return text[: int(schema["maxLength"])] if schema.get("maxLength") is not None else text
