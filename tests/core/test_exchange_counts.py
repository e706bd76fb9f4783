"""Counts of tokens: asked of the provider that would serve the request, estimated where none counts."""

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.http import header
from tests.core.play import Play, account

ANTHROPIC = b'{"model":"m","messages":[{"role":"user","content":"How long is this?"}]}'
GEMINI = b'{"contents":[{"role":"user","parts":[{"text":"How long is this?"}]}]}'
RESPONSES = b'{"model":"m","input":"How long is this?"}'


def served_by(provider: str, model: str, *, accounts: int = 1) -> Play:
    pool = [account(f"a{number}", provider) for number in range(accounts)]
    return Play(*pool, models=ModelsConfig(routes={"m": (f"{provider}/{model}",)}))


@pytest.mark.parametrize(
    ("target", "body", "provider", "path", "answer", "told"),
    [
        (
            "/v1/messages/count_tokens",
            ANTHROPIC,
            "gemini",
            "/v1beta/models/gemini-2.5-pro:countTokens",
            b'{"totalTokens":7}',
            {"input_tokens": 7},
        ),
        (
            "/v1/messages/count_tokens",
            ANTHROPIC,
            "openai",
            "/v1/responses/input_tokens",
            b'{"object":"response.input_tokens","input_tokens":7}',
            {"input_tokens": 7},
        ),
        (
            "/v1beta/models/m:countTokens",
            GEMINI,
            "anthropic",
            "/v1/messages/count_tokens",
            b'{"input_tokens":7}',
            {"totalTokens": 7},
        ),
        (
            "/v1/responses/input_tokens",
            RESPONSES,
            "anthropic",
            "/v1/messages/count_tokens",
            b'{"input_tokens":7}',
            {"object": "response.input_tokens", "input_tokens": 7},
        ),
    ],
)
def test_the_provider_that_would_serve_the_request_counts(
    target: str, body: bytes, provider: str, path: str, answer: bytes, told: dict[str, object]
) -> None:
    models = {"gemini": "gemini-2.5-pro", "openai": "gpt-5", "anthropic": "claude-opus-4-7"}
    play = served_by(provider, models[provider])
    call = play.request(body, target)
    assert call.target == path
    play.answer(call, answer)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert {name: value for name, value in msgspec.json.decode(sent.data).items() if name in told} == told
    assert header(start.headers, b"x-gephyr-estimated") is None
    play.finish()


def test_where_the_provider_cannot_count_the_tokens_are_estimated_and_marked() -> None:
    play = served_by("mistral", "mistral-large")
    start, sent, _ = play.refusal_of(ANTHROPIC, "/v1/messages/count_tokens")
    assert start.status == 200
    assert header(start.headers, b"x-gephyr-estimated") == b"input_tokens"
    assert 3 <= msgspec.json.decode(sent.data)["input_tokens"] <= 20


def test_a_provider_that_fails_to_count_is_no_failure_of_the_clients() -> None:
    play = served_by("gemini", "gemini-2.5-pro")
    call = play.request(ANTHROPIC, "/v1/messages/count_tokens")
    play.answer(call, b'{"error":{"code":404,"message":"no such method","status":"NOT_FOUND"}}', 404)
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 200
    assert header(start.headers, b"x-gephyr-estimated") == b"input_tokens"
    call = play.request(ANTHROPIC, "/v1/messages/count_tokens")
    assert call.account == "a0"  # a side route says nothing about the account


def test_a_request_that_is_wrong_is_told_so() -> None:
    play = served_by("gemini", "gemini-2.5-pro")
    start, sent, _ = play.refusal_of(b'{"model":"m","messages":7}', "/v1/messages/count_tokens")
    assert start.status == 400
    assert b"messages" in sent.data


def test_a_prompt_that_is_too_long_is_told_and_not_estimated() -> None:
    play = served_by("anthropic", "claude-opus-4-7")
    call = play.request(GEMINI, "/v1beta/models/m:countTokens")
    error = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}'
    play.answer(call, error, 400)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 400
    assert b"too long" in sent.data
    play.finish()


def test_another_account_counts_where_one_is_limited() -> None:
    play = served_by("gemini", "gemini-2.5-pro", accounts=2)
    call = play.request(ANTHROPIC, "/v1/messages/count_tokens")
    play.answer(call, b'{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}', 429)
    assert {call.account, play.expect(CallUpstream).account} == {"a0", "a1"}
