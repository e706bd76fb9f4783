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
    bindings.release("s", BindingChange.RELEASED_FOR_A_LONG_WAIT, "m", NOW + 1)
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
