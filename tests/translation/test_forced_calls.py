"""Forced calls of models that refuse to be forced: a schema for the reply stands in, and comes back as the call."""

import json
from typing import Any

import attrs
import pytest

from gephyr_core.conversation.report import UntranslatableError
from gephyr_core.dialects.translator import Destination
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.records import Fate
from gephyr_core.translation.requests import TranslatedCall, read_request

Object = dict[str, Any]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
STRICT_ANSWER = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
EITHER = {"anyOf": [CITY, {"type": "object", "properties": {"zip": {"type": "integer"}}, "required": ["zip"]}]}
SHARED = {
    "type": "object",
    "properties": {"from": {"$ref": "#/$defs/place"}},
    "required": ["from"],
    "$defs": {"place": {"type": "string"}},
}
NOTHING = {"type": "object", "properties": {}}
SCHEMAS: dict[str, Object] = {"weather": CITY, "either": EITHER, "route": SHARED, "now": NOTHING}
"""Tools by name: plain, of alternatives, with references, without arguments."""


def chat(choice: str, *names: str, **more: Any) -> Object:
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMAS[name]}} for name in names]
    named = {"type": "function", "function": {"name": choice}}
    said = [{"role": "user", "content": "Where?"}]
    chosen = choice if choice == "required" else named
    return {"model": "m", "messages": said, "tools": tools, "tool_choice": chosen, **more}


def responses(choice: str, *names: str, **more: Any) -> Object:
    tools = [{"type": "function", "name": name, "parameters": SCHEMAS[name], "strict": False} for name in names]
    chosen = choice if choice == "required" else {"type": "function", "name": choice}
    return {"model": "m", "input": "Where?", "tools": tools, "tool_choice": chosen, **more}


def anthropic(choice: str, *names: str, **more: Any) -> Object:
    tools = [{"name": name, "input_schema": {"type": "object", **SCHEMAS[name]}} for name in names]
    chosen = {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}
    said = [{"role": "user", "content": "Where?"}]
    return {"model": "m", "max_tokens": 4000, "messages": said, "tools": tools, "tool_choice": chosen, **more}


def gemini(choice: str, *names: str, **more: Any) -> Object:
    functions = [{"name": name, "parametersJsonSchema": SCHEMAS[name]} for name in names]
    chosen: Object = {"mode": "ANY"} if choice == "required" else {"mode": "ANY", "allowedFunctionNames": [choice]}
    said = [{"role": "user", "parts": [{"text": "Where?"}]}]
    config = {"toolConfig": {"functionCallingConfig": chosen}}
    return {"contents": said, "tools": [{"functionDeclarations": functions}], **config, **more}


CLIENTS = {"openai-chat": chat, "openai-responses": responses, "anthropic": anthropic, "gemini": gemini}
THINKS: dict[str, Object] = {
    "openai-chat": {"reasoning_effort": "high"},
    "openai-responses": {"reasoning": {"effort": "high"}},
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    "gemini": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 2000}}},
}


TARGETS: dict[str, tuple[str, str, str]] = {
    "claude-5.5": ("anthropic", "anthropic", "claude-opus-5-5"),
    "claude-4.5": ("anthropic", "anthropic", "claude-sonnet-4-5"),
    "openrouter-5.5": ("openai-chat", "openrouter", "anthropic/claude-opus-5.5"),
    "openrouter-4.5": ("openai-chat", "openrouter", "anthropic/claude-sonnet-4.5"),
    "responses": ("openai-responses", "openai", "gpt-5.6"),
    "gemini": ("gemini", "gemini", "gemini-3-flash-preview"),
}


def call(source: str, body: Object, target: str, **capabilities: bool) -> TranslatedCall:
    dialect, provider, model = TARGETS[target]
    known = attrs.evolve(capabilities_of(provider, dialect, model, {}, None), **capabilities)
    request = read_request(source, json.dumps(body).encode(), model="m", stream=False, headers=())
    made = request.call(Destination(dialect, provider, model, known), stream=False)
    assert made is not None
    return made


def schema_of(body: Object) -> Object | None:
    """The schema that a reply is to follow, in a request of any dialect."""
    form = body.get("output_config", {}).get("format") or body.get("text", {}).get("format")
    form = form or body.get("response_format", {}).get("json_schema") or {}
    schema: Object | None = form.get("schema") or body.get("generationConfig", {}).get("responseSchema")
    return schema


