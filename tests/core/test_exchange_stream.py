"""Streams: the prelude, the commit point, keep-alives, and exactly one terminal event."""

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelUpstream,
    DetachUpstream,
    EndResponse,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.config import UpstreamConfig
from gephyr_core.errors import Fault
from gephyr_core.events import ClientBlocked, ClientGone, ClientReady, UpstreamBody, UpstreamFailed
from gephyr_core.http import header

ROLE = b'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
TOKEN = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
OPENED = b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
BLOCK = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


def anthropic_stream(play: Play) -> CallUpstream:
    call = play.stream_request("/v1/messages")
    play.head(call, headers=SSE)
    play.expect()
    return call


def test_the_prelude_is_held_until_content_comes() -> None:
    play = Play(account())
    call = play.stream_request()
    assert header(call.headers, b"accept-encoding") == b"identity"
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, ROLE)
    play.expect()
    play.body(call, TOKEN)
    start, first = play.expect(StartResponse, SendBody)
    assert (start.status, first.data) == (200, ROLE + TOKEN)
    assert header(start.headers, b"content-length") is None
    play.body(call, TOKEN + DONE[:5])
    assert play.expect(SendBody).data == TOKEN
    play.body(call, DONE[5:])
    _, last, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert last.data == DONE
    play.end(call)
    play.expect()
    assert play.records[0].outcome == "ok"
    play.finish()


def test_an_error_event_before_content_fails_over() -> None:
    play = Play(account("a", "anthropic"), account("b", "anthropic"))
    call = anthropic_stream(play)
    play.body(call, OPENED + OVERLOADED)
    left, second = play.expect(DetachUpstream, CallUpstream)
    assert left.attempt == 1
    play.head(second, headers=SSE)
    play.expect()
    play.body(second, OPENED + BLOCK + DELTA)
    _, sent = play.expect(StartResponse, SendBody)
    assert sent.data == OPENED + BLOCK + DELTA
    play.body(second, STOP)
    play.expect(DetachUpstream, SendBody, EndResponse)
    play.finish()


def test_when_every_stream_is_overloaded_the_client_gets_the_status() -> None:
    """Nothing was sent yet, so the SDK can raise its own class: 529 for Anthropic."""
    play = Play(account("a", "anthropic"))
    call = anthropic_stream(play)
    play.body(call, OVERLOADED)
    _, start, sent, _ = play.expect(DetachUpstream, StartResponse, SendBody, EndResponse)
    assert start.status == 529
    assert b"overloaded_error" in sent.data


@pytest.mark.parametrize(
    ("provider", "target", "content", "terminal"),
    [
        ("openai", "/v1/chat/completions", TOKEN, b'data: {"error"'),
        ("anthropic", "/v1/messages", BLOCK + DELTA, b"event: error\n"),
        (
            "openai",
            "/v1/responses",
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,"delta":"x"}\n\n',
            b"event: response.failed\n",
        ),
        (
            "gemini",
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}\r\n\r\n',
            b'{"error"',
        ),
    ],
)
def test_a_reset_after_the_commit_point_ends_with_one_terminal_event(
    provider: str, target: str, content: bytes, terminal: bytes
) -> None:
    play = Play(account("a", provider), account("b", provider))
    call = play.stream_request(target)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, content + b"data: {half")
    _, sent = play.expect(StartResponse, SendBody)
    assert sent.data == content
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset by peer"))
    last, _ = play.expect(SendBody, EndResponse)
    assert last.data.startswith(terminal)
    assert b"half" not in last.data
    assert play.records[0].outcome == "failed"
    play.finish()


def test_a_clean_end_without_a_terminal_is_a_failure_where_the_dialect_demands_one() -> None:
    play = Play(account("a", "anthropic"))
    call = anthropic_stream(play)
    play.body(call, OPENED + BLOCK + DELTA)
    play.expect(StartResponse, SendBody)
    play.end(call)
    last, _ = play.expect(SendBody, EndResponse)
    assert last.data.startswith(b"event: error\n")


def test_a_clean_end_of_a_chat_stream_is_left_as_it_came() -> None:
    play = Play(account())
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, TOKEN)
    play.expect(StartResponse, SendBody)
    play.end(call)
    play.expect(EndResponse)
    assert play.records[0].outcome == "ok"


