"""A whole reply had from a stream: where the provider's setting or the length of the reply wants it."""

from typing import Any

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig, ProviderConfig
from tests.core.play import SSE, Play, account

FIRST = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"role":"assistant","content":"hel"},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"content":"lo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
)
ASK = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"a":"b"}}'


def collecting(provider: str = "openai", **more: Any) -> Play:
    setting = {provider: ProviderConfig(collect="always")}
    return Play(account("a", provider, models=("*",)), account("b", provider, models=("*",)), providers=setting, **more)


def asked(call: CallUpstream) -> dict[str, Any]:
    return msgspec.json.decode(call.body, type=dict[str, Any])


def test_a_stream_is_asked_for_and_the_client_gets_it_whole() -> None:
    play = collecting()
    call = play.request(ASK)
    assert asked(call)["stream"] is True
    assert asked(call)["metadata"] == {"a": "b"}
    play.head(call, headers=SSE)
    play.expect()
    for chunk in (FIRST, LAST, b"data: [DONE]\n\n"):
        play.body(call, chunk)
        play.expect()
    play.end(call)
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    reply = msgspec.json.decode(sent.data)
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["message"]["content"] == "hello"
    assert reply["usage"]["total_tokens"] == 3
    play.finish()


def test_a_collected_stream_that_breaks_off_fails_over() -> None:
    play = collecting()
    call = play.request(ASK)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, FIRST)
    play.expect()
    play.end(call)
    assert {call.account, play.expect(CallUpstream).account} == {"a", "b"}


def test_a_provider_that_answers_whole_all_the_same_is_taken_at_its_word() -> None:
    play = collecting()
    call = play.request(ASK)
    body = b'{"id":"c","object":"chat.completion","choices":[]}'
    play.answer(call, body)
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert sent.data == body


def test_geminis_streams_have_a_verb_of_their_own() -> None:
    play = collecting("gemini")
    call = play.request(b'{"contents":[{"parts":[{"text":"hi"}]}]}', "/v1beta/models/m:generateContent")
    assert call.target == "/v1beta/models/m:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(("limit", "streamed"), [(1000, False), (30_000, True)])
def test_a_long_translated_reply_is_collected_unasked(limit: int, streamed: bool) -> None:
    play = Play(account("c", "anthropic"), models=ModelsConfig(routes={"m": ("anthropic/claude-sonnet-4-5",)}))
    call = play.request(ASK.replace(b'{"model"', b'{"max_tokens":%d,"model"' % limit))
    assert asked(call).get("stream", False) is streamed


def test_never_means_never() -> None:
    setting = {"anthropic": ProviderConfig(collect="never")}
    routes = ModelsConfig(routes={"m": ("anthropic/claude-sonnet-4-5",)})
    play = Play(account("c", "anthropic"), models=routes, providers=setting)
    call = play.request(ASK.replace(b'{"model"', b'{"max_tokens":30000,"model"'))
    assert asked(call).get("stream", False) is False
