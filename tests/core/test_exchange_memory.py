"""Replies and preludes count as held beside requests' bodies, within one limit for all (``max_buffered_bytes``)."""

import gzip
import json
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, CancelUpstream, EndResponse, Load, ReadBody, SendBody, StartResponse
from gephyr_core.config import ProviderConfig, ServerConfig, UpstreamConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import ClientGone, DrainRequested, RequestBody, RequestEnded, TimePassed, UpstreamFailed
from gephyr_core.http import header

REQUEST = b'{"model":"m","messages":[]}'
STREAM = b'{"model":"m","stream":true,"messages":[]}'
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ANTHROPIC_REQUEST = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'


def reply(size: int) -> bytes:
    """A whole chat completion of about *size* bytes."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "x" * size}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


def chunk(**delta: str) -> bytes:
    """An event of a chat stream."""
    return b"data: %b\n\n" % json.dumps({"id": "c", "choices": [{"index": 0, "delta": delta}]}).encode()


def limited(size: int, *accounts: str, **more: object) -> Play:
    """A gateway that holds *size* bytes at most."""
    names = accounts or ("a",)
    return Play(*(account(name) for name in names), server=ServerConfig(max_buffered_bytes=size), **more)


def test_a_whole_reply_counts_until_it_is_handed_on() -> None:
    play = limited(10_000)
    call = play.request(REQUEST)
    play.head(call)
    play.expect()
    body = reply(1000)
    for part in (body[:700], body[700:]):
        play.body(call, part)
        play.expect()
    assert play.gateway.buffered_bytes == len(REQUEST) + len(body)
    play.end(call)
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.gateway.buffered_bytes == 0


def test_a_reply_that_would_exceed_the_limit_ends_as_502_and_nobody_else_is_asked() -> None:
    """Another account's reply would be as large; and it is not the account that is at fault."""
    play = limited(1000, "a", "b")
    call = play.request(REQUEST)
    play.head(call)
    play.expect()
    play.body(call, reply(500))
    play.expect()
    play.body(call, b" " * 500)
    cancel, start, sent, _ = play.expect(CancelUpstream, StartResponse, SendBody, EndResponse)
    assert (cancel.attempt, start.status) == (1, 502)
    assert "too large to hold" in json.loads(sent.data)["error"]["message"]
    assert play.gateway.buffered_bytes == 0
    assert play.events == []
    [attempt] = play.records[0].attempts
    assert attempt.outcome == "too_large"
    play.answer(play.request(REQUEST), reply(1))
    assert play.expect(StartResponse, SendBody, EndResponse)[0].status == 200
    play.finish()


@pytest.mark.parametrize("target", [CHAT, MESSAGES, "/v1/responses"])
def test_the_failure_is_told_in_the_clients_dialect(target: str) -> None:
    provider = "anthropic" if target == MESSAGES else "openai"
    play = Play(account("a", provider), server=ServerConfig(max_buffered_bytes=300))
    call = play.request(ANTHROPIC_REQUEST if target == MESSAGES else b'{"model":"m","input":"x"}', target)
    play.head(call)
    play.expect()
    play.body(call, b"{" + b" " * 400)
    _, start, sent, _ = play.expect(CancelUpstream, StartResponse, SendBody, EndResponse)
    assert start.status == 502
    assert "too large to hold" in json.loads(sent.data)["error"]["message"]
    play.finish()


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_what_a_reply_expands_to_counts(coding: bytes) -> None:
    play = limited(2000)
    call = play.request(REQUEST)
    play.head(call, 200, [*JSON, (b"content-encoding", coding)])
    play.expect()
    packed = gzip.compress(reply(5000)) if coding == b"gzip" else zlib.compress(reply(5000))
    assert len(packed) < 500
    play.body(call, packed)
    assert play.expect(CancelUpstream, StartResponse, SendBody, EndResponse)[1].status == 502
    assert play.gateway.buffered_bytes == 0


def test_requests_are_refused_while_replies_fill_the_memory() -> None:
    play = limited(1000)
    call = play.request(REQUEST)
    play.head(call)
    play.expect()
    play.body(call, reply(800))
    play.expect()
    play.start(headers=[(b"content-length", b"100")])
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"retry-after")) == (503, b"1")
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, b" " * 100))
    assert play.expect(StartResponse, SendBody, EndResponse)[0].status == 503
    play.end(call)
    assert play.expect(StartResponse, SendBody, EndResponse)[0].status == 200, "who was there first is served"
    assert play.gateway.buffered_bytes == 0


def test_a_reply_assembled_from_a_stream_counts() -> None:
    """``collect = "always"``: the provider streams, the client gets a whole reply."""
    play = Play(
        account("a"),
        server=ServerConfig(max_buffered_bytes=1000),
        providers={"openai": ProviderConfig(collect="always")},
    )
    call = play.request(REQUEST)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, chunk(content="x" * 300))
    play.expect()
    assert play.gateway.buffered_bytes > 300
    play.body(call, chunk(content="x" * 700))
    assert play.expect(CancelUpstream, StartResponse, SendBody, EndResponse)[1].status == 502
    assert play.gateway.buffered_bytes == 0


