"""What small functions of the dialects make of each kind of value, as was approved: what is joined of two schemas, and
what calls of typed tools become as a function's and back."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.dialects.gemini.schema_merging import described, merged
from gephyr_core.dialects.openai_responses.client_tools import CALL_TYPES, OUTPUT_TYPES, read_call, write_call
from gephyr_core.providers import PROVIDERS
from tests.approved import check_table

BOUNDS = (
    *("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum"),
    *("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum"),
)
VALUES: dict[str, list[Any]] = {
    **{key: [1, 2.5, "2", True] for key in BOUNDS},
    "type": ["string", "number", ["integer", "string"], ["integer", "null"], None],
    "enum": [["a", "b"], ["b", "c", {"d": 1}], [{"d": 1}], ["z"], "a"],
    "required": [["a", "b"], ["b", 7, "c"], "a", []],
    "properties": [{"a": {"type": "string"}}, {"a": {"minLength": 1}, "b": True}, {"a": True}, 7],
    "$defs": [{"d": {"type": "string"}}, {"d": {"minLength": 1}, "e": {}}],
    "description": ["one", "two", "", None],
    "pattern": ["a", "b"],
}


def merges() -> Iterator[str]:
    for key, values in VALUES.items():
        for one, other in itertools.product(values, repeat=2):
            yield f"{key}: {json.dumps(one)} and {json.dumps(other)}: {json.dumps(merged({key: one}, {key: other})[key])}"
        for three in itertools.islice(itertools.permutations(values, 3), 0, None, 5):
            told = json.dumps(merged(*({key: value} for value in three))[key])
            yield f"{key}: {' and '.join(map(json.dumps, three))}: {told}"
    for one, other in itertools.product(VALUES["description"], repeat=2):
        found = described({"description": one, "title": "t"}, {"description": other, "type": "string"})
        yield f"described: {json.dumps(one)} and {json.dumps(other)}: {json.dumps(found)}"


def test_what_holds_of_several_schemas_is_joined_as_approved() -> None:
    """Google takes no ``allOf``: the stricter bound counts, and what all of them name."""
    check_table("schemas-merged", merges())


ODD: list[Any] = [
    *(None, "", "text", 7, True, [], ["ls"], ["ls", 7], {}),
    *({"type": "exec", "command": ["ls"], "env": {}}, {"type": "click", "x": 1}, [{"type": "click"}], ["x", {}]),
]
ARGUMENTS: list[Any] = [
    *({}, [], 7, {"query": "q"}),
    *({"command": value} for value in ("ls", ["ls", "-l"], ["ls", 7], [], None)),
    {
        "command": ["ls"],
        "env": {"a": "b", "c": 7},
        "timeout_ms": 5,
        "working_directory": "/tmp",  # noqa: S108
        "max_output_length": 9,
    },
    {"command": ["ls"], "env": [], "timeout_ms": True, "working_directory": ""},
    {"command": ["ls"], "timeout_ms": 1.5, "working_directory": 7},
    *({"commands": value} for value in ("ls", ["ls", "-l"], ["ls", 7], None)),
    {"commands": ["ls"], "timeout_ms": 5, "max_output_length": 9},
    {"commands": ["ls"], "timeout_ms": "5", "max_output_length": False},
    *({"type": kind, "path": "p", "diff": "d"} for kind in ("create_file", "update_file", "delete_file", "odd", None)),
    *({"type": kind, "path": "p"} for kind in ("create_file", "update_file", "delete_file")),
    *({"type": "update_file", "path": path, "diff": diff} for path, diff in ((7, "d"), ("p", 7), ("", ""))),
    *({"actions": value} for value in ([{"type": "click"}], [], ["x"], [{}, 7], {"type": "click"}, None)),
]


def typed_calls() -> Iterator[str]:
    for kind in CALL_TYPES:
        for field, value in itertools.product(("action", "operation", "actions", "arguments"), ODD):
            name, arguments = read_call(kind, {"type": kind, field: value})
            if arguments not in ("{}", '{"actions":[]}'):
                yield f"{kind}: {field} {json.dumps(value)}: {name} {arguments}"
        yield f"{kind}: nothing: {' '.join(read_call(kind, {'type': kind}))}"
    for kind in (
        *dict.fromkeys(OUTPUT_TYPES.values()),
        "computer_use_preview",
        "computer_use",
        "function",
    ):  # every item that is written; the others are none
        written = {told: write_call(kind, told) for told in ("", "{", *map(json.dumps, ARGUMENTS))}
        yield from (f"{kind}: as {told}: {json.dumps(item)}" for told, item in written.items() if item is not None)


def test_calls_of_typed_tools_are_read_and_written_as_approved() -> None:
    """What does not fit the type's shape stays a function's call."""
    check_table("calls-of-typed-tools", typed_calls())


def test_what_is_known_of_each_kind_of_provider_is_as_approved() -> None:
    """Where it is, what it speaks, and what is particular to it."""
    lines: list[str] = []
    for provider in PROVIDERS.values():
        fields = attrs.asdict(provider, recurse=False)
        lines.append(f"## {fields.pop('name')}")
        lines += [f"{name} = {value}" for name, value in fields.items() if value not in (False, "")]
    check_table("providers", lines)
