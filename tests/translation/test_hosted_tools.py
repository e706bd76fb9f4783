"""Tools that a provider runs itself, where the one that answers has none of the kind."""

import json
from typing import Any, Literal

import pytest

from gephyr_core.conversation.report import UntranslatableError
from gephyr_core.dialects.translator import Destination
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.records import Fate
from gephyr_core.translation.requests import TranslatedCall, read_request

Object = dict[str, Any]
TARGETS = {
    "anthropic": ("anthropic", "anthropic", "claude-opus-5"),
    "chat": ("openai-chat", "openai", "gpt-5.6"),
    "mistral": ("openai-chat", "mistral", "mistral-large"),
    "responses": ("openai-responses", "openai", "gpt-5.6"),
    "gemini-3": ("gemini", "gemini", "gemini-3-flash-preview"),
    "gemini-2.5": ("gemini", "gemini", "gemini-2.5-flash"),
}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
CHAT_FUNCTION = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
FUNCTION = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}
CLIENT_TOOL = {"name": "look", "input_schema": SCHEMA}
DECLARED = {"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}

RESPONSES_HOSTED: dict[str, Object] = {
    "web_search": {"type": "web_search", "external_web_access": False},
    "web_search_preview": {"type": "web_search_preview", "search_context_size": "low"},
    "file_search": {"type": "file_search", "vector_store_ids": ["vs_1"]},
    "mcp": {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.test", "require_approval": "never"},
    "code_interpreter": {"type": "code_interpreter", "container": {"type": "auto"}},
    "image_generation": {"type": "image_generation", "size": "1024x1024"},
    "shell": {"type": "shell", "environment": {"type": "container_auto"}},
}
ANTHROPIC_HOSTED: dict[str, Object] = {
    "web_search": {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    "web_fetch": {"type": "web_fetch_20250910", "name": "web_fetch"},
    "code_execution": {"type": "code_execution_20250825", "name": "code_execution"},
    "mcp": {"type": "mcp_toolset", "mcp_server_name": "docs"},
    "computer": {"type": "computer_toolset_20260801"},
    "advisor": {"type": "advisor_20260301", "name": "advisor", "model": "m"},
}
GEMINI_HOSTED = {
    name: {name: {}}
    for name in ("googleSearch", "googleMaps", "urlContext", "codeExecution", "fileSearch", "computerUse", "mcpServers")
}
HAS = {
    "anthropic": (
        "web_search",
        "web_search_preview",
        "code_interpreter",
        "shell",
        "googleSearch",
        "urlContext",
        "codeExecution",
    ),
    "chat": (),
    "mistral": (),
    "responses": ("web_search", "code_execution", "googleSearch", "codeExecution"),
    "gemini-3": ("web_search", "web_search_preview", "code_interpreter", "shell", "web_fetch", "code_execution"),
    "gemini-2.5": (),
}
"""What a target has of these beside a function."""


def responses_body(*tools: Object, **more: Any) -> Object:
    return {"model": "m", "input": "Hi", "tools": [*tools], **more}


def anthropic_body(*tools: Object, **more: Any) -> Object:
    said = {"role": "user", "content": "Hi"}
    return {"model": "m", "max_tokens": 100, "messages": [said], "tools": [*tools], **more}


def gemini_body(*tools: Object, **more: Any) -> Object:
    return {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "tools": [*tools], **more}


MAKERS = {
    "openai-responses": (responses_body, RESPONSES_HOSTED, FUNCTION),
    "anthropic": (anthropic_body, ANTHROPIC_HOSTED, CLIENT_TOOL),
    "gemini": (gemini_body, GEMINI_HOSTED, DECLARED),
}
CASES = [
    pytest.param(source, kind, target, id=f"{source}-{kind}-to-{target}")
    for source, (_, hosted, _) in MAKERS.items()
    for kind in hosted
    for target, (dialect, _, _) in TARGETS.items()
    if dialect != source
]


def call(
    source: str, body: Object, target: str, hosted_tools: Literal["drop", "refuse"] = "drop", *, strict: bool = False
) -> TranslatedCall:
    dialect, provider, model = TARGETS[target]
    request = read_request(source, json.dumps(body).encode(), model="m", stream=False, headers=(), strict=strict)
    capabilities = capabilities_of(provider, dialect, model, {}, None)
    made = request.call(Destination(dialect, provider, model, capabilities, hosted_tools=hosted_tools), stream=False)
    assert made is not None
    return made


def sent(made: TranslatedCall) -> Object:
    body: Object = json.loads(made.body)
    return body


def names(body: Object) -> list[str]:
    """The tools in a request of any dialect, by name or by type."""
    found: list[str] = []
    for tool in body.get("tools", ()):
        functions = tool.get("functionDeclarations") or [tool.get("function") or tool]
        found += [function.get("name") or tool.get("type") or next(iter(tool)) for function in functions]
    return found


def refusal(source: str, body: Object, target: str, hosted_tools: Literal["drop", "refuse"] = "drop") -> str:
    with pytest.raises(UntranslatableError) as caught:
        call(source, body, target, hosted_tools)
    return caught.value.path


@pytest.mark.parametrize(("source", "kind", "target"), CASES)
def test_a_tool_that_is_not_there_is_left_out_beside_another_and_said(source: str, kind: str, target: str) -> None:
    """Codex always sends a web search: without it, it still works everywhere."""
    make, hosted, function = MAKERS[source]
    made = call(source, make(hosted[kind], function), target)
    assert "look" in names(sent(made))
    dropped = [path for path in made.report.paths(Fate.DROPPED) if path.startswith("tools[0]")]
    if kind in HAS[target]:
        assert len(names(sent(made))) == 2
    else:
        assert names(sent(made)) == ["look"]
        assert [path for path in dropped if path in ("tools[0]", f"tools[0].{kind}")]
        assert "includeServerSideToolInvocations" not in str(sent(made))


@pytest.mark.parametrize(("source", "kind", "target"), [case for case in CASES if case.values[2] != "gemini-2.5"])
def test_a_tool_that_is_not_there_is_refused_by_its_field_where_it_is_the_only_one(
    source: str, kind: str, target: str
) -> None:
    """The client wants nothing but what nobody can do."""
    make, hosted, _ = MAKERS[source]
    if kind in HAS[target]:
        assert sent(call(source, make(hosted[kind]), target))["tools"]
    else:
        assert refusal(source, make(hosted[kind]), target).startswith("tools[0]")


@pytest.mark.parametrize(("source", "kind", "target"), CASES)
def test_the_operator_can_have_it_refused_beside_others_too(source: str, kind: str, target: str) -> None:
    make, hosted, function = MAKERS[source]
    body = make(function, hosted[kind])
    if kind in HAS[target]:
        assert len(names(sent(call(source, body, target, "refuse")))) == 2
    else:
        assert refusal(source, body, target, "refuse").startswith("tools[1]")


def test_an_older_gemini_searches_where_there_are_no_functions() -> None:
    made = call("openai-responses", responses_body(RESPONSES_HOSTED["web_search"]), "gemini-2.5")
    assert sent(made)["tools"] == [{"googleSearch": {}}]


FORCED: list[tuple[str, Object]] = [
    ("openai-responses", {"tool_choice": {"type": "file_search"}}),
    (
        "openai-responses",
        {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "file_search"}]}},
    ),
    (
        "openai-responses",
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "file_search"}]}},
    ),
]


