"""The rules on limits, tokens and what is kept, each shown by a dialogue with the core. The numbers are those of ``docs/scheduling.md``."""

import msgspec
import pytest
from play import JSON, Play, account
from scheduling import ask, body, finish, limited, served, session, signs_in

from gephyr_core.commands import CallUpstream, EndResponse, ReadBody, RefreshToken, SendBody, StartResponse
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import Fault
from gephyr_core.events import (
    AdminChanged,
    RequestBody,
    RequestEnded,
    StateRestored,
    TokenRefreshed,
    TokenRefreshFailed,
    UpstreamFailed,
)
from gephyr_core.http import header
from gephyr_core.records import AccountState, Cooldown, TokenState

# -- 8 limits ---------------------------------------------------------------------------------------------------


def test_rule_8_a_rate_limit_is_for_the_model_where_the_provider_counts_each() -> None:
    play = Play(account("a"))
    limited(play, play.request(body("m1")), 60)
    play.expect(StartResponse, SendBody, EndResponse)
    assert served(play, model="m2") == "a"
    assert play.refused(body("m1")).status == 429


def test_rule_8_a_rate_limit_is_for_the_account_where_it_counts_all_together() -> None:
    play = Play(account("a", "openai-compatible"))
    limited(play, play.request(body("m1")), 60)
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.refused(body("m2")).status == 429


def test_rule_8_accounts_of_one_organization_share_its_limits() -> None:
    play = Play(account("a", organization="acme"), account("b", organization="acme"), account("c"))
    calls = []
    call = play.request(body())
    while call.account == "c":
        calls.append(call)
        call = play.request(body())
    limited(play, call, 60)
    assert play.expect(CallUpstream).account == "c"
    for _ in range(3):
        assert play.request(body()).account == "c"


def test_rule_8_without_a_hint_the_estimate_grows_with_each_failure_and_is_forgotten() -> None:
    play = Play(account("a"), account("b", priority=-1))
    waits = []
    for _ in range(3):
        call = play.request(body())
        assert call.account == "a"
        limited(play, call, None)
        finish(play, play.expect(CallUpstream))
        event = play.events[-1]
        assert not event.stated
        waits.append((event.until or 0.0) - play.now)
        play.now += waits[-1]
    assert waits == [5.0, 10.0, 20.0]
    play.now += 4000
    limited(play, play.request(body()), None)
    finish(play, play.expect(CallUpstream))
    assert (play.events[-1].until or 0.0) - play.now == 5.0


def test_rule_8_a_limit_that_waiting_does_not_mend_benches_until_the_operator_says_otherwise() -> None:
    a, b = account("a"), account("b", priority=-1)
    play = Play(a, b)
    money = b'{"error":{"message":"no credit","type":"insufficient_quota","code":"insufficient_quota"}}'
    play.answer(play.request(body()), money, 429)
    finish(play, play.expect(CallUpstream))
    play.now += 86400 * 40
    assert served(play) == "b"
    play.feed(AdminChanged([a, b], [AccountState("a", "operator", play.now)]))
    play.expect()
    play.feed(AdminChanged([a, b], []))
    play.expect()
    assert served(play) == "a"


def test_rule_8_an_account_is_passed_over_before_it_answers_429() -> None:
    play = Play(account("a"), account("b", priority=-1))
    used_up = [
        *JSON,
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", b"60s"),
    ]
    finish(play, play.request(body()), used_up)
    assert served(play) == "b"
    play.now += 1.1  # a sixtieth of the bucket is there again
    assert served(play) == "a"


def test_rule_8_a_retry_after_on_a_200_is_no_cooldown() -> None:
    play = Play(account("a"))
    finish(play, play.request(body()), [*JSON, (b"retry-after", b"60")])
    assert served(play) == "a"


def test_rule_8_a_long_estimate_is_probed_by_one_request() -> None:
    play = Play(account("a"), account("b", priority=-1))
    key = b'{"error":{"message":"bad key","code":"invalid_api_key"}}'
    play.answer(play.request(body()), key, 401)
    finish(play, play.expect(CallUpstream))
    assert (play.events[-1].until or 0.0) - play.now == 60.0
    play.now += 15
    probe, beside = play.request(body()), play.request(body())
    assert (probe.account, beside.account) == ("a", "b")
    finish(play, probe)
    assert served(play) == "a"


