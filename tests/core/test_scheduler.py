"""Taking turns: who is next, who waits, and leases that are given back exactly once."""

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gephyr_core.errors import ErrorKind, LocalProtocolError
from gephyr_core.http import Origin
from gephyr_core.scheduling import NEUTRAL, SUCCESS, Account, Lease, Outcome, Refused, Scheduler, Wait

NOW = 1000.0


def account(name: str, *, priority: int = 0, max_concurrency: int | None = None) -> Account:
    """An account that serves everything."""
    origin = Origin("https", f"{name}.test", 443)
    return Account(
        name, "openai", ("openai-chat",), origin, "", "direct", priority=priority, max_concurrency=max_concurrency
    )


def limited(seconds: float | None, kind: ErrorKind = ErrorKind.RATE_LIMIT) -> Outcome:
    """A failure with the wait that the provider stated."""
    return Outcome(blames_account=True, kind=kind, retry_after=seconds)


class World:
    """A scheduler with its accounts."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = accounts
        self.scheduler = Scheduler(accounts)

    def acquire(self, now: float = NOW, tried: tuple[Account, ...] = ()) -> Lease | Wait | Refused:
        return self.scheduler.acquire(self.accounts, tried, now)

    def lease(self, now: float = NOW, tried: tuple[Account, ...] = ()) -> Lease:
        """A lease that there must be."""
        lease = self.acquire(now, tried)
        assert isinstance(lease, Lease), lease
        return lease

    def learn(self, outcome: Outcome, now: float = NOW) -> Account:
        """Let one request end with *outcome* and return the account it was on."""
        lease = self.lease(now)
        lease.done(outcome, now)
        return lease.account


def test_the_account_with_the_fewest_in_flight_is_next() -> None:
    world = World(account("a"), account("b"), account("c"))
    leases = [world.lease() for _ in range(6)]
    assert [lease.account.id for lease in leases] == ["a", "b", "c"] * 2
    leases[4].done(SUCCESS, NOW)
    assert world.lease().account.id == "b"


def test_of_idle_accounts_the_one_idle_for_longest_is_next() -> None:
    """Requests one after the other are spread as well."""
    world = World(account("a"), account("b"), account("c"))
    assert [world.learn(SUCCESS).id for _ in range(6)] == ["a", "b", "c"] * 2


def test_a_higher_priority_is_preferred_until_it_is_full() -> None:
    world = World(account("low"), account("high", priority=1, max_concurrency=2))
    assert [world.lease().account.id for _ in range(3)] == ["high", "high", "low"]


def test_what_was_tried_is_not_tried_again() -> None:
    world = World(account("a"), account("b"))
    assert world.lease(tried=world.accounts[:1]).account.id == "b"
    assert world.acquire(tried=world.accounts) == Refused()


def test_a_stated_cooldown_is_kept_to_its_end() -> None:
    """Nobody asks an account again before its provider said so, and it is asked again at once after."""
    world = World(account("a"))
    world.learn(limited(30.0))
    assert world.acquire(NOW + 27.9) == Refused()
    assert world.acquire(NOW + 28.5) == Wait(NOW + 30.0)
    assert world.lease(NOW + 30.0).account.id == "a"


def test_a_later_statement_never_shortens_a_cooldown() -> None:
    world = World(account("a"))
    first, second = world.lease(), world.lease()
    first.done(limited(60.0), NOW)
    second.done(limited(5.0), NOW + 1)
    assert world.accounts[0].stated_until == NOW + 60.0


def test_a_success_does_not_undo_what_a_provider_stated() -> None:
    world = World(account("a"))
    first, second = world.lease(), world.lease()
    first.done(limited(60.0), NOW)
    second.done(SUCCESS, NOW + 1)
    assert world.acquire(NOW + 1) == Refused()


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [(ErrorKind.CREDENTIAL, 60), (ErrorKind.MONEY, 300), (ErrorKind.RATE_LIMIT, 10), (ErrorKind.SERVER, 5)],
)
def test_our_own_doubt_ranks_an_account_behind_and_never_excludes_it(kind: ErrorKind, seconds: float) -> None:
    world = World(account("a"), account("b"))
    assert world.learn(limited(None, kind)).id == "a"
    assert [world.lease(NOW + seconds - 0.1).account.id for _ in range(3)] == ["b"] * 3
    alone = World(account("a"))
    alone.learn(limited(None, kind))
    assert alone.lease().account.id == "a"
    assert world.lease(NOW + seconds).account.id == "a"


def test_a_success_ends_the_doubt() -> None:
    world = World(account("a"))
    world.learn(limited(None))
    world.learn(SUCCESS)
    assert world.accounts[0].doubtful_until == 0.0


@pytest.mark.parametrize("outcome", [NEUTRAL, SUCCESS, Outcome(kind=ErrorKind.RATE_LIMIT, retry_after=60.0)])
def test_what_is_not_the_accounts_fault_leaves_it_free(outcome: Outcome) -> None:
    """A client that left, a side route's limit, a single closed socket."""
    world = World(account("a"))
    world.learn(outcome)
    assert world.lease().account.id == "a"
    assert (world.accounts[0].stated_until, world.accounts[0].doubtful_until) == (0.0, 0.0)