def test_a_providers_own_error_event_is_the_terminal() -> None:
    play = Play(account("a", "anthropic"))
    call = anthropic_stream(play)
    play.body(call, OPENED + BLOCK + DELTA + OVERLOADED)
    _, _, sent, last, _ = play.expect(StartResponse, DetachUpstream, SendBody, SendBody, EndResponse)
    assert (sent.data, last.data) == (OPENED + BLOCK + DELTA, OVERLOADED)
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    play.expect()


def test_silence_before_the_head_is_bridged_and_fail_over_goes_on() -> None:
    play = Play(account("a", "anthropic"), account("b", "anthropic"))
    call = play.stream_request("/v1/messages")
    play.wait()
    start, ping = play.expect(StartResponse, SendBody)
    assert play.now == 1010.0
    assert (start.status, ping.data) == (200, b'event: ping\ndata: {"type": "ping"}\n\n')
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    second = play.expect(CallUpstream)
    play.head(second, headers=SSE)
    play.expect()
    play.body(second, OPENED + BLOCK + DELTA + STOP)
    _, sent, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert sent.data == OPENED + BLOCK + DELTA + STOP
    assert play.records[0].keepalives == 1
    assert call.attempt == 1
    play.finish()


def test_an_opening_released_by_a_keep_alive_is_not_repeated() -> None:
    """The client has seen message_start: the next attempt's own is swallowed."""
    play = Play(account("a", "anthropic"), account("b", "anthropic"))
    call = anthropic_stream(play)
    play.body(call, OPENED + BLOCK)
    play.expect()
    play.wait()
    _, sent = play.expect(StartResponse, SendBody)
    assert sent.data == OPENED + b'event: ping\ndata: {"type": "ping"}\n\n'
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    second = play.expect(CallUpstream)
    play.head(second, headers=SSE)
    play.expect()
    play.body(second, OPENED.replace(b"msg_1", b"msg_2") + BLOCK + DELTA)
    assert play.expect(SendBody).data == BLOCK + DELTA


def test_the_first_released_id_is_kept() -> None:
    play = Play(account("a"), account("b"))
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, ROLE)
    play.expect()
    play.wait()
    play.expect(StartResponse, SendBody)
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    second = play.expect(CallUpstream)
    play.head(second, headers=SSE)
    play.expect()
    play.body(second, (ROLE + TOKEN).replace(b'"c1"', b'"c2"'))
    assert play.expect(SendBody).data == TOKEN
    play.body(second, TOKEN.replace(b'"c1"', b'"c2"'))
    assert play.expect(SendBody).data == TOKEN


def test_a_failure_after_a_keep_alive_is_told_in_the_stream() -> None:
    play = Play(account("a", "anthropic"))
    call = play.stream_request("/v1/messages")
    play.wait()
    play.expect(StartResponse, SendBody)
    play.answer(call, b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}', 429, JSON)
    last, _ = play.expect(SendBody, EndResponse)
    assert last.data.startswith(b"event: error\n")
    assert b"rate_limit_error" in last.data
    play.finish()


def test_a_ping_never_vouches_for_a_dead_provider() -> None:
    """Keep-alives go on, but our own idle limit ends the stream."""
    play = Play(account("a", "anthropic"), upstream=UpstreamConfig(idle_timeout=25.0))
    call = anthropic_stream(play)
    play.body(call, OPENED + BLOCK + DELTA)
    play.expect(StartResponse, SendBody)
    for _ in range(2):
        play.wait()
        play.expect(SendBody)
    play.wait()
    cancel, last, _ = play.expect(CancelUpstream, SendBody, EndResponse)
    assert play.now == 1025.0
    assert cancel.attempt == call.attempt
    assert b"timeout_error" in last.data
    play.finish()


def test_a_stalled_head_fails_over_at_the_first_byte_limit() -> None:
    play = Play(account("a"), account("b"), upstream=UpstreamConfig(first_byte_timeout=4.0))
    play.stream_request()
    play.wait()
    _, second = play.expect(CancelUpstream, CallUpstream)
    assert (play.now, second.attempt) == (1004.0, 2)


