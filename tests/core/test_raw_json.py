"""A JSON text is changed in single places, and whatever is not changed keeps its bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.raw_json import Path, edited

TEXT = b' { "a" : [ 1, {"x": "]}\\"\\\\" , "y":2.50}, 3 ] ,\n "b":null , "\\u0063": {} } '
_NAMES = st.sampled_from(["a", "b", 'q"', "\\", "]", "\u00e9"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({("a", 0): None}, b' { "a" : [ {"x": "]}\\"\\\\" , "y":2.50}, 3 ] ,\n "b":null , "\\u0063": {} } '),
        ({("a", 2): None}, b' { "a" : [ 1, {"x": "]}\\"\\\\" , "y":2.50} ] ,\n "b":null , "\\u0063": {} } '),
        ({("a", 1): None, ("a", 2): None}, b' { "a" : [ 1 ] ,\n "b":null , "\\u0063": {} } '),
        ({("a", 0): None, ("a", 1): None, ("a", 2): None}, b' { "a" : [ ] ,\n "b":null , "\\u0063": {} } '),
        ({("a", 1, "x"): None}, b' { "a" : [ 1, {"y":2.50}, 3 ] ,\n "b":null , "\\u0063": {} } '),
        ({("a",): b"7"}, b' { "a" : 7 ,\n "b":null , "\\u0063": {} } '),
        ({("a",): None, ("a", 1): None}, b' { "b":null , "\\u0063": {} } '),
        ({("a", 1): None, ("a",): None}, b' { "b":null , "\\u0063": {} } '),
        ({("b",): None, ("c",): None}, b' { "a" : [ 1, {"x": "]}\\"\\\\" , "y":2.50}, 3 ] } '),
        ({("a",): None, ("b",): None, ("c", "n"): b"1"}, b' { "\\u0063": {"n":1} } '),
        ({("a",): b"[]", ("m",): b"true"}, b' { "a" : [] ,\n "b":null , "\\u0063": {},"m":true } '),
        ({("x",): None, ("a", 9): None, ("b", "y", 1): None}, TEXT),
        ({}, TEXT),
    ],
)
def test_only_what_is_named_changes(edits: dict[Path, bytes | None], expected: bytes) -> None:
    assert edited(TEXT, edits) == expected


def test_of_members_with_one_name_the_last_is_meant() -> None:
    """As nearly all readers have it; the first must not be taken for it."""
    assert edited(b'{"a":[1],"a":[2,3]}', {("a", 0): None}) == b'{"a":[1],"a":[3]}'
    assert edited(b'{"a":12,"a":1}', {("a",): b"7"}) == b'{"a":12,"a":7}'
    assert edited(b'{"a":1,"b":[1],"a":12}', {("b", 0): None}) == b'{"a":1,"b":[],"a":12}'


def places(value: Any, path: Path = ()) -> list[Path]:
    """Where the values of a JSON value stand."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [one for step, child in inner for one in ((*path, step), *places(child, (*path, step)))]


def without(value: Any, gone: list[Path], path: Path = ()) -> Any:
    """The value without what stands at the paths *gone*."""
    if isinstance(value, dict):
        return {name: without(one, gone, (*path, name)) for name, one in value.items() if (*path, name) not in gone}
    if isinstance(value, list):
        return [without(one, gone, (*path, at)) for at, one in enumerate(value) if (*path, at) not in gone]
    return value


@given(_VALUES, st.randoms(use_true_random=False), st.sampled_from([None, 1]), st.booleans())
def test_what_is_left_is_what_was_there_without_it(value: Any, rng: Any, indent: int | None, ascii_only: bool) -> None:
    """The text that is left is what a writer would have written of what is left, in the same style."""
    found = places(value)
    gone = rng.sample(found, rng.randint(0, len(found)))
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    left = edited(text, dict.fromkeys(gone))
    assert json.loads(left) == without(value, gone)
    if indent is None:
        assert left.decode() == json.dumps(without(value, gone), ensure_ascii=ascii_only)
