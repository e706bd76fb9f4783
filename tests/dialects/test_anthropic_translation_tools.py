"""Tools written for Anthropic, and which of them its model may use."""

from typing import Any

import attrs
import pytest
from anthropic_cases import (
    ABLE,
    NEW,
    SCHEMA,
    WEATHER,
    body_of,
    dropped,
    fates,
    foreign,
    write,
)

from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Tool,
    ToolChoice,
)
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination


def tools_of(*tools: Tool, destination: Destination = ABLE, report: Report | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body_of(destination, tools=tools, report=report)["tools"]
    return found


def choice(kind: Choice, *names: str) -> dict[str, Any]:
    return {"tools": (WEATHER,), "tool_choice": ToolChoice(kind, names, path="tool_choice")}


def test_a_function_is_written_with_its_schema() -> None:
    assert tools_of(WEATHER) == [{"name": "weather", "description": "Look.", "input_schema": SCHEMA}]
    assert tools_of(FunctionTool("f"))[0]["input_schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize("name", ["a.b", "x" * 129, "größe"])
def test_names_that_anthropic_refuses_find_their_way_back(name: str) -> None:
    written = write(foreign(tools=(FunctionTool(name),)))
    (sent,) = [tool["name"] for tool in written.body["tools"]]
    assert len(sent) <= 128
    assert dict(written.tool_names) == {sent: name}


def test_two_tools_of_one_name_are_one() -> None:
    report = Report()
    assert len(tools_of(WEATHER, attrs.evolve(WEATHER, path="tools[1]"), report=report)) == 1
    assert dropped(report) == ["tools[1]"]


def test_strict_tools_are_closed_and_not_too_many() -> None:
    report = Report()
    strict = [attrs.evolve(WEATHER, name=f"f{number}", strict=True, path=f"tools[{number}]") for number in range(21)]
    written = tools_of(*strict, report=report)
    assert [tool.get("strict") for tool in written] == [*[True] * 20, None]
    assert written[0]["input_schema"]["additionalProperties"] is False
    assert dropped(report) == ["tools[20].strict"]


def test_a_freeform_tool_is_a_function_of_one_text() -> None:
    written = write(foreign(tools=(FreeformTool("patch", "Apply.", "lark", "start: x"),)))
    (tool,) = written.body["tools"]
    assert tool["input_schema"]["required"] == ["input"]
    assert "start: x" in tool["description"]
    assert written.freeform == ("patch",)


def test_typed_tools_of_other_providers_are_functions() -> None:
    report = Report()
    shell = ClientTool(
        "local_shell", "openai-responses", {"type": "local_shell"}, FunctionTool("shell"), path="tools[0]"
    )
    assert tools_of(shell, report=report)[0]["name"] == "shell"
    assert ("emulated", "tools[0]") in fates(report)


@pytest.mark.parametrize("kind", ["web_search", "web_fetch", "code_execution"])
def test_tools_that_both_providers_run_are_the_providers_own(kind: str) -> None:
    tool = HostedTool(kind, "theirs", "openai-responses", {}, max_uses=2)
    (written,) = tools_of(tool)
    assert written["name"] == kind
    assert written["type"].startswith(f"{kind}_20")
    assert written.get("max_uses") == (None if kind == "code_execution" else 2)


def test_a_search_is_limited_to_places_or_from_places() -> None:
    report = Report()
    where = {"allowed_domains": ("a.org",), "blocked_domains": ("b.org",), "location": {"city": "Oslo"}}
    (written,) = tools_of(HostedTool("web_search", "s", "gemini", {}, path="t", **where), report=report)  # type: ignore[arg-type]
    assert written["allowed_domains"] == ["a.org"]
    assert written["user_location"] == {"type": "approximate", "city": "Oslo"}
    assert dropped(report) == ["t"]


@pytest.mark.parametrize("kind", ["web_search", "web_fetch"])
@pytest.mark.parametrize(
    "where",
    [
        {},
        {"allowed_domains": ("a.org", "b.org")},
        {"blocked_domains": ("a.org", "b.org")},
        {"location": {"city": "Oslo"}},
        {"blocked_domains": ("a.org",), "location": {"city": "Oslo"}},
    ],
)
def test_each_bound_of_a_search_is_the_same_for_anthropic(kind: str, where: dict[str, Any]) -> None:
    report = Report()
    (written,) = tools_of(HostedTool(kind, "s", "gemini", {}, path="t", **where), report=report)
    expected: dict[str, Any] = {name: list(where[name]) for name in where if name != "location"}
    if "location" in where and kind == "web_search":
        expected["user_location"] = {"type": "approximate", "city": "Oslo"}
    assert {key: value for key, value in written.items() if key not in {"type", "name"}} == expected
    assert dropped(report) == []


def test_options_of_a_search_that_anthropic_lacks_are_told_of() -> None:
    report = Report()
    options = {"type": "web_search", "search_context_size": "low", "filters": {}}
    tools_of(HostedTool("web_search", "web_search", "openai-responses", options, path="t"), report=report)
    assert dropped(report) == ["t.search_context_size"]


def test_a_function_makes_room_for_the_providers_tool_of_its_name() -> None:
    tools = (FunctionTool("web_search", path="tools[0]"), HostedTool("web_search", "s", "openai-responses", {}))
    written = write(foreign(tools=tools))
    names = [tool["name"] for tool in written.body["tools"]]
    assert names[1] == "web_search"
    assert dict(written.tool_names) == {names[0]: "web_search"}


def test_other_hosted_tools_are_refused_by_name() -> None:
    tool = HostedTool("file_search", "file_search", "openai-responses", {}, path="tools[3]")
    with pytest.raises(UntranslatableError) as caught:
        tools_of(tool)
    assert str(caught.value) == "tools[3]: hosted tool 'file_search' is not available on provider 'anthropic'"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"a": {}}}, {"properties": {"a": {}}, "type": "object"}),
        (
            {"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
            {"type": "object", "properties": {"a": {}, "b": {}}},
        ),
        *(
            (
                {key: [{"$ref": "#/$defs/P"}], "$defs": {"P": {"type": "object", "properties": {"a": {}}}}},
                {"type": "object", "properties": {"a": {}}},
            )
            for key in ("anyOf", "oneOf", "allOf")
        ),
        (
            {"$ref": "#/$defs/P", "$defs": {"P": {"type": "object", "properties": {"a": {"type": "string"}}}}},
            {"type": "object", "properties": {"a": {"type": "string"}}},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": True}}},
            {"type": "object", "properties": {"a": {"type": "number", "exclusiveMinimum": 1}}},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "any", "required": True, "items": [{"type": "string"}]}}},
            {"type": "object", "properties": {"a": {"prefixItems": [{"type": "string"}]}}},
        ),
        *(
            (
                {"type": "object", "properties": {"a": {key: [{"type": "any"}, {"type": "null"}]}}},
                {"type": "object", "properties": {"a": {key: [{}, {"type": "null"}]}}},
            )
            for key in ("anyOf", "oneOf", "allOf", "prefixItems")
        ),
    ],
)
def test_a_schema_is_made_one_that_anthropic_takes(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert tools_of(FunctionTool("f", schema=schema))[0]["input_schema"] == expected


@pytest.mark.parametrize("key", ["enum", "examples", "const", "default"])
def test_values_that_look_like_schemas_stay_as_they_are(key: str) -> None:
    schema = {"type": "object", "properties": {"a": {key: [{"type": "any", "required": True}]}}}
    assert tools_of(FunctionTool("f", schema=schema))[0]["input_schema"] is schema


def test_a_schema_that_is_fine_is_not_copied() -> None:
    assert tools_of(WEATHER)[0]["input_schema"] is SCHEMA


# -- the choice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        (Choice.AUTO, (), {"type": "auto"}),
        (Choice.NONE, (), {"type": "none"}),
        (Choice.REQUIRED, (), {"type": "any"}),
        (Choice.NAMED, ("weather",), {"type": "tool", "name": "weather"}),
        (Choice.ALLOWED, ("weather",), {"type": "auto"}),
        (Choice.REQUIRED_OF, ("weather",), {"type": "any"}),
    ],
)
def test_choices_are_written(kind: Choice, names: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert body_of(ABLE, **choice(kind, *names))["tool_choice"] == expected


def test_only_allowed_tools_are_sent() -> None:
    report = Report()
    fields = choice(Choice.ALLOWED, "weather")
    fields["tools"] = (WEATHER, FunctionTool("other"))
    assert [tool["name"] for tool in body_of(ABLE, report=report, **fields)["tools"]] == ["weather"]
    assert ("emulated", "tool_choice") in fates(report)


def test_one_call_at_a_time() -> None:
    alone = body_of(ABLE, tools=(WEATHER,), parallel_tools=False)
    assert alone["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in body_of(ABLE, tools=(WEATHER,), parallel_tools=True)
    assert body_of(ABLE, parallel_tools=False, **choice(Choice.NONE))["tool_choice"] == {"type": "none"}


def test_a_choice_without_tools_is_dropped() -> None:
    report = Report()
    asked = ToolChoice(Choice.AUTO, path="tool_choice")
    assert "tool_choice" not in body_of(ABLE, tool_choice=asked, parallel_tools=False, report=report)
    assert dropped(report) == ["tool_choice", "parallel_tools"]


@pytest.mark.parametrize("kind", [Choice.REQUIRED, Choice.NAMED, Choice.REQUIRED_OF])
def test_a_model_that_cannot_be_made_to_call_is_not(kind: Choice) -> None:
    with pytest.raises(UntranslatableError, match=r"tool_choice: model 'claude-opus-5-5'"):
        body_of(NEW, **choice(kind, "weather"))


def test_a_tool_that_is_not_there_cannot_be_chosen() -> None:
    with pytest.raises(UntranslatableError, match="no tool called 'other'"):
        body_of(ABLE, **choice(Choice.NAMED, "other"))
