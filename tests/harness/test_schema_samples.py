"""Values made for JSON Schemas."""

from typing import Any

import pytest

from gephyr.harness.providers.schema_samples import sample


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "example"),
        ({"type": "string"}, "example"),
        ({"type": "string", "format": "date"}, "2025-01-31"),
        ({"type": "string", "minLength": 9}, "example.."),
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number"}, 1),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "STRING", "nullable": True}, "example"),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 3}, 3),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"prefixItems": [{"type": "integer"}, {"type": "string"}]}, [1, "example"]),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]}, {"a": 1}),
        ({"$ref": "#/$defs/x~1y", "$defs": {"x/y": {"type": "boolean"}}}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        ({"$ref": "https://elsewhere.test/schema"}, "example"),
        ({"$ref": "#/nowhere"}, "example"),
    ],
)
def test_a_sample_satisfies_its_schema(schema: dict[str, Any], value: object) -> None:
    made = sample(schema)
    assert made == value
    assert type(made) is type(value)


def test_a_list_that_ends_somewhere_is_ended() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    }
    made, depth = sample(node), 0
    while made is not None:
        made, depth = made["next"], depth + 1
    assert 1 < depth < 10


def test_a_schema_that_never_ends_is_cut() -> None:
    tree = {"type": "object", "properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}, "required": ["l", "r"]}
    assert sample(tree)["l"]["l"]
