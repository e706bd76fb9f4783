"""Responses and conversations that no provider keeps: Gephyr does, and goes on from them."""

from typing import Any

import msgspec

from gephyr_core.commands import (
    CallUpstream,
    DetachUpstream,
    EndResponse,
    Load,
    ReadBody,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.config import TranslationConfig
from gephyr_core.events import ClientGone, Loaded, RequestBody, RequestEnded
from gephyr_core.records import StoredObject
from tests.core.play import SSE, Play, account

ASK = b'{"model":"x","input":"Say hi"}'
HELLO = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":'
    b'{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def chat_only(**translation: Any) -> Play:
    return Play(account("m", "mistral", models=("*",)), translation=TranslationConfig(**translation))


def decoded(data: bytes) -> dict[str, Any]:
    return msgspec.json.decode(data, type=dict[str, Any])


def keep(play: Play, body: bytes = ASK) -> tuple[StoredObject, dict[str, Any]]:
    """Ask for a response, and return what was kept of it and what the client was told."""
    call = play.request(body, "/v1/responses")
    play.answer(call, msgspec.json.encode(HELLO))
    saved, _, sent, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    return saved.record, decoded(sent.data)


def begin_conversation(play: Play, body: bytes) -> Any:
    """Begin a conversation that Gephyr keeps. Return what is saved of it, and the commands of the answer."""
    play.start("/v1/conversations")
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    return play.expect(Save, StartResponse, SendBody, EndResponse)


def ask_store(play: Play, target: str, method: str = "GET", body: bytes = b"") -> Load:
    play.start(target, method=method)
    play.expect(ReadBody)
    if body:
        play.feed(RequestBody(play.exchange, body))
        play.expect()
    play.feed(RequestEnded(play.exchange))
    load = play.expect(Load)
    assert isinstance(load, Load)
    return load


def test_a_response_goes_on_from_one_that_gephyr_keeps() -> None:
    play = chat_only()
    record, told = keep(play)
    assert told["id"] == record.object_id
    body = msgspec.json.encode({"model": "x", "input": "again", "previous_response_id": record.object_id})
    load = ask_store(play, "/v1/responses", "POST", body)
    assert load.object_id == record.object_id
    play.feed(Loaded(play.exchange, load.question, record))
    call = play.expect(CallUpstream)
    assert [message["content"] for message in decoded(call.body)["messages"]] == ["Say hi", "hello", "again"]
    play.answer(call, msgspec.json.encode(HELLO))
    _, _, sent, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert decoded(sent.data)["previous_response_id"] == record.object_id
    play.finish()


def test_a_streamed_response_is_kept_as_soon_as_the_client_knows_its_end() -> None:
    play = chat_only()
    call = play.request(ASK.replace(b'{"', b'{"stream":true,"', 1), "/v1/responses")
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, CHUNK)
    _, saved, _, sent, _ = play.expect(StartResponse, Save, DetachUpstream, SendBody, EndResponse)
    assert b"response.completed" in sent.data
    assert saved.record.object_id.encode() in sent.data
    play.finish()


def test_store_false_leaves_nothing() -> None:
    play = chat_only()
    call = play.request(b'{"model":"x","input":"hi","store":false}', "/v1/responses")
    play.answer(call, msgspec.json.encode(HELLO))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert decoded(sent.data)["store"] is False


def test_a_response_that_is_not_kept_is_404() -> None:
    play = chat_only()
    load = ask_store(play, "/v1/responses", "POST", b'{"model":"x","input":"a","previous_response_id":"resp_gephyr0"}')
    play.feed(Loaded(play.exchange, load.question, None))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 404
    assert decoded(sent.data)["error"]["code"] == "previous_response_not_found"


def test_a_store_that_cannot_be_read_is_503_and_not_404() -> None:
    play = chat_only()
    load = ask_store(play, "/v1/responses/resp_gephyr0")
    play.feed(Loaded(play.exchange, load.question, None, failed=True))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503


def test_a_store_that_is_silent_is_not_waited_for_forever() -> None:
    play = chat_only()
    ask_store(play, "/v1/responses/resp_gephyr0")
    play.wait()
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503
    play.finish()


def test_a_client_that_leaves_while_the_store_is_asked_leaves_nothing_behind() -> None:
    play = chat_only()
    ask_store(play, "/v1/responses/resp_gephyr0")
    play.feed(ClientGone(play.exchange))
    play.expect()
    play.finish()


def test_a_kept_response_is_told_and_deleted() -> None:
    play = chat_only()
    record, told = keep(play)
    load = ask_store(play, f"/v1/responses/{record.object_id}")
    play.feed(Loaded(play.exchange, load.question, record))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert decoded(sent.data) == told
    load = ask_store(play, f"/v1/responses/{record.object_id}/input_items")
    play.feed(Loaded(play.exchange, load.question, record))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert [item["content"] for item in decoded(sent.data)["data"]] == ["Say hi"]
    load = ask_store(play, f"/v1/responses/{record.object_id}", "DELETE")
    play.feed(Loaded(play.exchange, load.question, record))
    saved, _, sent, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert decoded(sent.data)["deleted"] is True
    assert saved.record.expires_at <= play.now


def test_a_conversation_grows_with_what_is_said_in_it() -> None:
    play = chat_only()
    saved, _, sent, _ = begin_conversation(play, b'{"items":[{"role":"user","content":"I am Ann"}]}')
    conversation = decoded(sent.data)["id"]
    body = msgspec.json.encode({"model": "x", "input": "Who am I?", "conversation": conversation})
    load = ask_store(play, "/v1/responses", "POST", body)
    play.feed(Loaded(play.exchange, load.question, saved.record))
    call = play.expect(CallUpstream)
    assert [message["content"] for message in decoded(call.body)["messages"]] == ["I am Ann", "Who am I?"]
    play.answer(call, msgspec.json.encode(HELLO))
    _, grown, _, _, _ = play.expect(Save, Save, StartResponse, SendBody, EndResponse)
    load = ask_store(play, f"/v1/conversations/{conversation}/items?order=asc")
    play.feed(Loaded(play.exchange, load.question, grown.record))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert [item["role"] for item in decoded(sent.data)["data"]] == ["user", "user", "assistant"]


def test_what_is_no_item_is_left_out_of_a_conversation() -> None:
    """A client's mistake in one place takes nothing else away, and those that stay have an id each."""
    play = chat_only()
    saved, _, sent, _ = begin_conversation(play, b'{"items":["odd",{"role":"user","content":"I am Ann"},null,7,[]]}')
    load = ask_store(play, f"/v1/conversations/{decoded(sent.data)['id']}/items")
    play.feed(Loaded(play.exchange, load.question, saved.record))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    (item,) = decoded(sent.data)["data"]
    assert (item["type"], item["content"], bool(item["id"])) == ("message", "I am Ann", True)


def test_where_nothing_is_to_be_kept_what_needs_it_is_refused() -> None:
    play = chat_only(stored_responses="refuse")
    assert play.refused(b'{"model":"x","input":"hi","store":true}', "/v1/responses").status == 400
    assert play.refused(b"{}", "/v1/conversations").status == 404
    call = play.request(ASK, "/v1/responses")
    play.answer(call, msgspec.json.encode(HELLO))
    play.expect(StartResponse, SendBody, EndResponse)
    play.finish()


def test_what_runs_in_the_background_is_refused_clearly() -> None:
    refusal = chat_only().refused(b'{"model":"x","input":"hi","background":true}', "/v1/responses")
    assert refusal.status == 400
    assert b"background" in refusal.body
