"""A provider's failure, told by meaning to a client of another dialect: status, type, wait and request id."""

from typing import Any

import msgspec
import pytest

from gephyr_core.commands import EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.http import Headers, header
from tests.core.play import JSON, SSE, Play, account

MESSAGES = b'[{"role":"user","content":"hi"}]'
CLIENTS = {
    "openai-chat": ("/v1/chat/completions", b'{"model":"m","messages":' + MESSAGES + b"}"),
    "openai-responses": ("/v1/responses", b'{"model":"m","store":false,"input":"hi"}'),
    "anthropic": ("/v1/messages", b'{"model":"m","max_tokens":9,"messages":' + MESSAGES + b"}"),
    "gemini": ("/v1beta/models/m:generateContent", b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'),
}
"""Each client's path, and its request."""
TARGETS = {"openai": "openai/gpt-5", "anthropic": "anthropic/claude-sonnet-4-5", "gemini": "gemini/gemini-2.5-pro"}

OPENAI_SAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "bad request": (400, {"message": "no", "type": "invalid_request_error", "code": "invalid_value"}),
    "too long": (400, {"message": "too long", "code": "context_length_exceeded"}),
    "policy": (400, {"message": "flagged", "code": "content_policy_violation"}),
    "credential": (401, {"message": "Incorrect API key provided: sk-OPERATOR", "code": "invalid_api_key"}),
    "money": (429, {"message": "You exceeded your quota", "code": "insufficient_quota"}),
    "model": (404, {"message": "The model `gpt-5` does not exist", "code": "model_not_found"}),
    "limit": (429, {"message": "Rate limit reached", "code": "rate_limit_exceeded"}),
    "server": (500, {"message": "The server had an error", "type": "server_error"}),
    "unavailable": (503, {"message": "The engine is overloaded", "type": "server_error"}),
    "overloaded": (529, {"message": "busy"}),
    "timeout": (504, {"message": "late"}),
}
ANTHROPIC_SAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "bad request": (400, {"type": "invalid_request_error", "message": "no"}),
    "too long": (400, {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}),
    "policy": (400, {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"}),
    "credential": (401, {"type": "authentication_error", "message": "invalid x-api-key sk-OPERATOR"}),
    "money": (402, {"type": "billing_error", "message": "Your credit balance is too low"}),
    "model": (404, {"type": "not_found_error", "message": "model: claude-sonnet-4-5"}),
    "limit": (429, {"type": "rate_limit_error", "message": "slow down"}),
    "server": (500, {"type": "api_error", "message": "Internal server error"}),
    "unavailable": (503, {"type": "api_error", "message": "busy"}),
    "overloaded": (529, {"type": "overloaded_error", "message": "Overloaded"}),
    "timeout": (504, {"type": "timeout_error", "message": "late"}),
}
GEMINI_SAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "bad request": (400, {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}),
    "too long": (
        400,
        {"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."},
    ),
    "policy": (400, {"code": 400, "message": "The prompt violates Google's Responsible AI practices."}),
    "credential": (400, {"code": 400, "message": "bad sk-OPERATOR", "details": [{"reason": "API_KEY_INVALID"}]}),
    "money": (402, {"code": 402, "message": "no balance"}),
    "model": (404, {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}),
    "limit": (429, {"code": 429, "message": "exhausted", "status": "RESOURCE_EXHAUSTED"}),
    "server": (500, {"code": 500, "message": "internal", "status": "INTERNAL"}),
    "unavailable": (503, {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}),
    "overloaded": (529, {"code": 529, "message": "busy"}),
    "timeout": (504, {"code": 504, "message": "late", "status": "DEADLINE_EXCEEDED"}),
}
SAYS = {"openai": OPENAI_SAYS, "anthropic": ANTHROPIC_SAYS, "gemini": GEMINI_SAYS}

