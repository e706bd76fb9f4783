"""A client that switches reasoning off: it is off, or the report says that it could not be. It is never a little."""

import json
from typing import Any

import pytest

from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import Destination
from gephyr_core.providers import PROVIDERS
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.translation.requests import read_request

USER = {"role": "user", "content": "Quickly: 2+2?"}
CONTENTS = [{"role": "user", "parts": [{"text": "Quickly: 2+2?"}]}]
REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("anthropic", {"max_tokens": 60, "messages": [USER], "thinking": {"type": "disabled"}}, "thinking"),
    ("openai-chat", {"messages": [USER], "reasoning_effort": "none"}, "reasoning_effort"),
    ("openai-chat", {"messages": [USER], "reasoning": {"enabled": False}}, "reasoning"),
    ("openai-chat", {"messages": [USER], "thinking": {"type": "disabled"}}, "thinking"),
    ("openai-chat", {"messages": [USER], "enable_thinking": False}, "enable_thinking"),
    (
        "openai-chat",
        {"messages": [USER], "chat_template_kwargs": {"enable_thinking": False}},
        "chat_template_kwargs",
    ),
    ("openai-responses", {"input": "Quickly: 2+2?", "reasoning": {"effort": "none"}}, "reasoning"),
    (
        "gemini",
        {"contents": CONTENTS, "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
        "generationConfig.thinkingConfig",
    ),
]
SWITCHES = [
    ("openai", "openai-chat", "gpt-5.6", {"reasoning_effort": "none"}),
    ("openai", "openai-responses", "gpt-5.6", {"reasoning": {"effort": "none"}}),
    ("azure", "openai-responses", "gpt-5.6", {"reasoning": {"effort": "none"}}),
    ("openrouter", "openai-chat", "anthropic/claude-sonnet-4.5", {"reasoning": {"effort": "none"}}),
    ("openrouter", "openai-chat", "openai/gpt-5.6", {"reasoning": {"effort": "none"}}),
    ("openrouter", "openai-responses", "qwen/qwen3-32b", {"reasoning": {"effort": "none"}}),
    ("deepseek", "openai-chat", "deepseek-v4-pro", {"thinking": {"type": "disabled"}}),
    ("xai", "openai-chat", "grok-4.3", {"reasoning_effort": "none"}),
    ("xai", "openai-responses", "grok-4.3", {"reasoning": {"effort": "none"}}),
    ("groq", "openai-chat", "qwen/qwen3-32b", {"reasoning_effort": "none"}),
    ("fireworks", "openai-chat", "accounts/fireworks/models/glm-5", {"reasoning_effort": "none"}),
    ("together", "openai-chat", "zai-org/GLM-5", {"reasoning": {"enabled": False}}),
    ("anthropic", "anthropic", "claude-sonnet-4-5", {"thinking": {"type": "disabled"}}),
    ("anthropic", "anthropic", "a-model-of-another-maker", {"thinking": {"type": "disabled"}}),
    ("gemini", "gemini", "gemini-2.5-flash", {"thinkingConfig": {"thinkingBudget": 0}}),
]
FIELDS = ("reasoning", "reasoning_effort", "thinking", "output_config", "thinkingConfig")


def sent(source: str, body: dict[str, Any], kind: str, target: str, model: str) -> tuple[dict[str, Any], Report]:
    data = json.dumps({"model": "m", **body}).encode()
    read = read_request(source, data, model="m", stream=False, headers=())
    call = read.call(Destination(target, kind, model, capabilities_of(kind, target, model, {}, None)), stream=False)
    assert call is not None
    return json.loads(call.body), call.report


@pytest.mark.parametrize(("kind", "target", "model", "switch"), SWITCHES)
@pytest.mark.parametrize(("source", "body", "path"), REQUESTS, ids=[f"{one[0]} {one[2]}" for one in REQUESTS])
def test_a_provider_with_a_switch_is_told_by_it(
    source: str, body: dict[str, Any], path: str, kind: str, target: str, model: str, switch: dict[str, Any]
) -> None:
    request, report = sent(source, body, kind, target, model)
    config = request.pop("generationConfig", {})
    told = {name: value for name, value in {**request, **config}.items() if name in FIELDS}
    assert told == switch
    assert not [entry for entry in report.entries if entry.path.startswith(path)]


WITHOUT = [
    ("openai", "o3"),
    ("xai", "grok-4"),
    ("xai", "grok-4-fast-reasoning"),
    ("groq", "openai/gpt-oss-20b"),
    ("fireworks", "accounts/fireworks/models/kimi-k2-thinking"),
    ("mistral", "magistral-medium-latest"),
    ("openai-compatible", "anthropic/claude-sonnet-4.5"),
    ("openai-compatible", "some-model"),
]


@pytest.mark.parametrize("target", ["openai-chat", "openai-responses"])
@pytest.mark.parametrize(("kind", "model"), WITHOUT)
@pytest.mark.parametrize(("source", "body", "path"), REQUESTS, ids=[f"{one[0]} {one[2]}" for one in REQUESTS])
def test_where_there_is_no_switch_the_report_says_so(
    source: str, body: dict[str, Any], path: str, kind: str, model: str, target: str
) -> None:
    request, report = sent(source, body, kind, target, model)
    assert not [name for name in FIELDS if name in request]
    assert path in {entry.path for entry in report.entries}


@pytest.mark.parametrize("model", ["some-model", "grok-4", "gpt-4o", "gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro"])
@pytest.mark.parametrize("kind", list(PROVIDERS))
def test_reasoning_is_off_or_it_is_said_at_every_provider(kind: str, model: str) -> None:
    source, body, path = REQUESTS[0]
    for target in PROVIDERS[kind].dialects:
        if target in ("openai-chat", "openai-responses"):
            request, report = sent(source, body, kind, target, model)
            told = json.dumps({name: request.get(name) for name in FIELDS})
            assert '"low"' not in told
            off = '"none"' in told or '"disabled"' in told or '"enabled": false' in told
            assert off or path in {entry.path for entry in report.entries}


def test_thinking_stays_off_whatever_effort_the_answer_is_to_have() -> None:
    """Anthropic's effort is one of the answer too; elsewhere it is one of reasoning alone."""
    body = {**REQUESTS[0][1], "output_config": {"effort": "high"}}
    request, report = sent("anthropic", body, "openai", "openai-responses", "gpt-5.6")
    assert request["reasoning"] == {"effort": "none"}
    assert "output_config.effort" in {entry.path for entry in report.entries}
    request, _ = sent("anthropic", body, "gemini", "gemini", "gemini-2.5-flash")
    assert request["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}
