"""What a failure is for: the account or its organisation, one model or all; and what is told of it."""

import math
from typing import Literal

import pytest
from claiming import take_this
from test_scheduler import NOW, World, account

from gephyr_core.commands import Observe, Save
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.providers import Verdict
from gephyr_core.records import AccountEvent, Cooldown
from gephyr_core.scheduling import SUCCESS, Account, Outcome, Search
from gephyr_core.scheduling.cooldowns import OTHER_STEPS, STEPS
from gephyr_core.scheduling.ledger import RISKY
from gephyr_core.scheduling.outcomes import Says

RATE, MONEY, SERVER, OVERLOADED, CREDENTIAL = (
    *(ErrorKind.RATE_LIMIT, ErrorKind.MONEY),
    *(ErrorKind.SERVER, ErrorKind.OVERLOADED, ErrorKind.CREDENTIAL),
)
Scope = Literal["", "model", "account"]


def mates(*, per_model: bool = False) -> tuple[World, Account, Account]:
    """Two accounts of one organisation, the first of a higher priority."""
    first, second = account("a", priority=1), account("b")
    for one in (first, second):
        one.organization, one.limits_per_model = "acme", per_model
    return World(first, second), first, second


def failed(
    kind: ErrorKind,
    *,
    seconds: float | None = None,
    scope: Scope = "",
    lasting: bool = False,
    reason: str = "",
    status: int = 0,
) -> Outcome:
    """A failure that is the account's."""
    verdict = Verdict(kind, "", fail_over=True, retry_after=seconds, scope=scope, lasting=lasting, reason=reason)
    return Outcome(Says.REFUSED, verdict, status)


def kept_away(*accounts: Account) -> list[str]:
    """Which of two models each account is kept away from."""
    return [
        f"{one.id}:{model}" for one in accounts for model in ("m", "other") if one.block(model, 10, NOW) is not None
    ]


@pytest.mark.parametrize("seconds", [30.0, None], ids=["stated", "estimated"])
@pytest.mark.parametrize(
    ("kind", "scope", "per_model", "away"),
    [
        # A rate limit is the organisation's, and for the models that the provider counts together.
        (RATE, "", False, ["a:m", "a:other", "b:m", "b:other"]),
        (RATE, "", True, ["a:m", "b:m"]),
        # Where the provider says what it is for, that counts: Google's project-wide limit benches every model.
        (RATE, "account", True, ["a:m", "a:other", "b:m", "b:other"]),
        (RATE, "account", False, ["a:m", "a:other", "b:m", "b:other"]),
        (RATE, "model", True, ["a:m", "b:m"]),
        (RATE, "model", False, ["a:m", "b:m"]),
        (MONEY, "", True, ["a:m", "a:other", "b:m", "b:other"]),
        (MONEY, "model", False, ["a:m", "b:m"]),
        # Failures of the servers are the account's and the model's alone.
        (SERVER, "", False, ["a:m"]),
        (SERVER, "account", False, ["a:m", "a:other"]),
        (OVERLOADED, "", False, ["a:m"]),
        (OVERLOADED, "", True, ["a:m"]),
        (ErrorKind.MODEL_NOT_FOUND, "", False, ["a:m"]),
        (CREDENTIAL, "", True, ["a:m", "a:other"]),
        (CREDENTIAL, "model", True, ["a:m"]),
        (ErrorKind.BAD_GATEWAY, "", True, ["a:m", "a:other"]),
    ],
)
def test_a_failure_keeps_away_whom_it_is_for(
    kind: ErrorKind, scope: Scope, per_model: bool, away: list[str], seconds: float | None
) -> None:
    world, first, second = mates(per_model=per_model)
    world.scheduler.release(world.lease(), failed(kind, seconds=seconds, scope=scope), NOW)
    assert kept_away(first, second) == away
    assert first.health.success_rate(NOW) == 0.8, "it counts as a failure in the score"


@pytest.mark.parametrize(
    "outcome",
    [
        SUCCESS,
        Outcome(Says.NOTHING, Verdict(RATE, "", fail_over=True, retry_after=30.0), 429),
        Outcome(Says.WELL, Verdict(RATE, "", fail_over=True, retry_after=30.0), 429),
        Outcome(Says.REFUSED, None, 429),
    ],
    ids=["success", "says nothing", "success after all", "no kind"],
)
def test_what_is_not_the_accounts_failure_keeps_nobody_away(outcome: Outcome) -> None:
    world, first, second = mates()
    world.scheduler.release(world.lease(), outcome, NOW)
    assert kept_away(first, second) == []
    assert first.health.success_rate(NOW) == 1.0


def told(world: World) -> list[AccountEvent]:
    """What an operator hears."""
    return [one.fact for one in world.told if isinstance(one, Observe) and isinstance(one.fact, AccountEvent)]


def kept(world: World) -> list[object]:
    """What goes to the disk."""
    return [one.record for one in world.told if isinstance(one, Save)]


