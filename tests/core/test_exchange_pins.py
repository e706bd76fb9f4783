"""Objects that live at one provider, met again by requests, fail-overs and deletions (decisions 1 and 13)."""

import pytest
from msgspec.json import encode
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, CancelUpstream, EndResponse, ReadBody, Save, SendBody, StartResponse
from gephyr_core.dialects.openai_responses.objects import digest
from gephyr_core.errors import Fault
from gephyr_core.events import ClientGone, RequestBody, RequestEnded, StateRestored, UpstreamFailed
from gephyr_core.pins import LIFETIME
from gephyr_core.records import Pin

KEY = ("k1",)


def event(name: str, number: int, more: str) -> bytes:
    """One event of a Responses stream."""
    return f'event: {name}\ndata: {{"type":"{name}","sequence_number":{number},{more}}}\n\n'.encode()


def created(name: str) -> bytes:
    return event("response.created", 0, f'"response":{{"id":"{name}","object":"response"}}')


def delta(number: int) -> bytes:
    return event("response.output_text.delta", number, '"delta":"x"')


def completed(name: str, number: int) -> bytes:
    return event("response.completed", number, f'"response":{{"id":"{name}","object":"response"}}')


def pinned(*accounts: str, object_id: str = "resp_1", upstream_id: str | None = None) -> Play:
    """A gateway that was restarted with one pin, of account a."""
    play = Play(*(account(name) for name in accounts))
    play.feed(StateRestored([Pin("k1", object_id, "a", "a", play.now + LIFETIME, upstream_id)]))
    play.expect()
    return play


def refused(play: Play, body: bytes, target: str = "/v1/responses", method: str = "POST") -> tuple[int, bytes]:
    """Feed a request that is not to reach a provider; return status and body."""
    play.start(target, method=method, credentials=KEY)
    play.expect(ReadBody)
    if body:
        play.feed(RequestBody(play.exchange, body))
        play.expect()
    play.feed(RequestEnded(play.exchange))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    return start.status, sent.data


def released() -> tuple[Play, CallUpstream]:
    """The client knows attempt 1's id from a keep-alive; attempt 1 broke, and attempt 2 runs."""
    play = Play(account("a"), account("b"))
    call = play.stream_request("/v1/responses", credentials=KEY)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, created("resp_1"))
    play.expect()
    play.wait()
    _, save, sent = play.expect(StartResponse, Save, SendBody)
    assert sent.data == created("resp_1") + b": keep-alive\n\n"
    assert save.record.object_id == "resp_1"
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    second = play.expect(CallUpstream)
    play.head(second, headers=SSE)
    play.expect()
    return play, second


def test_an_id_told_by_a_keep_alive_can_be_asked_for() -> None:
    """A background response is polled by who left before its first content."""
    play = Play(account("a"), account("b"))
    call = play.request(b'{"model":"m","stream":true,"background":true}', "/v1/responses", credentials=KEY)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, created("resp_1"))
    play.expect()
    play.wait()
    play.expect(StartResponse, Save, SendBody)
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    assert play.request(b"", "/v1/responses/resp_1", method="GET", credentials=KEY).account == call.account


def test_a_failure_after_a_fail_over_keeps_the_first_id() -> None:
    play, second = released()
    play.body(second, created("resp_2") + delta(1))
    sent, save = play.expect(SendBody, Save)
    assert sent.data == delta(1)
    assert (save.record.object_id, save.record.upstream_id, save.record.account) == ("resp_1", "resp_2", second.account)
    play.feed(UpstreamFailed(1, 2, Fault.RESET, "reset"))
    last, _ = play.expect(SendBody, EndResponse)
    assert b'"id":"resp_1"' in last.data
    assert b"resp_2" not in last.data
    assert b'"sequence_number":2' in last.data


def test_when_the_last_attempt_fails_before_content_the_stream_ends_as_it_began() -> None:
    play, second = released()
    play.body(second, created("resp_2"))
    play.expect()
    play.feed(UpstreamFailed(1, 2, Fault.RESET, "reset"))
    last, _ = play.expect(SendBody, EndResponse)
    assert last.data.startswith(b"event: response.failed\n")
    assert b'"id":"resp_1"' in last.data
    assert b'"sequence_number":1' in last.data


def test_a_chat_id_is_kept_where_the_second_attempt_opens_with_content() -> None:
    role = b'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    token = b'data: {"id":"%b","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}\n\n'
    play = Play(account("a"), account("b"))
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, role)
    play.expect()
    play.wait()
    play.expect(StartResponse, SendBody)
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    second = play.expect(CallUpstream)
    play.head(second, headers=SSE)
    play.expect()
    play.body(second, token % b"c2")
    assert play.expect(SendBody).data == token % b"c1"


def test_an_attempt_swallows_nothing_of_its_own() -> None:
    """Only another attempt's opening is a repetition."""
    role = b'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    empty = b'data: {"id":"c1","x":1,"choices":[{"index":0,"delta":{}}]}\n\n'
    token = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    play = Play(account())
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, role)
    play.expect()
    play.wait()
    play.expect(StartResponse, SendBody)
    play.body(call, empty)
    play.expect()
    play.body(call, token)
    assert play.expect(SendBody).data == empty + token


def test_a_renamed_object_is_met_under_the_name_the_client_knows() -> None:
    play = pinned("a", "b", upstream_id="resp_2")
    call = play.request(b"", "/v1/responses/resp_1", method="GET", credentials=KEY)
    assert call.target == "/v1/responses/resp_2"
    play.answer(call, b'{"id":"resp_2","object":"response","output":[]}')
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert sent.data == b'{"id":"resp_1","object":"response","output":[]}'
    call = play.request(b'{"model":"m","previous_response_id":"resp_1"}', "/v1/responses", credentials=KEY)
    assert b'"resp_2"' in call.body
    play.answer(call, b'{"id":"resp_3","object":"response","status":"completed","previous_response_id":"resp_2"}')
    save, _, sent, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert (save.record.object_id, save.record.upstream_id) == ("resp_3", None)
    assert b'"previous_response_id":"resp_1"' in sent.data


