"""The scheduler by itself: leases, pools, queues, and all of it against a naive model that looks at everything."""

import math
import random

import pytest
from claiming import ledger, take
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gephyr_core.commands import Command
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import BrokenLawError, ErrorKind
from gephyr_core.http import Origin
from gephyr_core.providers import Verdict
from gephyr_core.scheduling import (
    NEUTRAL,
    SUCCESS,
    Account,
    Lease,
    Outcome,
    Refused,
    Says,
    Scheduler,
    Search,
    Wait,
)
from gephyr_core.scheduling.bindings import Bindings
from gephyr_core.scheduling.cooldowns import PROBE_INTERVAL, STEPS
from gephyr_core.scheduling.windows import SPAN

NOW = 1000.0


def account(
    name: str, *, per_minute: int | None = None, tokens: int | None = None, priority: int = 0, most: int | None = None
) -> Account:
    """An account that serves everything, in the books of a ledger of its own until a scheduler takes it in."""
    one = Account(
        name,
        "openai",
        ("openai-chat",),
        Origin("https", f"{name}.test", 443),
        "",
        "",
        priority=priority,
        max_concurrency=most,
        requests_per_minute=per_minute,
        tokens_per_minute=tokens,
    )
    one.view = ledger().open(one.candidate())
    return one


def limited(seconds: float | None, kind: ErrorKind = ErrorKind.RATE_LIMIT) -> Outcome:
    """A failure with the wait that the provider stated."""
    return Outcome(Says.REFUSED, Verdict(kind, "", fail_over=True, retry_after=seconds), 429)


class World:
    """A scheduler with its accounts, all in one pool."""

    def __init__(self, *accounts: Account, most: int | None = None, seed: int = 1) -> None:
        compliance = ComplianceConfig(
            enabled=most is not None, max_global_requests_per_minute=most, risk_cooldown_seconds=0
        )
        config = SchedulingConfig(last_used_lock_seconds=0)
        self.told: list[Command] = []
        self.scheduler = Scheduler(accounts, config, compliance, random.Random(seed), self.told.append)
        self.pool = self.scheduler.pool("m", accounts)
        self.tried: list[Account] = []

    def acquire(self, now: float = NOW, session: str | None = None, tokens: int = 10) -> Lease | Wait | Refused:
        return take(self.scheduler, self.pool, Search(1, session, tokens, now, now + 5), self.tried, now)

    def lease(self, now: float = NOW) -> Lease:
        """A lease that there must be."""
        lease = self.acquire(now)
        assert isinstance(lease, Lease), lease
        return lease


@pytest.mark.parametrize("outcome", [SUCCESS, NEUTRAL, limited(5)])
def test_a_lease_is_given_back_exactly_once(outcome: Outcome) -> None:
    world = World(account("a"))
    lease = world.lease()
    world.scheduler.release(lease, outcome, NOW)
    with pytest.raises(BrokenLawError):
        world.scheduler.release(lease, outcome, NOW)
    assert world.scheduler.ledger.in_flight == 0


def test_a_later_statement_never_shortens_a_cooldown() -> None:
    world = World(account("a"))
    first, second = world.lease(), world.lease()
    world.scheduler.release(first, limited(60), NOW)
    world.scheduler.release(second, limited(5), NOW)
    assert isinstance(world.acquire(NOW + 30), Refused)
    assert isinstance(world.acquire(NOW + 60), Lease)


def test_a_success_does_not_undo_what_a_provider_stated() -> None:
    world = World(account("a"))
    first, second = world.lease(), world.lease()
    world.scheduler.release(first, limited(60), NOW)
    world.scheduler.release(second, SUCCESS, NOW)
    assert isinstance(world.acquire(NOW + 30), Refused)


def test_requests_that_failed_together_count_as_one_failure() -> None:
    world = World(account("a"), account("b", priority=-1))
    leases = [world.lease() for _ in range(5)]
    for lease in leases:
        world.scheduler.release(lease, limited(None), NOW)
    assert leases[0].account.view.cooldowns.estimates == {}
    estimate = leases[0].account.view.organization.cooldowns.estimates[""]
    assert (estimate.failures, estimate.until) == (1, NOW + STEPS[ErrorKind.RATE_LIMIT][0])


def test_what_was_tried_is_not_tried_again() -> None:
    world = World(account("a"), account("b"), account("c"))
    for _ in range(3):
        lease = world.lease()
        assert lease.account not in world.tried
        world.tried.append(lease.account)
    assert isinstance(world.acquire(), Refused)


def test_the_cost_of_a_choice_is_not_that_of_the_pool() -> None:
    """A thousand limited accounts are looked at once each, and not for every request."""
    accounts = [account(f"a{number}") for number in range(1000)]
    world = World(*accounts)
    for one in accounts[:-1]:
        one.view.cooldowns.state("", NOW + 600, ErrorKind.RATE_LIMIT, "rate limit")
    assert world.lease().account is accounts[-1]
    assert len(world.pool.parked) == 999
    assert world.pool.draw(2, [], 10, NOW, random.Random(1)) == [accounts[-1]]
    world.pool.unpark_due(NOW + 600)
    assert world.pool.parked == {}


