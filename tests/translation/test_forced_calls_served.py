"""Forced calls of models that refuse to be forced, the whole way: a client's request, and the call that it gets."""

import asyncio
import json
from typing import Any

import pytest

from tests.agents.asking import BEARER, Gateway, Response, events
from tests.translation.strict_gateway import strict_gateway
from tests.translation.test_forced_calls import CLIENTS, THINKS, Object

PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:{verb}",
}


async def ask(url: str, source: str, body: Object, *, stream: bool) -> Response:
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    path = PATHS[source].format(verb=verb)
    sent = body if source == "gemini" else {**body, "stream": stream}
    headers = {**BEARER, **({"anthropic-version": "2023-06-01"} if source == "anthropic" else {})}
    return await asyncio.to_thread(Gateway(int(url.rpartition(":")[2])).ask, "POST", path, sent, headers)


def told(source: str, answer: Response, *, stream: bool) -> tuple[str, Object, str]:
    """Name and arguments of the one call of a reply, and why the reply ended."""
    assert answer.status == 200, answer.body
    found = TOLD[source](answer, stream)
    assert len(found[0]) == 1
    name, arguments = found[0][0]
    return name, json.loads(arguments) if isinstance(arguments, str) else arguments, found[1]


Told = tuple[list[tuple[str, Any]], str]


