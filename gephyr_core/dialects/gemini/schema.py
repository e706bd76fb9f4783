"""JSON Schema as far as Google's ``Schema`` can say it (``google.ai.generativelanguage.v1beta.Schema``).

Beyond the message's fields, the service demands: a type; ``items`` of an array; ``enum`` of strings only, none empty;
of string formats ``enum`` and ``date-time``; ``required`` names that are among the properties; and, at Vertex, nothing
beside an ``anyOf``.
"""

import math
from typing import Any

import attrs

from gephyr_core.conversation.report import Report
from gephyr_core.conversation.schema import inlined
from gephyr_core.dialects.gemini.schema_merging import described, merged, unique
from gephyr_core.dialects.rendering import encode_json

_TYPES = ("string", "number", "integer", "boolean", "array", "object")
_FORMATS = {"string": ("date-time", "enum"), "number": ("float", "double"), "integer": ("int32", "int64")}
_BOUNDS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
_OF_TYPE = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "pattern": "string",
    "minLength": "string",
    "maxLength": "string",
}
"""Keywords that tell the type where the client did not."""
_SILENT = ("$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "type", "const", "enum", "nullable")
"""Keywords that say nothing of a value, or are read where they are looked for."""
_DEEPEST = 40
_MOST = 10_000
"""Subschemas of one schema that are written: alternatives within alternatives multiply."""
_LISTED_FOR_ONE = 16
"""Names of properties that count for one subschema of ``_MOST``."""
_LARGEST = 2**63 - 1
_ANYTHING = ("STRING", "NUMBER", "BOOLEAN", "OBJECT")


def parameters(schema: dict[str, Any] | None, report: Report, path: str) -> dict[str, Any] | None:
    """A function's parameters; None where it has none. What the subset cannot say is reported once."""
    if not schema:
        return None
    cleaner = _Cleaner()
    written = cleaner.clean(_as_object(inlined(schema, report, path), cleaner), 0)
    cleaner.tell(report, path)
    return written if written.get("properties") else None


def output_schema(schema: dict[str, Any], report: Report, path: str) -> dict[str, Any]:
    """The schema of a reply."""
    cleaner = _Cleaner()
    written = cleaner.clean(inlined(schema, report, path), 0)
    cleaner.tell(report, path)
    return written


def _as_object(schema: dict[str, Any], cleaner: "_Cleaner") -> dict[str, Any]:
    """A schema whose root is an object and no choice: all alternatives' properties, of which none is required that is
    not so in each."""
    schema = cleaner.flat(schema)
    branches = [cleaner.flat(one) for key in ("anyOf", "oneOf") for one in _dicts(schema.get(key))]
    root = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    if branches:
        cleaner.lost["anyOf"] = None
        properties: dict[str, Any] = {}
        for branch in branches:
            properties |= _mapping(branch.get("properties"))
        root["properties"] = {**properties, **_mapping(root.get("properties"))}
        each = [dict.fromkeys(_strings(branch.get("required"))) for branch in branches]
        common = [name for name in each[0] if all(name in required for required in each)]
        root["required"] = [*_strings(root.get("required")), *common]
    return {**root, "type": "object"}


@attrs.define
class _Cleaner:
    """Writes one schema, and notes what is lost."""

    lost: dict[str, None] = attrs.field(factory=dict)
    _left: int = _MOST

    def tell(self, report: Report, path: str) -> None:
        """Report what was lost, once."""
        if self.lost:
            report.changed(path, f"Gemini's schemas cannot say all of it: {', '.join(self.lost)} left out")

    def clean(self, schema: Any, depth: int) -> dict[str, Any]:
        """Write a schema; anything for what is none."""
        self._left -= 1
        if not isinstance(schema, dict):
            return _anything({})
        if depth > _DEEPEST or self._left < 0:
            self.lost["what is nested too deeply"] = None
            return _anything({})
        schema = self.flat(schema)
        branches, nullable = self._branches(schema)
        if branches is None:
            return self._typed(schema, depth, nullable=nullable)
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "nullable")}
        if len(branches) == 1:
            only = described(rest, branches[0])
            return self.clean({**only, "nullable": True} if nullable else only, depth + 1)
        written = [self._alternative(rest, branch, depth + 1) for branch in branches]
        several = unique([inner for one in written for inner in one.get("anyOf", (one,))])
        if nullable:
            several = [{**one, "nullable": True} for one in several]
        return {"anyOf": several} if len(several) > 1 else several[0]

    def _alternative(self, rest: dict[str, Any], branch: dict[str, Any], depth: int) -> dict[str, Any]:
        """Write one of several alternatives, each with what stands beside them: that is paid for each time."""
        beside = [len(value) for value in rest.values() if isinstance(value, dict | list)]
        self._left -= sum(beside, len(rest)) // _LISTED_FOR_ONE
        return self.clean(branch if self._left < 0 else described(rest, branch), depth)

    def flat(self, schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
        """The schema with ``allOf`` joined into it."""
        parts = _dicts(schema.get("allOf"))
        if "allOf" not in schema:
            return schema
        self._left -= len(parts)
        if depth >= _DEEPEST or self._left < 0:
            self.lost["what is nested too deeply"] = None
            parts = []
        inner = [self.flat(part, depth + 1) for part in parts]
        for key in ("anyOf", "oneOf"):
            if len([part for part in inner if key in part]) > 1:
                self.lost[key] = None
        return merged(*inner, {key: value for key, value in schema.items() if key != "allOf"})

    def _branches(self, schema: dict[str, Any]) -> tuple[list[dict[str, Any]] | None, bool]:
        """The alternatives of a schema (None: it has none), and whether it takes null."""
        nullable = schema.get("nullable") is True
        listed = [key for key in ("anyOf", "oneOf") if isinstance(schema.get(key), list) and schema[key]]
        if len(listed) > 1:
            self.lost["oneOf"] = None
        if listed:
            given = [one for one in schema[listed[0]] if isinstance(one, dict)]
            branches = [one for one in given if one.get("type") != "null" and one != {"const": None}]
            return (branches or None), nullable or len(branches) < len(given)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            named = [kind for kind in kinds if kind in _TYPES]
            nullable = nullable or "null" in kinds
            return ([{"type": kind} for kind in named] if named else None), nullable
        return None, nullable

    # -- one type ---------------------------------------------------------------------------------------------------

    def _typed(self, schema: dict[str, Any], depth: int, *, nullable: bool) -> dict[str, Any]:
        values = schema.get("enum") if isinstance(schema.get("enum"), list) else None
        if "const" in schema:
            values = [schema["const"]]
        kind = self._type(schema, values)
        written: dict[str, Any] = {"type": kind.upper()} if kind else {}
        for key in ("title", "description"):
            if isinstance(schema.get(key), str):
                written[key] = schema[key]
        if "default" in schema and schema["default"] is not None:
            written["default"] = schema["default"]
        if nullable or schema.get("type") == "null" or (values is not None and None in values):
            written["nullable"] = True
        if values is not None:
            self._enum(values, kind, written)
        taken = self._members(schema, kind, written, depth)
        for key, value in schema.items():
            if key not in written and key not in taken and _restricts(key, value, kind):
                self.lost[key] = None
        return written if kind else _anything(written)

    def _type(self, schema: dict[str, Any], values: list[Any] | None) -> str:
        """The type; empty where any would do."""
        kind = schema.get("type")
        if kind in _TYPES:
            return str(kind)
        if kind == "null":
            return "string"
        if kind is not None and not isinstance(kind, list):
            self.lost["type"] = None
        for value in values or ():
            found = _type_of(value)
            if found:
                return found
        return next((named for key, named in _OF_TYPE.items() if key in schema), "")

    def _enum(self, values: list[Any], kind: str, written: dict[str, Any]) -> None:
        """Write the values that are taken: of strings as such, of others as words of the description."""
        some = [value for value in values if value is not None]
        if kind == "string":
            written["enum"] = [value for value in dict.fromkeys(_strings(some)) if value]
            if not written["enum"]:
                del written["enum"]
            if "" in some:
                self.lost["an empty enum value"] = None
        elif some:
            self.lost["enum"] = None
            told = f"One of: {', '.join(encode_json(value).decode() for value in some)}."
            written["description"] = f"{written['description']} {told}" if "description" in written else told

    def _members(self, schema: dict[str, Any], kind: str, written: dict[str, Any], depth: int) -> tuple[str, ...]:
        """Write what only this type has. Returns keywords that were carried under another name."""
        if schema.get("format") in _FORMATS.get(kind, ()):
            written["format"] = schema["format"]
        for key in _BOUNDS.get(kind, ()):
            if (bound := _count(schema.get(key))) is not None:
                written[key] = bound
        if kind == "string" and isinstance(schema.get("pattern"), str):
            written["pattern"] = schema["pattern"]
        if kind in ("number", "integer"):
            return _limits(schema, kind, written)
        if kind == "array":
            return self._items(schema, written, depth)
        if kind == "object":
            properties = _mapping(schema.get("properties"))
            if properties:
                written["properties"] = {name: self.clean(one, depth + 1) for name, one in properties.items()}
            required = [name for name in _strings(schema.get("required")) if name in properties]
            if required:
                written["required"] = list(dict.fromkeys(required))
        return ()

    def _items(self, schema: dict[str, Any], written: dict[str, Any], depth: int) -> tuple[str, ...]:
        items = schema.get("items")
        in_order = schema.get("prefixItems", items if isinstance(items, list) else None)
        if isinstance(in_order, list) and in_order:
            self.lost["the order of items"] = None
            items = {"anyOf": [*in_order, *([items] if isinstance(items, dict) else [])]}
        written["items"] = self.clean(items if isinstance(items, dict) else {}, depth + 1)
        return ("prefixItems",)


def _limits(schema: dict[str, Any], kind: str, written: dict[str, Any]) -> tuple[str, ...]:
    """Write the limits of a number; of a whole one also those that it must not reach."""
    taken = []
    for key, beyond, step in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        if (limit := _number(schema.get(key))) is not None:
            written[key] = limit
        edge = _number(schema.get(beyond))
        if edge is not None and kind == "integer" and isinstance(edge, int) and key not in written:
            written[key] = edge + step
            taken.append(beyond)
    return tuple(taken)


def _anything(written: dict[str, Any]) -> dict[str, Any]:
    """A schema that takes any value, with the description that it has."""
    kept = {key: written[key] for key in ("title", "description", "nullable") if key in written}
    return {"anyOf": [{"type": kind, **kept} for kind in _ANYTHING]}


def _restricts(key: str, value: Any, kind: str) -> bool:
    """Whether a keyword takes something away from the values of a type (or means something to the model)."""
    if key in _SILENT or key == "allOf" or value is None or value in ([], {}) or _OF_TYPE.get(key, kind) != kind:
        return False
    return not (key == "additionalProperties" and value is True)


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "")


def _count(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) and 0 <= number <= _LARGEST else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
