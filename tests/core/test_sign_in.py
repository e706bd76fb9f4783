"""The life of access tokens where things go wrong: tokens that come and go while accounts are out of service."""

import math
import random

import pytest
from play import Play
from scheduling import signs_in
from test_scheduler import account

from gephyr_core.commands import RefreshToken
from gephyr_core.events import StateRestored, TimePassed, TokenRefreshed
from gephyr_core.records import TokenState
from gephyr_core.scheduling import Account, Pool
from gephyr_core.scheduling.hints import Hints
from gephyr_core.scheduling.sign_in import RETRIES, TIMEOUT, WINDOW, SignIn

NOW = 1000.0
HOUR = 3600.0


def signed_in(expires_at: float = NOW + HOUR, hints: Hints | None = None) -> tuple[SignIn, Account]:
    """One account with a token until then."""
    sign_in, one = SignIn(random.Random(1), (hints or Hints()).opened), account("a")
    sign_in.add(one, expires_at, NOW)
    return sign_in, one


def test_an_account_enabled_with_a_good_token_refreshes_it_before_its_end() -> None:
    sign_in, one = signed_in()
    one.disabled = "operator"
    now = NOW + HOUR - WINDOW / 2 + 1
    assert sign_in.due(now) == []
    one.disabled = ""
    sign_in.enabled(one, now)
    assert now <= sign_in.deadline < NOW + HOUR


def test_a_new_sign_in_counts_although_the_old_token_is_still_good() -> None:
    sign_in, one = signed_in()
    sign_in.signed_in("a", NOW + 2 * HOUR, NOW + 10)
    assert one.token_until == NOW + 2 * HOUR
    assert sign_in.deadline > NOW + HOUR


def test_a_token_that_was_refused_is_not_taken_for_a_new_one() -> None:
    sign_in, one = signed_in()
    assert sign_in.rejected(one, one.token_number, NOW)
    sign_in.signed_in("a", NOW + HOUR, NOW)  # what is on the disk is what was refused
    assert one.token_until == 0.0
    assert len(sign_in.due(NOW)) == 1


def test_a_sign_in_during_a_refresh_does_not_lead_to_a_second_one() -> None:
    sign_in, one = signed_in(0.0)
    assert len(sign_in.due(NOW)) == 1
    sign_in.signed_in("a", NOW + HOUR, NOW)
    sign_in.rejected(one, one.token_number, NOW)
    assert sign_in.due(NOW + TIMEOUT) == []


def test_an_account_that_is_taken_in_anew_awaits_the_answer_that_is_due() -> None:
    sign_in, one = signed_in(0.0)
    assert len(sign_in.due(NOW)) == 1
    sign_in.forget(one)
    again = account("a")
    sign_in.add(again, 0.0, NOW)
    assert sign_in.due(NOW) == []
    assert sign_in.refreshed("a", NOW + HOUR, NOW)
    assert again.token_until == NOW + HOUR


def test_an_answer_that_is_lost_is_asked_for_again() -> None:
    sign_in, _ = signed_in(0.0)
    assert len(sign_in.due(NOW)) == 1
    assert TIMEOUT < sign_in.deadline - NOW < math.inf
    assert len(sign_in.due(sign_in.deadline)) == 1


def test_failures_back_off_and_a_stated_wait_is_kept() -> None:
    sign_in, _ = signed_in(0.0)
    now = NOW
    for wait in (*RETRIES, RETRIES[-1]):
        assert len(sign_in.due(now)) == 1
        sign_in.failed("a", None, "http_503", now)
        assert sign_in.deadline == now + wait
        now += wait
    assert len(sign_in.due(now)) == 1
    sign_in.failed("a", 1000.0, "http_429", now)
    assert sign_in.deadline == now + 1000.0


def test_accounts_that_signed_in_together_do_not_refresh_together() -> None:
    sign_in = SignIn(random.Random(1), Hints().opened)
    accounts = [account(f"a{number}") for number in range(100)]
    for one in accounts:
        sign_in.add(one, NOW + HOUR, NOW)
    begun = 0
    for second in range(int(HOUR - WINDOW), int(HOUR - WINDOW / 2) + 1):
        due = sign_in.due(NOW + second)
        assert len(due) < 10
        begun += len(due)
        for one in due:
            sign_in.refreshed(one.id, NOW + 2 * HOUR, NOW + second)
    assert begun == 100


def test_a_token_that_comes_expired_is_a_failure_and_backs_off() -> None:
    play = Play(signs_in())
    play.feed(StateRestored(tokens=[TokenState("a", 0.0)]))
    play.expect()
    play.feed(TimePassed())
    play.expect(RefreshToken)
    play.feed(TokenRefreshed("a", play.now))
    play.expect()
    assert play.gateway.deadline == play.now + RETRIES[0]