@pytest.mark.parametrize(
    ("target", "object_id", "reply"),
    [
        ("/v1/responses/resp_1", "resp_1", b'{"id":"resp_1","object":"response","deleted":true}'),
        ("/v1/conversations/conv_1", "conv_1", b'{"id":"conv_1","object":"conversation.deleted","deleted":true}'),
    ],
)
def test_a_deleted_object_is_forgotten(target: str, object_id: str, reply: bytes) -> None:
    """In memory and in the store: a record that has expired is what removes it there."""
    play = pinned("a", object_id=object_id)
    play.answer(play.request(b"", target, method="DELETE", credentials=KEY), reply)
    save, _, _, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert (save.record.object_id, save.record.expires_at) == (object_id, play.now)
    assert refused(play, b"", target, "DELETE")[0] == 404


def test_a_deletion_that_failed_forgets_nothing() -> None:
    play = pinned("a")
    play.answer(play.request(b"", "/v1/responses/resp_1", method="DELETE", credentials=KEY), b"{}", 500)
    play.expect(StartResponse, SendBody, EndResponse)
    play.request(b"", "/v1/responses/resp_1", method="GET", credentials=KEY)


def test_polling_saves_a_pin_once_a_day_at_most() -> None:
    play = pinned("a")
    reply = b'{"id":"resp_1","object":"response","status":"in_progress"}'
    play.answer(play.request(b"", "/v1/responses/resp_1", method="GET", credentials=KEY), reply)
    play.expect(StartResponse, SendBody, EndResponse)
    play.now += 90_000
    play.answer(play.request(b"", "/v1/responses/resp_1", method="GET", credentials=KEY), reply)
    play.expect(Save, StartResponse, SendBody, EndResponse)


def test_a_new_conversation_belongs_to_its_account() -> None:
    play = Play(account("a"), account("b"))
    call = play.request(b"{}", "/v1/conversations", credentials=KEY)
    play.answer(call, b'{"id":"conv_1","object":"conversation","created_at":1,"metadata":{}}')
    save, *_ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert save.record.object_id == "conv_1"
    for target in ("/v1/conversations/conv_1", "/v1/conversations/conv_1/items?limit=2"):
        assert play.request(b"", target, method="GET", credentials=KEY).account == call.account


def test_compacted_items_belong_to_their_organisation() -> None:
    play = Play(account("a", organization="one"), account("b", organization="two"))
    call = play.request(b'{"model":"m","input":"x"}', "/v1/responses/compact", credentials=KEY)
    reply = b'{"id":"cmp_1","object":"response.compaction","output":[{"type":"compaction","encrypted_content":"s"}]}'
    play.answer(call, reply)
    *saves, _, _, _ = play.expect(Save, Save, StartResponse, SendBody, EndResponse)
    assert digest("s") in [save.record.object_id for save in saves]
    again = b'{"model":"m","input":[{"type":"compaction","encrypted_content":"s"}]}'
    for _ in range(3):
        assert play.request(again, "/v1/responses", credentials=KEY).account == call.account


def test_an_object_whose_account_is_gone_is_not_found() -> None:
    play = pinned("b")
    for method in ("GET", "DELETE"):
        assert refused(play, b"", "/v1/responses/resp_1", method)[0] == 404
    assert refused(play, b'{"model":"m","previous_response_id":"resp_1"}')[0] == 404


def test_a_pin_ends_with_its_time() -> None:
    play = pinned("a")
    play.now += LIFETIME
    assert refused(play, b"", "/v1/responses/resp_1", "GET")[0] == 404


def test_beside_an_object_another_organisations_reasoning_is_left_out() -> None:
    """Only the object's account can be asked, and it does not take what another one encrypted."""
    play = pinned("a", "b")
    play.feed(StateRestored([Pin("k1", digest("s"), "b", "b", play.now + 9)]))
    play.expect()
    body = b'{"model":"m","previous_response_id":"resp_1","input":["x",{"type":"reasoning","encrypted_content":"s"}]}'
    call = play.request(body, "/v1/responses", credentials=KEY)
    assert (call.account, call.body) == ("a", b'{"model":"m","previous_response_id":"resp_1","input":["x"]}')


@pytest.mark.parametrize("kind", ["compaction", "reasoning"])
def test_beside_an_object_what_cannot_be_left_out_is_refused(kind: str) -> None:
    """What another organisation compacted, or its reasoning where there is nothing else: without it the conversation
    could not go on, and with it nobody would take it."""
    play = pinned("a", "b")
    play.feed(StateRestored([Pin("k1", digest("s"), "b", "b", play.now + 9)]))
    play.expect()
    item = {"type": kind, "encrypted_content": "s"}
    status, sent = refused(play, encode({"model": "m", "previous_response_id": "resp_1", "input": [item]}))
    assert (status, b'"param":"input"' in sent) == (400, True)


def test_a_pinned_account_that_is_limited_is_no_reason_to_ask_another() -> None:
    play = pinned("a", "b")
    body = b'{"model":"m","previous_response_id":"resp_1"}'
    call = play.request(body, "/v1/responses", credentials=KEY)
    play.answer(call, b'{"error":{"message":"slow"}}', 429, [*JSON, (b"retry-after", b"50")])
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429
    status, _ = refused(play, body)
    assert status == 429
