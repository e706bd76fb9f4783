"""Clients of both versions of Anthropic's API: old SDKs and Claude Code, and the SDKs since October 2026."""

from typing import Any

import msgspec
import pytest

from gephyr_core.commands import CallUpstream
from gephyr_core.config import ModelsConfig
from gephyr_core.http import Header, header
from tests.core.play import Play, account
from tests.core.test_exchange_signatures import FULL, SIGNED, history, learned

MESSAGES, COUNT = "/v1/messages", "/v1/messages/count_tokens"
OLD: Header = (b"anthropic-version", b"2023-06-01")
NEW: Header = (b"anthropic-version", b"2026-10-21")
CLIENTS = {"anthropic 2": (NEW, ("authorization",)), "anthropic 0.75": (OLD, ("x-api-key",))}
ROUTES = ModelsConfig(routes={"claude-x": ("openai/gpt-4o",), "gpt-x": ("anthropic/claude-sonnet-4-5",)})


def body(model: str = "claude-sonnet-4-5", **fields: Any) -> bytes:
    return msgspec.json.encode(
        {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **fields}
    )


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("target", [MESSAGES, f"{MESSAGES}?beta=true"])
def test_a_relayed_request_keeps_its_body_and_its_version(client: str, target: str, *, stream: bool) -> None:
    version, names = CLIENTS[client]
    play = Play(account("c", "anthropic"))
    sent = body(stream=stream, temperature=0.5)
    call = play.request(sent, target, headers=[version], key_names=names)
    assert (call.target, call.body) == (target, sent)
    assert [pair for pair in call.headers if pair[0] == b"anthropic-version"] == [version]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("target", [MESSAGES, COUNT])
def test_a_client_of_either_version_is_served_by_another_api(client: str, target: str, *, stream: bool) -> None:
    """Nothing of the version goes to a provider whose API has no such thing."""
    version, names = CLIENTS[client]
    play = Play(account("o"), models=ROUTES)
    call = play.request(body("claude-x", stream=stream), target, headers=[version], key_names=names)
    assert call.target == ("/v1/responses" if target == MESSAGES else "/v1/responses/input_tokens")
    assert header(call.headers, b"anthropic-version") is None


@pytest.mark.parametrize("target", [MESSAGES, COUNT])
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_clients_version_does_not_have_is_a_400_that_names_it(target: str, *, stream: bool) -> None:
    """As its own provider would say it, and before anybody is asked; under the older version the parameter is carried."""
    play = Play(account("o"), models=ROUTES)
    asked = body("claude-x", temperature=0.5, stream=stream)
    refused = play.refused(asked, target, headers=[NEW])
    error = msgspec.json.decode(refused.body)
    assert (refused.status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    assert error["error"]["message"].startswith("temperature: Extra inputs are not permitted")
    call = play.request(asked, target, headers=[OLD])
    assert msgspec.json.decode(call.body).get("temperature") == (0.5 if target == MESSAGES else None)


def test_a_request_of_another_api_goes_to_anthropic_in_the_version_that_takes_it() -> None:
    play = Play(account("c", "anthropic"), models=ROUTES)
    asked = msgspec.json.encode({"model": "gpt-x", "temperature": 0.5, "messages": [{"role": "user", "content": "Hi"}]})
    call = play.request(asked)
    assert msgspec.json.decode(call.body)["temperature"] == 0.5
    assert header(call.headers, b"anthropic-version") == b"2023-06-01"


@pytest.mark.parametrize("version", [OLD, NEW])
def test_who_did_not_sign_the_reasoning_is_asked_in_the_clients_version_too(version: Header) -> None:
    """Without the reasoning the body is not the client's any more; the rest of it follows the version that it states."""
    play = Play(account("a", "anthropic"), account("b", "anthropic"))
    signer = learned(play)
    beta = (b"anthropic-beta", b"context-management-2025-06-27")
    call = play.request(history(SIGNED), MESSAGES, headers=[version, beta])
    assert call.account == signer
    play.answer(call, b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}', 429, FULL)
    again = play.expect(CallUpstream)
    assert again.account != signer
    assert b"c2lnbmVk" not in again.body
    assert [header(again.headers, name) for name in (version[0], beta[0])] == [version[1], beta[1]]
