"""JSON Schemas with their references put in place, whatever a client writes."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.report import Fate, Report
from gephyr_core.conversation.schema import DEEPEST, MOST_GROWTH, inlined, subschemas

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "description": "A node.",
            "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
        }
    },
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/node"}},
}


def put_in_place(schema: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The schema with its references in place, and the reasons that were reported."""
    report = Report()
    written = inlined(schema, report, "tools[0]")
    assert all(entry.fate is Fate.CHANGED and entry.path == "tools[0]" for entry in report.entries)
    return written, [entry.reason for entry in report.entries]


def every(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema and all subschemas."""
    found = [schema]
    for one in found:
        found.extend(subschemas(one))
    return found


def test_a_schema_without_references_is_handed_back_as_it_is() -> None:
    schema = {"type": "object", "properties": {"$ref": {"type": "string"}}, "$defs": {"unused": {}}}
    written, reasons = put_in_place(schema)
    assert written is schema
    assert reasons == []


def test_a_reference_gives_way_to_what_it_refers_to_and_definitions_go() -> None:
    schema = {"$defs": {"city": {"type": "string"}}, "properties": {"to": {"$ref": "#/$defs/city"}}}
    assert put_in_place(schema) == ({"properties": {"to": {"type": "string"}}}, [])


def test_definitions_of_old_drafts_pointers_into_lists_escapes_and_anchors_are_followed() -> None:
    schema = {
        "definitions": {"a/b c": {"type": "string"}, "named": {"$anchor": "here", "type": "null"}},
        "anyOf": [{"type": "integer"}, {"$ref": "#/anyOf/0"}, {"$ref": "#/definitions/a~1b%20c"}, {"$ref": "#here"}],
    }
    written, reasons = put_in_place(schema)
    assert [one["type"] for one in written["anyOf"]] == ["integer", "integer", "string", "null"]
    assert reasons == []


def test_what_describes_a_reference_wins_over_what_describes_its_target() -> None:
    schema = {
        "$defs": {"city": {"type": "string", "description": "A city."}},
        "properties": {"to": {"$ref": "#/$defs/city", "description": "Where to."}},
    }
    assert put_in_place(schema)[0]["properties"]["to"] == {"type": "string", "description": "Where to."}


def test_what_restricts_a_reference_further_holds_beside_its_target() -> None:
    schema = {"$defs": {"short": {"maxLength": 9}}, "items": {"$ref": "#/$defs/short", "maxLength": 5}}
    assert put_in_place(schema)[0]["items"] == {"allOf": [{"maxLength": 9}, {"maxLength": 5}]}


def test_a_recursion_is_cut_to_what_it_is_and_reported_once() -> None:
    written, reasons = put_in_place(TREE)
    outer = written["properties"]["root"]
    inner = outer["properties"]["next"]
    assert inner["properties"]["value"] == {"type": "integer"}
    assert inner["properties"]["next"] == {"type": "object", "description": "A node."}
    assert reasons == ["the recursion of '#/$defs/node' is cut at a depth of 2"]


def test_a_reference_that_leads_nowhere_takes_any_value_and_is_reported() -> None:
    schema = {"properties": {"a": {"$ref": "https://example.com/a.json"}, "b": {"$ref": "#/$defs/none/of/them"}}}
    written, reasons = put_in_place(schema)
    assert written == {"properties": {"a": {}, "b": {}}}
    assert len(reasons) == 2


def test_references_that_only_lead_to_each_other_end() -> None:
    schema = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    written, reasons = put_in_place(schema)
    assert written == {}
    assert len(reasons) == 1


def test_definitions_that_double_with_each_level_do_not_grow_without_bound() -> None:
    definitions: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}, {"$ref": f"#/$defs/d{level + 1}"}]}
        for level in range(40)
    }
    schema = {"$defs": {**definitions, "d40": {"type": "string"}}, "$ref": "#/$defs/d0"}
    written, reasons = put_in_place(schema)
    assert len(every(written)) <= 2 * MOST_GROWTH * len(every(schema))
    assert "the schema's references make it grow too large: cut" in reasons


def test_what_is_nested_too_deeply_is_cut_and_reported() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5 * DEEPEST):
        deep = {"items": deep}
    written, reasons = put_in_place({"$defs": {"deep": deep}, "$ref": "#/$defs/deep"})
    assert len(every(written)) <= DEEPEST + 1
    assert reasons == [f"the schema is nested deeper than {DEEPEST} levels: cut there"]


REFERENCES = st.sampled_from(
    ["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#named", "elsewhere#a", "#/anyOf/1", "#/%"]
)
ODD = st.sampled_from([None, True, 7, "text", [], {}, ["a"], {"a": 1}])
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({"$ref": REFERENCES}) | st.fixed_dictionaries({"type": st.just("string")}) | ODD,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            **{
                key: st.dictionaries(st.sampled_from("ab"), inner) | ODD
                for key in ("properties", "$defs", "definitions")
            },
            **{key: st.lists(inner, max_size=3) | ODD for key in ("anyOf", "allOf", "items", "prefixItems")},
            **dict.fromkeys(("not", "additionalProperties", "if"), inner),
            "$ref": REFERENCES | ODD,
            "$anchor": st.just("named") | ODD,
            "enum": st.just([{"$ref": "#/$defs/a"}]),
        },
    ),
    max_leaves=12,
)


@given(SCHEMAS.filter(lambda schema: isinstance(schema, dict)))
def test_any_schema_loses_its_references_and_stays_as_it_was(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    written, _ = put_in_place(schema)
    assert schema == before
    assert not any(isinstance(one.get("$ref"), str) for one in every(written))
    assert put_in_place(written)[0] is written


def chain(length: int) -> dict[str, Any]:
    """References one into the next, each a level below the last."""
    places = {f"d{at}": {"properties": {"a": {"$ref": f"#/$defs/d{at + 1}"}}} for at in range(length)}
    return {"$defs": {**places, f"d{length}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def test_a_chain_of_references_is_followed_to_the_depth_that_there_may_be_and_cut_below() -> None:
    """Each reference counts as a level, and so does each property."""
    longest = (DEEPEST - 1) // 2
    whole, reasons = put_in_place(chain(longest))
    assert reasons == []
    assert every(whole)[-1] == {"type": "string"}
    cut, reasons = put_in_place(chain(longest + 1))
    assert reasons == [f"the schema is nested deeper than {DEEPEST} levels: cut there"]
    assert every(cut)[-1] == {}