@pytest.mark.parametrize(
    ("outcome", "until", "stated"),
    [
        (failed(RATE, seconds=30.0), NOW + 30, True),
        (failed(RATE), NOW + STEPS[RATE][0], False),
        (failed(RATE, seconds=0.0), NOW + STEPS[RATE][0], False),
        (failed(RATE, lasting=True), math.inf, True),
        (failed(RATE, lasting=True, seconds=30.0), NOW + 30, True),
    ],
    ids=["a wait", "no wait", "a wait of nothing", "lasting", "lasting, with a wait"],
)
def test_an_operator_hears_of_each_cooldown_once_and_what_is_stated_is_kept(
    outcome: Outcome, until: float, stated: bool
) -> None:
    world, first, _ = mates()
    leases = [world.lease(), world.lease()]
    world.scheduler.release(leases[0], outcome, NOW)
    assert told(world) == [AccountEvent("a", "cooldown", NOW, "", "rate_limit", until, stated)]
    assert kept(world) == ([Cooldown(first.view.organization.id, "", "rate_limit", until)] if stated else [])
    block = first.block("m", 10, NOW)
    assert block is not None
    assert (block.until, block.reason, block.kind) == (until, "rate limit", RATE)
    world.scheduler.release(leases[1], outcome, NOW)
    assert len(kept(world)) == int(stated)
    assert len(told(world)) == (1 if stated else 2)


def test_a_lasting_limit_is_told_by_the_providers_own_word() -> None:
    world, first, _ = mates()
    world.scheduler.release(world.lease(), failed(MONEY, lasting=True, reason="insufficient_quota"), NOW)
    block = first.block("m", 10, NOW)
    assert block is not None
    assert (block.until, block.reason, block.kind) == (math.inf, "insufficient quota", MONEY)
    assert [event.reason for event in told(world)] == ["insufficient_quota"]


def test_a_failure_of_the_account_alone_is_kept_under_its_own_name() -> None:
    world, *_ = mates()
    world.scheduler.release(world.lease(), failed(OVERLOADED, seconds=30.0), NOW)
    assert kept(world) == [Cooldown("a", "m", "overloaded", NOW + 30)]


def test_kinds_without_steps_of_their_own_take_those_of_the_way_there() -> None:
    world, first, _ = mates()
    for step in OTHER_STEPS[:2]:
        first.view.cooldowns.clear_estimates("", NOW)
        world.scheduler.release(world.lease(), failed(ErrorKind.BAD_GATEWAY), NOW)
        block = first.block("m", 10, NOW)
        assert block is not None
        assert block.until == NOW + step


# -- success --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [OVERLOADED, RATE], ids=["own", "shared"])
def test_a_success_ends_what_was_suspected_and_says_so(kind: ErrorKind) -> None:
    """The organisation's too: whoever shares the quota is offered again."""
    world, first, second = mates()
    fine, bad = world.lease(), world.lease()
    world.scheduler.release(bad, failed(kind), NOW)
    assert kept_away(first, second) != []
    world.pool.any_free(10, NOW)
    world.told.clear()
    world.scheduler.release(fine, SUCCESS, NOW)
    assert kept_away(first, second) == []
    assert told(world) == [AccountEvent("a", "recovered", NOW, "m" if kind is OVERLOADED else "")]
    assert world.pool.parked == {}


def test_a_success_of_another_model_ends_no_suspicion_of_this_one() -> None:
    world, first, _ = mates()
    other = world.scheduler.pool("other", world.pool.accounts)
    fine, bad = take_this(world.scheduler, first, other, Search(1, None, 10, NOW, NOW + 5), NOW), world.lease()
    world.scheduler.release(bad, failed(OVERLOADED), NOW)
    world.told.clear()
    world.scheduler.release(fine, SUCCESS, NOW)
    assert kept_away(first) == ["a:m"]
    assert told(world) == []


# -- the operator's rule --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enabled", "seconds", "status", "waits"),
    [
        *((True, 20, status, True) for status in RISKY),
        (True, 20, 502, False),
        (True, 20, 0, False),
        (True, None, 429, False),
        (False, 20, 429, False),
    ],
)
def test_a_risky_status_leaves_the_account_alone_for_all_models_where_the_operator_says_so(
    enabled: bool, seconds: int | None, status: int, waits: bool
) -> None:
    from random import Random

    from gephyr_core.scheduling import Scheduler

    world, first, second = mates()
    compliance = ComplianceConfig(enabled=enabled, risk_cooldown_seconds=seconds, max_global_requests_per_minute=None)
    world.scheduler = Scheduler(
        world.pool.accounts, SchedulingConfig(last_used_lock_seconds=0), compliance, Random(1), world.told.append
    )
    world.scheduler.release(world.lease(), failed(OVERLOADED, seconds=1.0, status=status), NOW)
    block = first.block("other", 10, NOW)
    assert (block is not None and block.until == NOW + 20 and block.reason == "compliance") is waits
    assert second.block("m", 10, NOW) is None
    assert [event.reason for event in told(world)] == ["overloaded", *(["compliance"] if waits else [])]
    assert all(event.stated for event in told(world)), "the operator's rule is as good as the provider's word"
