"""What an operator does while requests run and wait."""

import random
from typing import Any

from play import JSON, Play, account
from scheduling import REPLY, ask, body, finish, session

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import Config, SchedulingConfig
from gephyr_core.errors import Fault
from gephyr_core.events import AdminChanged, ClientGone, StateRestored, UpstreamFailed
from gephyr_core.http import header
from gephyr_core.records import AccountState, Cooldown
from gephyr_core.shared import Shared


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
    """Each has a pool, which watches the busy account. Those that nobody waits in are forgotten."""
    shared = Shared(Config(accounts=(account("a", max_concurrency=1),)), random.Random(1))
    shared.scheduler.accounts["a"].disabled = "operator"
    for number in range(5000):
        shared.pool(shared.route("openai-chat", f"m{number}")[0]).any_free(1, 1000.0)
    assert len(shared.scheduler.hints.watchers("a")) <= 4096


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


def test_a_changed_account_keeps_its_windows_and_what_runs_on_it() -> None:
    settings = account("a", max_concurrency=1, requests_per_minute=2, tokens_per_minute=1000)
    play = Play(settings, scheduling=SchedulingConfig(acquire_timeout=100))
    call = play.request(body())
    told(play, account("a", max_concurrency=1, requests_per_minute=2, tokens_per_minute=1000, weight=2))
    ask(play)
    play.answer(call, REPLY)
    *_, second = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    finish(play, second)
    assert play.gateway.open_leases == 0
    third = ask(play)
    while not play.wait():
        assert play.now < 1060.0
    call = play.expect(CallUpstream)
    assert (play.now, call.exchange) == (1060.0, third)
    finish(play, call)
    play.finish()


def test_an_account_that_was_away_for_less_than_a_minute_keeps_its_windows() -> None:
    a, b = account("a", requests_per_minute=1), account("b", priority=-1)
    play = Play(a, b)
    finish(play, play.request(body()))
    told(play, b)
    play.now += 30
    told(play, a, b)
    assert play.request(body()).account == "b"
    play.now += 30
    assert play.request(body()).account == "a"


def test_a_changed_account_keeps_what_its_provider_stated() -> None:
    play = Play(account("a", organization="acme"), account("b", priority=-1))
    busy = b'{"error":{"message":"busy"}}'
    play.answer(play.request(body()), busy, 503, [*JSON, (b"retry-after", b"100")])
    finish(play, play.expect(CallUpstream))
    told(play, account("a", organization="acme", weight=2), account("b", priority=-1))
    assert play.request(body()).account == "b"


def test_whoever_waits_for_an_account_that_is_removed_learns_it_at_once() -> None:
    a, b = account("a", max_concurrency=1), account("b", models=("other",))
    play = Play(a, b)
    play.request(body())
    waiting = ask(play)
    play.feed(AdminChanged((b,)))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.exchange, start.status) == (waiting, 503)


def test_times_of_an_earlier_process_that_lie_too_far_ahead_are_cut() -> None:
    """The clock was wrong when they were written."""
    play = Play(account("a"))
    year = 365 * 86400.0
    state = AccountState("a", "", play.now + year)
    stated = Cooldown("a", "m", "rate_limit", play.now + year)
    play.feed(StateRestored(states=[state], cooldowns=[stated]))
    play.expect()
    start, _, _ = play.refusal_of(body("m"), "/v1/chat/completions")
    assert 86400 * 30 < int(header(start.headers, b"retry-after") or 0) <= 86400 * 32
    play.now += 1.0
    play.feed(AdminChanged(play.config.accounts, [AccountState("a", "", play.now)]))  # a command of today counts
    play.expect()
    assert play.request(body("m")).account == "a"


def test_an_account_that_is_removed_just_as_it_comes_back_is_not_called() -> None:
    a, b = account("a", requests_per_minute=1), account("b", models=("other",))
    play = Play(a, b, scheduling=SchedulingConfig(acquire_timeout=100))
    finish(play, play.request(body()))
    ask(play)
    play.feed(AdminChanged((b,)), at=play.now + 60)
    play.expect(StartResponse, SendBody, EndResponse)
