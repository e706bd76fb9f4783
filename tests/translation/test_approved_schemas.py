"""What each keyword of JSON Schema becomes for each provider, of tools and of replies, strict and not."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import FunctionTool, OutputFormat, Prompt, Role, Turn
from gephyr_core.conversation.report import Report, UntranslatableError
from tests.approved import check_table
from tests.translation.test_approved import DESTINATIONS
from tests.translation.translating import TRANSLATORS

S, N, B = {"type": "string"}, {"type": "number"}, {"type": "boolean"}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


SCHEMAS: dict[str, Any] = {
    "none": None,
    "empty": {},
    "an object": obj(a=S, b=N),
    "an object with optional fields": {"type": "object", "properties": {"a": S, "b": N}, "required": ["a"]},
    "without properties": {"type": "object"},
    "open": {"type": "object", "additionalProperties": True},
    "of values": {"type": "object", "additionalProperties": S},
    "closed": {**obj(a=S), "additionalProperties": False},
    "patterns of names": {"type": "object", "patternProperties": {"^a": S}, "propertyNames": {"pattern": "^a"}},
    "bounds of objects": {**obj(a=S), "minProperties": 1, "maxProperties": 2},
    "required without a property": {"type": "object", "properties": {"a": S}, "required": ["a", "b"]},
    "dependent": {**obj(a=S), "dependentRequired": {"a": ["b"]}, "if": obj(a=S), "then": obj(b=N), "else": obj(c=B)},
    **{
        f"a type {kind}": obj(a={"type": kind})
        for kind in ("string", "number", "integer", "boolean", "null", "array", "object", "odd")
    },
    **{
        f"types {kinds}": obj(a={"type": kinds})
        for kinds in (["string"], ["string", "null"], ["string", "number"], ["null"], [])
    },
    **{
        f"format {name}": obj(a={"type": "string", "format": name})
        for name in ("date", "date-time", "time", "email", "uri", "uuid", "ipv4", "enum", "odd")
    },
    **{
        f"format {name} of a number": obj(a={"type": kind, "format": name})
        for kind, name in (
            ("number", "float"),
            ("number", "odd"),
            ("integer", "int32"),
            ("integer", "int64"),
            ("integer", "odd"),
        )
    },
    "bounds of strings": obj(a={"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^a"}),
    "bounds of numbers": obj(
        a={
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 6,
            "multipleOf": 0.5,
        }
    ),
    "bounds of arrays": obj(a={"type": "array", "items": S, "minItems": 1, "maxItems": 3, "uniqueItems": True}),
    **{f"at least {count}": obj(a={"type": "array", "items": S, "minItems": count}) for count in (0, 1, 2)},
    "an array without items": obj(a={"type": "array"}),
    "a tuple": obj(a={"type": "array", "prefixItems": [S, N], "items": False}),
    "contains": obj(a={"type": "array", "contains": S, "minContains": 1}),
    "an enum": obj(a={"type": "string", "enum": ["x", "y"]}),
    "an enum without a type": obj(a={"enum": ["x", "y"]}),
    "an enum of numbers": obj(a={"type": "integer", "enum": [1, 2]}),
    "an enum of everything": obj(a={"enum": ["x", 1, None, True]}),
    "an enum of nothing": obj(a={"enum": []}),
    "a constant": obj(a={"const": "x"}),
    "a constant number": obj(a={"const": 7}),
    "a constant null": obj(a={"const": None}),
    "any of": obj(a={"anyOf": [S, N]}),
    "any of, with null": obj(a={"anyOf": [S, {"type": "null"}]}),
    "any of one": obj(a={"anyOf": [S]}),
    "any of, described": obj(a={"anyOf": [S, N], "description": "d", "default": "x"}),
    "one of": obj(a={"oneOf": [obj(b=S), obj(c=N)]}),
    "one of at the root": {"oneOf": [obj(a=S), obj(b=N)]},
    "any of at the root": {"anyOf": [obj(a=S), obj(b=N)]},
    "all of": obj(a={"allOf": [obj(b=S), obj(c=N)]}),
    "all of one": obj(a={"allOf": [S], "description": "d"}),
    "all of, that differ": obj(
        a={"allOf": [{"type": ["string", "null"]}, {"type": "string", "enum": ["x"]}, {"enum": ["x", "y"]}]}
    ),
    "not": obj(a={"not": S}),
    "true": obj(a=True),
    "false": obj(a=False),
    "a reference": {**obj(a={"$ref": "#/$defs/d"}), "$defs": {"d": S}},
    "a reference with more": {
        **obj(a={"$ref": "#/$defs/d", "description": "e"}),
        "$defs": {"d": {**S, "description": "d"}},
    },
    "an old reference": {**obj(a={"$ref": "#/definitions/d"}), "definitions": {"d": obj(b=S)}},
    "a reference to the root": {**obj(a=S), "properties": {"a": {"$ref": "#"}}},
    "a reference that recurs": {**obj(a={"$ref": "#/$defs/d"}), "$defs": {"d": obj(b={"$ref": "#/$defs/d"})}},
    "a reference to nothing": obj(a={"$ref": "#/$defs/none"}),
    "a reference elsewhere": obj(a={"$ref": "https://x.test/s.json"}),
    "references crosswise": {
        **obj(a={"$ref": "#/$defs/d"}),
        "$defs": {"d": obj(x={"$ref": "#/$defs/e"}, y={"$ref": "#/$defs/e"}), "e": S},
    },
    "words": obj(
        a={
            **S,
            "title": "t",
            "description": "d",
            "default": "x",
            "examples": ["x"],
            "deprecated": True,
            "readOnly": True,
        }
    ),
    "words at the root": {**obj(a=S), "title": "t", "description": "d", "$schema": "s", "$id": "i", "$comment": "c"},
    "nullable": obj(a={**S, "nullable": True}),
    "an order": {**obj(a=S, b=N), "propertyOrdering": ["b", "a"]},
    "unknown keywords": obj(a={**S, "odd": 1, "x-odd": 2, "contentEncoding": "base64"}),
    "odd values": obj(a={"type": 7}, b="x", c=[], d={"properties": []}),
    "a list at the root": {"type": "array", "items": obj(a=S)},
    "a text at the root": S,
    "deep": json.loads('{"type":"object","properties":{"a":' * 9 + '{"type":"string"}' + "}}" * 9),
}


def lines(destination: str) -> Iterator[str]:
    target = DESTINATIONS[destination]
    for (name, schema), strict in itertools.product(SCHEMAS.items(), (None, True)):
        for use in ("tool", "output"):
            if use == "output" and schema is None:
                continue
            fields: dict[str, Any] = (
                {"tools": (FunctionTool("look", "d", schema, strict, path="tools[0]"),)}
                if use == "tool"
                else {"output": OutputFormat(schema, "place", strict=strict, path="format")}
            )
            prompt = Prompt("openai-chat", "m", turns=(Turn(Role.USER, (Text("Hi"),)),), **fields)
            report = Report()
            try:
                written = TRANSLATORS[target.dialect].write_request(prompt, target, report)
                body = json.loads(msgspec.json.encode(written.body))
                told = json.dumps({key: value for key, value in body.items() if key not in _USUAL})
            except UntranslatableError as error:
                told = f"refused: {error}"
            yield f"## {name}, {use}{', strict' if strict else ''}"
            yield told[:1500]
            yield from (
                f"{one.fate.value} {one.path}: {one.reason}" for one in report.entries if one.path != "max_tokens"
            )


_USUAL = ("model", "messages", "input", "contents", "max_tokens", "store", "stream", "system", "include")


@pytest.mark.parametrize("destination", ["claude-now", "gemini-now", "gpt-chat", "gpt-responses"])
def test_each_schema_becomes_what_was_approved(destination: str) -> None:
    check_table(f"schemas-to-{destination}", lines(destination))
