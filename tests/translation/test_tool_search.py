"""A search of tools is carried between the two dialects that have one; elsewhere all tools are there from the start."""

import copy
import json
from typing import Any

import pytest

from gephyr_core.conversation.report import Fate, Report
from gephyr_core.dialects.translator import Destination
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.translation.requests import read_request
from tests.translation.passing import Passage, asked, sse

SCHEMA = {"type": "object", "properties": {"river": {"type": "string"}}}
GAUGE = {"name": "gauge", "description": "Height", "defer_loading": True}
ANTHROPIC_TOOLS = [
    {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
    {**GAUGE, "input_schema": SCHEMA},
    {"name": "now", "input_schema": {"type": "object", "properties": {}}},
]
RESPONSES_TOOLS = [
    {"type": "tool_search"},
    {"type": "function", **GAUGE, "parameters": SCHEMA, "strict": False},
    {"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}, "strict": False},
]
SEARCH = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_bm25", "input": {"query": "river"}},
    {
        "type": "tool_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "gauge"}],
        },
    },
]
ITEMS = [
    {
        "type": "tool_search_call",
        "id": "tsc_1",
        "execution": "server",
        "call_id": None,
        "status": "completed",
        "arguments": {"paths": ["gauge"]},
    },
    {
        "type": "tool_search_output",
        "id": "tso_1",
        "execution": "server",
        "call_id": None,
        "status": "completed",
        "tools": [RESPONSES_TOOLS[1]],
    },
]
CALL = {"type": "function_call", "call_id": "c1", "name": "gauge", "namespace": "gauge", "arguments": "{}"}
USE = {"type": "tool_use", "id": "c1", "name": "gauge", "input": {}}


