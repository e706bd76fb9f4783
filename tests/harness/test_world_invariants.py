"""The auditors of the simulated world see a breach: each is shown one."""

import random
from collections import deque
from collections.abc import Iterable

import pytest

from gephyr.harness.world import ProviderSettings, World
from gephyr.harness.world.clients import Request, Session
from gephyr.harness.world.invariants import Invariants
from gephyr.harness.world.laws import BrokenInvariantError, Laws
from gephyr_core.commands import StartResponse
from gephyr_core.config import ComplianceConfig, Config
from gephyr_core.gateway import Gateway
from gephyr_core.scheduling.bindings import BindingChange, BindingEvent
from tests.harness.world_plans import accounts, config, sessions


def invariants(settings: Config | None = None) -> Invariants:
    settings = settings or config()
    return Invariants(settings, Gateway(settings, random.Random(1)))


def begun(*exchanges: int) -> Laws:
    laws = Laws()
    for exchange in exchanges:
        laws.begun(exchange)
    return laws


def test_a_second_attempt_beside_the_first_is_seen() -> None:
    laws = begun(1)
    laws.called(1, 1, "a0")
    with pytest.raises(BrokenInvariantError, match="one attempt at a time"):
        laws.called(1, 2, "a1")


def test_a_skipped_attempt_number_is_seen() -> None:
    with pytest.raises(BrokenInvariantError, match="attempt numbers grow one by one"):
        begun(1).called(1, 2, "a0")


def test_an_end_before_the_attempts_end_is_seen() -> None:
    laws = begun(1)
    laws.called(1, 1, "a0")
    laws.head(StartResponse(1, 200, []))
    with pytest.raises(BrokenInvariantError, match="an exchange ends after its attempt"):
        laws.ended(1, aborted=False)


def test_a_second_end_is_seen() -> None:
    laws = begun(1)
    laws.head(StartResponse(1, 200, []))
    laws.ended(1, aborted=False)
    with pytest.raises(BrokenInvariantError, match="nothing is said of an exchange that is over"):
        laws.ended(1, aborted=False)


def test_a_body_short_of_its_declared_length_is_seen() -> None:
    laws = begun(1)
    laws.head(StartResponse(1, 200, [(b"content-length", b"5")]))
    laws.body(1, 4)
    with pytest.raises(BrokenInvariantError, match="whole when it ends"):
        laws.ended(1, aborted=False)


def test_a_call_that_outlives_its_client_is_seen() -> None:
    laws = begun(1)
    laws.called(1, 1, "a0")
    with pytest.raises(BrokenInvariantError, match="cancels the call at once"):
        laws.gone(1)


def test_one_request_over_a_window_is_seen() -> None:
    watched = invariants(config(accounts(1, requests_per_minute=2)))
    for exchange, now in ((1, 0.0), (2, 59.0), (3, 60.0)):
        watched.laws.begun(exchange)
        watched.called(exchange, 1, "a0", "gpt-5", now)
    watched.laws.begun(4)
    with pytest.raises(BrokenInvariantError, match="requests per minute: a0"):
        watched.called(4, 1, "a0", "gpt-5", 118.9)


def test_one_request_over_the_limit_of_all_accounts_is_seen() -> None:
    watched = invariants(config(compliance=ComplianceConfig(enabled=True, max_global_requests_per_minute=1)))
    watched.laws.begun(1)
    watched.called(1, 1, "a0", "gpt-5", 0.0)
    watched.laws.begun(2)
    with pytest.raises(BrokenInvariantError, match="all accounts together"):
        watched.called(2, 1, "a3", "gpt-5", 1.0)


def test_one_call_over_the_concurrency_is_seen() -> None:
    watched = invariants(config(accounts(1, max_concurrency=1)))
    for exchange in (1, 2):
        watched.laws.begun(exchange)
    watched.called(1, 1, "a0", "gpt-5", 0.0)
    with pytest.raises(BrokenInvariantError, match="concurrency: a0"):
        watched.called(2, 1, "a0", "gpt-5", 0.0)