def choice_of(body: Object) -> str:
    """The choice among tools, in a request of any dialect."""
    chosen = body.get("tool_choice") or body["toolConfig"]["functionCallingConfig"]["mode"].lower()
    return str(chosen["type"] if isinstance(chosen, dict) else chosen)


REFUSING = {
    "claude-5.5": {},
    "openrouter-5.5": {},
    "responses": {"forced_tools": False},
    "gemini": {"forced_tools": False},
}
"""Models that refuse to be made to call a tool, known for it or said to."""
CASES = [
    pytest.param(source, target, id=f"{source}-to-{target}")
    for source in CLIENTS
    for target in REFUSING
    if source != TARGETS[target][0]
]


@pytest.mark.parametrize(("source", "target"), CASES)
@pytest.mark.parametrize("choice", ["weather", "required"])
def test_the_tools_own_schema_stands_in_where_there_is_one_tool_to_call(source: str, target: str, choice: str) -> None:
    """The tools are still told, as the conversation may hold calls of them, but none may be called."""
    made = call(source, CLIENTS[source](choice, "weather"), target, **REFUSING[target])
    body = json.loads(made.body)
    schema = schema_of(body)
    assert schema is not None
    assert list(schema["properties"]) == ["city"]
    assert choice_of(body) == "none"
    assert body["tools"]
    assert [entry.fate for entry in made.report.entries if "comes back as the call" in entry.reason] == [Fate.EMULATED]


@pytest.mark.parametrize(("source", "target"), CASES)
def test_of_several_tools_the_reply_says_which(source: str, target: str) -> None:
    names = ("weather", "either", "route", "now")
    schema = schema_of(json.loads(call(source, CLIENTS[source]("required", *names), target, **REFUSING[target]).body))
    assert schema is not None
    branches = schema["properties"]["call"]["anyOf"]
    assert [branch["properties"]["name"]["enum"] for branch in branches] == [[name] for name in names]
    assert "$ref" not in json.dumps(branches)


