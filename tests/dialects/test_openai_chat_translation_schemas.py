"""Which schemas OpenAI takes with ``strict``, and what a tool's schema is made into where its root is no plain object."""

from typing import Any

import pytest

from gephyr_core.conversation.report import Report
from gephyr_core.conversation.schema import DEEPEST
from gephyr_core.dialects.openai_chat.schemas import can_be_strict, parameters

TEXT = {"type": "string"}


def strict(**properties: Any) -> dict[str, Any]:
    """An object that requires all of its properties and takes no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = TEXT
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "taken"),
    [
        (strict(), True),
        (strict(a=TEXT), True),
        (strict(a=strict(b=TEXT)), True),
        ({}, True),
        (TEXT, True),
        ({"type": ["string", "null"]}, True),
        ({"anyOf": [strict(a=TEXT), TEXT]}, True),
        (strict(a={"$ref": "#/$defs/d"}), True),
        # An object that takes others, or that does not say that it takes none.
        ({**strict(a=TEXT), "additionalProperties": True}, False),
        ({**strict(a=TEXT), "additionalProperties": TEXT}, False),
        ({**strict(a=TEXT), "additionalProperties": 0}, False),
        (without(strict(a=TEXT), "additionalProperties"), False),
        # By its type or by its properties.
        (without(strict(a=TEXT), "type"), True),
        (without(without(strict(a=TEXT), "type"), "additionalProperties"), False),
        ({"type": "object", "additionalProperties": False}, False),
        ({"type": ["object", "null"]}, False),
        ({**strict(a=TEXT), "type": ["object", "null"]}, True),
        ({**strict(a=TEXT), "properties": []}, False),
        # One that does not require all.
        ({**strict(a=TEXT, b=TEXT), "required": ["a"]}, False),
        ({**strict(a=TEXT), "required": ["a", "b"]}, True),
        ({**strict(a=TEXT), "required": "a"}, False),
        (without(strict(a=TEXT), "required"), False),
        # At any depth.
        (strict(a={"type": "array", "items": {"type": "object"}}), False),
        ({"anyOf": [TEXT, {"type": "object"}]}, False),
        ({**strict(), "$defs": {"d": {"type": "object"}}}, False),
        (nested(DEEPEST), True),
        (nested(DEEPEST + 1), False),
    ],
)
def test_strict_is_for_objects_that_require_all_and_take_no_others(schema: dict[str, Any], taken: bool) -> None:
    assert can_be_strict(schema) is taken


NEVER = ("allOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas", "patternProperties")


@pytest.mark.parametrize("key", NEVER)
def test_some_keywords_are_never_strict(key: str) -> None:
    """https://platform.openai.com/docs/guides/structured-outputs, "Some type-specific keywords are not yet supported"."""
    assert not can_be_strict({**strict(a=TEXT), key: {}})
    assert not can_be_strict(strict(a={**TEXT, key: {}}))


@pytest.mark.parametrize("key", ["anyOf", "enum", "description", "minItems"])
def test_others_may_be(key: str) -> None:
    assert can_be_strict({**strict(a=TEXT), key: []})


@pytest.mark.parametrize(
    ("schema", "made", "told"),
    [
        ({"type": "object"}, {"type": "object"}, False),
        ({"type": "object", "properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}}, False),
        ({}, {"type": "object", "properties": {}}, False),
        ({"properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}}, False),
        ({"$ref": "#/$defs/d", "$defs": {"d": {"type": "object"}}}, {"type": "object"}, False),
        *(({"type": "object", key: []}, {"type": "object", "properties": {}}, True) for key in ("enum", "not")),
        *(({"type": "object", key: []}, {"type": "object", "properties": {}}, True) for key in ("anyOf", "oneOf")),
        (
            {"anyOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": TEXT}}, 7]},
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}},
            True,
        ),
        (
            {"oneOf": [{"properties": {"a": TEXT}}], "properties": {"a": {}, "c": TEXT}, "required": ["c"]},
            {"type": "object", "properties": {"a": {}, "c": TEXT}, "required": ["c"]},
            True,
        ),
        (
            {
                "allOf": [{"properties": {"a": TEXT}, "required": ["a", "c"]}, {"required": ["a"], "properties": 7}],
                "required": ["c"],
            },
            {"type": "object", "properties": {"a": TEXT}, "required": ["c", "a"]},
            True,
        ),
        ({"allOf": {}, "required": []}, {"type": "object", "properties": {}, "required": []}, True),
    ],
)
def test_the_root_of_a_tools_schema_becomes_a_plain_object(
    schema: dict[str, Any], made: dict[str, Any], told: bool
) -> None:
    report = Report()
    written = parameters(schema, report, "tools[0]")
    assert {key: value for key, value in written.items() if key != "$defs"} == made
    assert bool(report.entries) is told
