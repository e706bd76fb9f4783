"""A whole reply had from a stream: where the provider's setting or the length of the reply wants it."""

from typing import Any

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, DetachUpstream, EndResponse, SendBody, StartResponse
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
    for chunk in (FIRST, LAST):
        play.body(call, chunk)
        play.expect()
    play.body(call, b"data: [DONE]\n\n")
    *_, sent, _ = play.expect(DetachUpstream, StartResponse, SendBody, EndResponse)
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
    body = b'{"id":"c","object":"chat.completion","choices":[{"message":{"content":"hi"}}]}'
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


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/embeddings", b'{"model":"m","input":"hi"}'),
        ("/v1/moderations", b'{"model":"m","input":"hi"}'),
    ],
)
def test_what_has_no_stream_is_never_collected_from_one(target: str, body: bytes) -> None:
    """``collect = "always"`` is about generation: an embedding has no stream, and the provider would refuse ``stream``."""
    play = collecting()
    call = play.request(body, target)
    assert (call.target, call.body) == (target, body)


def test_a_count_of_tokens_is_never_collected_from_a_stream() -> None:
    play = collecting("anthropic")
    call = play.request(ASK.replace(b',"metadata":{"a":"b"}', b""), "/v1/messages/count_tokens")
    assert (call.target, "stream" in asked(call)) == ("/v1/messages/count_tokens", False)


@pytest.mark.parametrize("limit", [None, 30_000])
@pytest.mark.parametrize("collect", ["always", "auto", "never"])
@pytest.mark.parametrize("translated", [False, True], ids=["own dialect", "translated"])
def test_a_whole_reply_is_collected_always_or_where_it_is_long_and_translated(
    collect: str, translated: bool, limit: int | None
) -> None:
    """Unasked only where it is translated: the provider's own reply passes as it is."""
    provider = "anthropic" if translated else "openai"
    setting = {provider: ProviderConfig(collect=collect)}  # type: ignore[arg-type]
    routes = ModelsConfig(routes={"m": (f"{provider}/claude-sonnet-4-5",)})
    play = Play(account("c", provider), models=routes, providers=setting)
    body = ASK if limit is None else ASK.replace(b'{"model"', b'{"max_tokens":%d,"model"' % limit)
    streamed = collect == "always" or (collect == "auto" and translated and limit is not None)
    assert asked(play.request(body)).get("stream", False) is streamed
    client = body.replace(b'{"m', b'{"stream":true,"m', 1)
    assert asked(play.request(client))["stream"] is True


@pytest.mark.parametrize(("limit", "streamed"), [(21333, False), (21334, True)])
def test_a_reply_that_may_take_more_than_ten_minutes_is_a_long_one(limit: int, streamed: bool) -> None:
    play = Play(account("c", "anthropic"), models=ModelsConfig(routes={"m": ("anthropic/claude-sonnet-4-5",)}))
    call = play.request(ASK.replace(b'{"model"', b'{"max_tokens":%d,"model"' % limit))
    assert asked(call).get("stream", False) is streamed