@pytest.mark.parametrize(("source", "choice"), FORCED)
@pytest.mark.parametrize("target", ["anthropic", "chat", "gemini-3", "gemini-2.5"])
def test_a_tool_that_is_not_there_is_refused_where_it_has_to_be_called(
    source: str, choice: Object, target: str
) -> None:
    body = responses_body(FUNCTION, RESPONSES_HOSTED["file_search"], **choice)
    assert refusal(source, body, target) == "tools[1]"


@pytest.mark.parametrize("target", ["chat", "gemini-2.5", "mistral"])
def test_an_anthropic_client_cannot_force_one_either(target: str) -> None:
    body = anthropic_body(
        ANTHROPIC_HOSTED["web_search"], CLIENT_TOOL, tool_choice={"type": "tool", "name": "web_search"}
    )
    assert refusal("anthropic", body, target) == "tools[0]"


@pytest.mark.parametrize("target", ["anthropic", "chat", "mistral", "gemini-3", "gemini-2.5"])
@pytest.mark.parametrize("mode", ["auto", "required"])
def test_a_list_of_allowed_tools_goes_on_without_it(mode: str, target: str) -> None:
    listed = [{"type": "function", "name": "look"}, {"type": "mcp", "server_label": "docs"}]
    choice = {"type": "allowed_tools", "mode": mode, "tools": listed}
    made = call("openai-responses", responses_body(RESPONSES_HOSTED["mcp"], FUNCTION, tool_choice=choice), target)
    assert names(sent(made)) == ["look"]
    assert "docs" not in str(sent(made))
    assert "tool_choice" in made.report.paths(Fate.CHANGED)


def test_a_forced_call_of_any_tool_is_one_of_those_that_are_left() -> None:
    choice = {"tool_choice": "required"}
    made = call("openai-responses", responses_body(FUNCTION, RESPONSES_HOSTED["file_search"], **choice), "chat")
    assert (names(sent(made)), sent(made)["tool_choice"]) == (["look"], "required")


def test_where_no_tool_may_be_called_none_is_missed() -> None:
    made = call("openai-responses", responses_body(RESPONSES_HOSTED["file_search"], tool_choice="none"), "chat")
    assert "tools" not in sent(made)
    assert "tools[0]" in made.report.paths(Fate.DROPPED)