def test_a_call_without_a_lease_is_seen() -> None:
    watched = invariants()
    watched.laws.begun(1)
    watched.called(1, 1, "a0", "gpt-5", 0.0)
    with pytest.raises(BrokenInvariantError, match="a lease is released exactly once"):
        watched.stepped()


@pytest.mark.parametrize(
    ("changes", "legal"),
    [
        ([("a0", BindingChange.BOUND), ("a0", BindingChange.REUSED), ("a0", BindingChange.EXPIRED)], True),
        ([("a0", BindingChange.BOUND), ("a1", BindingChange.FALLBACK_USED), ("a0", BindingChange.REUSED)], True),
        ([("a0", BindingChange.BOUND), ("a1", BindingChange.BOUND)], False),
        ([("a0", BindingChange.BOUND), ("a1", BindingChange.REUSED)], False),
        ([("a0", BindingChange.BOUND), ("a0", BindingChange.FALLBACK_USED)], False),
        ([("a0", BindingChange.RELEASED_MISSING)], False),
    ],
)
def test_a_binding_changes_by_the_rules_only(changes: Iterable[tuple[str, BindingChange]], legal: bool) -> None:
    settings = config()
    gateway = Gateway(settings, random.Random(1))
    watched = Invariants(settings, gateway)
    log = gateway.binding_events
    assert isinstance(log, deque)
    log.extend(BindingEvent(1.0, "s", account, change) for account, change in changes)
    if legal:
        watched.stepped()
    else:
        with pytest.raises(BrokenInvariantError, match="a binding changes by the rules"):
            watched.stepped()


def test_a_violation_stops_the_run_and_comes_back() -> None:
    """The auditor is told of a stricter limit than the gateway: it stops at the same event each time."""
    strict = config(accounts(9, requests_per_minute=4))

    def run() -> object:
        settings = config()
        providers = {account.id: ProviderSettings() for account in settings.accounts}
        world = World(settings, providers, (), sessions(), 7, lambda _: None)
        world._invariants = Invariants(strict, world._gateway)
        world._laws = world._invariants.laws
        return world.run(300.0)

    first, second = run(), run()
    assert first == second
    [violation] = first.violations  # type: ignore[attr-defined]
    assert (violation.rule, violation.seed) == ("requests per minute", 7)
    assert 0.0 < violation.at < 60.0
    assert len(violation.latest) == 50
    assert "kind=CallUpstream" in violation.latest[-1]


def test_a_waiter_beside_a_free_account_is_seen() -> None:
    watched, plan = invariants(), next(sessions(1, dialects=("openai-chat",)))
    watched.laws.begun(1)
    watched.called(1, 1, "a0", plan.model, 0.0)
    watched.call_over(1, 1, well=True)
    watched.laws.begun(2)
    waiting = Request(2, Session(plan, "0" * 64), plan.turns[0], 1.0, asked=True)
    with pytest.raises(BrokenInvariantError, match="no waiter starves"):
        watched.inspect({2: waiting}, 2.0)


def test_a_waiter_beside_an_account_in_trouble_is_not_starved() -> None:
    watched, plan = invariants(), next(sessions(1, dialects=("openai-chat",)))
    watched.laws.begun(1)
    watched.called(1, 1, "a0", plan.model, 0.0)
    watched.call_over(1, 1, well=False)
    watched.laws.begun(2)
    waiting = {2: Request(2, Session(plan, "0" * 64), plan.turns[0], 1.0, asked=True)}
    watched.inspect(waiting, 2.0)
    assert watched.laws.waits(2)


def test_an_exchange_that_never_ends_is_seen() -> None:
    watched, plan = invariants(), next(sessions(1))
    watched.laws.begun(1)
    request = Request(1, Session(plan, "0" * 64), plan.turns[0], 0.0)
    with pytest.raises(BrokenInvariantError, match="every exchange ends"):
        watched.inspect({1: request}, watched.longest + 1.0)