def test_rule_8_one_closed_socket_benches_nobody() -> None:
    play = Play(account("a"), account("b", priority=-1))
    call = play.request(body())
    play.feed(UpstreamFailed(call.exchange, call.attempt, Fault.RESET, "reset"))
    finish(play, play.expect(CallUpstream))
    assert served(play) == "a"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_rule_8_the_last_usable_account_stays_in_play_unless_the_provider_said_otherwise(status: int) -> None:
    """Within two seconds it is asked again. A refused credential is the exception (``test_refused_credentials.py``)."""
    play = Play(account("a"))
    limited(play, play.request(body()), None, status)
    play.expect(StartResponse, SendBody, EndResponse)
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body()))
    play.expect()
    if not play.feed(RequestEnded(play.exchange)):
        play.wait()
    finish(play, play.expect(CallUpstream))
    assert play.now <= 1002.0


# -- 9 the fallback delay and the optimistic reset --------------------------------------------------------------


def test_rule_9_a_wait_of_two_seconds_is_waited_out_and_a_longer_one_refused_at_once() -> None:
    play = Play(account("a"))
    limited(play, play.request(body()), 10)
    play.expect(StartResponse, SendBody, EndResponse)
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body()))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    start, *_ = play.expect(StartResponse, SendBody, EndResponse)
    assert (play.now, start.status, header(start.headers, b"retry-after")) == (1000.0, 429, b"10")
    play.now += 8.5
    ask(play)
    play.wait()
    finish(play, play.expect(CallUpstream))
    assert play.now == 1010.0


def test_rule_9_estimates_are_cleared_once_when_nobody_is_left() -> None:
    play = Play(account("a"), account("b"))
    first = play.request(body())
    limited(play, first, None, 429)
    second = play.expect(CallUpstream)
    limited(play, second, None, 429)
    play.expect(StartResponse, SendBody, EndResponse)
    assert served(play) in {"a", "b"}


def test_rule_9_what_a_provider_stated_is_never_cleared() -> None:
    play = Play(account("a"), account("b"))
    limited(play, play.request(body()), 60)
    limited(play, play.expect(CallUpstream), None)
    play.expect(StartResponse, SendBody, EndResponse)
    stated = {event.account for event in play.events if event.stated}
    assert served(play) not in stated


# -- 10 compliance ----------------------------------------------------------------------------------------------


def test_rule_10_the_global_window_is_never_exceeded() -> None:
    rails = ComplianceConfig(enabled=True, max_global_requests_per_minute=2)
    play = Play(account("a"), account("b"), compliance=rails, scheduling=SchedulingConfig(acquire_timeout=100))
    served(play)
    play.now += 1
    served(play)
    waiting = [ask(play), ask(play)]
    play.wait()
    assert (play.now, play.expect(CallUpstream).exchange) == (1060.0, waiting[0])
    play.wait()
    assert (play.now, play.expect(CallUpstream).exchange) == (1061.0, waiting[1])


def test_rule_10_fail_over_counts_in_the_window_too() -> None:
    rails = ComplianceConfig(enabled=True, max_global_requests_per_minute=1)
    play = Play(account("a"), account("b"), compliance=rails, scheduling=SchedulingConfig(acquire_timeout=100))
    limited(play, play.request(body()), None, 500)
    play.expect()
    play.wait()
    assert (play.now, play.expect(CallUpstream).attempt) == (1060.0, 2)


def test_rule_10_each_account_has_its_own_window_and_places() -> None:
    rails = ComplianceConfig(enabled=True, max_account_requests_per_minute=1, max_account_concurrency=1)
    play = Play(account("a", requests_per_minute=5, max_concurrency=5), compliance=rails)
    play.request(body())
    ask(play)
    play.wait()
    play.expect(StartResponse, SendBody, EndResponse)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, 529])
def test_rule_10_a_risky_status_leaves_the_account_alone(status: int) -> None:
    rails = ComplianceConfig(enabled=True, risk_cooldown_seconds=120)
    play = Play(account("a"), account("b", priority=-1), compliance=rails)
    limited(play, play.request(body()), None, status)
    finish(play, play.expect(CallUpstream))
    play.now += 119
    assert served(play) == "b"
    play.now += 2
    assert served(play) == "a"


