"""The rules of scheduling, each shown by a dialogue with the core. The numbers are those of ``docs/scheduling.md``."""

from play import JSON, Play, account
from scheduling import REPLY, ask, body, changes, finish, limited, served, session

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import SchedulingConfig
from gephyr_core.events import (
    AdminChanged,
)
from gephyr_core.http import header
from gephyr_core.records import AccountState
from gephyr_core.scheduling.bindings import BindingChange

# -- 1 acquisition ----------------------------------------------------------------------------------------------


def test_rule_1_acquisition_waits_five_seconds_and_then_says_why() -> None:
    play = Play(account("a", max_concurrency=1))
    play.request(body())
    ask(play)
    play.wait()
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (play.now, start.status, header(start.headers, b"retry-after")) == (1005.0, 503, b"1")
    assert b"1 busy" in sent.data


def test_rule_1_waiters_of_one_model_are_served_first_come_first_served() -> None:
    play = Play(account("a", max_concurrency=1))
    call = play.request(body())
    waiting = [ask(play) for _ in range(4)]
    for number in waiting:
        play.answer(call, REPLY)
        *_, call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
        assert call.exchange == number


def test_rule_1_a_window_that_opens_wakes_the_first_who_waits() -> None:
    play = Play(account("a", requests_per_minute=1), scheduling=SchedulingConfig(acquire_timeout=100))
    served(play)
    first, _ = ask(play), ask(play)
    play.wait()
    assert (play.now, play.expect(CallUpstream).exchange) == (1060.0, first)


# -- 2 modes ----------------------------------------------------------------------------------------------------


def test_rule_2_cache_first_waits_for_the_sessions_own_account() -> None:
    mode = SchedulingConfig(mode="cache_first")
    play = Play(account("a", max_concurrency=1), account("b", max_concurrency=1), scheduling=mode)
    call = play.request(body(), **session())
    second = ask(play, **session())
    play.answer(call, REPLY)
    *_, next_call = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert (next_call.exchange, next_call.account) == (second, call.account)


def test_rule_2_cache_first_takes_another_account_when_the_wait_is_over() -> None:
    mode = SchedulingConfig(mode="cache_first", acquire_timeout=5)
    play = Play(account("a", max_concurrency=1), account("b", max_concurrency=1), scheduling=mode)
    call = play.request(body(), **session())
    ask(play, **session())
    play.wait()
    other = play.expect(CallUpstream)
    assert (play.now, {call.account, other.account}) == (1005.0, {"a", "b"})


def test_rule_2_balance_does_not_wait_for_the_sessions_own_account() -> None:
    play = Play(account("a", max_concurrency=1), account("b", max_concurrency=1))
    call = play.request(body(), **session())
    other = play.request(body(), **session())
    assert {call.account, other.account} == {"a", "b"}


def test_rule_2_performance_first_knows_no_sessions() -> None:
    play = Play(account("a"), account("b"), scheduling=SchedulingConfig(mode="performance_first"))
    calls = [play.request(body(), **session()) for _ in range(4)]
    assert sorted(call.account for call in calls) == ["a", "a", "b", "b"]
    assert changes(play) == []


# -- 3 the preferred account ------------------------------------------------------------------------------------


def test_rule_3_the_preferred_account_serves_whatever_it_can_and_comes_back() -> None:
    preferred = SchedulingConfig(preferred_account="b")
    play = Play(account("a"), account("b", models=("m",)), account("c"), scheduling=preferred)
    assert [served(play, **session(f"s{number}")) for number in range(3)] == ["b"] * 3
    assert served(play, model="other") != "b"
    limited(play, play.request(body()), 30)
    fallback = play.expect(CallUpstream)
    assert fallback.account != "b"
    finish(play, fallback)
    assert served(play) != "b"
    play.now += 31
    assert served(play) == "b"


# -- 4 sticky sessions ------------------------------------------------------------------------------------------


def test_rule_4_a_session_keeps_its_account() -> None:
    play = Play(*(account(name) for name in "abcde"))
    first = served(play, **session())
    others = [served(play, **session(f"other{number}")) for number in range(5)]
    assert [served(play, **session()) for _ in range(5)] == [first] * 5
    assert len(dict.fromkeys(others)) > 1
    assert changes(play)[0] is BindingChange.BOUND
    assert changes(play)[-1] is BindingChange.REUSED


def test_rule_4_a_short_wait_keeps_the_binding_while_a_fallback_serves() -> None:
    play = Play(account("a"), account("b"))
    call = play.request(body(), **session())
    limited(play, call, 30)
    fallback = play.expect(CallUpstream)
    finish(play, fallback)
    assert served(play, **session()) == fallback.account != call.account
    play.now += 31
    assert served(play, **session()) == call.account
    assert BindingChange.KEPT_FOR_A_SHORT_WAIT in changes(play)
    assert BindingChange.FALLBACK_USED in changes(play)