def test_names_of_models_that_clients_choose_do_not_fill_the_memory() -> None:
    one = account("a")
    for number in range(2000):
        one.view.cooldowns.suspect(f"m{number}", ErrorKind.SERVER, NOW)
        one.view.cooldowns.state(f"m{number}", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
    assert len(one.view.cooldowns.estimates) == len(one.view.cooldowns.stated) == 512


def test_a_hundred_thousand_bindings_are_bounded_and_the_longest_unused_go_first() -> None:
    bindings = Bindings(3600.0, 1000, None)
    for number in range(1500):
        bindings.bind(f"s{number}", "a", "m", NOW + number)
        bindings.bind("s0", "a", "m", NOW + number)
    assert len(bindings) == 1000
    assert bindings.find("s0", NOW + 1500) == "a"
    assert bindings.find("s1", NOW + 1500) is None


class Naive:
    """What one account may do, told from everything that ever happened to it."""

    def __init__(self, per_minute: int | None, tokens: int | None, most: int | None) -> None:
        self.per_minute, self.tokens, self.most = per_minute, tokens, most
        self.starts: list[float] = []
        self.spent: list[tuple[float, int]] = []
        self.in_flight = 0
        self.stated = 0.0
        self.failures = 0
        self.until = 0.0
        self.probe_at = 0.0
        self.probing = 0

    def free(self, tokens: int, now: float, *, estimates: bool = True) -> bool:
        if self.stated > now or (self.most is not None and self.in_flight >= self.most):
            return False
        if estimates and self.until > now and (self.probing or self.probe_at > now):
            return False
        recent = [start for start in self.starts if start + SPAN > now]
        if self.per_minute is not None and len(recent) >= self.per_minute:
            return False
        used = sum(spent for at, spent in self.spent if at + SPAN > now)
        return self.tokens is None or used + min(tokens, self.tokens) <= self.tokens


class AgainstAModel(RuleBasedStateMachine):
    """Claims, ends and time in any order: the scheduler grants what the naive model allows, and only that."""

    @initialize(
        shapes=st.lists(
            st.tuples(
                st.none() | st.integers(1, 3), st.none() | st.sampled_from([50, 200]), st.none() | st.integers(1, 2)
            ),
            min_size=1,
            max_size=4,
        ),
        most=st.none() | st.integers(1, 6),
        seed=st.integers(0, 3),
    )
    def open(self, shapes: list[tuple[int | None, int | None, int | None]], most: int | None, seed: int) -> None:
        self.now = NOW
        self.most = most
        self.all_starts: list[float] = []
        self.naive = {f"a{number}": Naive(*shape) for number, shape in enumerate(shapes)}
        accounts = [
            account(name, per_minute=one.per_minute, tokens=one.tokens, most=one.most)
            for name, one in self.naive.items()
        ]
        self.world = World(*accounts, most=most, seed=seed)
        self.leases: list[tuple[Lease, tuple[float, int], bool]] = []

    @rule(tokens=st.sampled_from([10, 60]), session=st.none() | st.sampled_from(["s1", "s2"]))
    def acquire(self, tokens: int, session: str | None) -> None:
        answer = self.world.acquire(self.now, session, tokens)
        full = self.most is not None and len([at for at in self.all_starts if at + SPAN > self.now]) >= self.most
        allowed = [] if full else [name for name, one in self.naive.items() if one.free(tokens, self.now)]
        if not isinstance(answer, Lease):
            assert allowed == []
            return
        name = answer.account.id
        assert name in allowed
        one = self.naive[name]
        one.starts.append(self.now)
        self.all_starts.append(self.now)
        one.in_flight += 1
        entry = (self.now, tokens)
        one.spent.append(entry)
        probes = one.until > self.now
        one.probing += probes
        self.leases.append((answer, entry, probes))

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        outcome=st.sampled_from([SUCCESS, NEUTRAL, limited(1.0), limited(70.0), limited(None)]),
        spent=st.none() | st.sampled_from([1, 100]),
    )
    def end(self, data: st.DataObject, outcome: Outcome, spent: int | None) -> None:
        lease, entry, probes = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        one = self.naive[lease.account.id]
        if spent is not None:
            one.spent.remove(entry)
            one.spent.append((entry[0], spent))
        self.world.scheduler.release(lease, outcome, self.now, spent)
        one.in_flight -= 1
        one.probing -= probes
        if outcome.says is Says.WELL:
            one.failures, one.until, one.probing = 0, 0.0, 0
            self.leases = [(kept, at, probes and kept.account is not lease.account) for kept, at, probes in self.leases]
        elif outcome.retry_after:
            one.stated = max(one.stated, self.now + outcome.retry_after)
        elif outcome.verdict is not None:
            self._suspect(one, probes)

    def _suspect(self, one: Naive, probes: bool) -> None:
        """The steps as they are documented, with one exception: failures of requests that were under way together."""
        if one.failures == 0 or one.until <= self.now or probes:
            one.failures += 1
        steps = STEPS[ErrorKind.RATE_LIMIT]
        seconds = steps[min(one.failures, len(steps)) - 1]
        one.until = max(one.until, self.now + seconds)
        one.probe_at = self.now + min(seconds, PROBE_INTERVAL)
        one.probing = 0
        self.leases = [
            (kept, at, probes and self.naive[kept.account.id] is not one) for kept, at, probes in self.leases
        ]

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0, 15.0, 59.0, 60.0, 61.0]))
    def time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        if not hasattr(self, "naive"):
            return
        for one in self.naive.values():
            assert one.most is None or one.in_flight <= one.most
            for start in one.starts:
                assert one.per_minute is None or len([at for at in one.starts if start <= at < start + SPAN]) <= (
                    one.per_minute
                )
        for start in self.all_starts:
            assert self.most is None or len([at for at in self.all_starts if start <= at < start + SPAN]) <= self.most
        assert self.world.scheduler.ledger.in_flight == len(self.leases)

    @invariant()
    def a_time_to_come_back_is_told_where_there_is_one(self) -> None:
        if not hasattr(self, "naive"):
            return
        wait = self.world.scheduler.soonest_reset([self.world.pool], self.now)
        assert wait is None or 0.0 < wait < math.inf


TestAgainstAModel = AgainstAModel.TestCase
