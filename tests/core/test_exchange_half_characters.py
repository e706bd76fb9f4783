"""Requests and replies with half a character (an escaped surrogate without its pair), which JSON may hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from play import JSON, SSE, Play, account

from gephyr_core.commands import DetachUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.envelope import read_envelope

HALF = "\ud83c"
LOST = "\N{REPLACEMENT CHARACTER}"
FINISH = {"delta": {}, "finish_reason": "stop"}
TURN = {"role": "user", "content": f"a {HALF} b"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("openai", "/v1/chat/completions", {"messages": [TURN], "user": HALF}),
    ("openai", "/v1/responses", {"input": [TURN], "instructions": HALF, "prompt_cache_key": HALF, "store": False}),
    ("anthropic", "/v1/messages", {"max_tokens": 9, "messages": [TURN], "metadata": {"user_id": HALF}}),
    ("openai", "/v1/embeddings", {"input": HALF}),
]


@pytest.mark.parametrize(("provider", "path", "fields"), REQUESTS, ids=[path for _, path, _ in REQUESTS])
def test_a_request_that_is_passed_on_keeps_its_halves(provider: str, path: str, fields: dict[str, Any]) -> None:
    """Whether they mean anything is the provider's to say, also where the gateway writes another model's name."""
    play = Play(account(provider=provider), models=ModelsConfig(routes={"mine": (f"{provider}/theirs",)}))
    sent = json.dumps({"model": "theirs", **fields}).encode()
    assert play.request(sent, path).body == sent
    renamed = play.request(sent.replace(b"theirs", b"mine"), path).body
    assert json.loads(renamed) == json.loads(sent)


def test_a_gemini_request_keeps_its_halves() -> None:
    play = Play(account(provider="gemini"))
    sent = json.dumps({"contents": [{"role": "user", "parts": [{"text": HALF}]}]}).encode()
    assert play.request(sent, "/v1beta/models/m:generateContent").body == sent


members = st.dictionaries(
    st.text(st.sampled_from(("m", HALF, '"', "\\", "}", "\N{BRIDGE AT NIGHT}")), max_size=3),
    st.recursive(
        st.text(st.sampled_from(("x", HALF, "\udf09", "\\", '"', ",")), max_size=4) | st.integers() | st.none(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just(HALF), inner, max_size=1),
        max_leaves=4,
    ),
)


@given(members, st.sampled_from((None, 0, 3)))
def test_an_envelope_holds_each_value_as_it_was_sent(fields: dict[str, Any], indent: int | None) -> None:
    body = json.dumps({"last": HALF, **fields}, indent=indent).encode()
    envelope = read_envelope(body)
    assert json.loads(envelope.with_fields({}))["last"] == HALF
    values = {name: json.loads(bytes(raw)) for name, raw in envelope.fields.items()}
    assert list(values.values()) == list({whole(name): value for name, value in json.loads(body).items()}.values())


def whole(name: str) -> str:
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_what_is_wrong_with_a_body_is_told_although_it_has_halves() -> None:
    play = Play(account())
    refusal = play.refused(b'{"model":"m","messages":["\\ud83c"],}')
    assert refusal.status == 400
    assert b"surrogate" not in refusal.body
    assert b"not valid JSON" in refusal.body


def test_a_request_and_a_reply_in_other_dialects_have_whole_characters() -> None:
    play = Play(account(provider="anthropic"), models=ModelsConfig(routes={"m": ("anthropic/claude-sonnet-4-5",)}))
    for path, fields in (
        ("/v1/chat/completions", {"messages": [TURN]}),
        ("/v1/responses", {"input": [TURN], "store": False}),
    ):
        call = play.request(json.dumps({"model": "m", **fields}).encode(), path)
        assert f"a {LOST} b" in call.body.decode()
        content = [{"type": "text", "text": f"so {HALF}"}]
        message = {"id": "i", "model": "m", "role": "assistant", "content": content, "stop_reason": "end_turn"}
        play.answer(call, json.dumps(message).encode(), headers=JSON)
        _, reply, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert f"so {LOST}" in reply.data.decode()
        play.finish()


def test_a_stream_that_is_passed_on_keeps_its_halves() -> None:
    play = Play(account())
    call = play.stream_request()
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": HALF}, "finish_reason": None}]}
    event = f"data: {json.dumps(chunk)}\n\n".encode()
    play.head(call, 200, SSE)
    play.expect()
    play.body(call, event)
    _, sent = play.expect(StartResponse, SendBody)
    assert sent.data == event
    play.body(call, b"data: [DONE]\n\n")
    play.expect(DetachUpstream, SendBody, EndResponse)


def test_an_error_with_a_half_tells_its_reason() -> None:
    """What a provider quotes of the request may hold one."""
    play = Play(account(provider="anthropic"), models=ModelsConfig(routes={"m": ("anthropic/claude-sonnet-4-5",)}))
    call = play.request(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": f"bad text {HALF}"}}
    play.answer(call, json.dumps(error).encode(), 400)
    start, told, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 400
    assert f"bad text {LOST}" in json.loads(told.data)["error"]["message"]


def test_a_collected_stream_joins_its_halves() -> None:
    """The client asked for a whole reply, and the provider streamed one."""
    play = Play(account())
    call = play.request(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    pieces = [{"content": f"a {HALF}"}, {"content": "\udf09 b"}]
    chunks: list[dict[str, Any]] = [{"delta": delta, "finish_reason": None} for delta in pieces]
    events = [{"id": "c", "model": "m", "choices": [{"index": 0, **one}]} for one in [*chunks, FINISH]]
    play.head(call, 200, SSE)
    play.expect()
    play.body(call, b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n")
    *_, told, _ = play.unclaimed
    play.unclaimed = []
    assert isinstance(told, SendBody)
    assert json.loads(told.data)["choices"][0]["message"]["content"] == "a \N{BRIDGE AT NIGHT} b"
