"""Which silences are bridged, and which must not be: a keep-alive before the head fixes the status at 200."""

import json

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, DetachUpstream, EndResponse, ReadBody, SendBody, StartResponse
from gephyr_core.config import SchedulingConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import RequestBody, RequestEnded, StateRestored, UpstreamFailed
from gephyr_core.pins import LIFETIME
from gephyr_core.records import Pin

WHOLE = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}]}'
MISTAKE = b'{"error":{"message":"messages: too short"}}'


def test_a_slow_upload_is_no_silence_of_the_provider() -> None:
    """The client's own 30 seconds do not cost it the status of an error that comes at once."""
    play = Play(account())
    play.start()
    play.expect(ReadBody)
    for at in (1010.0, 1020.0, 1030.0):
        play.feed(RequestBody(1, b'{"model":"m",' if at == 1010.0 else b" "), at=at)
        play.expect()
    play.feed(RequestBody(1, b'"stream":true}'))
    play.expect()
    play.feed(RequestEnded(1))
    call = play.expect(CallUpstream)
    while play.gateway.deadline < 1040.0:
        play.wait()
        play.expect()
    play.answer(call, MISTAKE, 400)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (400, MISTAKE)


@pytest.mark.parametrize(("status", "body"), [(200, WHOLE), (400, MISTAKE)])
def test_a_reply_that_is_no_stream_is_never_bridged(status: int, body: bytes) -> None:
    """Although a stream was asked for: its commit point is its head (decision 1)."""
    play = Play(account())
    call = play.stream_request()
    play.head(call, status, JSON)
    play.expect()
    play.body(call, body[:10])
    play.expect()
    play.now += 60
    play.body(call, body[10:])
    play.expect()
    play.end(call)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == status
    assert (b'"content":"hi"' if status == 200 else body) in sent.data


def test_where_a_stream_has_begun_the_silence_of_an_error_is_bridged_too() -> None:
    play = Play(account("a", "anthropic"))
    call = play.stream_request("/v1/messages")
    play.wait()
    play.expect(StartResponse, SendBody)
    play.head(call, 529, JSON)
    play.expect()
    while not play.wait():
        play.expect()
    assert play.expect(SendBody).data.startswith(b"event: ping\n")


@pytest.mark.parametrize(
    ("provider", "target"),
    [
        ("openai", "/v1/embeddings"),
        ("openai", "/v1/moderations"),
        ("openai", "/v1/responses/compact"),
        ("openai", "/v1/responses/input_tokens"),
        ("anthropic", "/v1/messages/count_tokens"),
    ],
)
def test_what_never_streams_is_never_bridged(provider: str, target: str) -> None:
    """Whatever the body says: clients count the tokens of the very request they would send."""
    play = Play(account("a", provider))
    call = play.request(b'{"model":"m","stream":true,"input":"x"}', target)
    assert (b"accept-encoding", b"identity") not in call.headers
    while play.gateway.deadline < 1100.0:
        play.wait()
        play.expect()
    play.answer(call, b'{"input_tokens":3}')
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.headers[0] == JSON[0]


def test_a_resumed_stream_is_bridged_like_any_other() -> None:
    """GET /v1/responses/{id}?stream=true: a background response may be silent for long."""
    play = Play(account())
    play.feed(StateRestored([Pin("k1", "resp_1", "a", "a", play.now + LIFETIME)]))
    play.expect()
    target = "/v1/responses/resp_1?stream=true&starting_after=7"
    call = play.request(b"", target, method="GET", credentials=("k1",))
    assert call.target == target
    play.head(call, headers=SSE)
    play.expect()
    play.wait()
    start, sent = play.expect(StartResponse, SendBody)
    assert (start.status, sent.data) == (200, b": keep-alive\n\n")
    event = (
        b'event: response.completed\ndata: {"type":"response.completed","sequence_number":8,"response":{"id":"%b"}}\n\n'
    )
    play.body(call, event % b"resp_1")
    _, sent, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert sent.data == event % b"resp_1"
    play.finish()


def test_waiting_for_a_busy_account_is_bridged_too() -> None:
    play = Play(account("a", max_concurrency=1), scheduling=SchedulingConfig(acquire_timeout=30))
    play.request()
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(2, b'{"model":"m","stream":true}'))
    play.expect()
    play.feed(RequestEnded(2))
    play.expect()
    play.wait()
    start, _ = play.expect(StartResponse, SendBody)
    assert (play.now, start.exchange) == (1010.0, 2)


MESSAGE_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
)


WHOLES = {
    "deepseek": {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    },
    "anthropic": {
        "id": "msg_2",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}


@pytest.mark.parametrize("provider", WHOLES)
def test_a_stream_that_has_begun_goes_on_with_a_whole_reply(provider: str) -> None:
    """The first account's opening event was released with a keep-alive. The second account answers all at once, in its
    own dialect or in another: its client sees one opening event, and one reply."""
    play = Play(account("a", "anthropic", priority=2, models=("m",)), account("b", provider, models=("m",)))
    call = play.stream_request("/v1/messages")
    play.head(call)
    play.expect()
    play.body(call, MESSAGE_START)
    play.expect()
    while not play.wait():
        play.expect()
    _, opening = play.expect(StartResponse, SendBody)
    assert opening.data.count(b"event: message_start") == 1
    play.feed(UpstreamFailed(call.exchange, call.attempt, Fault.RESET, "reset", sent=Sent.ALL))
    second = play.expect(CallUpstream)
    assert second.account == "b"
    play.answer(second, json.dumps(WHOLES[provider]).encode(), headers=JSON)
    sent, _ = play.expect(SendBody, EndResponse)
    assert b"message_start" not in sent.data
    assert b'"text":"hi"' in sent.data
    assert sent.data.count(b"event: message_stop") == 1
    play.finish()