OPENAI_HEARS: dict[str, tuple[int, str | None]] = {
    "bad request": (400, None),
    "too long": (400, "context_length_exceeded"),
    "policy": (400, "content_policy_violation"),
    "credential": (502, "bad_gateway"),
    "money": (502, "bad_gateway"),
    "model": (404, "model_not_found"),
    "limit": (429, "rate_limit_exceeded"),
    "server": (500, "server_error"),
    "unavailable": (503, "server_is_overloaded"),
    "overloaded": (503, "server_is_overloaded"),
    "timeout": (504, "gateway_timeout"),
}
HEARS: dict[str, dict[str, tuple[int, str | None]]] = {
    "openai-chat": OPENAI_HEARS,
    "openai-responses": OPENAI_HEARS,
    "anthropic": {
        "bad request": (400, "invalid_request_error"),
        "too long": (400, "invalid_request_error"),
        "policy": (400, "invalid_request_error"),
        "credential": (502, "api_error"),
        "money": (502, "api_error"),
        "model": (404, "not_found_error"),
        "limit": (429, "rate_limit_error"),
        "server": (500, "api_error"),
        "unavailable": (529, "overloaded_error"),
        "overloaded": (529, "overloaded_error"),
        "timeout": (504, "timeout_error"),
    },
    "gemini": {
        "bad request": (400, "INVALID_ARGUMENT"),
        "too long": (400, "INVALID_ARGUMENT"),
        "policy": (400, "INVALID_ARGUMENT"),
        "credential": (502, "UNAVAILABLE"),
        "money": (502, "UNAVAILABLE"),
        "model": (404, "NOT_FOUND"),
        "limit": (429, "RESOURCE_EXHAUSTED"),
        "server": (500, "INTERNAL"),
        "unavailable": (503, "UNAVAILABLE"),
        "overloaded": (503, "UNAVAILABLE"),
        "timeout": (504, "DEADLINE_EXCEEDED"),
    },
}
"""What each client is told: status, and the code or type that its SDK and its agents read."""
NAMED = {"openai-chat": "code", "openai-responses": "code", "anthropic": "type", "gemini": "status"}
PAIRS = [
    (client, provider)
    for client in CLIENTS
    for provider in SAYS
    if client != provider and not (client.startswith("openai") and provider == "openai")
]


def told(
    client: str, provider: str, case: str, headers: Headers = (), *, stream: bool = False
) -> tuple[int, Headers, dict[str, Any]]:
    """Let the one account say what the case is, and return what the client hears."""
    play = Play(account("a", provider), models=ModelsConfig(routes={"m": (TARGETS[provider],)}))
    path, body = CLIENTS[client]
    if stream:
        path, body = path.replace(":generate", ":streamGenerate"), body.replace(b"{", b'{"stream":true,', 1)
    call = play.request(body, path)
    status, error = SAYS[provider][case]
    play.answer(call, msgspec.json.encode({"type": "error", "error": error}), status, [*JSON, *headers])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    play.finish()
    return start.status, start.headers, msgspec.json.decode(sent.data)["error"]


@pytest.mark.parametrize("case", OPENAI_SAYS)
@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_a_failure_means_the_same_to_the_client(client: str, provider: str, case: str) -> None:
    status, _, error = told(client, provider, case)
    assert (status, error[NAMED[client]]) == HEARS[client][case]
    assert "sk-OPERATOR" not in error["message"]
    if case not in {"credential", "money"}:
        assert error["message"].endswith(SAYS[provider][case][1]["message"])


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "gemini"])
def test_a_stream_that_fails_before_it_begins_is_a_plain_error(client: str) -> None:
    status, headers, _ = told(client, "gemini", "limit", stream=True)
    assert status == 429
    assert header(headers, b"content-type") == b"application/json"


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_prompt_too_long_says_so_in_the_words_that_agents_of_anthropic_read(provider: str) -> None:
    _, _, error = told("anthropic", provider, "too long")
    assert error["message"].startswith("prompt is too long: ")


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_a_limit_says_how_long_to_wait_and_which_request_it_was(client: str, provider: str) -> None:
    """The wait also in the details, where Google's clients look."""
    said = [(b"retry-after", b"9"), (b"request-id", b"req_theirs"), (b"x-request-id", b"req_theirs")]
    _, headers, error = told(client, provider, "limit", said)
    assert header(headers, b"retry-after") == b"9"
    assert header(headers, b"x-should-retry") is None
    assert header(headers, b"request-id" if client == "anthropic" else b"x-request-id")
    if client == "gemini":
        assert error["details"][0]["retryDelay"] == "9s"


def test_a_wait_that_a_body_states_is_told_in_the_header() -> None:
    """Gemini's, which has no header."""
    play = Play(account("a", "gemini"), models=ModelsConfig(routes={"m": (TARGETS["gemini"],)}))
    path, body = CLIENTS["anthropic"]
    call = play.request(body, path)
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
    error = {"code": 429, "message": "exhausted", "status": "RESOURCE_EXHAUSTED", "details": [info]}
    play.answer(call, msgspec.json.encode({"error": error}), 429)
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert header(start.headers, b"retry-after") == b"34"


def test_an_error_event_before_content_is_told_as_a_plain_error() -> None:
    """Inside the provider's 200: the client's own status is not sent yet."""
    play = Play(account("a", "anthropic"), models=ModelsConfig(routes={"m": (TARGETS["anthropic"],)}))
    path, body = CLIENTS["openai-chat"]
    call = play.request(body.replace(b"{", b'{"stream":true,', 1), path)
    play.head(call, headers=SSE)
    play.expect()
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    commands = play.body(call, b"event: error\ndata: " + msgspec.json.encode(error) + b"\n\n")
    start = next(command for command in commands if isinstance(command, StartResponse))
    sent = next(command for command in commands if isinstance(command, SendBody))
    assert start.status == 503
    assert msgspec.json.decode(sent.data)["error"]["code"] == "server_is_overloaded"
