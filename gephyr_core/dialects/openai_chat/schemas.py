"""JSON Schemas as OpenAI takes them: the root is an object, and ``strict`` holds for what can be strict."""

from typing import Any

from gephyr_core.conversation.report import Report
from gephyr_core.conversation.schema import DEEPEST, inlined, subschemas

_CHOICES = ("anyOf", "oneOf", "allOf")
_NEVER_STRICT = ("allOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas", "patternProperties")
_NOT_AT_ROOT = (*_CHOICES, "enum", "not")


def parameters(schema: dict[str, Any], report: Report, path: str) -> dict[str, Any]:
    """Return the schema of a tool's arguments with an object at its root, as OpenAI demands."""
    if schema.get("type") == "object" and not any(key in schema for key in _NOT_AT_ROOT):
        return schema
    whole = inlined(schema, report, path) if "$ref" in schema or any(key in schema for key in _CHOICES) else schema
    if whole.get("type") == "object" and not any(key in whole for key in _NOT_AT_ROOT):
        return whole
    if any(key in whole for key in _NOT_AT_ROOT):
        report.changed(path, "the root of a tool's schema has to be a plain object: alternatives are joined")
    properties, required = dict(_properties(whole)), _names(_required(whole))
    for key in _CHOICES:
        branches = whole.get(key)
        for branch in branches if isinstance(branches, list) else ():
            if isinstance(branch, dict):
                for name, inner in _properties(branch).items():
                    properties.setdefault(name, inner)
                if key == "allOf":
                    required |= _names(_required(branch))
    kept = {key: value for key, value in whole.items() if key not in _NOT_AT_ROOT}
    return {**kept, "type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def can_be_strict(schema: dict[str, Any], depth: int = 0) -> bool:
    """Whether OpenAI takes *schema* with ``strict``: each object requires all its properties and takes no others."""
    if depth > DEEPEST or any(key in schema for key in _NEVER_STRICT):
        return False
    properties, kind = schema.get("properties"), schema.get("type")
    if properties is not None or kind == "object" or (isinstance(kind, list) and "object" in kind):
        if not isinstance(properties, dict) or schema.get("additionalProperties") is not False:
            return False
        required = _names(_required(schema))
        if any(name not in required for name in properties):
            return False
    return all(can_be_strict(inner, depth + 1) for inner in subschemas(schema))


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _names(required: list[Any]) -> dict[str, None]:
    return {name: None for name in required if isinstance(name, str)}


def _required(schema: dict[str, Any]) -> list[Any]:
    required = schema.get("required")
    return required if isinstance(required, list) else []
