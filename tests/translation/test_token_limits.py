"""A client's limit of tokens is one on the whole reply, reasoning included, whoever answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import Destination
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.records import Fate
from gephyr_core.translation.requests import read_request

TARGETS = (
    ("anthropic", "anthropic", "claude-3-5-sonnet-20241022"),
    ("anthropic", "anthropic", "claude-sonnet-4-5"),
    ("anthropic", "anthropic", "claude-opus-4-6"),
    ("anthropic", "anthropic", "claude-opus-5-5"),
    ("openai-chat", "openai", "gpt-5.6"),
    ("openai-chat", "openrouter", "anthropic/claude-sonnet-4.5"),
    ("openai-chat", "mistral", "mistral-large"),
    ("openai-responses", "openai", "gpt-5.6"),
    ("gemini", "gemini", "gemini-2.5-flash"),
    ("gemini", "gemini", "gemini-3-flash-preview"),
)
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
EFFORTS = st.sampled_from(("none", "minimal", "low", "medium", "high", "xhigh"))
BUDGETS = st.integers(1024, 70_000)


def chat(limit: int, effort: str, _: int) -> dict[str, Any]:
    user = {"role": "user", "content": "Hi"}
    return {"model": "m", "messages": [user], "max_completion_tokens": limit, "reasoning_effort": effort}


def responses(limit: int, effort: str, _: int) -> dict[str, Any]:
    return {"model": "m", "input": "Hi", "max_output_tokens": limit, "reasoning": {"effort": effort}}


def anthropic(limit: int, _: str, budget: int) -> dict[str, Any]:
    thinking = {"type": "enabled", "budget_tokens": budget}
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": limit, "thinking": thinking}


def gemini(limit: int, _: str, budget: int) -> dict[str, Any]:
    config = {"maxOutputTokens": limit, "thinkingConfig": {"thinkingBudget": budget}}
    return {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": config}


SOURCES = {
    "openai-chat": (chat, "max_completion_tokens"),
    "openai-responses": (responses, "max_output_tokens"),
    "anthropic": (anthropic, "max_tokens"),
    "gemini": (gemini, "generationConfig.maxOutputTokens"),
}


def sent(source: str, body: dict[str, Any], target: tuple[str, str, str]) -> tuple[dict[str, Any], Report]:
    dialect, provider, model = target
    request = read_request(source, json.dumps(body).encode(), model="m", stream=False, headers=())
    capabilities = capabilities_of(provider, dialect, model, {}, None)
    call = request.call(Destination(dialect, provider, model, capabilities), stream=False)
    assert call is not None
    return json.loads(call.body), call.report


def limit_of(body: dict[str, Any]) -> int:
    """The limit in a request of any dialect."""
    config = body.get("generationConfig", {})
    [limit] = [body[name] for name in LIMITS if name in body] or [config["maxOutputTokens"]]
    return int(limit)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target[0]}-{target[2]}")
@pytest.mark.parametrize("source", SOURCES)
@given(limit=st.integers(1, 40_000), effort=EFFORTS, budget=BUDGETS)
def test_no_provider_is_sent_a_larger_limit_than_the_clients_without_a_word(
    source: str, target: tuple[str, str, str], limit: int, effort: str, budget: int
) -> None:
    """A larger one costs the client more than it allowed, and it would not know."""
    make, path = SOURCES[source]
    body, report = sent(source, make(limit, effort, budget), target)
    larger = limit_of(body) > limit
    assert not larger or path in [entry.path for entry in report.entries]
    assert not larger or limit < 16, "only where a provider takes no limit as small as that"


@pytest.mark.parametrize("source", SOURCES)
@given(limit=st.integers(1, 40_000), effort=EFFORTS, budget=BUDGETS)
def test_a_thinking_budget_fits_into_the_limit(source: str, limit: int, effort: str, budget: int) -> None:
    """Anthropic refuses a budget that does not, and less than 1024 tokens."""
    body, _ = sent(source, SOURCES[source][0](limit, effort, budget), TARGETS[1])
    thinking = body.get("thinking", {"type": "disabled"})
    if thinking["type"] == "enabled":
        assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
    assert body["max_tokens"] == limit


@pytest.mark.parametrize("source", ["anthropic", "gemini"])
@given(limit=st.integers(2, 40_000), budget=BUDGETS)
def test_a_budget_fits_at_openrouter_too(source: str, limit: int, budget: int) -> None:
    """It refuses a budget that leaves no token for the answer."""
    body, report = sent(source, SOURCES[source][0](limit, "high", budget), TARGETS[5])
    written = body["reasoning"]["max_tokens"]
    assert written < body["max_tokens"] == limit
    assert written == budget or report.paths(Fate.CHANGED)
