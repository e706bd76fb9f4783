"""Sessions of coding agents at providers of other kinds, which check what they are sent as the real ones do."""

import asyncio
import json
from typing import Any

import attrs
import pytest

from tests.agents.asking import BEARER, Gateway, Response, events
from tests.agents.sessions import AGENTS, Agent, routing_request, title_request
from tests.translation.strict_gateway import StrictGateway, strict_gateway

pytestmark = pytest.mark.anyio


@attrs.frozen
class Target:
    """Whose account serves the agent."""

    provider: str
    model: str
    dialect: str
    keeps_thoughts: bool = True
    """What its reasoning said comes back to it signed; Chat Completions has no place for it."""


TARGETS = (
    Target("anthropic", "claude-opus-5-5", "anthropic"),
    Target("anthropic", "claude-sonnet-4-5", "anthropic"),
    Target("openai", "gpt-5.6", "openai-responses"),
    Target("openai", "gpt-5.6", "openai-chat", keeps_thoughts=False),
    Target("openai", "gpt-4.1", "openai-chat", keeps_thoughts=False),
    Target("gemini", "gemini-3-flash-preview", "gemini"),
    Target("gemini", "gemini-2.5-flash", "gemini"),
)
PAIRS = [
    pytest.param(name, target, id=f"{name}-to-{target.dialect}-{target.model}")
    for name in AGENTS
    for target in TARGETS
    if name != target.dialect
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(gateway: StrictGateway, agent: Agent, body: dict[str, Any], target: str = "") -> Response:
    port = int(gateway.url.rpartition(":")[2])
    headers = {**BEARER, **agent.headers}
    return await asyncio.to_thread(Gateway(port).ask, "POST", target or agent.target, body, headers)


def serving(target: Target) -> Any:
    """A gateway whose one account is *target*'s, for whatever model the agent asks."""
    return strict_gateway(
        target.provider,
        accounts=[{"id": "the-account", "provider": target.provider, "api_key": "k", "dialect": target.dialect}],
        models={"*": f"{target.provider}/{target.model}"},
    )


@pytest.mark.parametrize(("name", "target"), PAIRS)
async def test_a_tool_is_called_answered_and_accounted_for(name: str, target: Target) -> None:
    """Nothing is refused, and the reasoning before the call is back in its place even though the agent dropped it."""
    agent = AGENTS[name]
    async with serving(target) as gateway:
        first = agent.first(f"Use the {agent.tool} tool to list the files here.")
        called = await ask(gateway, agent, first)
        assert called.status == 200, called.body
        answer = await ask(gateway, agent, agent.answered(first, events(called.body)))
        assert answer.status == 200, answer.body
        told = agent.text(events(answer.body))
        assert gateway.provider.refusals == []
    assert "command not found" in told.split("\n1. ")[1]
    assert "results in order: 1\n" in told
    assert told.endswith(f"own thoughts: {int(target.keeps_thoughts)}")


@pytest.mark.parametrize("target", [target for target in TARGETS if target.dialect != "openai-responses"])
async def test_codex_goes_on_after_it_was_interrupted(target: Target) -> None:
    """It keeps the reasoning of the reply that was cut off, which nothing follows then."""
    agent = AGENTS["openai-responses"]
    async with serving(target) as gateway:
        first = agent.first("Hello")
        told = [event["item"] for event in events((await ask(gateway, agent, first)).body) if "item" in event]
        reasoning = [item for item in told if item["type"] == "reasoning" and item.get("encrypted_content")]
        aborted = [("developer", "<turn_aborted>\n</turn_aborted>"), ("user", "Go on.")]
        said = [
            {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}
            for role, text in aborted
        ]
        answer = await ask(gateway, agent, {**first, "input": [*first["input"], *reasoning, *said]})
        assert answer.status == 200, answer.body
        assert gateway.provider.refusals == []


@pytest.mark.parametrize("target", [target for target in TARGETS if target.dialect != "openai-responses"])
async def test_codex_offers_a_web_search_and_works_where_there_is_none(target: Target) -> None:
    """It does with most models. Anthropic and Gemini 3 have one; elsewhere it is left out, and said."""
    agent = AGENTS["openai-responses"]
    there = target.dialect == "anthropic" or target.model.startswith("gemini-3")
    async with serving(target) as gateway:
        first = agent.first(f"Use the {agent.tool} tool to list the files here.")
        first["tools"] = [{"type": "web_search", "external_web_access": True}]
        called = await ask(gateway, agent, first)
        answer = await ask(gateway, agent, agent.answered(first, events(called.body)))
        assert (called.status, answer.status) == (200, 200), answer.body
        assert gateway.provider.refusals == []
    assert "command not found" in agent.text(events(answer.body))
    for response in (called, answer):
        assert ("tools[0]" in response.headers["x-gephyr-dropped"].split(", ")) is not there


@pytest.mark.parametrize("target", [target for target in TARGETS if target.dialect != "anthropic"])
async def test_claude_code_gets_a_title_in_the_form_it_wants(target: Target) -> None:
    agent = AGENTS["anthropic"]
    async with serving(target) as gateway:
        answer = await ask(gateway, agent, title_request())
        assert gateway.provider.refusals == []
    assert json.loads(agent.text(events(answer.body))) == {"title": "example"}


@pytest.mark.parametrize("target", [target for target in TARGETS if target.dialect != "gemini"])
async def test_gemini_cli_gets_a_number_to_choose_a_model_by(target: Target) -> None:
    path = "/v1beta/models/gemini-3.5-flash-lite:generateContent"
    async with serving(target) as gateway:
        answer = await ask(gateway, AGENTS["gemini"], routing_request(), path)
        assert gateway.provider.refusals == []
    [text] = [part["text"] for part in answer.json["candidates"][0]["content"]["parts"] if not part.get("thought")]
    assert json.loads(text) == {"complexity_reasoning": "example", "complexity_score": 1}


NOT_SAID = {
    "anthropic": ("context_management", "metadata.user_id", "output_config.effort"),
    "openai-responses": (
        *("client_metadata", "include", "parallel_tool_calls", "prompt_cache_key", "reasoning", "reasoning.context"),
        "text.verbosity",
    ),
    "gemini": tuple(f"generationConfig.{name}" for name in ("temperature", "thinkingConfig", "topK", "topP")),
}
"""What some provider has no place for. Markers of what to cache may be lost, too: never what they stand on."""


@pytest.mark.parametrize(("name", "target"), PAIRS)
async def test_nothing_that_was_said_is_told_to_be_lost(name: str, target: Target) -> None:
    agent = AGENTS[name]
    async with serving(target) as gateway:
        first = agent.first(f"Use the {agent.tool} tool to list the files here.")
        called = await ask(gateway, agent, first)
        answer = await ask(gateway, agent, agent.answered(first, events(called.body)))
    for response in (called, answer):
        dropped = response.headers.get("x-gephyr-dropped", "").split(", ")
        assert [path for path in dropped if path not in NOT_SAID[name] and not path.endswith(".cache_control")] == []
