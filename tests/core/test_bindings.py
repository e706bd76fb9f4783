"""Bindings: kept, saved, restored, let go and bounded."""

import pytest
from play import Play, account
from scheduling import body, changes, finish, limited, served, session
from test_scheduler import NOW

from gephyr_core.commands import CallUpstream
from gephyr_core.config import ModelsConfig, SchedulingConfig
from gephyr_core.events import StateRestored
from gephyr_core.records import Binding
from gephyr_core.scheduling.bindings import BindingChange, Bindings


def saving(idle: float = 3600.0, most: int = 100) -> tuple[Bindings, list[Binding]]:
    """Bindings, and what they want kept."""
    saved: list[Binding] = []
    return Bindings(idle, most, saved.append), saved


@pytest.mark.parametrize("idle", [3600.0, 30.0, 1.0])
def test_what_is_kept_outlives_no_more_than_a_binding_in_use(idle: float) -> None:
    """A process that is killed at any moment finds every binding again that was in use."""
    bindings, saved = saving(idle)
    now = NOW
    for _ in range(50):
        bindings.bind("s", "a", "m", now)
        assert saved[-1].expires_at > now + idle / 2 - 1e-6
        now += min(idle / 7, 20)
    assert len(saved) < 50


def test_a_binding_that_is_let_go_is_deleted_on_the_disk() -> None:
    bindings, saved = saving()
    bindings.bind("s", "a", "m", NOW)
    bindings.release("s", BindingChange.RELEASED_FOR_A_LONG_WAIT, "m", NOW + 1, "rate limit")
    assert (saved[-1].session, saved[-1].expires_at) == ("s", NOW + 1)
    assert len(bindings) == 0


def test_more_bindings_than_there_may_be_push_the_longest_unused_out_of_memory_and_disk() -> None:
    bindings, saved = saving(most=3)
    for number in range(10):
        bindings.bind(f"s{number}", "a", "m", NOW)
    kept = {record.session: record for record in saved}
    assert [name for name, record in kept.items() if record.expires_at > NOW] == ["s7", "s8", "s9"]
    assert len(bindings) == 3


def test_idle_bindings_are_cleared_by_those_that_come() -> None:
    bindings, _ = saving(idle=100)
    for number in range(200):
        bindings.bind(f"s{number}", "a", "m", NOW)
    for number in range(4):
        bindings.bind(f"new{number}", "a", "m", NOW + 101)
    assert len(bindings) <= 4
    expired = [event for event in bindings.events if event.change is BindingChange.EXPIRED]
    reasons = {(event.reason, event.at - NOW) for event in expired}
    assert reasons == {("too many", 0), ("too many", 101), ("idle", 101)}


def test_bindings_restored_from_a_clock_that_was_ahead_expire_in_time() -> None:
    bindings, _ = saving()
    year = 365 * 86400.0
    bindings.restore([Binding("s", "a", NOW + year, NOW + year, NOW + year + 3600)], NOW)
    assert bindings.find("s", NOW + 3599) == "a"
    assert bindings.find("s", NOW + 3600) is None


def test_a_session_has_one_account_among_each_kind() -> None:
    routes = ModelsConfig(routes={"claude": ("anthropic/claude",)})
    play = Play(account("a"), account("b"), account("c", "anthropic"), account("d", "anthropic"), models=routes)
    chat = served(play, **session())
    target = "/v1/messages"
    call = play.request(body("claude"), target, **session())
    assert call.account in {"c", "d"}
    assert [served(play, **session()) for _ in range(3)] == [chat] * 3
    assert play.request(body("claude"), target, **session()).account == call.account


def test_a_binding_to_an_account_that_is_gone_is_let_go_when_it_is_asked_for() -> None:
    play = Play(account("a"))
    (key,) = _keys_of(Play(account("a")))
    play.feed(StateRestored(bindings=[Binding(key, "gone", play.now, play.now, play.now + 100)]))
    play.expect()
    assert served(play, **session()) == "a"
    assert changes(play) == [BindingChange.RELEASED_MISSING, BindingChange.BOUND]


def _keys_of(play: Play) -> list[str]:
    served(play, **session())
    return [event.session for event in play.gateway.binding_events]