def test_a_list_of_allowed_tools_says_of_which_it_is_one() -> None:
    listed = [{"type": "function", "name": "weather"}, {"type": "function", "name": "now"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": listed}
    body = json.loads(
        call("openai-responses", {**responses("now", *SCHEMAS), "tool_choice": choice}, "claude-5.5").body
    )
    schema = schema_of(body)
    assert schema is not None
    found = [branch["properties"]["name"]["enum"][0] for branch in schema["properties"]["call"]["anyOf"]]
    assert found == ["weather", "now"]


@pytest.mark.parametrize("source", [name for name in CLIENTS if name != "anthropic"])
def test_thinking_stays_on_where_the_model_takes_a_schema(source: str) -> None:
    """An older Claude takes no forced call while it thinks."""
    made = call(source, CLIENTS[source]("weather", "weather", **THINKS[source]), "claude-4.5")
    body = json.loads(made.body)
    assert body["thinking"]["type"] == "enabled"
    assert choice_of(body) == "none"
    assert schema_of(body) is not None
    assert made.report.paths(Fate.DROPPED) == []


@pytest.mark.parametrize("source", ["openai-responses", "anthropic", "gemini"])
@pytest.mark.parametrize("structured", [True, False])
def test_where_there_is_no_schema_thinking_gives_way(source: str, structured: bool) -> None:
    body = CLIENTS[source]("weather", "weather", **THINKS[source])
    made = call(source, body, "openrouter-4.5", structured_output=structured)
    sent = json.loads(made.body)
    assert choice_of(sent) == ("none" if structured else "function")
    assert bool(made.report.paths(Fate.DROPPED)) is not structured


def test_a_model_that_does_not_think_in_this_reply_is_made_to_call() -> None:
    made = call("openai-chat", chat("weather", "weather", reasoning_effort="none"), "claude-4.5")
    assert json.loads(made.body)["tool_choice"] == {"type": "tool", "name": "weather"}


@pytest.mark.parametrize(("source", "target"), CASES)
@pytest.mark.parametrize("choice", ["weather", "required"])
def test_only_a_model_that_takes_neither_is_not_asked(source: str, target: str, choice: str) -> None:
    with pytest.raises(UntranslatableError) as caught:
        call(source, CLIENTS[source](choice, "weather"), target, forced_tools=False, structured_output=False)
    assert caught.value.path.startswith(("tool_choice", "toolConfig"))


def test_a_reply_of_json_is_not_asked_for_beside_a_call() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": STRICT_ANSWER}}
    made = call("openai-chat", chat("weather", "weather", response_format=form), "claude-5.5")
    schema = schema_of(json.loads(made.body))
    assert schema is not None
    assert list(schema["properties"]) == ["city"]
    assert "response_format" in made.report.paths(Fate.DROPPED)


def test_the_other_way_round_thinking_gives_way_to_the_call_that_stands_in_for_json() -> None:
    form = {"text": {"format": {"type": "json_schema", "name": "answer", "schema": STRICT_ANSWER}}}
    body = {"model": "m", "input": "Hi", "reasoning": {"effort": "high"}, **form}
    made = call("openai-responses", body, "openrouter-4.5", structured_output=False)
    assert choice_of(json.loads(made.body)) == "function"
    assert "reasoning" in made.report.paths(Fate.DROPPED)


LIST = {"type": "array", "items": {"type": "string"}}
RECURSIVE = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": []}},
}


@pytest.mark.parametrize("thinks", [False, True])
def test_a_list_is_asked_for_in_an_object_where_no_call_can_stand_in(thinks: bool) -> None:
    """Google's API takes any root; OpenAI's dialects take an object, and a call with it where the model can be made to."""
    config: Object = {"responseMimeType": "application/json", "responseJsonSchema": LIST}
    config |= {"thinkingConfig": {"thinkingBudget": 2000}} if thinks else {}
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": config}
    for target in ("openrouter-5.5", "openrouter-4.5"):
        made = call("gemini", body, target)
        stands = target == "openrouter-5.5" or thinks
        schema = schema_of(json.loads(made.body))
        assert (schema is not None) is stands
        assert schema is None or schema["properties"] == {"value": LIST}
        assert (made.written.stand_in is not None) is stands


@pytest.mark.parametrize("target", ["openrouter-5.5", "claude-5.5", "responses"])
def test_a_reference_at_the_root_is_followed(target: str) -> None:
    config = {"responseMimeType": "application/json", "responseJsonSchema": RECURSIVE}
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": config}
    schema = schema_of(json.loads(call("gemini", body, target).body))
    assert schema is not None
    assert schema["type"] == "object"
    assert "$ref" not in json.dumps(schema)


def test_a_tool_of_the_providers_cannot_be_called_where_a_schema_stands_in() -> None:
    search = {"type": "web_search"}
    body = responses("required", "weather")
    made = call("openai-responses", {**body, "tools": [*body["tools"], search]}, "claude-5.5")
    assert "tools[1]" in made.report.paths(Fate.DROPPED)
    with pytest.raises(UntranslatableError):
        call("openai-responses", {**body, "tools": [search]}, "claude-5.5")
    with pytest.raises(UntranslatableError):
        call("openai-responses", {**body, "tools": [*body["tools"], search], "tool_choice": search}, "claude-5.5")


def test_a_tool_that_stands_in_for_a_schema_is_none_of_the_clients() -> None:
    """The client may have one of the name that it would have had, and of the next."""
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": STRICT_ANSWER}}
    names = ["reply", "reply_", "reply__"]
    tools = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in names]
    for taken in range(4):
        body = chat("required", "weather", response_format=form) | {"tools": tools[:taken]}
        body |= {"tool_choice": "auto"} if taken else {"tool_choice": None}
        made = call("openai-chat", {**body, "messages": body["messages"]}, "openrouter-4.5", structured_output=False)
        sent = json.loads(made.body)
        stands_in = f"reply{'_' * taken}"
        assert [tool["function"]["name"] for tool in sent["tools"]] == [*names[:taken], stands_in]
        assert made.written.structured == stands_in
        named = {"type": "function", "function": {"name": stands_in}}
        assert sent["tool_choice"] == ("required" if taken else named)


@pytest.mark.parametrize("target", [target for target in REFUSING if target != "gemini"])
def test_what_names_a_whole_schema_does_not_stand_inside_another(target: str) -> None:
    """A second ``$id`` or ``$schema`` changes what references mean, and providers refuse it there."""
    named = {**CITY, "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://x.test/city"}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": named, "description": "d"}} for name in ("a", "b")
    ]
    made = call("openai-chat", {**chat("required", "weather"), "tools": tools}, target, **REFUSING[target])
    schema = schema_of(json.loads(made.body))
    assert schema is not None
    branches = schema["properties"]["call"]["anyOf"]
    assert [sorted(branch["properties"]["arguments"]["properties"]) for branch in branches] == [["city"], ["city"]]
    assert not {"$schema", "$id"} & {key for branch in branches for key in branch["properties"]["arguments"]}