@pytest.mark.parametrize("outcome", [SUCCESS, NEUTRAL, limited(5.0)])
def test_a_lease_is_given_back_exactly_once(outcome: Outcome) -> None:
    world = World(account("a"))
    lease = world.lease()
    lease.done(outcome, NOW)
    with pytest.raises(LocalProtocolError, match="'a' was given back twice"):
        lease.done(outcome, NOW)
    assert world.scheduler.in_flight == 0


def test_a_full_account_is_waited_for_until_a_lease_comes_back() -> None:
    world = World(account("a", max_concurrency=1))
    lease = world.lease()
    assert world.acquire() == Wait(math.inf)
    before = list(world.scheduler.freed)
    lease.done(SUCCESS, NOW)
    assert (before, world.scheduler.freed) == ([], [lease.account])
    world.lease()


def test_the_wait_ends_with_the_soonest_of_all_cooldowns() -> None:
    world = World(account("a"), account("b"))
    first, second = world.lease(), world.lease()
    first.done(limited(1.8), NOW)
    second.done(limited(1.2), NOW)
    assert world.acquire() == Wait(NOW + 1.2)
    assert world.scheduler.soonest_reset(world.accounts, NOW) == pytest.approx(1.2)


def test_there_is_no_reset_to_tell_while_an_account_is_free() -> None:
    world = World(account("a"), account("b"))
    world.learn(limited(30.0))
    assert world.scheduler.soonest_reset(world.accounts, NOW) is None
    assert world.scheduler.soonest_reset((), NOW) is None


def test_the_client_hears_of_a_limit_only_if_every_account_is_limited() -> None:
    """429 makes SDKs wait for the reset, so it has to be true; the rest is overload."""
    world = World(account("a"), account("b"))
    kind = world.scheduler.refusal_kind
    world.learn(limited(30.0))
    assert kind(world.accounts, NOW) is ErrorKind.OVERLOADED
    world.learn(limited(30.0))
    assert kind(world.accounts, NOW) is ErrorKind.RATE_LIMIT
    assert kind(world.accounts, NOW + 31) is ErrorKind.OVERLOADED
    assert kind((), NOW) is ErrorKind.OVERLOADED
    other = World(account("a"))
    other.learn(limited(30.0, ErrorKind.OVERLOADED))
    assert other.scheduler.refusal_kind(other.accounts, NOW) is ErrorKind.OVERLOADED


def test_why_an_account_was_passed_over_is_said_in_words() -> None:
    world = World(account("a", max_concurrency=1))
    first = world.lease()
    assert world.accounts[0].why_not(NOW) == "busy"
    first.done(limited(30.0), NOW)
    assert world.accounts[0].why_not(NOW + 10) == "rate limit"
    assert world.accounts[0].why_not(NOW + 30) == "tried"


class Against(RuleBasedStateMachine):
    """The scheduler beside a model of it that knows only leases and stated cooldowns."""

    @initialize(limits=st.lists(st.none() | st.integers(1, 2), min_size=1, max_size=4), seed=st.integers(-1, 1))
    def open(self, limits: list[int | None], seed: int) -> None:
        self.world = World(
            *(account(str(number), priority=number * seed, max_concurrency=most) for number, most in enumerate(limits))
        )
        self.now = NOW
        self.open_leases: list[Lease] = []
        self.cooling = {one.id: 0.0 for one in self.world.accounts}

    def eligible(self, one: Account) -> bool:
        out = [lease.account for lease in self.open_leases].count(one)
        return self.cooling[one.id] <= self.now and (one.max_concurrency is None or out < one.max_concurrency)

    @rule(untried=st.integers(0, 3))
    def acquire(self, untried: int) -> None:
        tried = self.world.accounts[untried + 1 :]
        answer = self.world.acquire(self.now, tried)
        eligible = [one for one in self.world.accounts[: untried + 1] if self.eligible(one)]
        if isinstance(answer, Lease):
            assert answer.account in eligible
            assert answer.account.priority == max(one.priority for one in eligible)
            self.open_leases.append(answer)
        else:
            assert not eligible
            if isinstance(answer, Wait):
                assert self.now < answer.until
                short = answer.until <= self.now + Scheduler.longest_cooldown_wait
                full = any(self.cooling[one.id] <= self.now for one in self.world.accounts[: untried + 1])
                assert short or full

    @precondition(lambda self: self.open_leases)
    @rule(which=st.integers(0, 9), wait=st.none() | st.sampled_from([0.0, 0.5, 1.5, 30.0]), blamed=st.booleans())
    def give_back(self, which: int, wait: float | None, blamed: bool) -> None:
        lease = self.open_leases.pop(which % len(self.open_leases))
        lease.done(Outcome(blames_account=blamed, kind=ErrorKind.RATE_LIMIT, retry_after=wait), self.now)
        if blamed and wait is not None:
            self.cooling[lease.account.id] = max(self.cooling[lease.account.id], self.now + wait)

    @rule(seconds=st.sampled_from([0.25, 1.0, 20.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def leases_are_counted(self) -> None:
        if hasattr(self, "world"):
            assert self.world.scheduler.in_flight == len(self.open_leases)


TestAgainstAModel = Against.TestCase