def test_a_held_prelude_counts_and_is_let_go_when_memory_is_short() -> None:
    """To commit a stream early costs a chance to fail over; to hold it would cost what others need."""
    play = limited(400)
    call = play.request(STREAM)
    play.head(call, headers=SSE)
    play.expect()
    opening = chunk(role="assistant")
    play.body(call, opening)
    play.expect()
    assert play.gateway.buffered_bytes == len(STREAM) + len(opening)
    data = opening
    while not play.body(call, chunk(role="assistant")):
        data += opening
        play.expect()
    _, sent = play.expect(StartResponse, SendBody)
    assert sent.data == data + opening
    assert play.gateway.buffered_bytes == 0
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    play.finish()


def test_what_a_keep_alive_releases_is_not_held_any_more() -> None:
    play = limited(10_000)
    call = play.request(STREAM)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, chunk(role="assistant"))
    play.expect()
    play.wait()
    play.expect(StartResponse, SendBody)
    assert play.gateway.buffered_bytes == len(STREAM)


def test_the_replies_of_failed_attempts_count_as_long_as_they_are_kept() -> None:
    """The most useful of them is told at the end."""
    play = limited(100_000, "a", "b")
    call = play.request(REQUEST)
    play.answer(call, b'{"error":{"message":"%b"}}' % (b"x" * 2000), 500)
    again = play.expect(CallUpstream)
    assert play.gateway.buffered_bytes > len(REQUEST) + 2000
    play.answer(again, b"{}", 500)
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.gateway.buffered_bytes == 0


def test_an_error_reply_that_cannot_be_held_still_says_what_it_means() -> None:
    """Its status and headers do: the account is limited, and another one is asked."""
    play = limited(300, "a", "b")
    call = play.request(REQUEST)
    play.head(call, 429, [*JSON, (b"retry-after", b"30")])
    play.expect()
    play.body(call, b" " * 400)
    _, again = play.expect(CancelUpstream, CallUpstream)
    assert again.account != call.account
    play.answer(again, reply(1))
    assert play.expect(StartResponse, SendBody, EndResponse)[0].status == 200
    assert play.gateway.buffered_bytes == 0


def test_a_body_that_waits_for_the_store_counts_as_it_was_decoded() -> None:
    play = Play(account("a"), server=ServerConfig(max_buffered_bytes=4000))
    body = json.dumps({"model": "m", "input": "x" * 3000, "previous_response_id": "resp_gephyr0"}).encode()
    packed = gzip.compress(body)
    play.start("/v1/responses", headers=[(b"content-encoding", b"gzip")])
    play.expect(ReadBody)
    play.feed(RequestBody(1, packed))
    play.expect()
    play.feed(RequestEnded(1))
    play.expect(Load)
    assert play.gateway.buffered_bytes == len(body)
    play.feed(ClientGone(1))
    play.expect()
    assert play.gateway.buffered_bytes == 0


def _act(play: Play, rng: random.Random, calls: list[CallUpstream], began: set[tuple[int, int]]) -> None:
    """One step of a client, a provider or the clock, each within its contract."""
    play.unclaimed = []
    if rng.random() < 0.3 or not calls:
        target, body = rng.choice([(CHAT, REQUEST), (CHAT, STREAM), (MESSAGES, ANTHROPIC_REQUEST)])
        if isinstance(play.start(target)[0], ReadBody):
            play.unclaimed = []
            if not play.feed(RequestBody(play.exchange, body)):
                calls += _calls(play.feed(RequestEnded(play.exchange)))
        return
    call = rng.choice(calls)
    key = (call.exchange, call.attempt)
    what = rng.randrange(7)
    if what == 0:
        calls.remove(call)
        commands = play.feed(UpstreamFailed(*key, rng.choice(list(Fault)), "broke", False, Sent.ALL))
    elif what == 1:
        commands = play.feed(ClientGone(call.exchange))
        calls[:] = [one for one in calls if one.exchange != call.exchange]
    elif what == 2:
        commands = play.feed(TimePassed(), at=play.now + rng.choice((0, 1, 20)))
    elif key not in began:
        began.add(key)
        coding = [(b"content-encoding", b"gzip")] if rng.random() < 0.2 else []
        commands = play.head(call, rng.choice((200, 200, 200, 429, 500, 400)), [*rng.choice((JSON, SSE)), *coding])
    elif what == 3:
        calls.remove(call)
        commands = play.end(call)
    else:
        pieces = (reply(90), chunk(role="a"), chunk(content="x" * 50), gzip.compress(reply(200)), b"data: [DONE]\n\n")
        commands = play.body(call, rng.choice(pieces))
    cancelled = {(one.exchange, one.attempt) for one in commands if isinstance(one, CancelUpstream)}
    calls[:] = [one for one in calls if (one.exchange, one.attempt) not in cancelled]
    calls += _calls(commands)


def _calls(commands: list[object]) -> list[CallUpstream]:
    return [command for command in commands if isinstance(command, CallUpstream)]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((200, 600, 3000)))
