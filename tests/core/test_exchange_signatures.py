"""Signed reasoning goes back to the organisation that signed it, and to nobody else."""

from typing import Any

import msgspec

from gephyr_core.commands import CallUpstream, EndResponse, Save, SendBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.conversation.parts import Origin, Signature
from gephyr_core.conversation.signatures import organization_digest, seal
from gephyr_core.http import header
from tests.core.play import SSE, Play, account

SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-7",
    "content": [SIGNED, {"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
FULL = [(b"content-type", b"application/json"), (b"retry-after", b"300")]


def history(*blocks: dict[str, Any]) -> bytes:
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [*blocks, {"type": "text", "text": "hello"}]},
        {"role": "user", "content": "again"},
    ]
    return msgspec.json.encode({"model": "claude-opus-4-7", "max_tokens": 9, "messages": turns})


def learned(play: Play) -> str:
    """Have thinking signed, and return whose account did it."""
    call = play.request(history(), "/v1/messages")
    play.answer(call, msgspec.json.encode(MESSAGE))
    play.expect(Save, StartResponse, SendBody, EndResponse)
    return call.account


def test_signed_thinking_stays_with_its_organisation_and_its_bytes_unedited() -> None:
    play = Play(account("a", "anthropic"), account("b", "anthropic"))
    signer = learned(play)
    for _ in range(3):
        body = history(SIGNED)
        call = play.request(body, "/v1/messages")
        assert (call.account, call.body) == (signer, body)
        play.answer(call, msgspec.json.encode({**MESSAGE, "content": []}))
        play.expect(StartResponse, SendBody, EndResponse)


def test_elsewhere_the_thinking_is_left_out_and_the_client_is_told() -> None:
    play = Play(account("a", "anthropic"), account("b", "anthropic"))
    signer = learned(play)
    call = play.request(history(SIGNED), "/v1/messages")
    play.answer(call, b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}', 429, FULL)
    other = play.expect(CallUpstream)
    assert other.account != signer
    assert b"c2lnbmVk" not in other.body
    assert msgspec.json.decode(other.body)["messages"][1]["content"] in (
        "hello",
        [{"type": "text", "text": "hello"}],
    )
    play.answer(other, msgspec.json.encode({**MESSAGE, "content": []}))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert header(start.headers, b"x-gephyr-dropped") == b"messages[1].content[0]"


def test_accounts_of_one_organisation_share_their_reasoning() -> None:
    play = Play(account("a", "anthropic", organization="acme"), account("b", "anthropic", organization="acme"))
    learned(play)
    bodies = {}
    for name in ("one", "two"):
        call = play.request(history(SIGNED), "/v1/messages", headers=[(b"x-session-id", name.encode())])
        bodies[call.account] = call.body
        play.answer(call, msgspec.json.encode({**MESSAGE, "content": []}))
        play.expect(StartResponse, SendBody, EndResponse)
    assert bodies == dict.fromkeys(("a", "b"), history(SIGNED))


def test_a_streamed_signature_is_remembered_too() -> None:
    play = Play(account("a", "anthropic"))
    call = play.request(history().replace(b'{"model"', b'{"stream":true,"model"'), "/v1/messages")
    play.head(call, headers=SSE)
    play.expect()
    play.body(
        call,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",'
        b'"signature":"c2lnbmVk"}}\n\n',
    )
    play.expect(StartResponse, SendBody, Save)


def test_what_another_provider_signed_never_reaches_one_of_the_clients_own_dialect() -> None:
    sealed = {**SIGNED, "signature": seal(Signature("Z2VtaW5p", Origin("gemini", "", organization_digest("g"))))}
    play = Play(account("a", "anthropic"))
    call = play.request(history(sealed), "/v1/messages")
    assert call.target == "/v1/messages"
    assert b"Z2VwaHly" not in call.body
    assert b'"thinking"' not in call.body
    assert b'"again"' in call.body


def test_what_was_sealed_for_a_client_goes_back_to_its_maker_as_it_was() -> None:
    play = Play(account("o", "openai"), models=ModelsConfig(routes={"claude-opus-4-7": ("openai/gpt-5.6",)}))
    seal_of_own = seal(Signature("ENC", Origin("openai-responses", "", organization_digest("o")), "rs_1"))
    call = play.request(history({**SIGNED, "signature": seal_of_own}), "/v1/messages")
    items = msgspec.json.decode(call.body)["input"]
    (reasoning,) = [item for item in items if item.get("type") == "reasoning"]
    assert (reasoning["id"], reasoning["encrypted_content"]) == ("rs_1", "ENC")
