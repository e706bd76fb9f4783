"""JSON Schema as clients write it: where its subschemas stand, and references put in place.

No function here changes the schema that it is given. What they return shares with it whatever is no schema itself
(``enum`` lists, defaults), and is not to be changed either where that matters.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import attrs

from gephyr_core.conversation.report import Report

MOST_OPEN = 2
"""How often a definition may stand inside itself before the recursion is cut (decision 14)."""
DEEPEST = 64
"""Levels of subschemas that are followed; what lies deeper takes any value."""
MOST_GROWTH = 32
"""Times its own size that a schema may grow to when its references are put in place: definitions that refer to each
other twice double with each level."""
MOST_ADDED = 100_000
"""Size that a schema may grow by in any case."""
_TEXT = 32
"""Characters that count as one value in a size."""

SCHEMA_KEYS = frozenset(
    (
        *("items", "additionalItems", "unevaluatedItems", "contains", "not", "if", "then", "else"),
        *("additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"),
    )
)
"""Keywords whose value is a schema (or a boolean, or in old drafts a list of schemas)."""
SCHEMA_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
"""Keywords whose value is a list of schemas."""
SCHEMA_MAPS = frozenset(("properties", "patternProperties", "dependentSchemas", "dependencies"))
"""Keywords whose value maps names to schemas."""
DEFINITIONS = ("$defs", "definitions")
ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment")
)
"""Keywords that restrict nothing."""

_HOLDING = SCHEMA_KEYS | SCHEMA_LISTS | SCHEMA_MAPS


def subschemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects that stand directly inside *schema* as schemas, definitions included."""
    for key, value in schema.items():
        if isinstance(value, dict):
            if key in SCHEMA_KEYS:
                yield value
            elif key in SCHEMA_MAPS or key in DEFINITIONS:
                yield from (inner for inner in value.values() if isinstance(inner, dict))
        elif isinstance(value, list) and key in _HOLDING:
            yield from (inner for inner in value if isinstance(inner, dict))


def inlined(schema: dict[str, Any], report: Report, path: str) -> dict[str, Any]:
    """Put what ``$ref`` refers to in its place, and leave the definitions out.

    Returns *schema* itself when it has no references. A recursion is cut, a reference that leads nowhere takes any
    value; both are reported as changed at *path*, once each. The cost is linear in the size of the schema.
    """
    size, has_references = _measure(schema)
    if not has_references:
        return schema
    inliner = _Inliner(schema, min(MOST_GROWTH * size, size + MOST_ADDED), report, path)
    return inliner.copy(schema, 0)


def _measure(schema: dict[str, Any]) -> tuple[int, bool]:
    """How large the schema is, in values, and whether anything in it refers to something."""
    size, has_references = 0, False
    stack = [schema]
    while stack:
        current = stack.pop()
        size += _size(current)
        has_references = has_references or isinstance(current.get("$ref"), str)
        stack.extend(subschemas(current))
    return size, has_references


def _size(schema: dict[str, Any]) -> int:
    """How much a subschema says itself, without the subschemas in it."""
    size = 1
    for key, value in schema.items():
        size += 1
        if key in _HOLDING:
            size += len(value) if isinstance(value, dict | list) else 0
        elif key not in DEFINITIONS:
            size += _values(value)
    return size


def _values(value: Any) -> int:
    """The size of what is no schema: an enum, an example, a description."""
    size, stack = 0, [value]
    while stack:
        current = stack.pop()
        size += 1
        if isinstance(current, str):
            size += len(current) // _TEXT
        elif isinstance(current, dict):
            stack.extend(current.values())
        elif isinstance(current, list):
            stack.extend(current)
    return size


@attrs.define
class _Inliner:
    """Copies a schema with its references in place."""

    _root: dict[str, Any]
    _left: int
    """Size that may still be written."""
    _report: Report
    _path: str
    _open: dict[str, int] = attrs.field(factory=dict)
    """References being put in place right now, and how often."""
    _named: dict[str, dict[str, Any]] | None = None
    """Subschemas by their ``$anchor``, once one was asked for."""

    def copy(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        self._left -= _size(schema)
        if depth > DEEPEST:
            self._report.changed(self._path, f"the schema is nested deeper than {DEEPEST} levels: cut there")
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return self._members(schema, depth)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _joined(self._referred(reference, depth), self._members(beside, depth))

    def _members(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, value in schema.items():
            if key in DEFINITIONS and isinstance(value, dict):
                continue
            copied[key] = self._member(key, value, depth + 1) if key in _HOLDING else value
        return copied

    def _member(self, key: str, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            if key in SCHEMA_KEYS:
                return self.copy(value, depth)
            if key in SCHEMA_MAPS:
                return {name: self._schema(inner, depth) for name, inner in value.items()}
        elif isinstance(value, list):
            return [self._schema(inner, depth) for inner in value]
        return value

    def _schema(self, value: Any, depth: int) -> Any:
        return self.copy(value, depth) if isinstance(value, dict) else value

    def _referred(self, reference: str, depth: int) -> dict[str, Any]:
        target = self._target(reference)
        if target is None:
            self._report.changed(self._path, f"the reference {reference!r} leads nowhere: any value is taken there")
            return {}
        if self._left <= 0:
            self._report.changed(self._path, "the schema's references make it grow too large: cut")
            return _outline(target)
        opened = self._open.get(reference, 0)
        if opened >= MOST_OPEN:
            self._report.changed(self._path, f"the recursion of {reference!r} is cut at a depth of {MOST_OPEN}")
            return _outline(target)
        self._open[reference] = opened + 1
        copied = self.copy(target, depth + 1)
        self._open[reference] = opened
        return copied

    def _target(self, reference: str) -> dict[str, Any] | None:
        """What *reference* points to; None when that is no schema object of this schema."""
        if not reference.startswith("#"):
            return None
        fragment = unquote(reference[1:])
        if not fragment or fragment.startswith("/"):
            return _pointed(self._root, fragment)
        if self._named is None:
            self._named = _anchors(self._root)
        return self._named.get(fragment)


def _pointed(root: dict[str, Any], pointer: str) -> dict[str, Any] | None:
    """What a JSON pointer leads to; None when that is no schema object."""
    current: Any = root
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(current, dict):
            current = current.get(name)
        elif isinstance(current, list) and name.isdecimal() and len(name) < 6 and int(name) < len(current):
            current = current[int(name)]
        else:
            return None
    return current if isinstance(current, dict) else None


def _anchors(root: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The subschemas that have a name of their own to be referred to by."""
    found: dict[str, dict[str, Any]] = {}
    stack = [root]
    while stack:
        current = stack.pop()
        if isinstance(name := current.get("$anchor"), str):
            found[name] = current
        stack.extend(subschemas(current))
    return found


def _outline(schema: dict[str, Any]) -> dict[str, Any]:
    """What stands in for a schema that is cut: what it is, and not what is in it."""
    return {key: schema[key] for key in ("type", "title", "description", "nullable") if key in schema}


def _joined(referred: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    """A reference's target together with what stood beside the reference, which may describe it anew."""
    if all(key in ANNOTATIONS or key not in referred for key in beside):
        return {**referred, **beside}
    return {"allOf": [referred, beside]}
