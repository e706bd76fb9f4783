"""How large a schema is taken to be: what bounds its growth when references are put in place."""

from typing import Any

import pytest

from gephyr_core.conversation.schema import _measure


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        ({}, 1),
        ({"type": "string"}, 3),
        ({"type": ["string", "null"]}, 5),
        ({"enum": ["a", "b", {"c": 1}]}, 7),
        ({"description": "x" * 31}, 3),
        ({"description": "x" * 32}, 4),
        ({"description": "x" * 320}, 13),
        ({"properties": {"a": {}, "b": {}}}, 6),
        ({"properties": {"a": True}}, 3),
        ({"items": {"type": "string"}}, 6),
        ({"items": True}, 2),
        ({"anyOf": [{}, {}, {}]}, 8),
        ({"$defs": {"a": {}, "b": {"type": "string"}}}, 6),
        ({"definitions": {"a": {}}}, 3),
        ({"$defs": {"a": True}}, 2),
        ({"default": {"a": [1, 2], "b": None}}, 7),
    ],
)
def test_a_schema_is_as_large_as_the_values_in_it(schema: dict[str, Any], size: int) -> None:
    """Each keyword counts, what is no schema with all its values, and long texts by their length."""
    assert _measure(schema) == (size, False)


@pytest.mark.parametrize(
    ("schema", "refers"),
    [
        ({"$ref": "#"}, True),
        ({"$ref": 7}, False),
        ({"properties": {"a": {"items": {"$ref": "#"}}}}, True),
        ({"$defs": {"a": {"$ref": "#"}}}, True),
        ({"enum": [{"$ref": "#"}]}, False),
        ({"properties": {"a": {"$ref": "#"}, "b": {}}}, True),
    ],
)
def test_a_schema_refers_where_a_reference_stands_as_a_schema(schema: dict[str, Any], refers: bool) -> None:
    assert _measure(schema)[1] is refers
