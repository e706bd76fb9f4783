"""No two tools of a request have one name, none is lost, and each call comes back to the tool that was called."""

import copy
import json
from typing import Any

import pytest

from gephyr_core.conversation.report import Fate
from tests.translation.passing import PROVIDERS, Passage, asked, sse

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
STREET = {"type": "object", "properties": {"street": {"type": "string"}}}
LONG = "look_" * 30


def function(dialect: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A function tool, as an entry of ``tools``."""
    match dialect:
        case "openai-chat":
            return {"type": "function", "function": {"name": name, "parameters": schema}}
        case "openai-responses":
            return {"type": "function", "name": name, "parameters": schema, "strict": False}
        case "anthropic":
            return {"name": name, "input_schema": schema}
    return {"functionDeclarations": [{"name": name, "parametersJsonSchema": schema}]}


def request(dialect: str, tools: list[dict[str, Any]], *items: dict[str, Any]) -> dict[str, Any]:
    """A request that says hello."""
    match dialect:
        case "openai-responses":
            return {"input": [{"role": "user", "content": "Hi"}, *items], "tools": tools}
        case "gemini":
            return {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "tools": tools}
    return {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}, *items], "tools": tools}


def declared(dialect: str, body: dict[str, Any]) -> dict[str, str]:
    """What a provider is told: each tool's name, with the name of its argument."""
    match dialect:
        case "openai-chat":
            told = [(tool["function"]["name"], tool["function"]["parameters"]) for tool in body["tools"]]
        case "openai-responses":
            told = [(tool["name"], tool["parameters"]) for tool in body["tools"]]
        case "anthropic":
            told = [(tool["name"], tool["input_schema"]) for tool in body["tools"]]
        case _:
            listed = [one for tool in body["tools"] for one in tool["functionDeclarations"]]
            told = [(one["name"], one["parameters"]) for one in listed]
    names = [name for name, _ in told]
    assert len(set(names)) == len(names), names
    return {next(iter(schema["properties"])): name for name, schema in told}


def call_of(dialect: str, name: str) -> dict[str, Any]:
    """A provider's reply that calls a tool."""
    match dialect:
        case "openai-chat":
            call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
            return {
                "choices": [{"message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}]
            }
        case "openai-responses":
            item = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": name, "arguments": "{}"}
            return {"status": "completed", "model": "m", "output": [item]}
        case "anthropic":
            block = {"type": "tool_use", "id": "c1", "name": name, "input": {}}
            return {"type": "message", "model": "m", "stop_reason": "tool_use", "content": [block]}
    content = {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": name, "args": {}}}]}
    return {"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}}


def call_stream(dialect: str, name: str) -> bytes:
    """The same as a stream."""
    reply = call_of(dialect, name)
    match dialect:
        case "openai-chat":
            call = {"index": 0, **reply["choices"][0]["message"]["tool_calls"][0]}
            delta = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
            return sse(delta) + b"data: [DONE]\n\n"
        case "openai-responses":
            done = {"type": "response.output_item.done", "output_index": 0, "item": reply["output"][0]}
            return sse(done, {"type": "response.completed", "response": reply})
        case "anthropic":
            return sse(
                {"type": "message_start", "message": {}},
                {"type": "content_block_start", "index": 0, "content_block": reply["content"][0]},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
                {"type": "message_stop"},
            )
    return sse(reply)


def called_back(passage: Passage, name: str) -> list[tuple[str, str]]:
    """The namespace and the name that the client is told is called, when the provider calls *name*: whole, streamed."""
    reply, events = passage.reply(call_of(passage.target, name)), passage.stream(call_stream(passage.target, name))
    match passage.source:
        case "openai-chat":
            calls = [c for e in events for choice in e["choices"] for c in choice["delta"].get("tool_calls", ())]
            told = [reply["choices"][0]["message"]["tool_calls"][0], calls[0]]
            return [("", call["function"]["name"]) for call in told]
        case "openai-responses":
            items = [reply["output"][0], events[-1]["response"]["output"][0]]
            return [(item.get("namespace", ""), item.get("name", item["type"])) for item in items]
        case "anthropic":
            blocks = [reply["content"][0], *(e["content_block"] for e in events if e["type"] == "content_block_start")]
            return [("", block["name"]) for block in blocks]
    parts = [part for one in (reply, *events) for part in one["candidates"][0]["content"]["parts"]]
    return [("", part["functionCall"]["name"]) for part in parts if "functionCall" in part]


PAIRS = [(source, target) for source in PROVIDERS for target in PROVIDERS if source != target]


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize(
    "names",
    [("find", "find"), (LONG + "a", LONG + "b"), ("a b", "a_b"), ("a.b", "a b"), ("a b", "a_b_c8687a08"), ("é", "è")],
    ids=["one name", "too long", "cleaned to the other", "cleaned alike", "the made name itself", "no letters"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_two_tools_have_two_names_and_each_gets_its_calls(
    source: str, target: str, names: tuple[str, str], turned: bool
) -> None:
    """Whole and streamed, in either order; of two tools of exactly one name the client has no other name to be told."""
    tools = [function(source, names[0], CITY), function(source, names[1], STREET)]
    passage = asked(source, target, request(source, tools[:: -1 if turned else 1]))
    told = declared(target, passage.body)
    assert called_back(passage, told["city"]) == [("", names[0])] * 2
    assert called_back(passage, told["street"]) == [("", names[1])] * 2
    again = asked(source, target, request(source, tools[:: -1 if turned else 1]))
    assert again.call.body == passage.call.body


NAMESPACE = {
    "type": "namespace",
    "name": "maps",
    "description": "Maps",
    "tools": [function("openai-responses", "find", STREET)],
}
PLAIN = function("openai-responses", "maps__find", CITY)
TARGETS = [dialect for dialect in PROVIDERS if dialect != "openai-responses"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("tools", [[PLAIN, NAMESPACE], [NAMESPACE, PLAIN]], ids=["function first", "namespace first"])
def test_a_namespaces_function_is_told_from_one_that_is_called_as_it_is_flattened(
    target: str, tools: list[dict[str, Any]]
) -> None:
    """Also in the history, whose calls say which they are, and in what the model may or must call."""
    calls = [
        {"type": "function_call", "call_id": "c1", "name": "maps__find", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "find", "namespace": "maps", "arguments": "{}"},
        *({"type": "function_call_output", "call_id": call_id, "output": "ok"} for call_id in ("c1", "c2")),
    ]
    passage = asked("openai-responses", target, copy.deepcopy(request("openai-responses", tools, *calls)))
    told = declared(target, passage.body)
    assert called_back(passage, told["city"]) == [("", "maps__find")] * 2
    assert called_back(passage, told["street"]) == [("maps", "find")] * 2
    match target:
        case "openai-chat":
            sent = [call["function"]["name"] for call in passage.body["messages"][1]["tool_calls"]]
        case "anthropic":
            sent = [block["name"] for block in passage.body["messages"][1]["content"]]
        case _:
            sent = [part["functionCall"]["name"] for part in passage.body["contents"][1]["parts"]]
            answered = [part["functionResponse"]["name"] for part in passage.body["contents"][2]["parts"]]
            assert answered == sent
    assert sent == [told["city"], told["street"]]
    assert passage.call.report.paths(Fate.CHANGED)


@pytest.mark.parametrize("target", ["openai-chat", "gemini"])
@pytest.mark.parametrize(
    ("reference", "argument"),
    [({"name": "maps__find"}, "city"), ({"name": "find", "namespace": "maps"}, "street")],
)
def test_a_choice_means_the_tool_that_it_names(target: str, reference: dict[str, Any], argument: str) -> None:
    """One, and one of a list."""
    named = {"type": "function", **reference}
    body = {**request("openai-responses", [PLAIN, NAMESPACE]), "tool_choice": named}
    listed = {**body, "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [named]}}
    for chosen in (body, listed):
        passage = asked("openai-responses", target, copy.deepcopy(chosen))
        told = declared(target, passage.body)
        choice = json.dumps(passage.body["tool_choice" if target == "openai-chat" else "toolConfig"])
        (other,) = set(told) - {argument}
        assert f'"{told[argument]}"' in choice
        assert f'"{told[other]}"' not in choice


@pytest.mark.parametrize("target", TARGETS)
def test_a_typed_tool_is_told_from_a_function_of_its_name(target: str) -> None:
    """Codex offers ``local_shell``, and a server of tools may have a function that is called so too."""
    tools = [{"type": "local_shell"}, function("openai-responses", "local_shell", STREET)]
    passage = asked("openai-responses", target, request("openai-responses", tools))
    told = declared(target, passage.body)
    assert called_back(passage, told["street"]) == [("", "local_shell")] * 2
    assert told["command"] != told["street"]
    reply = call_of(target, told["command"])
    written = json.dumps(passage.reply(json.loads(json.dumps(reply))))
    assert "local_shell" in written


def test_two_functions_of_two_namespaces_come_back_to_their_own() -> None:
    """``a__b`` of ``c`` and ``b`` of ``c__a`` are flattened alike."""
    tools = [
        {"type": "namespace", "name": "c", "description": "", "tools": [function("openai-responses", "a__b", CITY)]},
        {"type": "namespace", "name": "c__a", "description": "", "tools": [function("openai-responses", "b", STREET)]},
    ]
    passage = asked("openai-responses", "anthropic", request("openai-responses", tools))
    told = declared("anthropic", passage.body)
    assert called_back(passage, told["city"]) == [("c", "a__b")] * 2
    assert called_back(passage, told["street"]) == [("c__a", "b")] * 2


def test_tools_that_follow_do_not_change_a_name() -> None:
    """The same turns are the same bytes, for the provider's cache."""
    tools = [function("openai-chat", name, CITY) for name in ("find", "find", "a b")]
    few = asked("openai-chat", "anthropic", request("openai-chat", copy.deepcopy(tools))).body["tools"]
    more = [*tools, *(function("openai-chat", name, CITY) for name in ("find", "a_b", "a b"))]
    assert asked("openai-chat", "anthropic", request("openai-chat", more)).body["tools"][: len(few)] == few
