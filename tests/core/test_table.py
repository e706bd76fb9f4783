"""The table of states and events is complete."""

import itertools
from collections.abc import Iterator

import pytest
from play import Play, account

from gephyr_core import events
from gephyr_core.errors import LocalProtocolError
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted, TimePassed, UpstreamBody, UpstreamStarted
from gephyr_core.exchange import ILLEGAL, ROWS, STATES, State

EXCHANGE_EVENTS = [
    event
    for event in vars(events).values()
    if isinstance(event, type) and "exchange" in getattr(event, "__match_args__", ()) and event is not RequestStarted
]


def test_every_state_decides_on_every_event() -> None:
    """A new event forces a decision for each state."""
    legal = {(state, event) for state, row in ROWS.items() for event in row if event is not TimePassed}
    illegal = {(state, event) for state, events_ in ILLEGAL.items() for event in events_}
    assert not legal & illegal
    assert legal | illegal == set(itertools.product(STATES, EXCHANGE_EVENTS))


def kinds(state: type[State] = State) -> Iterator[type[State]]:
    """The classes of states that an exchange can be in: those that have a name."""
    if "name" in vars(state):
        yield state
    for kind in state.__subclasses__():
        yield from kinds(kind)


def test_every_state_is_in_the_table() -> None:
    """One that is not could be entered, and nothing would be decided."""
    assert set(kinds()) == set(STATES)
    assert len({state.name for state in STATES}) == len(STATES)


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_a_deadline_if_and_only_if_something_is_done_at_it(state: type[State]) -> None:
    """A deadline without a method would be looked at again and again; a method without a deadline would never run."""
    assert (state.deadline is not State.deadline) == (TimePassed in ROWS[state])


@pytest.mark.parametrize("state", [state for state in STATES if not state.answers])
def test_who_has_not_said_all_does_not_wait_for_an_answer(state: type[State]) -> None:
    """Such a state knows one deadline, whether the client reads or not."""
    assert state.deadline_unread is State.deadline_unread


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