def test_a_probe_of_the_sessions_own_account_does_not_let_the_session_go() -> None:
    play = Play(account("a"), account("b", priority=-1), scheduling=SchedulingConfig(max_wait_seconds=30))
    assert served(play, **session()) == "a"
    limited(play, play.request(body(), **session()), None, 401)
    finish(play, play.expect(CallUpstream))
    play.now += 16
    probe = play.request(body(), **session())
    beside = play.request(body(), **session())
    assert (probe.account, beside.account) == ("a", "b")
    finish(play, probe)
    finish(play, beside)
    assert served(play, **session()) == "a"
    assert BindingChange.RELEASED_FOR_A_LONG_WAIT not in changes(play)


def test_a_binding_is_found_until_it_is_idle_for_too_long() -> None:
    bindings, _ = saving(idle=100)
    assert bindings.find("s", NOW) is None
    bindings.bind("s", "a", "m", NOW)
    assert bindings.find("s", NOW + 99.9) == "a"
    bindings.bind("s", "a", "m", NOW + 99)
    assert bindings.find("s", NOW + 198.9) == "a"
    assert bindings.find("s", NOW + 199) is None
    assert [event.reason for event in bindings.events if event.change is BindingChange.EXPIRED] == ["idle"]


def test_each_change_is_told_with_what_it_was_about() -> None:
    bindings, _ = saving()
    bindings.bind("s", "a", "m", NOW)
    bindings.bind("s", "a", "n", NOW + 1)
    bindings.bind("s", "b", "m", NOW + 2)
    bindings.release("s", BindingChange.RELEASED_FOR_A_LONG_WAIT, "m", NOW + 3, "rate limit")
    bindings.release("s", BindingChange.RELEASED_FOR_A_LONG_WAIT, "m", NOW + 4, "rate limit")
    told = [(one.at - NOW, one.session, one.account, one.change, one.model, one.reason) for one in bindings.events]
    assert told == [
        (0, "s", "a", BindingChange.BOUND, "m", ""),
        (1, "s", "a", BindingChange.REUSED, "n", ""),
        (2, "s", "b", BindingChange.BOUND, "m", ""),
        (3, "s", "b", BindingChange.RELEASED_FOR_A_LONG_WAIT, "m", "rate limit"),
    ]


def test_a_binding_in_use_is_saved_once_a_minute() -> None:
    bindings, saved = saving()
    for second in range(0, 121, 10):
        bindings.bind("s", "a", "m", NOW + second)
    assert [(one.used_at - NOW, one.bound_at - NOW, one.expires_at - NOW) for one in saved] == [
        (0, 0, 3600),
        (60, 0, 3660),
        (120, 0, 3720),
    ]


def test_an_account_that_goes_takes_its_sessions_with_it_and_no_others() -> None:
    bindings, saved = saving()
    for name, account_name in (("s", "a"), ("t", "b"), ("u", "a")):
        bindings.bind(name, account_name, "m", NOW)
    bindings.release_account("a", NOW + 1, "removed")
    assert [bindings.find(name, NOW + 1) for name in "stu"] == [None, "b", None]
    released = [event for event in bindings.events if event.change is BindingChange.RELEASED_MISSING]
    assert [(event.session, event.reason) for event in released] == [("s", "removed"), ("u", "removed")]
    assert [one.session for one in saved if one.expires_at == NOW + 1] == ["s", "u"]


def test_what_was_kept_comes_back_within_the_number_that_there_may_be() -> None:
    bindings, _ = saving(most=2)
    kept = [Binding(name, "a", NOW - 50, NOW - 10, NOW + 100) for name in "stu"]
    bindings.restore([Binding("old", "a", NOW - 50, NOW - 50, NOW), *kept], NOW)
    assert [bindings.find(name, NOW) for name in ("old", "s", "t", "u")] == [None, "a", "a", None]
    bindings.bind("s", "a", "m", NOW)
    assert bindings.find("s", NOW) == "a"
    unsaved = Bindings(3600.0, 10, None)
    unsaved.bind("s", "a", "m", NOW)
    unsaved.release("s", BindingChange.EXPIRED, "m", NOW, "idle")
    assert len(unsaved) == 0


def test_a_restored_binding_expires_by_its_own_last_use() -> None:
    bindings, _ = saving(idle=100)
    bindings.restore([Binding("s", "a", NOW - 80, NOW - 80, NOW + 20)], NOW)
    assert bindings.find("s", NOW + 19.9) == "a"
    assert bindings.find("s", NOW + 20) is None


def test_what_happens_to_bindings_is_called_as_invariants_and_traces_call_it() -> None:
    assert {change.value for change in BindingChange} == {
        *("bound", "reused", "kept_for_a_short_wait", "released_for_a_long_wait", "released_missing"),
        *("released_failing", "fallback_used", "expired"),
    }
