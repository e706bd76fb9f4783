"""JSON Schemas in Google's subset, held against the published proto and the service's rules."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.schema import output_schema, parameters
from gephyr_core.dialects.gemini.tool_reading import plain_schema

FIELDS = {
    *("type", "format", "title", "description", "nullable", "enum", "items", "maxItems", "minItems", "properties"),
    *("required", "minProperties", "maxProperties", "minimum", "maximum", "minLength", "maxLength", "pattern"),
    *("example", "anyOf", "propertyOrdering", "default"),
}
TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT")
KEYWORDS = (
    *("type", "format", "title", "description", "nullable", "enum", "const", "items", "prefixItems", "maxItems"),
    *("properties", "required", "minimum", "exclusiveMinimum", "minLength", "pattern", "default", "anyOf", "oneOf"),
    *("allOf", "not", "if", "then", "additionalProperties", "patternProperties", "$ref", "$defs", "$schema"),
)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "string", "integer", "object", "array", "null", "date-time", "#", "#/$defs/a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*KEYWORDS, "a", "b")), inner, max_size=4)
    ),
    max_leaves=12,
)
SCHEMA = st.dictionaries(st.sampled_from(KEYWORDS), VALUE, max_size=6)


def check(schema: dict[str, Any]) -> None:
    """Assert what Google demands of a schema."""
    assert set(schema) <= FIELDS
    assert "anyOf" in schema or schema["type"] in TYPES
    if "anyOf" in schema:
        assert set(schema) == {"anyOf"}
        for branch in schema["anyOf"]:
            check(branch)
        return
    kind = schema["type"]
    assert kind != "ARRAY" or "items" in schema
    assert "enum" not in schema or (kind == "STRING" and all(isinstance(one, str) and one for one in schema["enum"]))
    assert kind != "STRING" or schema.get("format") in (None, "date-time", "enum")
    assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
    assert kind == "OBJECT" or not {"properties", "required"} & set(schema)
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        check(inner)


def written(schema: dict[str, Any], report: Report | None = None) -> dict[str, Any]:
    before = json.dumps(schema)
    found = parameters({"type": "object", "properties": {"p": schema}}, report or Report(), "tools[0]")
    assert json.dumps(schema) == before
    assert found is not None
    check(found)
    inner: dict[str, Any] = found["properties"]["p"]
    return inner


@given(SCHEMA)
def test_any_schema_is_cleaned_to_the_subset(schema: dict[str, Any]) -> None:
    check(output_schema(schema, Report(), "response_format"))
    found = parameters(schema, Report(), "tools[0]")
    if found is not None:
        check(found)
        assert found["type"] == "OBJECT"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "INTEGER", "nullable": True}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"enum": ["a", "b", None]}, {"type": "STRING", "nullable": True, "enum": ["a", "b"]}),
        ({"enum": [1, 2]}, {"type": "INTEGER", "description": "One of: 1, 2."}),
        ({"type": "string", "format": "email", "minLength": 1}, {"type": "STRING", "minLength": 1}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "INTEGER", "minimum": 1}),
        (
            {"oneOf": [{"type": "string"}, {"type": "boolean"}], "description": "d"},
            {"anyOf": [{"type": "STRING", "description": "d"}, {"type": "BOOLEAN", "description": "d"}]},
        ),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a", "gone"]}], "type": "object"},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "OBJECT"}),
        ({"type": "array", "items": {"type": "number"}}, {"type": "ARRAY", "items": {"type": "NUMBER"}}),
        # Counts have 64 bits at Google.
        ({"type": "string", "maxLength": 2**63 - 1}, {"type": "STRING", "maxLength": 2**63 - 1}),
        ({"type": "string", "maxLength": 2**63, "minLength": 1e30}, {"type": "STRING"}),
        ({"type": "string", "maxLength": -1, "minLength": 1.5}, {"type": "STRING"}),
    ],
)
def test_what_the_subset_says_in_other_words(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert written(schema) == expected


def test_what_is_lost_is_told_once_by_name() -> None:
    report = Report()
    schema = {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string", "not": {}}}}
    schema["properties"]["b"] = {"type": "number", "multipleOf": 2}  # type: ignore[index]
    parameters({**schema, "$schema": "https://json-schema.org"}, report, "tools[3]")
    (entry,) = report.entries
    assert (entry.path, entry.fate.value) == ("tools[3]", "changed")
    assert "additionalProperties" in entry.reason
    assert "multipleOf" in entry.reason
    assert "$schema" not in entry.reason


def test_references_are_put_in_place_and_recursion_ends() -> None:
    report = Report()
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    found = parameters({**node, "$defs": {"node": node}}, report, "tools[0]")
    assert found is not None
    check(found)
    assert found["properties"]["next"]["type"] == "OBJECT"
    assert any("recursion" in entry.reason for entry in report.entries)


def test_an_object_without_properties_is_no_parameters() -> None:
    assert parameters({"type": "object", "properties": {}, "additionalProperties": False}, Report(), "") is None
    assert parameters(None, Report(), "") is None


def test_alternatives_at_the_root_become_one_object() -> None:
    branches = [
        {"properties": {"a": {"type": "string"}, "c": {"type": "string"}}, "required": ["a", "c"]},
        {"properties": {"b": {"type": "string"}, "c": {"type": "string"}}, "required": ["c"]},
    ]
    found = parameters({"type": "object", "oneOf": branches}, Report(), "tools[0]")
    assert found is not None
    assert sorted(found["properties"]) == ["a", "b", "c"]
    assert found["required"] == ["c"]


def test_googles_names_of_types_are_read_in_json_schemas_too() -> None:
    """Gemini CLI writes them there; a property's own name, or a default, is none."""
    plain = {"type": "object", "properties": {"type": {"type": "string", "default": "OBJECT"}}}
    assert plain_schema(plain) is plain
    googles = {"type": "object", "properties": {"n": {"type": "INTEGER"}, "type": {"type": "STRING"}}}
    assert plain_schema(googles)["properties"] == {"n": {"type": "integer"}, "type": {"type": "string"}}


def test_many_alternatives_beside_many_properties_do_not_multiply() -> None:
    """What stands beside alternatives is written with each: a request of some kilobytes would become hundreds of
    megabytes."""
    properties = {f"p{number}": {"type": "string"} for number in range(800)}
    branches = [{"type": "object", "required": [f"p{number}"]} for number in range(800)]
    schema = {"type": "object", "properties": properties, "anyOf": branches}
    found = written(schema)
    assert len(found["anyOf"]) > 1
    assert len(json.dumps(found)) < 20 * len(json.dumps(schema))
