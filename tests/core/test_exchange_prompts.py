"""Responses requests that name a stored prompt instead of a model: the prompt, at the provider, holds the model."""

import json
from typing import Any

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, EndResponse, Save, SendBody, StartResponse
from gephyr_core.config import ModelsConfig

PROMPT = {"prompt": {"id": "pmpt_example", "version": "2", "variables": {"topic": "arches"}}}
PATH = "/v1/responses"
REPLY = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.6", "output": []}


def body(**more: Any) -> bytes:
    return json.dumps({**PROMPT, **more}).encode()


def test_it_goes_to_an_openai_account_as_it_came() -> None:
    play = Play(account("claude", "anthropic"), account("o", "openai"))
    call = play.request(body(), PATH)
    assert (call.account, call.body, call.target) == ("o", body(), PATH)
    play.answer(call, json.dumps(REPLY).encode(), headers=JSON)
    _, _, sent, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert json.loads(sent.data)["model"] == "gpt-5.6"
    play.finish()


@pytest.mark.parametrize("more", [{"model": None}, {"stream": True}, {"input": "Hi", "store": False}])
def test_whatever_else_it_asks_for(more: dict[str, Any]) -> None:
    play = Play(account("o", "openai"))
    assert play.request(body(**more), PATH).body == body(**more)


def test_an_account_that_lists_its_models_is_asked_too() -> None:
    """Which model a prompt names is not known here, and a prompt is its owner's own."""
    play = Play(account("o", "openai", models=("gpt-5.6",)))
    assert play.request(body(), PATH).account == "o"


def test_the_default_target_says_whose_prompt_it_is() -> None:
    accounts = account("here", "openai-compatible"), account("o", "openai")
    assert Play(*accounts).request(body(), PATH).account == "o"
    models = ModelsConfig(default=("openai-compatible/some-model",))
    assert Play(*accounts, models=models).request(body(), PATH).account == "here"


def test_a_default_target_in_another_dialect_has_no_prompts() -> None:
    models = ModelsConfig(default=("anthropic/claude-sonnet-4-5",))
    play = Play(account("c", "anthropic"), account("o", "openai"), models=models)
    assert play.request(body(), PATH).account == "o"


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "mistral", "groq", "openrouter"])
def test_without_such_an_account_the_refusal_says_why(provider: str) -> None:
    refusal = Play(account("x", provider)).refused(body(), PATH)
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, error["param"]) == (400, "model")
    assert "prompts" in error["message"]


@pytest.mark.parametrize("fields", [{}, {"prompt": None}, {"prompt": "pmpt_example"}, {"prompt": []}])
def test_without_a_prompt_the_model_is_required(fields: dict[str, Any]) -> None:
    refusal = Play(account("o", "openai")).refused(json.dumps({"input": "Hi", **fields}).encode(), PATH)
    assert refusal.status == 400
    assert json.loads(refusal.body)["error"]["message"].startswith("model: is required")


def test_another_account_is_asked_where_the_first_fails() -> None:
    play = Play(account("a", "openai"), account("b", "openai"))
    call = play.request(body(stream=True), PATH)
    play.head(call, 503, JSON)
    play.expect()
    play.body(call, b'{"error":{"message":"away"}}')
    play.expect()
    play.end(call)
    again = play.expect(CallUpstream)
    assert (again.body, {call.account, again.account}) == (call.body, {"a", "b"})
    play.head(again, 200, SSE)
    play.expect()


def test_the_tokens_of_a_prompt_are_counted_where_it_lies() -> None:
    play = Play(account("g", "groq"), account("o", "openai"))
    assert play.request(body(), f"{PATH}/input_tokens").account == "o"
