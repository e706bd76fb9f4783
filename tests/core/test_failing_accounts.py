"""Accounts that break without saying so: each failure that is the provider's counts, whatever form it takes."""

from collections.abc import Callable

import pytest
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream
from gephyr_core.errors import ErrorKind, Fault, Sent
from gephyr_core.events import ClientGone, TimePassed, UpstreamFailed
from gephyr_core.exchange.attempts import outcome_of_error, outcome_of_fault
from gephyr_core.scheduling import NEUTRAL, Says

CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
ERROR = b'data: {"error":{"message":"oops","code":"server_error"}}\n\n'
HTML = b"<html><body>Bad gateway</body></html>"


def relaying(play: Play) -> CallUpstream:
    """A stream whose client has seen the first content."""
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, CHUNK)
    play.unclaimed = []
    return call


def fails(play: Play, call: CallUpstream, fault: Fault, sent: Sent = Sent.ALL) -> CallUpstream:
    play.feed(UpstreamFailed(call.exchange, call.attempt, fault, "it broke", sent=sent))
    return call


def cut(play: Play) -> CallUpstream:
    return fails(play, relaying(play), Fault.RESET)


def unreadable(play: Play) -> CallUpstream:
    return fails(play, relaying(play), Fault.PROTOCOL)


def silent(play: Play) -> CallUpstream:
    call = relaying(play)
    play.feed(TimePassed(), at=play.now + 121)
    return call


def silent_from_the_start(play: Play) -> CallUpstream:
    call = play.stream_request()
    play.feed(TimePassed(), at=play.now + 121)
    return call


def error_after_content(play: Play) -> CallUpstream:
    call = relaying(play)
    play.body(call, ERROR)
    play.expect(*map(type, play.unclaimed))
    play.end(call)
    return call


def error_before_content(play: Play) -> CallUpstream:
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, ERROR)
    return call


def reset_before_the_head(play: Play) -> CallUpstream:
    return fails(play, play.request(), Fault.RESET)


def cut_whole_reply(play: Play) -> CallUpstream:
    call = play.request()
    play.head(call)
    play.expect()
    play.body(call, b'{"id":"ch')
    play.expect()
    return fails(play, call, Fault.RESET)


def page(play: Play) -> CallUpstream:
    call = play.request()
    play.answer(call, HTML, headers=[(b"content-type", b"text/html")])
    return call


def unreadable_coding(play: Play) -> CallUpstream:
    call = play.request()
    play.head(call, headers=[*JSON, (b"content-encoding", b"rot13")])
    return call


def no_content(play: Play) -> CallUpstream:
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.end(call)
    return call


EVERY_WAY = (
    cut,
    unreadable,
    silent,
    silent_from_the_start,
    error_after_content,
    error_before_content,
    reset_before_the_head,
    cut_whole_reply,
    page,
    unreadable_coding,
    no_content,
)


Way = Callable[[Play], CallUpstream]


def chance_of(play: Play, name: str) -> float:
    """The score of an account beside that of the other, as the next request compares them."""
    play.unclaimed = []
    play.feed(ClientGone(play.exchange))
    play.unclaimed = []
    play.request()
    scores = {one.id: score for one, score in play.gateway.decisions.latest[-1].scores}
    return scores.pop(name) / scores.popitem()[1]


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: way.__name__)
def test_each_failure_of_the_providers_counts_in_the_health(way: Way) -> None:
    """An account that fails costs an attempt or a reply, whichever way it fails: others are preferred to it."""
    play = Play(account("a"), account("b"))
    assert chance_of(play, way(play).account) < 0.9


def test_a_client_that_leaves_says_nothing_about_the_account() -> None:
    play = Play(account("a"), account("b"))
    assert chance_of(play, relaying(play).account) > 0.9


@pytest.mark.parametrize("fault", Fault)
def test_what_each_fault_says_about_the_account_is_written_down(fault: Fault) -> None:
    """A new fault needs a row of the table; a side route's call says nothing whatever it ends by."""
    assert outcome_of_fault(fault, side=False).says is not Says.WELL
    assert outcome_of_fault(fault, side=True) == NEUTRAL


def test_an_error_inside_a_200_that_is_the_requests_own_fault_counts_against_nobody() -> None:
    assert outcome_of_error(ErrorKind.BAD_REQUEST, side=False) == NEUTRAL
    assert outcome_of_error(ErrorKind.CONTENT_POLICY, side=False) == NEUTRAL
    assert outcome_of_error(ErrorKind.SERVER, side=False).blames_account