def from_anthropic(target: str, *blocks: dict[str, Any], tools: list[dict[str, Any]] = ANTHROPIC_TOOLS) -> Passage:
    """A Messages request, with what the assistant did earlier."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "How high?"}]
    if blocks:
        messages.append({"role": "assistant", "content": list(blocks)})
        results = [
            {"type": "tool_result", "tool_use_id": b["id"], "content": "2"} for b in blocks if b["type"] == "tool_use"
        ]
        messages.append({"role": "user", "content": [*results, {"type": "text", "text": "Go on."}]})
    return asked("anthropic", target, copy.deepcopy({"max_tokens": 99, "messages": messages, "tools": tools}))


def from_responses(target: str, *items: dict[str, Any], tools: list[dict[str, Any]] = RESPONSES_TOOLS) -> Passage:
    """A Responses request, with what was done earlier."""
    outputs = [
        {"type": "function_call_output", "call_id": i["call_id"], "output": "2"}
        for i in items
        if i["type"] == "function_call"
    ]
    said = [{"role": "user", "content": "How high?"}, *items, *outputs]
    return asked("openai-responses", target, copy.deepcopy({"input": said, "tools": tools}))


def test_the_search_and_what_it_has_to_find_are_carried_both_ways() -> None:
    """And nothing is said to be lost."""
    there = from_anthropic("openai-responses")
    assert there.body["tools"][:2] == [{"type": "tool_search"}, RESPONSES_TOOLS[1]]
    assert "defer_loading" not in there.body["tools"][2]
    back = from_responses("anthropic")
    assert back.body["tools"][:2] == ANTHROPIC_TOOLS[:2]
    assert "defer_loading" not in back.body["tools"][2]
    assert not there.dropped()
    assert not back.dropped()


def test_a_namespaces_functions_are_found_too() -> None:
    inner = {"type": "function", **GAUGE, "parameters": SCHEMA}
    namespace = {"type": "namespace", "name": "rivers", "description": "Rivers", "tools": [inner]}
    tools = from_responses("anthropic", tools=[{"type": "tool_search"}, namespace]).body["tools"]
    assert [(tool["name"], tool.get("defer_loading")) for tool in tools] == [
        ("tool_search_tool_bm25", None),
        ("rivers__gauge", True),
    ]


@pytest.mark.parametrize("target", ["openai-chat", "gemini"])
def test_where_there_is_no_search_all_tools_are_offered(target: str) -> None:
    """Also if they are all deferred; it is said, and an earlier search is not told as if it had been talk."""
    for passage in (from_anthropic(target, *SEARCH, USE), from_responses(target, *ITEMS, CALL)):
        sent = json.dumps(passage.body)
        assert '"gauge"' in json.dumps(passage.body["tools"])
        assert "defer_loading" not in sent
        assert "tool_search" not in sent
        assert {"tools[0]", "tools[1].defer_loading"} <= set(passage.call.report.paths(Fate.EMULATED))


@pytest.mark.parametrize(
    ("source", "dialect", "provider", "model"),
    [
        ("anthropic", "openai-responses", "openai", "gpt-5.2"),
        ("anthropic", "openai-responses", "groq", "some-model"),
        ("openai-responses", "anthropic", "anthropic", "claude-3-5-haiku"),
        ("openai-responses", "anthropic", "deepseek", "deepseek-v4"),
    ],
)
def test_a_model_that_cannot_search_is_offered_all_tools(source: str, dialect: str, provider: str, model: str) -> None:
    """Its provider would refuse the request."""
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "tools": ANTHROPIC_TOOLS}
    if source == "openai-responses":
        body = {"input": "Hi", "tools": RESPONSES_TOOLS}
    translation = read_request(source, json.dumps(body).encode(), model=model, stream=False, headers=())
    destination = Destination(dialect, provider, model, capabilities_of(provider, dialect, model, {}, None))
    call = translation.call(destination, stream=False)
    assert call is not None
    assert [tool["name"] for tool in json.loads(call.body)["tools"]] == ["gauge", "now"]
    assert b"defer_loading" not in call.body


def test_a_search_that_the_client_runs_is_a_function_and_what_it_may_find_is_there() -> None:
    tools = [{"type": "tool_search", "execution": "client"}, *RESPONSES_TOOLS[1:]]
    sent = from_responses("anthropic", tools=tools).body["tools"]
    assert [tool["name"] for tool in sent] == ["tool_search", "gauge", "now"]
    assert "defer_loading" not in json.dumps(sent)


# -- what was searched -------------------------------------------------------------------------------------------------


def test_an_earlier_search_of_anthropics_is_told_to_openai() -> None:
    """As OpenAI takes those of others: as the client's own, with the definitions that were found, and the call of what
    was found in a namespace of its own name (recorded)."""
    said = from_anthropic("openai-responses", *SEARCH, USE).body["input"]
    assert said[1] == {
        "type": "tool_search_call",
        "call_id": "srvtoolu_1",
        "execution": "client",
        "status": "completed",
        "arguments": {"query": "river"},
    }
    assert said[2] == {
        "type": "tool_search_output",
        "call_id": "srvtoolu_1",
        "execution": "client",
        "status": "completed",
        "tools": [RESPONSES_TOOLS[1]],
    }
    assert (said[3]["name"], said[3]["namespace"]) == ("gauge", "gauge")


def test_an_earlier_search_of_openais_is_told_to_anthropic() -> None:
    """As blocks, which refer to tools of the request only."""
    unknown = {**ITEMS[1], "tools": [*ITEMS[1]["tools"], {"type": "function", "name": "gone"}]}
    search, found, call = from_responses("anthropic", ITEMS[0], unknown, CALL).body["messages"][1]["content"]
    assert (search["type"], search["name"], search["input"]) == (
        "server_tool_use",
        "tool_search_tool_bm25",
        {"query": "gauge"},
    )
    assert search["id"].startswith("srvtoolu_")
    assert found == {**SEARCH[1], "tool_use_id": search["id"]}
    assert call["name"] == "gauge"


def test_half_a_search_is_not_told() -> None:
    """Some clients send the call alone; a call without result would be the provider's to run."""
    passage = from_responses("anthropic", ITEMS[0], CALL)
    assert [block["type"] for block in passage.body["messages"][1]["content"]] == ["tool_use"]
    assert passage.dropped() == ["input[1]"]
    passage = from_anthropic("openai-responses", SEARCH[0], USE)
    assert "tool_search_call" not in json.dumps(passage.body["input"])


# -- replies -----------------------------------------------------------------------------------------------------------


