"""Waiting for an account: who is served next, how long it takes at most, and what is said when nobody can serve."""

import math

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import (
    CallUpstream,
    CancelUpstream,
    DetachUpstream,
    EndResponse,
    ReadBody,
    SendBody,
    StartResponse,
)
from gephyr_core.config import ServerConfig, UpstreamConfig
from gephyr_core.errors import Fault
from gephyr_core.events import ClientGone, RequestBody, RequestEnded, TimePassed, UpstreamFailed
from gephyr_core.http import header

REPLY = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}]}'
SLOW = b'{"error":{"message":"slow"}}'


def ask(play: Play, model: str = "m") -> int:
    """Feed a request that has to wait; return its number."""
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, b'{"model":"%b"}' % model.encode()))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    play.expect()
    return play.exchange


def limit(play: Play, seconds: bytes) -> None:
    """Have the account of the next request refuse it for a time."""
    play.answer(play.request(), SLOW, 429, [*JSON, (b"retry-after", seconds)])


def test_the_end_of_a_cooldown_serves_those_who_wait_in_their_order() -> None:
    """One after the other, on the one place there is, and nobody spins meanwhile."""
    play = Play(account("a", max_concurrency=1))
    limit(play, b"3")
    play.expect(StartResponse, SendBody, EndResponse)
    play.now += 1.5
    waiting = [ask(play) for _ in range(3)]
    play.wait()
    for number in waiting[:-1]:
        call = play.expect(CallUpstream)
        assert call.exchange == number
        play.answer(call, REPLY)
        *_, following = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
        play.unclaimed = [following]
    assert play.expect(CallUpstream).exchange == waiting[-1]


def test_who_was_ready_first_is_served_first() -> None:
    """Not who began to send first: the order is that of complete requests."""
    play = Play(account("a", max_concurrency=1))
    first = play.request()
    play.start()
    play.expect(ReadBody)
    slow_sender = play.exchange
    quick = ask(play)
    play.feed(RequestBody(slow_sender, b'{"model":"m"}'))
    play.expect()
    play.feed(RequestEnded(slow_sender))
    play.expect()
    play.answer(first, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert call.exchange == quick


def test_a_place_on_one_account_goes_to_who_can_use_it() -> None:
    """Waiters for another account stand in front, and do not starve those behind."""
    play = Play(account("a", max_concurrency=1, models=("x",)), account("b", max_concurrency=1, models=("y",)))
    play.request(b'{"model":"x"}')
    second = play.request(b'{"model":"y"}')
    ask(play, "x")
    waits_for_b = ask(play, "y")
    play.answer(second, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert (call.exchange, call.account) == (waits_for_b, "b")


def test_a_cooldown_that_ends_while_the_others_are_busy_ends_the_wait() -> None:
    play = Play(account("a", max_concurrency=1, priority=1), account("b"))
    limited = play.request()
    other = play.request()
    assert (limited.account, other.account) == ("a", "b")
    play.answer(other, SLOW, 429, [*JSON, (b"retry-after", b"4")])
    play.expect()  # a is full, and has to be waited for
    play.now += 1
    third = ask(play)  # b's cooldown lasts longer than is waited for alone, and ends before a is given up
    play.wait()
    call = play.expect(CallUpstream)
    assert (play.now, call.exchange, call.account) == (1004.0, third, "b")


def test_each_search_for_an_account_has_its_own_time() -> None:
    """A first account that took long to fail leaves the full time to wait for a busy one."""
    play = Play(account("a", max_concurrency=1, priority=1), account("b", max_concurrency=1))
    first = play.request()
    busy = play.request()
    assert (first.account, busy.account) == ("a", "b")
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"), at=1060.0)
    play.expect()
    assert play.gateway.deadline == 1065.0
    play.answer(busy, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert (call.exchange, call.account) == (1, "b")


def test_a_waiting_client_that_leaves_takes_no_place() -> None:
    play = Play(account("a", max_concurrency=1))
    first = play.request()
    ask(play)
    third = ask(play)
    play.feed(ClientGone(2))
    play.expect()
    play.answer(first, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert call.exchange == third


def test_a_refusal_for_want_of_room_says_when_to_come_back() -> None:
    play = Play(account("acc-secret", max_concurrency=1))
    play.request()
    ask(play)
    while not play.wait():
        play.expect()
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (play.now, start.status, header(start.headers, b"retry-after")) == (1005.0, 503, b"1")
    assert b"acc-secret" not in sent.data
    assert b"1 busy" in sent.data


@pytest.mark.parametrize("exposed", [False, True])
def test_which_account_is_limited_is_told_only_where_accounts_are_exposed(exposed: bool) -> None:
    """Account ids are the operator's; clients learn how many there are and why they cannot serve."""
    play = Play(account("acc-secret"), server=ServerConfig(expose_account=exposed))
    limit(play, b"300")
    play.expect(StartResponse, SendBody, EndResponse)
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(2, b'{"model":"m"}'))
    play.expect()
    play.feed(RequestEnded(2))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"x-should-retry")) == (429, b"false")
    assert (b"acc-secret" in sent.data) is exposed
    assert b"rate limit" in sent.data


def test_where_every_account_is_disabled_the_refusal_says_so() -> None:
    play = Play(account("a", enabled=False))
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(1, b'{"model":"m"}'))
    play.expect()
    play.feed(RequestEnded(1))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503
    assert b"enabled" in sent.data


def test_an_anthropic_client_hears_529_when_nobody_is_free() -> None:
    play = Play(account("a", "anthropic", max_concurrency=1))
    play.request(target="/v1/messages")
    play.start("/v1/messages")
    play.expect(ReadBody)
    play.feed(RequestBody(2, b'{"model":"m"}'))
    play.expect()
    play.feed(RequestEnded(2))
    play.expect()
    while not play.wait():
        play.expect()
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"retry-after")) == (529, b"1")


def test_an_idle_gateway_wants_no_time() -> None:
    """A finished exchange holds no deadline, streams and their keep-alives included."""
    play = Play(account())
    for _ in range(50):
        call = play.stream_request()
        play.head(call, headers=SSE)
        play.expect()
        play.body(call, b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n')
        play.expect(StartResponse, DetachUpstream, SendBody, EndResponse)
        assert play.gateway.deadline == math.inf
    play.finish()


def test_deadlines_of_finished_exchanges_do_not_pile_up() -> None:
    """Beside one that stays open, whatever the number of those that came and went."""
    play = Play(account(), upstream=UpstreamConfig(first_byte_timeout=30, total_timeout=60))
    play.stream_request()
    for _ in range(3000):
        call = play.request()
        play.answer(call, REPLY)
        play.expect(StartResponse, SendBody, EndResponse)
    assert len(play.gateway._heap) <= 64 + 4 * 2
    play.feed(TimePassed(), at=1010.0)
    play.expect(StartResponse, SendBody)
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    assert play.gateway.deadline == math.inf
