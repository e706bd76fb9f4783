"""Every way through the core leaves exactly one record, and it says what the client got and what it cost."""

from collections.abc import Callable

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelUpstream,
    DetachUpstream,
    EndResponse,
    ReadBody,
    SendBody,
    StartResponse,
    StopServing,
)
from gephyr_core.config import AuthConfig, UpstreamConfig
from gephyr_core.errors import Fault
from gephyr_core.events import ClientBlocked, ClientGone, DrainRequested, RequestBody, UpstreamBody, UpstreamFailed

OPENED = (
    b'event: message_start\ndata: {"type":"message_start",'
    b'"message":{"id":"msg_1","usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
)
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"Hi"}}\n\n'
OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


def relaying() -> Play:
    """A stream in the middle."""
    play = Play(account("a", "anthropic"), upstream=UpstreamConfig(idle_timeout=5, max_sse_line=1024))
    call = play.stream_request("/v1/messages")
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, OPENED + DELTA)
    play.expect(StartResponse, SendBody)
    return play


def leave(play: Play) -> None:
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)


def reset(play: Play) -> None:
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    play.expect(SendBody, EndResponse)


def stall(play: Play) -> None:
    play.wait()
    play.expect(CancelUpstream, SendBody, EndResponse)


def overlong_event(play: Play) -> None:
    play.feed(UpstreamBody(1, 1, b"data: " + b"x" * 2000))
    play.expect(CancelUpstream, SendBody, EndResponse)


def shutdown(play: Play) -> None:
    play.feed(DrainRequested())
    play.expect()
    play.feed(ClientBlocked(1))
    play.expect()
    while not play.wait():
        play.expect()
    play.expect(CancelUpstream, SendBody, EndResponse, StopServing)


def client_stall(play: Play) -> None:
    play.feed(ClientBlocked(1))
    play.expect()
    while not play.wait():
        play.expect()
    play.expect(CancelUpstream, AbortResponse)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (leave, "client_gone"),
        (reset, "failed"),
        (stall, "failed"),
        (overlong_event, "failed"),
        (shutdown, "aborted"),
        (client_stall, "aborted"),
    ],
)
def test_a_stream_that_is_cut_still_tells_its_account_and_usage(end: Callable[[Play], None], outcome: str) -> None:
    """The tokens were spent, whoever ended the stream."""
    play = relaying()
    end(play)
    [record] = play.records
    assert (record.outcome, record.status) == (outcome, 200)
    assert (record.account, record.model_served) == ("a", "m")
    assert record.usage is not None
    assert record.usage.input == 5
    play.finish()


def test_an_error_event_followed_by_a_reset_is_the_providers_error() -> None:
    play = relaying()
    play.feed(UpstreamBody(1, 1, OVERLOADED))
    play.expect(DetachUpstream, SendBody, EndResponse)
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    play.expect()
    [record] = play.records
    assert (record.outcome, record.error) == ("provider_error", "overloaded")
    assert record.attempts[0].outcome == "stream_error"


def test_the_account_told_is_the_one_whose_error_is_relayed() -> None:
    """The most useful failure need not be the last one."""
    play = Play(account("a"), account("b"))
    first = play.request()
    play.answer(first, b'{"error":{"message":"slow"}}', 429, [*JSON, (b"retry-after", b"9")])
    play.answer(play.expect(CallUpstream), b'{"error":{"message":"oops"}}', 500)
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429
    assert play.records[0].account == first.account


def test_a_refused_request_tells_what_was_asked_for() -> None:
    play = Play(account(), auth=AuthConfig(mode="strict", api_keys=("0" * 64,)))
    play.start()
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 401
    [record] = play.records
    assert (record.operation, record.outcome, record.error) == ("chat.completions", "refused", "credential")


def test_a_record_holds_no_name_without_bound() -> None:
    play = Play(account())
    play.request(b'{"model":"%b"}' % (b"m" * 2000))
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    assert len(play.records[0].model_asked or "") == 256


def test_a_client_that_leaves_while_it_sends_is_recorded_without_a_status() -> None:
    play = Play(account())
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(1, b'{"mo'))
    play.expect()
    play.feed(ClientGone(1))
    play.expect()
    [record] = play.records
    assert (record.outcome, record.status, record.bytes_in, record.attempts) == ("client_gone", 0, 4, ())
    play.finish()


def test_a_record_counts_the_bytes_that_come_after_it() -> None:
    """A record is complete when the client has the last byte, and so it is told before that byte is sent."""
    play = Play(account("a"))
    call = play.request()
    play.answer(call, b'{"choices":[{"message":{"content":"Hi"}}]}')
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    broken = relaying()
    reset(broken)
    [whole], [stream] = play.records, broken.records
    assert (whole.status, whole.bytes_out, whole.first_byte) == (200, len(sent.data), 0.0)
    assert stream.bytes_out > len(OPENED + DELTA)