def told_chat(answer: Response, stream: bool) -> Told:
    if not stream:
        [choice] = answer.json["choices"]
        calls = [(one["function"]["name"], one["function"]["arguments"]) for one in choice["message"]["tool_calls"]]
        assert not choice["message"]["content"]
        return calls, choice["finish_reason"]
    lines = [line for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    choices = [one["choices"][0] for line in lines if (one := json.loads(line[6:]))["choices"]]
    deltas = [call.get("function", {}) for one in choices for call in one["delta"].get("tool_calls", ())]
    names = [delta["name"] for delta in deltas if delta.get("name")]
    return [(*names, "".join(delta.get("arguments", "") for delta in deltas))], choices[-1]["finish_reason"]  # type: ignore[list-item]


def told_responses(answer: Response, stream: bool) -> Told:
    told = events(answer.body) if stream else []
    response = told[-1]["response"] if stream else answer.json
    calls = [(item["name"], item["arguments"]) for item in response["output"] if item["type"] == "function_call"]
    assert [item for item in response["output"] if item["type"] == "message"] == []
    return calls, response["status"]


def told_anthropic(answer: Response, stream: bool) -> Told:
    if not stream:
        blocks = answer.json["content"]
        assert [block for block in blocks if block["type"] == "text"] == []
        calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
        return calls, answer.json["stop_reason"]
    told = events(answer.body)
    names = [one["content_block"]["name"] for one in told if one.get("content_block", {}).get("type") == "tool_use"]
    pieces = [one["delta"].get("partial_json", "") for one in told if one["type"] == "content_block_delta"]
    [stop] = [one["delta"]["stop_reason"] for one in told if one["type"] == "message_delta"]
    return [(*names, "".join(pieces))], stop  # type: ignore[list-item]


def told_gemini(answer: Response, stream: bool) -> Told:
    whole = events(answer.body) if stream else [answer.json]
    candidates = [one["candidates"][0] for one in whole]
    parts = [part for one in candidates for part in one.get("content", {}).get("parts", ())]
    calls = [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts if "functionCall" in part]
    return calls, candidates[-1]["finishReason"]


TOLD = {
    "openai-chat": told_chat,
    "openai-responses": told_responses,
    "anthropic": told_anthropic,
    "gemini": told_gemini,
}
STOPS = {
    "openai-chat": "tool_calls",
    "openai-responses": "completed",
    "anthropic": "tool_use",
    "gemini": "STOP",
}
SERVED = [
    pytest.param(source, kind, model, id=f"{source}-by-{model}")
    for source in CLIENTS
    for kind, model in (
        ("anthropic", "claude-opus-5-5"),
        ("openai", "gpt-5.6"),
        ("gemini", "gemini-3-flash-preview"),
    )
    if not source.startswith(kind)
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("source", "kind", "model"), SERVED)
async def test_the_reply_comes_back_as_the_call(source: str, kind: str, model: str, *, stream: bool) -> None:
    """A provider that is strict about what it takes answers with what the schema lets it; the client gets a call."""
    sections = {"models": {"*": f"{kind}/{model}"}, "capabilities": {model: {"forced_tools": False}}}
    async with strict_gateway(kind, **sections) as gateway:
        for choice, names, expected in (
            ("weather", ("weather", "now"), ("weather", {"city": "example"})),
            ("now", ("weather", "now"), ("now", {})),
            ("required", ("weather", "now"), ("weather", {"city": "example"})),
            ("either", ("either",), ("either", {"city": "example"})),
            ("route", ("route", "now"), ("route", {"from": "example"})),
        ):
            body = CLIENTS[source](choice, *names)
            name, arguments, stop = told(source, await ask(gateway.url, source, body, stream=stream), stream=stream)
            assert (name, arguments) == expected
            assert stop == STOPS[source]
        assert gateway.provider.refusals == []


@pytest.mark.anyio
@pytest.mark.parametrize("source", [name for name in CLIENTS if name != "anthropic"])
async def test_a_tool_loop_of_forced_calls_keeps_its_thinking(source: str) -> None:
    """The call of the first reply comes back with its result; what the model thought before it is in its place."""
    async with strict_gateway("anthropic", models={"*": "anthropic/claude-sonnet-4-5"}) as gateway:
        body = CLIENTS[source]("weather", "weather", **THINKS[source])
        first = await ask(gateway.url, source, body, stream=False)
        again = await ask(gateway.url, source, ANSWERED[source](body, first.json), stream=False)
        assert told(source, again, stream=False) == ("weather", {"city": "example"}, STOPS[source])
        assert gateway.provider.refusals == []
        sent = json.loads(gateway.provider.requests[-1][1])
    kinds = [block["type"] for block in sent["messages"][1]["content"]]
    assert (kinds, sent["thinking"]["type"]) == (["thinking", "tool_use"], "enabled")


def answered_chat(body: Object, reply: Object) -> Object:
    message = reply["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "Rain."}
    return {**body, "messages": [*body["messages"], message, result]}


def answered_responses(body: Object, reply: Object) -> Object:
    said = list(reply["output"])
    result = {"type": "function_call_output", "call_id": said[-1]["call_id"], "output": "Rain."}
    return {**body, "input": [{"role": "user", "content": body["input"]}, *said, result]}


def answered_gemini(body: Object, reply: Object) -> Object:
    said = reply["candidates"][0]["content"]
    [call] = [part["functionCall"] for part in said["parts"] if "functionCall" in part]
    result = {"functionResponse": {"name": call["name"], "id": call["id"], "response": {"output": "Rain."}}}
    return {**body, "contents": [*body["contents"], said, {"role": "user", "parts": [result]}]}


ANSWERED = {
    "openai-chat": answered_chat,
    "openai-responses": answered_responses,
    "gemini": answered_gemini,
}


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_freeform_tool_gets_its_input(*, stream: bool) -> None:
    tools = [{"type": "custom", "name": "exec"}, {"type": "custom", "name": "other"}]
    async with strict_gateway("anthropic", models={"*": "anthropic/claude-opus-5-5"}) as gateway:
        for choice in ({"type": "custom", "name": "exec"}, "required"):
            body = {"model": "m", "input": "Run.", "tools": tools, "tool_choice": choice}
            answer = await ask(gateway.url, "openai-responses", body, stream=stream)
            assert answer.status == 200, answer.body
            response = events(answer.body)[-1]["response"] if stream else answer.json
            [item] = [item for item in response["output"] if item["type"] != "reasoning"]
            assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "exec", "example")
        assert gateway.provider.refusals == []


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_of_a_known_type_is_called_as_its_client_knows_it(*, stream: bool) -> None:
    bash = {"type": "bash_20250124", "name": "bash"}
    model = "gpt-5.6"
    sections = {"models": {"*": f"openai/{model}"}, "capabilities": {model: {"forced_tools": False}}}
    async with strict_gateway("openai", **sections) as gateway:
        said = [{"role": "user", "content": "Run."}]
        body = {"model": "m", "max_tokens": 100, "messages": said, "tools": [bash], "tool_choice": {"type": "any"}}
        name, arguments, stop = told(
            "anthropic", await ask(gateway.url, "anthropic", body, stream=stream), stream=stream
        )
        assert (name, stop) == ("bash", "tool_use")
        assert set(arguments) <= {"command", "restart"}
        assert gateway.provider.refusals == []
