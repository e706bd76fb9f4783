"""What is large is read and written beside everything else: the core asks for it, and goes on when it is done."""

import json
import random
import zlib
from typing import Any

import attrs
import pytest
from play import JSON, OPEN, SSE, Play, account

from gephyr_core.commands import (
    CallUpstream,
    CancelUpstream,
    Compute,
    DescribeModel,
    DetachUpstream,
    EndResponse,
    Observe,
    ReadBody,
    SendBody,
    StartResponse,
    StopServing,
)
from gephyr_core.computing import HEAVIER, HEAVY, answer
from gephyr_core.config import Config, ServerConfig
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    DrainRequested,
    RequestBody,
    RequestEnded,
    RequestStarted,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
)
from gephyr_core.exchange.states import LONGEST_JOB
from gephyr_core.gateway import Gateway
from gephyr_core.records import InternalError

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def asked(size: int, **more: Any) -> bytes:
    """A request with *size* bytes of text."""
    return json.dumps(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x" * size}], **more}
    ).encode()


def said(size: int) -> bytes:
    """A reply of Chat Completions with *size* bytes of text."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "y" * size}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


def playing(**more: Any) -> Play:
    """A gateway that has everything computed, with an account that is asked in Chat Completions."""
    return Play(account(models=("*",)), heavy=more.pop("heavy", 0.0), **more)


def begun(play: Play, body: bytes, target: str = MESSAGES) -> Compute:
    """Feed a whole request, and return the first job that it makes."""
    play.start(target)
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    job = play.expect(Compute)
    assert isinstance(job, Compute)
    return job


def called(play: Play, job: Compute) -> CallUpstream:
    """Do jobs until the provider is called."""
    while True:
        play.feed(answer(job))
        command = play.unclaimed.pop()
        assert all(isinstance(other, DescribeModel) for other in play.unclaimed)
        play.unclaimed = []
        if isinstance(command, CallUpstream):
            return command
        assert isinstance(command, Compute)
        job = command


def time_alone(play: Play) -> None:
    """Let time pass until something comes of it: an earlier deadline may have been for what is over."""
    for _ in range(9):
        if play.feed(TimePassed(), at=max(play.now, play.gateway.deadline)):
            return


def test_small_requests_and_replies_make_no_job() -> None:
    """The path that everyone pays for has no further step."""
    play = Play(account(models=("*",)), heavy=HEAVY)
    call = play.request(asked(1000), MESSAGES)
    play.head(call)
    play.expect()
    play.body(call, said(1000))
    play.expect()
    play.feed(UpstreamEnded(call.exchange, call.attempt))
    play.expect(StartResponse, SendBody, EndResponse)


def test_a_large_request_is_read_and_written_by_jobs_of_their_own() -> None:
    play = Play(account(models=("*",)), heavy=HEAVY)
    play.start(MESSAGES)
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, asked(HEAVY)))
    play.expect()
    play.feed(RequestEnded(play.exchange))  # read at once: only what lies in it takes long
    reading = play.expect(Compute)
    play.feed(answer(reading))
    writing = play.expect(Compute)
    assert writing.question > reading.question
    play.feed(answer(writing))
    assert play.expect(CallUpstream).body.count(b"x") >= HEAVY


def test_a_compressed_body_counts_for_what_may_be_in_it() -> None:
    play = Play(account(models=("*",)), heavy=HEAVY)
    play.start(CHAT, headers=[(b"content-encoding", b"deflate")])
    play.expect(ReadBody)
    body = zlib.compress(asked(HEAVY), 0)
    assert len(body) * HEAVIER > HEAVY
    play.feed(RequestBody(play.exchange, body))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    play.feed(answer(play.expect(Compute)))
    assert play.expect(CallUpstream).body == asked(HEAVY)


def test_others_are_served_while_a_job_is_done() -> None:
    play = playing(heavy=HEAVY)
    begun(play, asked(HEAVY))
    call = play.request(asked(1), CHAT)
    assert call.exchange == 2


def test_a_client_that_leaves_discards_what_is_computed_for_it() -> None:
    play = playing()
    job = begun(play, asked(100))
    play.feed(ClientGone(play.exchange))
    play.expect()
    assert play.records[-1].outcome == "client_gone"
    play.feed(answer(job))
    play.expect()
    assert (play.gateway.open_exchanges, play.gateway.buffered_bytes) == (0, 0)


def test_a_client_that_leaves_before_its_reply_is_written_frees_the_account() -> None:
    play = playing()
    call = called(play, begun(play, asked(10)))
    play.head(call)
    play.body(call, said(10))
    play.feed(UpstreamEnded(call.exchange, call.attempt))
    play.expect(Compute)
    assert play.gateway.open_leases == 1
    play.feed(ClientGone(call.exchange))
    play.expect()
    assert (play.gateway.open_leases, play.gateway.buffered_bytes) == (0, 0)


def test_a_job_that_takes_too_long_is_told_to_the_client() -> None:
    """Every wait has a limit, and the client learns that it may come again."""
    play = playing()
    begun(play, asked(10))
    since = play.now
    time_alone(play)
    assert play.now == since + LONGEST_JOB
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503
    assert (b"retry-after", b"1") in start.headers
    assert b"too much to do" in sent.data
    assert play.gateway.open_exchanges == 0


def test_a_reply_that_takes_too_long_frees_the_account() -> None:
    play = playing()
    call = called(play, begun(play, asked(10)))
    play.head(call)
    play.body(call, said(10))
    play.feed(UpstreamEnded(call.exchange, call.attempt))
    play.expect(Compute)
    time_alone(play)
    play.expect(StartResponse, SendBody, EndResponse)
    assert (play.gateway.open_leases, play.gateway.buffered_bytes) == (0, 0)


def test_draining_ends_what_is_computed_when_its_time_is_over() -> None:
    play = playing(server=ServerConfig(drain_timeout=5.0))
    begun(play, asked(10))
    play.feed(DrainRequested())
    play.expect()
    play.feed(TimePassed(), at=play.now + 5.0)
    start, *_ = play.expect(StartResponse, SendBody, EndResponse, StopServing)
    assert start.status == 503


def test_an_answer_to_an_older_question_means_nothing() -> None:
    play = playing()
    first = begun(play, asked(10))
    play.feed(answer(first))
    second = play.expect(Compute)
    play.feed(answer(first))
    play.expect()
    assert called(play, second).attempt == 1


def test_what_is_wrong_with_a_request_is_told_as_ever() -> None:
    play = playing()
    play.feed(answer(begun(play, b'{"model":"m","messages":[', MESSAGES)))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 400
    assert b"not valid JSON" in sent.data


def test_memory_is_counted_while_a_job_is_done() -> None:
    play = playing()
    body = asked(1000)
    job = begun(play, body)
    assert play.gateway.buffered_bytes == len(body)
    call = called(play, job)
    reply = said(500)
    play.head(call)
    play.body(call, reply)
    play.feed(UpstreamEnded(call.exchange, call.attempt))
    play.expect(Compute)
    assert play.gateway.buffered_bytes == len(body) + len(reply)


def test_what_comes_behind_a_reply_is_not_looked_at_while_it_is_written() -> None:
    """A stream is collected up to its terminal event; its connection may say more while the reply is written."""
    play = Play(account(provider="anthropic", models=("*",)), heavy=0.0)
    call = called(play, begun(play, asked(10), CHAT))
    play.head(call, headers=SSE)
    play.expect()
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    play.body(
        call,
        b"".join(b"event: %b\ndata: %b\n\n" % (str(one["type"]).encode(), json.dumps(one).encode()) for one in events),
    )
    job = play.expect(Compute)
    play.feed(UpstreamBody(call.exchange, call.attempt, b"data: more\n\n"))
    play.expect()
    play.feed(answer(job))
    _, _, sent, _ = play.expect(DetachUpstream, StartResponse, SendBody, EndResponse)
    assert json.loads(sent.data)["choices"][0]["message"]["content"] == "Hi"


def test_a_blocked_client_is_waited_for_as_ever() -> None:
    play = playing()
    job = begun(play, asked(10, stream=True))
    play.feed(ClientBlocked(play.exchange))
    assert play.gateway.deadline > play.now
    play.feed(ClientReady(play.exchange))
    called(play, job)


def test_waiting_for_an_account_begins_when_the_job_is_done() -> None:
    """A long job is no reason to be refused at once where no account is free."""
    play = Play(account(models=("*",), max_concurrency=1), heavy=HEAVY)
    first = play.request(asked(1), CHAT)
    job = begun(play, asked(HEAVY))
    play.now += 30.0
    play.feed(answer(job))
    play.feed(answer(play.expect(Compute)))
    play.expect()  # it waits
    play.feed(ClientGone(first.exchange))
    _, call = play.expect(CancelUpstream, CallUpstream)
    assert call.exchange == 2


def test_a_fault_in_a_job_is_one_of_the_gateway() -> None:
    """What nobody foresaw in a job ends its exchange as if it had happened in the core itself: with a 500."""
    gateway = Gateway(Config(accounts=(account(models=("*",)),), auth=OPEN), random.Random(1), heavy=0.0)
    gateway.receive(RequestStarted(1, "POST", MESSAGES, JSON, (), ""), 1.0)
    gateway.receive(RequestBody(1, asked(10)), 1.0)
    (job,) = gateway.receive(RequestEnded(1), 1.0)
    assert isinstance(job, Compute)

    def broken() -> object:
        raise KeyError("a bug")

    commands = gateway.receive(answer(attrs.evolve(job, job=broken)), 1.0)
    start, sent = [command for command in commands if isinstance(command, StartResponse | SendBody)]
    assert isinstance(start, StartResponse)
    assert isinstance(sent, SendBody)
    assert start.status == 500
    assert json.loads(sent.data)["type"] == "error"
    (fault,) = [c.fact for c in commands if isinstance(c, Observe) and isinstance(c.fact, InternalError)]
    assert (fault.error, fault.during) == ("KeyError", "Computed")
    assert gateway.open_exchanges == 0


@pytest.mark.parametrize("headers", [JSON, SSE])
def test_a_reply_is_the_same_by_jobs(headers: list[tuple[bytes, bytes]]) -> None:
    sent = []
    for heavy in (0.0, float("inf")):
        play = playing(heavy=heavy)
        call = called(play, begun(play, asked(10))) if not heavy else play.request(asked(10), MESSAGES)
        play.head(call, headers=headers)
        play.body(call, said(40))
        play.feed(UpstreamEnded(call.exchange, call.attempt))
        if not heavy:
            play.feed(answer(play.expect(Compute)))
        sent.append(play.expect(StartResponse, SendBody, EndResponse))
    assert sent[0] == sent[1]


def test_a_job_is_not_given_up_before_its_time() -> None:
    """A deadline of what was before may still wake the exchange."""
    play = playing()
    job = begun(play, asked(10))
    assert play.gateway.deadline < play.now + LONGEST_JOB
    play.wait()
    play.expect()
    called(play, job)
