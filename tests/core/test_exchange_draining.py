"""The end: what runs may finish, nothing new is begun, and the front end is told exactly once."""

import math

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import (
    CancelUpstream,
    CollectMetrics,
    EndResponse,
    ReadBody,
    SendBody,
    StartResponse,
    StopServing,
)
from gephyr_core.config import SchedulingConfig, ServerConfig
from gephyr_core.events import ClientGone, DrainRequested, RequestBody, RequestEnded
from gephyr_core.http import header

TOKEN = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


def busy(play: Play, state: str) -> tuple[type, ...]:
    """Bring exchange 2 into a state, beside exchange 1 that holds the only place; return what aborting it says."""
    refusal = (StartResponse, SendBody, EndResponse)
    if state == "asking":
        play.start("/metrics", method="GET")
        play.expect(CollectMetrics)
        return refusal
    play.start()
    play.expect(ReadBody)
    if state == "reading":
        return refusal
    play.feed(RequestBody(2, b'{"model":"m","stream":true}'))
    play.expect()
    play.feed(RequestEnded(2))
    if state == "waiting":
        play.expect()
        return refusal
    [call] = play.unclaimed
    play.unclaimed = []
    if state != "calling":
        play.head(call, headers=JSON if state == "collecting" else SSE)  # type: ignore[arg-type]
        play.expect()
    if state == "relaying":
        play.body(call, TOKEN)  # type: ignore[arg-type]
        play.expect(StartResponse, SendBody)
        return (CancelUpstream, SendBody, EndResponse)
    return (CancelUpstream, *refusal)


@pytest.mark.parametrize("state", ["reading", "asking", "waiting", "calling", "prelude", "collecting", "relaying"])
def test_what_is_not_done_in_time_is_told_so_in_every_state(state: str) -> None:
    """And a place that becomes free while all are shut down is given to nobody who waits."""
    play = Play(
        account("a", max_concurrency=1 if state == "waiting" else None),
        server=ServerConfig(keepalive_interval=60, drain_timeout=10),
        scheduling=SchedulingConfig(acquire_timeout=60),
    )
    play.request()
    ending = busy(play, state)
    play.feed(DrainRequested(), at=1001.0)
    play.expect()
    while not play.wait():
        play.expect()
    play.expect(CancelUpstream, StartResponse, SendBody, EndResponse, *ending, StopServing)
    assert play.now == 1011.0
    assert [record.outcome for record in play.records] == ["aborted", "aborted"]
    assert play.gateway.deadline == math.inf
    play.finish()


def test_who_comes_while_the_gateway_stops_is_sent_away() -> None:
    play = Play(account())
    play.request()
    play.feed(DrainRequested())
    play.expect()
    for target, method in (("/v1/chat/completions", "POST"), ("/health", "GET")):
        play.start(target, method=method)
        start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert (start.status, header(start.headers, b"retry-after")) == (503, b"1")
    play.feed(ClientGone(1))
    play.expect(CancelUpstream, StopServing)


def test_the_front_end_is_told_once() -> None:
    play = Play(account())
    play.feed(DrainRequested())
    play.expect(StopServing)
    play.feed(DrainRequested())
    play.expect()
    play.start()
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.gateway.deadline == math.inf
