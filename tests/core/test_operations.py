"""What an operator does while requests run and wait."""

from typing import Any

from play import Play, account
from scheduling import REPLY, ask, body, finish, session

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import SchedulingConfig
from gephyr_core.errors import Fault
from gephyr_core.events import AdminChanged, ClientGone, UpstreamFailed


def told(play: Play, *accounts: Any, **more: Any) -> None:
    """Have the operator's changes told; nothing is to follow at once."""
    play.feed(AdminChanged(accounts, **more))
    play.expect()


def test_a_lease_on_a_removed_account_is_still_out() -> None:
    a, b = account("a"), account("b", priority=-1)
    play = Play(a, b)
    call = play.request(body())
    told(play, b)
    assert play.gateway.open_leases == 1
    finish(play, call)
    play.finish()


def test_whoever_fails_over_after_a_change_is_woken_as_before_it() -> None:
    a, b, c = account("a", max_concurrency=1), account("b", max_concurrency=1, priority=-1), account("c", priority=-2)
    play = Play(a, b, c)
    first, second, third = (play.request(body()) for _ in range(3))
    assert [call.account for call in (first, second, third)] == ["a", "b", "c"]
    told(play, a, b, account("c", priority=-2, weight=2))
    play.feed(UpstreamFailed(third.exchange, third.attempt, Fault.CONNECT, "refused"))
    play.expect()
    play.answer(first, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert (call.exchange, call.account) == (third.exchange, "a")


def test_models_that_clients_invent_do_not_fill_the_memory() -> None:
    play = Play(account("a", max_concurrency=1))
    play.request(body())
    for number in range(5000):
        play.gateway._shared.pool(play.gateway._shared.route("openai-chat", f"m{number}")[0]).any_free(1, play.now)
    (one,) = play.gateway._shared.scheduler.accounts.values()
    assert len(one.parked_in) <= 4096


def test_whoever_waits_for_the_sessions_own_account_is_woken_after_a_change() -> None:
    a, b = account("a", max_concurrency=1), account("b", max_concurrency=1)
    play = Play(a, b, scheduling=SchedulingConfig(mode="cache_first"))
    call = play.request(body(), **session())
    gone = ask(play, **session())
    play.feed(ClientGone(gone))
    play.expect()
    told(play, a, b, account("c"))
    waiting = ask(play, **session())
    play.answer(call, REPLY)
    *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert call.exchange == waiting