@pytest.mark.parametrize(
    ("choice", "there"),
    [
        ({"type": "web_search"}, {"type": "tool", "name": "web_search"}),
        ({"type": "code_interpreter"}, {"type": "tool", "name": "code_execution"}),
    ],
)
def test_one_that_is_there_can_be_forced(choice: Object, there: Object) -> None:
    tools = (RESPONSES_HOSTED["web_search"], RESPONSES_HOSTED["code_interpreter"], FUNCTION)
    assert (
        sent(call("openai-responses", responses_body(*tools, tool_choice=choice), "anthropic"))["tool_choice"] == there
    )


def test_one_that_is_there_is_forced_at_openai_by_its_type() -> None:
    tools = (ANTHROPIC_HOSTED["code_execution"], CLIENT_TOOL)
    choice = {"type": "tool", "name": "code_execution"}
    body = sent(call("anthropic", anthropic_body(*tools, tool_choice=choice), "responses"))
    assert body["tool_choice"] == {"type": "code_interpreter"}


def test_what_sets_a_hosted_tool_up_goes_with_it() -> None:
    """Remote servers and containers beside the tools, and what the reply is to show of a search."""
    server = {"type": "url", "url": "https://mcp.test", "name": "docs"}
    skills = {"skills": [{"type": "anthropic", "skill_id": "pptx"}]}
    body = anthropic_body(ANTHROPIC_HOSTED["mcp"], CLIENT_TOOL, mcp_servers=[server], container=skills)
    made = call("anthropic", body, "chat")
    assert names(sent(made)) == ["look"]
    assert {"mcp_servers", "container"} <= set(made.report.paths(Fate.DROPPED))
    shown = {"include": ["web_search_call.action.sources"], "max_tool_calls": 3}
    made = call("openai-responses", responses_body(RESPONSES_HOSTED["web_search"], FUNCTION, **shown), "chat")
    assert {"include", "max_tool_calls", "tools[0]"} <= set(made.report.paths(Fate.DROPPED))
    place = {"retrievalConfig": {"latLng": {"latitude": 1, "longitude": 2}}}
    made = call("gemini", gemini_body(GEMINI_HOSTED["googleMaps"], DECLARED, toolConfig=place), "anthropic")
    assert {"toolConfig.retrievalConfig", "tools[0].googleMaps"} <= set(made.report.paths(Fate.DROPPED))


def test_what_sets_up_the_only_tool_is_refused() -> None:
    server = {"type": "url", "url": "https://mcp.test", "name": "docs"}
    assert refusal("anthropic", anthropic_body(mcp_servers=[server]), "chat") == "mcp_servers"
    assert refusal("anthropic", anthropic_body(CLIENT_TOOL, mcp_servers=[server]), "chat", "refuse") == "mcp_servers"


def test_a_strict_operator_has_what_is_left_out_refused() -> None:
    with pytest.raises(UntranslatableError) as caught:
        call("openai-responses", responses_body(RESPONSES_HOSTED["file_search"], FUNCTION), "chat", strict=True)
    assert caught.value.path == "tools[0]"


@pytest.mark.parametrize("target", ["anthropic", "chat", "mistral", "gemini-3", "gemini-2.5"])
def test_a_conversation_that_used_it_elsewhere_goes_on(target: str) -> None:
    """A session may change its provider: what the search gave is in the history."""
    action = {"type": "search", "query": "gephyr", "sources": [{"type": "url", "url": "https://a.test"}]}
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action}
    ran = {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "docs",
        "name": "find",
        "arguments": "{}",
        "output": "Found.",
    }
    listed = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "docs", "tools": []}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
    said = [{"role": "user", "content": "Hi"}, listed, searched, ran, answer, {"role": "user", "content": "And?"}]
    tools = (RESPONSES_HOSTED["mcp"], RESPONSES_HOSTED["file_search"], FUNCTION)
    made = call("openai-responses", {**responses_body(*tools), "input": said}, target)
    assert "Found." in made.body.decode()
    assert names(sent(made)) == ["look"]


ASKED: list[Object] = [
    {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs", "name": "find", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
]


@pytest.mark.parametrize("target", ["anthropic", "chat", "gemini-3"])
def test_what_a_user_has_just_allowed_cannot_be_left_out(target: str) -> None:
    """The client waits for a remote tool to be called, which only OpenAI can do. Afterwards it is history."""
    user = {"role": "user", "content": "Hi"}
    waiting = {**responses_body(RESPONSES_HOSTED["mcp"], FUNCTION), "input": [user, *ASKED]}
    assert refusal("openai-responses", waiting, target).startswith("input[")
    ran = {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "docs",
        "name": "find",
        "arguments": "{}",
        "output": "It.",
    }
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
    made = call("openai-responses", {**waiting, "input": [user, *ASKED, ran, answer, user]}, target)
    assert {"input[1]", "input[2]", "tools[0]"} <= set(made.report.paths(Fate.DROPPED))
    assert "It." in made.body.decode()
    assert "mcpr_1" not in made.body.decode()