def test_rule_10_retries_are_capped() -> None:
    rails = ComplianceConfig(enabled=True, max_retry_attempts=1)
    play = Play(account("a"), account("b"), account("c"), compliance=rails)
    limited(play, play.request(body()), None, 500)
    limited(play, play.expect(CallUpstream), None, 500)
    play.expect(StartResponse, SendBody, EndResponse)


def test_rule_10_tokens_are_estimated_before_and_settled_after() -> None:
    play = Play(account("a", tokens_per_minute=1000), account("b", priority=-1))
    large = msgspec.json.encode({"model": "m", "messages": [], "x": "y" * 2400})
    first = play.request(large)
    assert (first.account, play.request(large).account) == ("a", "b")
    finish(play, first)  # it was 15 tokens in fact
    assert play.request(large).account == "a"


# -- 11 accounts that sign in -----------------------------------------------------------------------------------


def test_rule_11_one_refresh_serves_all_who_wait() -> None:
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", 0.0)]))
    play.expect()
    play.wait()
    assert play.expect(RefreshToken).account == "a"
    waiting = [ask(play) for _ in range(3)]
    play.feed(TokenRefreshed("a", play.now + 3600))
    assert [call.exchange for call in play.expect(*[CallUpstream] * 3)] == waiting


def test_rule_11_a_token_is_refreshed_ahead_of_its_end_while_requests_go_on() -> None:
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", 4600.0)]))
    play.expect()
    assert 4300.0 <= play.gateway.deadline <= 4450.0
    play.wait()
    play.expect(RefreshToken)
    assert served(play) == "a"


def test_rule_11_a_refused_refresh_token_disables_the_account_and_sessions_move_on() -> None:
    play = Play(signs_in(), account("b"))
    play.feed(StateRestored(tokens=[TokenState("a", 2000.0)]))
    play.expect()
    names = [name for name in ("s1", "s2", "s3", "s4") if served(play, **session(name)) == "a"]
    assert names
    play.feed(TokenRefreshFailed("a", "invalid_grant", permanent=True))
    play.expect()
    assert [served(play, **session(name)) for name in names] == ["b"] * len(names)
    assert (
        play.saved[-1] == AccountState("a", "invalid_grant", play.now)
        or AccountState("a", "invalid_grant", 1000.0) in play.saved
    )


def test_rule_11_another_failure_is_tried_again_later() -> None:
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", 0.0)]))
    play.expect()
    play.wait()
    play.expect(RefreshToken)
    play.feed(TokenRefreshFailed("a", "http_503"))
    play.expect()
    play.wait()
    assert (play.now, play.expect(RefreshToken).account) == (1002.0, "a")


def test_rule_11_a_401_for_a_good_token_refreshes_once_and_then_counts() -> None:
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", 4600.0)]))
    play.expect()
    refused = b'{"error":{"message":"expired"}}'
    play.answer(play.request(body()), refused, 401)
    play.expect()
    play.wait()
    play.expect(RefreshToken)
    play.feed(TokenRefreshed("a", play.now + 3600))
    play.answer(play.expect(CallUpstream), refused, 401)
    start, *_ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 502


def test_rule_11_an_account_that_nobody_signed_in_waits_for_that_and_is_not_disabled() -> None:
    one = signs_in()
    play = Play(one)
    play.feed(StateRestored(tokens=[TokenState("a", 0.0)]))
    play.expect()
    play.wait()
    play.expect(RefreshToken)
    play.feed(TokenRefreshFailed("a", "not_signed_in", permanent=True))
    play.expect()
    assert play.saved == []
    play.now += 20
    play.feed(AdminChanged([one], tokens=[TokenState("a", play.now + 3600)]))
    play.expect()
    assert served(play) == "a"


# -- 12 what is kept --------------------------------------------------------------------------------------------


def test_rule_12_what_was_saved_holds_after_a_restart() -> None:
    before = Play(account("a"), account("b", priority=-1))
    limited(before, before.request(body()), 600)
    finish(before, before.expect(CallUpstream))
    kept = [record for record in before.saved if isinstance(record, Cooldown)]
    after = Play(account("a"), account("b", priority=-1), now=1010.0)
    after.feed(StateRestored(cooldowns=kept))
    after.expect()
    assert served(after) == "b"
    after.now = 1601.0
    assert served(after) == "a"