def test_while_the_client_is_blocked_the_idle_clock_stands() -> None:
    play = Play(account(), upstream=UpstreamConfig(idle_timeout=20.0))
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, TOKEN)
    play.expect(StartResponse, SendBody)
    play.feed(ClientBlocked(1))
    play.expect()
    play.wait()
    play.expect()
    play.feed(ClientReady(1), at=1050.0)
    play.expect()
    play.wait()
    play.expect(SendBody)  # a keep-alive
    assert play.now == 1060.0
    play.feed(ClientBlocked(1))
    play.expect()
    while not play.wait():
        play.expect()
    play.expect(CancelUpstream, AbortResponse)
    assert play.now == 1120.0
    play.finish()


@pytest.mark.parametrize("phase", ["calling", "prelude", "collecting", "relaying"])
def test_the_client_leaving_cancels_the_call_and_frees_the_lease(phase: str) -> None:
    play = Play(account())
    call = play.stream_request()
    if phase != "calling":
        play.head(call, headers=JSON if phase == "collecting" else SSE)
        play.expect()
    if phase == "relaying":
        play.body(call, TOKEN)
        play.expect(StartResponse, SendBody)
    play.feed(ClientGone(1))
    assert play.expect(CancelUpstream).attempt == 1
    play.feed(UpstreamBody(1, 1, TOKEN))
    play.expect()
    assert play.records[0].outcome == "client_gone"
    play.finish()


def test_late_news_of_an_old_attempt_is_ignored() -> None:
    play = Play(account("a"), account("b"), upstream=UpstreamConfig(first_byte_timeout=1.0))
    call = play.stream_request()
    play.wait()
    _, second = play.expect(CancelUpstream, CallUpstream)
    play.head(call, headers=SSE)
    play.expect()
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "late"))
    play.expect()
    play.head(second, headers=SSE)
    play.expect()


def test_a_line_without_end_is_a_fault() -> None:
    play = Play(account(), upstream=UpstreamConfig(max_sse_line=1024))
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, b"data: " + b"x" * 2000)
    _, start, _, _ = play.expect(CancelUpstream, StartResponse, SendBody, EndResponse)
    assert start.status == 502


def test_a_stored_response_is_pinned_to_its_account() -> None:
    """Only the account that made it is asked, and only for the key that made it."""
    created = (
        b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response"}}\n\n'
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":1,"delta":"x"}\n\n'
        b'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":{"id":"resp_1"}}\n\n'
    )
    play = Play(account("a"), account("b"))
    call = play.stream_request("/v1/responses", credentials=("k1",))
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, created)
    _, save, *_ = play.expect(StartResponse, Save, DetachUpstream, SendBody, EndResponse)
    assert (save.record.owner, save.record.object_id, save.record.account) == ("k1", "resp_1", call.account)
    for _ in range(3):
        got = play.request(b"", "/v1/responses/resp_1", method="GET", credentials=("k1",))
        assert (got.account, got.method, got.target) == (call.account, "GET", "/v1/responses/resp_1")
        body = b'{"model":"m","input":"more","previous_response_id":"resp_1"}'
        assert play.request(body, "/v1/responses", credentials=("k1",)).account == call.account


def test_a_last_event_without_its_blank_line_still_counts() -> None:
    """The provider closed right after its terminal event: the stream is whole."""
    play = Play(account("a", "anthropic"))
    call = anthropic_stream(play)
    play.body(call, OPENED + BLOCK + DELTA + STOP[:-2])
    play.expect(StartResponse, SendBody)
    play.end(call)
    rest, _ = play.expect(SendBody, EndResponse)
    assert rest.data == STOP[:-2]
    assert play.records[0].outcome == "ok"


def test_a_bare_error_at_the_end_of_an_empty_stream_fails_over() -> None:
    """Gemini's error object comes without a blank line, and before any content it is a failure like any other."""
    play = Play(account("a", "gemini"), account("b", "gemini"))
    call = play.request(b"{}", "/v1beta/models/m:streamGenerateContent?alt=sse")
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, b'{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}')
    play.expect()
    play.end(call)
    second = play.expect(CallUpstream)
    assert second.account != call.account