def test_a_token_is_refreshed_in_the_last_minutes_of_its_life_or_the_last_fifth_of_a_short_one() -> None:
    for life, window in ((HOUR, WINDOW), (500.0, 100.0), (100.0, 20.0)):
        for seed in range(20):
            sign_in = SignIn(random.Random(seed), Hints().opened)
            sign_in.add(account("a"), NOW + life, NOW)
            assert NOW + life - window <= sign_in.deadline <= NOW + life - window / 2
    sign_in = SignIn(random.Random(1), Hints().opened)
    sign_in.add(account("a"), NOW, NOW)
    assert sign_in.deadline == NOW


def test_an_account_that_is_being_signed_in_says_so_and_one_that_failed_says_why() -> None:
    sign_in, one = signed_in(0.0)
    block = one.block("m", 10, NOW)
    assert block is not None
    assert (block.reason, block.until) == ("signing in", math.inf)
    sign_in.due(NOW)
    assert sign_in.failed("a", None, "http_503", NOW) is one
    block = one.block("m", 10, NOW)
    assert block is not None
    assert (block.reason, block.until) == ("sign-in failed: http_503", NOW + RETRIES[0])
    sign_in.due(NOW + RETRIES[0])
    block = one.block("m", 10, NOW + RETRIES[0])
    assert block is not None
    assert block.reason == "signing in"
    assert sign_in.refreshed("a", NOW + HOUR, NOW + 3)
    assert one.block("m", 10, NOW + 3) is None


def test_news_of_an_account_that_nobody_knows_changes_nothing() -> None:
    sign_in, one = signed_in()
    before = sign_in.deadline
    assert sign_in.refreshed("gone", NOW + HOUR, NOW) is False
    assert sign_in.failed("gone", None, "x", NOW) is None
    assert not sign_in.signed_in("gone", NOW + HOUR, NOW)
    other = account("gone")
    sign_in.enabled(other, NOW)
    assert sign_in.rejected(other, 0, NOW) is False
    sign_in.forget(other)
    assert (sign_in.deadline, one.token_until) == (before, NOW + HOUR)
    sign_in.forget(one)
    assert sign_in.deadline == math.inf


def test_each_token_that_comes_has_a_number_of_its_own() -> None:
    sign_in, one = signed_in()
    assert one.token_number == 0
    sign_in.refreshed("a", NOW + 2 * HOUR, NOW)
    assert one.token_number == 1
    assert sign_in.signed_in("a", NOW + 3 * HOUR, NOW)
    assert one.token_number == 2
    assert not sign_in.signed_in("a", NOW + 3 * HOUR, NOW), "the same one"
    assert not sign_in.signed_in("a", NOW, NOW), "one that is over"
    assert (one.token_number, one.token_until) == (2, NOW + 3 * HOUR)


def test_an_account_out_of_service_is_not_refreshed_until_it_is_back() -> None:
    sign_in, one = signed_in(0.0)
    one.disabled = "operator"
    assert sign_in.due(NOW) == []
    assert sign_in.deadline == math.inf
    one.disabled = ""
    sign_in.enabled(one, NOW + 5)
    assert sign_in.deadline == NOW + 5
    assert sign_in.due(NOW + 5) == [one]


def test_who_waits_for_a_token_learns_of_it_and_that_it_does_not_come() -> None:
    for news in ("refreshed", "failed"):
        hints = Hints()
        sign_in, one = signed_in(0.0, hints)
        pool = Pool("m", [one], hints)
        assert pool.draw(1, [], 10, NOW, random.Random(1)) == []
        pool.fresh = False
        if news == "refreshed":
            sign_in.refreshed("a", NOW + HOUR, NOW)
        else:
            sign_in.failed("a", None, "x", NOW)
        assert pool.fresh
        assert bool(pool.draw(1, [], 10, NOW, random.Random(1))) is (news == "refreshed")


@pytest.mark.parametrize(("after", "asked"), [(2 * TIMEOUT - 0.1, False), (2 * TIMEOUT, True)])
def test_an_answer_is_awaited_for_its_time_whatever_else_is_planned(after: float, asked: bool) -> None:
    """Meanwhile the operator enables the account: it is not asked for a second time until the answer is lost."""
    sign_in, one = signed_in(0.0)
    assert sign_in.due(NOW) == [one]
    sign_in.enabled(one, NOW + after)
    assert (sign_in.due(NOW + after) == [one]) is asked


@pytest.mark.parametrize(("until", "signing_in"), [(NOW + 10.0, True), (NOW + 10.1, False)])
def test_an_account_that_is_enabled_says_that_it_signs_in_only_without_a_token(until: float, signing_in: bool) -> None:
    sign_in, one = signed_in(until)
    one.token_block = None
    sign_in.enabled(one, NOW + 10)
    assert (one.token_block is not None) is signing_in
