"""The table of states and events is complete."""

import itertools

import pytest
from play import Play, account

from gephyr_core import events
from gephyr_core.errors import LocalProtocolError
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted, TimePassed, UpstreamBody, UpstreamStarted
from gephyr_core.exchange import ILLEGAL, ROWS, State

EXCHANGE_EVENTS = [
    event
    for event in vars(events).values()
    if isinstance(event, type) and "exchange" in getattr(event, "__match_args__", ()) and event is not RequestStarted
]


def test_every_state_decides_on_every_event() -> None:
    """A new event forces a decision for each state."""
    legal = {(state, event) for state, row in ROWS.items() for event in row}
    illegal = {(state, event) for state, events_ in ILLEGAL.items() for event in events_}
    assert not legal & illegal
    assert legal | illegal == set(itertools.product(State, EXCHANGE_EVENTS))


def test_an_illegal_event_is_the_callers_misuse() -> None:
    play = Play(account())
    play.request()
    with pytest.raises(LocalProtocolError, match="RequestBody is illegal while calling"):
        play.feed(RequestBody(1, b"x"))
    with pytest.raises(LocalProtocolError, match="UpstreamBody is illegal while calling"):
        play.feed(UpstreamBody(1, 1, b"x"))


def test_unknown_exchanges_and_attempts_are_misuse() -> None:
    play = Play(account())
    with pytest.raises(LocalProtocolError, match="never started"):
        play.feed(RequestEnded(1))
    play.request()
    with pytest.raises(LocalProtocolError, match="not new"):
        play.gateway.receive(RequestStarted(1, "GET", "/", [], (), ""), play.now)


def test_time_never_runs_backwards() -> None:
    play = Play(account())
    play.feed(TimePassed(), at=1001.0)
    with pytest.raises(LocalProtocolError, match="backwards"):
        play.feed(TimePassed(), at=1000.0)


def test_time_passing_early_means_nothing() -> None:
    play = Play(account())
    play.request()
    play.feed(TimePassed())
    play.expect()


def test_an_attempt_that_never_was_is_misuse() -> None:
    play = Play(account())
    play.request()
    with pytest.raises(LocalProtocolError):
        play.feed(UpstreamStarted(1, 2, 200, []))