def test_when_nothing_is_open_nothing_is_counted(seed: int, most: int) -> None:
    """Each byte that was counted is given back once, whatever becomes of the exchanges."""
    rng = random.Random(seed)
    play = Play(
        account("a"),
        account("b", models=("*",)),
        account("c", "anthropic", models=("*",)),
        server=ServerConfig(max_buffered_bytes=most),
        upstream=UpstreamConfig(max_reply_size=1000),
    )
    calls: list[CallUpstream] = []
    began: set[tuple[int, int]] = set()
    for _ in range(rng.randrange(1, 40)):
        _act(play, rng, calls, began)
        assert play.gateway.buffered_bytes >= 0
    play.unclaimed = []
    play.feed(DrainRequested())
    while play.gateway.open_exchanges:
        play.unclaimed = []
        play.wait()
    play.unclaimed = []
    assert play.gateway.buffered_bytes == 0
    play.finish()


def test_large_buffers_that_are_let_go_are_told() -> None:
    """The runtime gives their memory back to the system; small ones are not worth it."""
    play = limited(10_000_000)
    play.answer(play.request(REQUEST), reply(1000))
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.gateway.released_bytes == 0
    play.answer(play.request(REQUEST), reply(2_000_000))
    play.expect(StartResponse, SendBody, EndResponse)
    assert 2_000_000 < play.gateway.released_bytes < 2_001_000
    body = b'{"model":"m","stream":true,"messages":["' + b"x" * 3_000_000 + b'"]}'
    call = play.request(body)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, chunk(content="x"))
    play.expect(StartResponse, SendBody)
    assert play.gateway.released_bytes > 5_000_000, "a stream lets go of its request when it begins"


def _streamed(store: bool, most: int) -> tuple[Play, CallUpstream]:
    """A stream for a client of Responses from a provider of Chat Completions, of which the first content came."""
    play = Play(account("m", "mistral", models=("*",)), server=ServerConfig(max_buffered_bytes=most))
    body = {"model": "m", "stream": True, "store": store, "input": "hi"}
    call = play.request(json.dumps(body).encode(), "/v1/responses")
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, chunk(content="x" * 100))
    play.expect(StartResponse, SendBody)
    return play, call


def test_what_is_kept_of_a_stream_counts_until_its_end() -> None:
    play, call = _streamed(store=True, most=10_000)
    for _ in range(10):
        play.body(call, chunk(content="x" * 100))
        play.expect(SendBody)
    assert 1100 <= play.gateway.buffered_bytes < 1200
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    assert play.gateway.buffered_bytes == 0


def test_a_stream_that_cannot_be_kept_as_promised_ends_with_an_error() -> None:
    play, call = _streamed(store=True, most=1000)
    for _ in range(7):
        play.body(call, chunk(content="x" * 100))
        play.expect(SendBody)
    play.body(call, chunk(content="x" * 300))
    _, cancel, sent, _ = play.expect(SendBody, CancelUpstream, SendBody, EndResponse)
    assert cancel.attempt == 1
    assert b"response.failed" in sent.data
    assert b"too large to hold" in sent.data
    assert (play.gateway.buffered_bytes, play.events) == (0, [])
    play.finish()


def test_a_stream_of_which_nothing_is_kept_counts_nothing() -> None:
    play, call = _streamed(store=False, most=1000)
    for _ in range(20):
        play.body(call, chunk(content="x" * 100))
        play.expect(SendBody)
    assert play.gateway.buffered_bytes == 0


@pytest.mark.parametrize(("asks", "rest"), [(b"", 315), (b'"reasoning_effort":"high",', 0)], ids=["hidden", "shown"])
def test_reasoning_that_there_is_no_room_to_remember_is_forgotten_and_the_stream_goes_on(
    asks: bytes, rest: int
) -> None:
    """A client of Chat Completions drops it; remembering it is a service, not a promise. What the client is not shown
    does not commit the stream: the request and what was held of the stream stay."""
    play = Play(account("c", "anthropic", models=("*",)), server=ServerConfig(max_buffered_bytes=1000))
    call = play.request(
        b'{"model":"claude-sonnet-4-5",%b"stream":true,"messages":[{"role":"user","content":"hi"}]}' % asks, CHAT
    )
    play.head(call, headers=SSE)
    play.expect()

    def event(name: str, **fields: object) -> bytes:
        return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()

    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    play.body(call, event("message_start", message=message))
    play.unclaimed = []
    block = {"type": "thinking", "thinking": "", "signature": ""}
    play.body(call, event("content_block_start", index=0, content_block=block))
    play.unclaimed = []
    held = []
    for _ in range(20):
        delta = {"type": "thinking_delta", "thinking": "x" * 100}
        play.body(call, event("content_block_delta", index=0, delta=delta))
        assert not any(isinstance(command, EndResponse) for command in play.unclaimed)
        play.unclaimed = []
        held.append(play.gateway.buffered_bytes)
    assert max(held) > 500
    assert held[-1] == rest
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    play.finish()
