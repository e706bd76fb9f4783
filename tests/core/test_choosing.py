"""Which rule chooses an account, as a table: the preferred one, the session's own, the last used, or the better of two."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from claiming import take
from test_scheduler import NOW, account
from ways import busy, estimated, no_token, out, overloaded, paced, rate_limited, small_quota, too_small

from gephyr_core.commands import Command
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.scheduling import NEUTRAL, Account, Lease, Pool, Refused, Scheduler, Search, Wait
from gephyr_core.scheduling.bindings import BindingChange
from gephyr_core.scheduling.decisions import MOST_DECISIONS, Rule

BOUND, REUSED, KEPT = BindingChange.BOUND, BindingChange.REUSED, BindingChange.KEPT_FOR_A_SHORT_WAIT
LONG, MISSING, FALLBACK = (
    *(BindingChange.RELEASED_FOR_A_LONG_WAIT, BindingChange.RELEASED_MISSING),
    BindingChange.FALLBACK_USED,
)


class Room:
    """A scheduler of some mode with its accounts in one pool."""

    def __init__(self, *accounts: Account, seed: int = 1, **settings: Any) -> None:
        config = SchedulingConfig(**settings)
        self.told: list[Command] = []
        self.scheduler = Scheduler(accounts, config, ComplianceConfig(), random.Random(seed), self.told.append)
        self.pool = self.scheduler.pool("m", accounts)

    def ask(
        self,
        session: str | None = None,
        *,
        now: float = NOW,
        tried: Sequence[Account] = (),
        pool: Pool | None = None,
        tokens: int = 10,
        search: Search | None = None,
    ) -> Lease | Wait | Refused:
        search = search or Search(1, session, tokens, now, now + 5)
        return take(self.scheduler, pool or self.pool, search, tried, now)

    def served(self, session: str | None = None, **more: Any) -> tuple[str, Rule]:
        """Who serves a request, which ends at once, and by which rule."""
        lease = self.ask(session, **more)
        assert isinstance(lease, Lease), lease
        self.scheduler.release(lease, NEUTRAL, more.get("now", NOW))
        return lease.account.id, lease.rule

    def changes(self) -> list[BindingChange]:
        return [event.change for event in self.scheduler.bindings.events]


def three() -> tuple[Account, Account, Account]:
    return account("a"), account("b"), account("c")


# -- 1 the preferred account ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [None, "s"])
def test_the_preferred_account_goes_before_everything(session: str | None) -> None:
    room = Room(account("a", priority=9), account("b"), preferred_account="b")
    assert room.served(session) == ("b", Rule.PREFERRED)
    assert room.changes() == [], "a session is not bound by it"


@pytest.mark.parametrize("obstacle", [out, rate_limited, busy, no_token, estimated])
def test_a_preferred_account_that_is_kept_away_is_passed_over(obstacle: Callable[[Account], None]) -> None:
    room = Room(*three(), preferred_account="b")
    obstacle(room.scheduler.accounts["b"])
    assert room.served()[0] in {"a", "c"}


def test_a_preferred_account_is_passed_over_where_it_failed_the_request_or_does_not_serve_it_or_is_gone() -> None:
    room = Room(*three(), preferred_account="b")
    a, b, c = room.pool.accounts
    assert room.served(tried=[b])[0] != "b"
    assert room.served(pool=room.scheduler.pool("m", [a, c]))[0] != "b"
    room.scheduler.remove(b, NOW)
    assert room.served()[0] != "b"
    assert Room(*three(), preferred_account="nobody").served()[0] in "abc"


# -- 2 the session's own account ------------------------------------------------------------------------------------


def bound_room(*, mode: str = "balance", **more: Any) -> tuple[Room, Account, Account]:
    """A session that is bound to an account, and another account."""
    room = Room(account("a"), account("b"), mode=mode, max_wait_seconds=30, **more)
    name, rule = room.served("s")
    assert rule is Rule.BEST_OF_TWO
    own = room.scheduler.accounts[name]
    (other,) = [one for one in room.pool.accounts if one is not own]
    return room, own, other


def test_a_session_is_served_by_its_own_account() -> None:
    room, own, _ = bound_room()
    assert room.served("s") == (own.id, Rule.BOUND)
    assert room.changes() == [BOUND, REUSED]


def test_where_sessions_count_for_nothing_none_is_bound() -> None:
    room = Room(*three(), mode="performance_first")
    assert {room.served("s")[1] for _ in range(3)} == {Rule.BEST_OF_TWO}
    assert room.changes() == []


@pytest.mark.parametrize(
    ("seconds", "kept"), [(1.0, True), (29.9, True), (30.0, True), (30.1, False), (math.inf, False)]
)
def test_a_session_keeps_its_account_over_a_short_wait(seconds: float, kept: bool) -> None:
    """``max_wait_seconds`` decides, and itself is still short."""
    room, own, other = bound_room()
    own.view.cooldowns.state("m", NOW + seconds, ErrorKind.RATE_LIMIT, "rate limit")
    assert room.served("s") == (other.id, Rule.FALLBACK if kept else Rule.ONLY_ONE)
    assert room.changes() == [BOUND, *([KEPT, FALLBACK] if kept else [LONG, BOUND])]
    own.view.cooldowns.clear()
    room.scheduler.hints.opened(own.id)
    assert room.served("s")[0] == (own.id if kept else other.id)


@pytest.mark.parametrize("obstacle", [busy, no_token])
def test_a_session_keeps_an_account_that_is_free_as_soon_as_a_request_ends(obstacle: Callable[[Account], None]) -> None:
    room, own, other = bound_room()
    obstacle(own)
    assert room.served("s") == (other.id, Rule.FALLBACK)
    assert room.changes()[-2:] == [KEPT, FALLBACK]
    decision = room.scheduler.decisions.latest[-1]
    assert decision.bound == ("busy" if obstacle is busy else "signing in")


def test_a_session_is_let_go_from_an_account_that_is_gone_or_does_not_serve_it_and_told_why() -> None:
    def reason(change: Callable[[Room, Account], None]) -> str:
        room, own, _ = bound_room()
        change(room, own)
        room.served(
            "s",
            pool=room.pool if own.disabled or own.id not in room.scheduler.accounts else room.scheduler.pool("m", ()),
        )
        event = room.scheduler.bindings.events[1]
        assert event.change is MISSING
        return event.reason

    def disable(room: Room, own: Account) -> None:
        own.disabled = "operator"

    assert reason(disable) == "operator"
    room, own, other = bound_room()
    assert room.served("s", pool=room.scheduler.pool("m", [other])) == (other.id, Rule.ONLY_ONE)
    assert [event.reason for event in room.scheduler.bindings.events if event.change is MISSING] == [
        "does not serve the model"
    ]
    room, own, other = bound_room()
    del room.scheduler.accounts[own.id]
    assert room.served("s", pool=room.scheduler.pool("m", [other])) == (other.id, Rule.ONLY_ONE)
    assert [event.reason for event in room.scheduler.bindings.events if event.change is MISSING] == ["gone"]


def test_an_account_that_failed_the_request_keeps_its_session_and_another_serves_it() -> None:
    room, own, other = bound_room()
    assert room.served("s", tried=[own]) == (other.id, Rule.FALLBACK)
    assert room.scheduler.decisions.latest[-1].bound == "failed this request before"
    assert room.changes() == [BOUND, FALLBACK]
    assert room.served("s") == (own.id, Rule.BOUND)


def test_that_a_session_keeps_its_account_is_noted_once_for_a_request() -> None:
    room, own, other = bound_room()
    rate_limited(own)
    search = Search(1, "s", 10, NOW, NOW + 5)
    for _ in range(3):
        lease = room.ask(search=search)
        assert isinstance(lease, Lease)
        assert lease.account is other
    assert room.changes().count(KEPT) == 1
    room.served("s")
    assert room.changes().count(KEPT) == 2


@pytest.mark.parametrize(
    ("mode", "seconds", "tried", "waits"),
    [
        ("cache_first", 4.0, False, True),
        ("cache_first", 5.0, False, False),
        ("cache_first", 9.0, False, False),
        ("cache_first", 4.0, True, False),
        ("balance", 4.0, False, False),
    ],
)
def test_cache_first_waits_for_the_sessions_own_account_within_the_requests_time(
    mode: str, seconds: float, tried: bool, waits: bool
) -> None:
    room, own, other = bound_room(mode=mode)
    own.view.cooldowns.state("m", NOW + seconds, ErrorKind.RATE_LIMIT, "rate limit")
    answer = room.ask("s", tried=[own] if tried else [])
    if waits:
        assert isinstance(answer, Wait)
        assert list(answer.pool.accounts) == [own]
    else:
        assert isinstance(answer, Lease)
        assert (answer.account, answer.rule) == (other, Rule.FALLBACK)


def test_cache_first_waits_in_a_pool_of_its_own_for_each_account_and_model() -> None:
    room, own, _ = bound_room(mode="cache_first")
    busy(own)
    first, second = room.ask("s"), room.ask("s")
    assert isinstance(first, Wait)
    assert isinstance(second, Wait)
    assert first.pool is second.pool
    elsewhere = room.ask("s", pool=room.scheduler.pool("other", room.pool.accounts))
    assert isinstance(elsewhere, Wait)
    assert elsewhere.pool is not first.pool
    assert elsewhere.pool.model == "other"


def test_whoever_waits_for_one_account_waits_in_one_line_though_others_wait_for_another() -> None:
    """Two lines for one account would be served past each other: who came first would not come first."""
    room, own, other = bound_room(mode="cache_first")
    assert room.served("t", pool=room.scheduler.pool("m", (other,)))[0] == other.id
    busy(own)
    busy(other)
    first, elsewhere, second = room.ask("s"), room.ask("t"), room.ask("s")
    assert isinstance(first, Wait)
    assert isinstance(elsewhere, Wait)
    assert isinstance(second, Wait)
    assert (list(first.pool.accounts), list(elsewhere.pool.accounts)) == ([own], [other])
    assert second.pool is first.pool


# -- 3 the last used ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "same"), [(0.0, True), (59.9, True), (60.0, False)])
def test_a_request_without_a_session_stays_with_the_last_used_account_for_a_minute(after: float, same: bool) -> None:
    room = Room(*(account(f"a{number}") for number in range(6)))
    first, rule = room.served()
    assert rule is Rule.BEST_OF_TWO
    later = room.served(now=NOW + after)
    assert (later == (first, Rule.LAST_USED)) is same
    assert (later[1] is Rule.LAST_USED) is same


@pytest.mark.parametrize("obstacle", [out, rate_limited, busy, no_token])
def test_the_last_used_account_is_passed_over_where_it_may_not_be_asked(obstacle: Callable[[Account], None]) -> None:
    room = Room(*three())
    first, _ = room.served()
    obstacle(room.scheduler.accounts[first])
    assert room.served()[0] != first


def test_the_last_used_account_is_that_of_a_family_of_models_and_a_kind_of_accounts() -> None:
    room = Room(*(account(f"a{number}") for number in range(6)))
    accounts = room.pool.accounts
    first, _ = room.served(pool=room.scheduler.pool("gpt-5", accounts))
    assert room.served(pool=room.scheduler.pool("gpt-6", accounts)) == (first, Rule.LAST_USED)
    assert room.served(pool=room.scheduler.pool("claude", accounts))[1] is Rule.BEST_OF_TWO
    accounts[0].provider = "azure"
    assert room.served(pool=room.scheduler.pool("gpt-5", accounts))[1] is Rule.BEST_OF_TWO


def test_sessions_and_other_modes_leave_the_last_used_account_alone() -> None:
    room = Room(*three())
    first, _ = room.served()
    room.served("s")
    assert room.served() == (first, Rule.LAST_USED)
    assert Room(*three(), mode="performance_first").served()[1] is Rule.BEST_OF_TWO
    quick = Room(*three(), mode="performance_first")
    quick.served()
    assert quick.served()[1] is Rule.BEST_OF_TWO


@pytest.mark.parametrize(("in_flight", "most", "same"), [(15, None, True), (16, None, False), (16, 99, True)])
def test_the_last_used_account_is_passed_over_where_it_has_much_to_do(
    in_flight: int, most: int | None, same: bool
) -> None:
    """Sixteen requests are much where the operator named no limit."""
    room = Room(account("a", most=most), account("b", most=most))
    first, _ = room.served()
    room.scheduler.accounts[first].view.in_flight = in_flight
    assert (room.served() == (first, Rule.LAST_USED)) is same


# -- 4 the better of two --------------------------------------------------------------------------------------------


def test_two_are_compared_and_one_alone_is_not() -> None:
    room = Room(*three(), last_used_lock_seconds=0)
    assert room.served()[1] is Rule.BEST_OF_TWO
    assert len(room.scheduler.decisions.latest[-1].scores) == 2
    a, b, c = room.pool.accounts
    assert room.served(tried=[a, b]) == ("c", Rule.ONLY_ONE)
    assert room.scheduler.decisions.latest[-1].scores == ()
    assert isinstance(room.ask(tried=[a, b, c]), Refused)


@pytest.mark.parametrize("obstacle", [too_small, small_quota, paced, overloaded])
def test_a_request_that_one_account_may_not_take_goes_to_another(obstacle: Callable[[Account], None]) -> None:
    room = Room(account("a", per_minute=1), account("b"))
    obstacle(room.scheduler.accounts["a"])
    assert room.served() == ("b", Rule.ONLY_ONE)


# -- decisions ------------------------------------------------------------------------------------------------------


def test_a_decision_tells_what_was_known_when_it_was_made() -> None:
    room, own, other = bound_room()
    rate_limited(own)
    search = Search(7, "s", 10, NOW - 3, NOW + 5)
    lease = room.ask(search=search)
    assert isinstance(lease, Lease)
    decision = room.scheduler.decisions.latest[-1]
    assert (lease.decision, lease.rule, lease.waited) == (decision.id, Rule.FALLBACK, 3.0)
    assert (decision.exchange, decision.model, decision.session, decision.at) == (7, "m", "s", NOW)
    assert (decision.account, decision.attempt, decision.waited, decision.pool) == (other.id, 0, 3.0, 2)
    assert (decision.bound, decision.tried) == ("rate limit", ())
    assert dict(decision.candidates()) == {other.id: "chosen: fallback", own.id: "rate limit"}


def test_a_refusal_is_a_decision_too() -> None:
    room = Room(*three())
    for one in room.pool.accounts:
        out(one)
    room.ask()
    search = Search(7, None, 10, NOW, NOW + 5)
    told = room.scheduler.refuse([room.pool], search, [], NOW)
    decision = room.scheduler.decisions.find(told)
    assert decision is not None
    assert (decision.rule, decision.account) == (Rule.REFUSED, None)
    assert dict(decision.candidates()) == dict.fromkeys("abc", "operator")
    nobody = room.scheduler.decisions.find(room.scheduler.refuse([], search, [], NOW))
    assert nobody is not None
    assert (nobody.model, nobody.pool) == ("", 0)


def test_the_words_for_the_rules_are_those_of_the_documentation() -> None:
    assert {rule.value for rule in Rule} == {
        *("preferred", "bound", "fallback", "last_used", "best_of_two", "only_one", "refused"),
    }


def test_the_latest_decisions_are_kept_and_each_has_its_own_id() -> None:
    room = Room(account("a"))
    ids = []
    for _ in range(MOST_DECISIONS + 2):
        room.served()
        ids.append(room.scheduler.decisions.latest[-1].id)
    assert len(dict.fromkeys(ids)) == len(ids)
    assert len(room.scheduler.decisions.latest) == MOST_DECISIONS
    assert room.scheduler.decisions.find(ids[0]) is None
    found = room.scheduler.decisions.find(ids[-1])
    assert found is not None
    assert found.id == ids[-1]
    other = Room(account("a"), seed=2)
    other.served()
    assert other.scheduler.decisions.latest[-1].id not in ids, "another gateway's ids are others"