def test_rule_4_a_long_wait_releases_the_binding_and_the_next_account_is_bound() -> None:
    play = Play(account("a"), account("b"))
    call = play.request(body(), **session())
    limited(play, call, 300)
    other = play.expect(CallUpstream)
    finish(play, other)
    play.now += 301
    assert served(play, **session()) == other.account != call.account
    assert changes(play)[:3] == [BindingChange.BOUND, BindingChange.RELEASED_FOR_A_LONG_WAIT, BindingChange.BOUND]


def test_rule_4_a_limit_of_another_model_does_not_move_the_session() -> None:
    play = Play(account("a"), account("b"))
    first = served(play, **session())
    call = play.request(body("other"), **session())
    assert call.account == first
    limited(play, call, 300)
    finish(play, play.expect(CallUpstream))
    assert served(play, **session("fresh")) in {"a", "b"}


def test_rule_4_a_session_leaves_an_account_that_is_taken_out_of_service() -> None:
    a, b = account("a"), account("b")
    play = Play(a, b)
    first = served(play, **session())
    play.feed(AdminChanged([a, b], [AccountState(first, "operator", play.now)]))
    play.expect()
    assert served(play, **session()) != first
    assert BindingChange.RELEASED_MISSING in changes(play)


def test_rule_4_bindings_expire_by_idleness_and_by_number() -> None:
    limits = SchedulingConfig(binding_idle_seconds=100, max_bindings=2)
    play = Play(account("a"), account("b"), scheduling=limits)
    served(play, **session("one"))
    play.now += 101
    served(play, **session("one"))
    for name in ("two", "three"):
        served(play, **session(name))
    expired = [event.reason for event in play.gateway.binding_events if event.change is BindingChange.EXPIRED]
    assert expired == ["idle", "too many"]


# -- 6 the last-used lock ---------------------------------------------------------------------------------------


def test_rule_6_requests_without_a_session_stay_on_the_last_used_account_for_a_minute() -> None:
    play = Play(*(account(name) for name in "abcdef"), scheduling=SchedulingConfig())
    first = served(play)
    assert [served(play) for _ in range(8)] == [first] * 8
    play.now += 61
    assert served(play) in "abcdef"


def test_rule_6_the_lock_is_for_a_family_of_models_and_yields_when_there_is_no_room() -> None:
    play = Play(account("a", max_concurrency=1), account("b", max_concurrency=1), scheduling=SchedulingConfig())
    first = play.request(body("gpt-5"))
    second = play.request(body("gpt-5-mini"))
    assert {first.account, second.account} == {"a", "b"}


def test_rule_6_no_lock_where_it_is_off() -> None:
    play = Play(account("a"), account("b"), scheduling=SchedulingConfig(last_used_lock_seconds=0))
    assert {served(play) for _ in range(2)} == {"a", "b"}


# -- 7 the better of two ----------------------------------------------------------------------------------------


def test_rule_7_the_better_of_two_has_fewer_requests_in_flight() -> None:
    play = Play(account("a"), account("b"))
    calls = [play.request(body()) for _ in range(10)]
    assert sorted(call.account for call in calls) == ["a"] * 5 + ["b"] * 5


def test_rule_7_weights_share_and_priorities_rank() -> None:
    play = Play(account("a", weight=3), account("b", weight=1), account("c", priority=-1))
    accounts = [play.request(body()).account for _ in range(80)]
    assert accounts.count("c") == 0
    assert 2.5 < accounts.count("a") / accounts.count("b") < 3.5


def test_rule_7_an_account_whose_quota_runs_low_is_spared() -> None:
    play = Play(account("a"), account("b"))
    low = [
        *JSON,
        (b"x-ratelimit-limit-requests", b"1000"),
        (b"x-ratelimit-remaining-requests", b"20"),
        (b"x-ratelimit-reset-requests", b"58s"),
    ]
    spared = play.request(body())
    finish(play, spared, low)
    accounts = [served(play) for _ in range(6)]
    assert spared.account not in accounts


# -- 14 explanation ---------------------------------------------------------------------------------------------


def test_rule_14_each_decision_tells_who_was_chosen_and_why_the_others_were_not() -> None:
    play = Play(account("a"), account("b", max_concurrency=1), account("c"), account("d", priority=-1))
    limited(play, play.request(body()), 60)
    call = play.expect(CallUpstream)
    decision = play.gateway.decisions.latest[-1]
    assert (decision.account, decision.attempt, decision.pool) == (call.account, 1, 4)
    told = dict(decision.candidates())
    assert told[call.account].startswith("chosen")
    assert "failed this request before" in told.values()
    assert sorted(told) == ["a", "b", "c", "d"]


def test_rule_14_the_client_is_told_the_decision_when_it_asks() -> None:
    play = Play(account("a"))
    call = play.request(body(), headers=[(b"x-gephyr-explain", b"1")])
    play.answer(call, REPLY)
    start, *_ = play.expect(StartResponse, SendBody, EndResponse)
    told = (header(start.headers, b"x-gephyr-decision-id") or b"").decode()
    found = play.gateway.decisions.find(told)
    assert found is not None
    assert found.account == "a"
    served(play)
    assert play.records[0].attempts[0].decision == told