def messages_stream(*blocks: dict[str, Any]) -> bytes:
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {}}]
    for index, block in enumerate(blocks):
        events.append(
            {
                "type": "content_block_start",
                "index": index,
                "content_block": {**block, "input": {}} if "input" in block else block,
            }
        )
        if "input" in block:
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    return sse(*events, {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"})


def test_a_search_in_anthropics_reply_is_told_to_a_responses_client() -> None:
    """Whole and streamed, with the client's own definitions of what was found."""
    passage = from_responses("anthropic")
    reply = {"type": "message", "model": "m", "stop_reason": "tool_use", "content": [*SEARCH, USE]}
    report = Report()
    output = passage.reply(reply, report)["output"]
    streamed = passage.stream(messages_stream(*SEARCH, USE))
    done = [event["item"] for event in streamed if event["type"] == "response.output_item.done"]
    assert streamed[-1]["response"]["output"] == done
    for call, found, used in (output, done):
        assert (call["type"], call["execution"], call["call_id"]) == ("tool_search_call", "server", None)
        assert call["arguments"] == {"query": "river"}
        assert (found["type"], found["tools"]) == ("tool_search_output", [RESPONSES_TOOLS[1]])
        assert (used["type"], used["name"]) == ("function_call", "gauge")
    assert not report.paths(Fate.DROPPED)


def test_what_was_found_in_a_namespace_is_told_in_it_alone() -> None:
    """Another namespace may have a function of the same name, and so may the client outside of all."""
    inner = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in ("gauge", "mouth")]
    spaces = [{"type": "namespace", "name": name, "tools": inner} for name in ("rivers", "lakes")]
    tools: list[dict[str, Any]] = [{"type": "tool_search"}, RESPONSES_TOOLS[1], *spaces]
    passage = from_responses("anthropic", tools=tools)
    found = [{"type": "tool_reference", "tool_name": name} for name in ("lakes__mouth", "gauge", "rivers__gauge", "no")]
    content = {"type": "tool_search_tool_search_result", "tool_references": found}
    result: dict[str, Any] = {**SEARCH[1], "content": content}
    reply = {"type": "message", "model": "m", "stop_reason": "end_turn", "content": [SEARCH[0], result]}
    told = [{**spaces[1], "tools": [inner[1]]}, RESPONSES_TOOLS[1], {**spaces[0], "tools": [inner[0]]}]
    assert passage.reply(reply)["output"][1]["tools"] == told
    events = passage.stream(messages_stream(SEARCH[0], result))
    assert events[-1]["response"]["output"][1]["tools"] == told


def test_a_search_in_openais_reply_is_told_to_a_messages_client() -> None:
    """Whole and streamed; the result names its call."""
    passage = from_anthropic("openai-responses")
    reply = {"status": "completed", "model": "m", "output": [*ITEMS, {**CALL, "id": "fc_1", "status": "completed"}]}
    report = Report()
    content = passage.reply(reply, report)["content"]
    events: list[dict[str, Any]] = []
    for place, item in enumerate(reply["output"]):
        begun = {**item, "arguments": {} if item["type"] == "tool_search_call" else ""}
        events.append({"type": "response.output_item.added", "output_index": place, "item": begun})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    streamed = passage.stream(sse(*events, {"type": "response.completed", "response": reply}))
    blocks = [event["content_block"] for event in streamed if event["type"] == "content_block_start"]
    pieces = [event["delta"]["partial_json"] for event in streamed if event["type"] == "content_block_delta"]
    assert [json.loads(piece) for piece in pieces] == [{"query": "gauge"}, {}]
    assert [block["type"] for block in blocks] == ["server_tool_use", "tool_search_tool_result", "tool_use"]
    search, found, used = content
    assert (search["name"], search["input"]) == ("tool_search_tool_bm25", {"query": "gauge"})
    assert found == {**SEARCH[1], "tool_use_id": search["id"]}
    assert used["name"] == "gauge"
    assert blocks[1] == found
    assert not report.paths(Fate.DROPPED)


def test_what_was_told_comes_back() -> None:
    """A client sends back what it got; the provider gets what it said, but for ids."""
    passage = from_responses("anthropic")
    reply = {"type": "message", "model": "m", "stop_reason": "tool_use", "content": [*SEARCH, USE]}
    items = passage.reply(reply)["output"]
    search, found, used = from_responses("anthropic", *items).body["messages"][1]["content"]
    assert (search["input"], found["content"], used["name"]) == ({"query": "river"}, SEARCH[1]["content"], "gauge")


def test_a_client_that_searches_by_patterns_is_told_patterns() -> None:
    """OpenAI's search is told under the name of the client's own tool."""
    tools = [{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}, *ANTHROPIC_TOOLS[1:]]
    passage = from_anthropic("openai-responses", tools=tools)
    asked_for = {**ITEMS[0], "arguments": {"paths": ["gauge", "now"]}}
    content = passage.reply({"status": "completed", "model": "m", "output": [asked_for, ITEMS[1]]})["content"]
    assert (content[0]["name"], content[0]["input"]) == ("tool_search_tool_regex", {"pattern": "gauge|now"})
