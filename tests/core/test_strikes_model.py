"""Failures without a word, against a naive model that keeps all of history and reads it anew each time."""

import random

import attrs
from claiming import take_this
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from test_scheduler import NOW, account

from gephyr_core.commands import Command
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.scheduling import NEUTRAL, SUCCESS, Account, Lease, Outcome, Says, Scheduler, Search
from gephyr_core.scheduling.cooldowns import MEMORY
from gephyr_core.scheduling.strikes import IN_A_ROW, LEFT_ALONE, OF_ONE, OUTAGE

MODELS = ("m1", "m2")
CLIENTS = (("s", "k"), ("t", "k"), (None, "k"), (None, "j"))
"""Sessions and client keys."""


@attrs.define(eq=False)
class Failed:
    """One failure, as history has it."""

    at: float
    account: str
    model: str
    who: str
    fault: str
    search: Search
    pardoned: bool = False
    final_at: float | None = None


@attrs.define(eq=False)
class Served:
    """One success."""

    account: str
    model: str
    who: str


class Strikes(RuleBasedStateMachine):
    """Requests that fail and succeed on accounts in any order, several of them at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = [account(name) for name in ("a", "b", "c")]
        self.told: list[Command] = []
        config = SchedulingConfig(mode="performance_first")
        self.scheduler = Scheduler(self.accounts, config, ComplianceConfig(), random.Random(1), self.told.append)
        self.pools = {model: self.scheduler.pool(model, self.accounts) for model in MODELS}
        self.now, self.newest = NOW, 0
        self.searches: list[tuple[Search, str]] = []
        self.leases: list[Lease] = []
        self.history: list[Failed | Served] = []
        self.concluded: list[Failed | Served] = []
        """As :attr:`history`, failures in the order in which their requests ended."""

    @rule(seconds=st.sampled_from([0.0, 1.0, 20.0, 59.0, 61.0, MEMORY]))
    def time(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.searches) < 4)
    @rule(client=st.sampled_from(CLIENTS), model=st.sampled_from(MODELS))
    def request(self, client: tuple[str | None, str], model: str) -> None:
        self.newest += 1
        search = Search(self.newest, client[0], 10, self.now, self.now + 5, client[1])
        self.searches.append((search, model))

    @precondition(lambda self: self.idle())
    @rule(data=st.data(), index=st.integers(0, 2))
    def attempt(self, data: st.DataObject, index: int) -> None:
        search, model = data.draw(st.sampled_from(self.idle()))
        self.leases.append(self.lease(self.accounts[index], model, search))

    def lease(self, one: Account, model: str, search: Search) -> Lease:
        """Be granted an account, as where there is no other: if it is left alone, the estimate is cleared."""
        self.scheduler.ledger.clear_estimates(one.view, model, self.now)
        return take_this(self.scheduler, one, self.pools[model], search, self.now)

    def idle(self) -> list[tuple[Search, str]]:
        busy = [lease.search for lease in self.leases]
        return [one for one in self.searches if one[0] not in busy]

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), how=st.sampled_from(["reset", "reset", "protocol", "served", "nothing"]))
    def end(self, data: st.DataObject, how: str) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        self.leases.remove(lease)
        self._ended(lease, how)

    def _ended(self, lease: Lease, how: str) -> None:
        search, name, model = lease.search, lease.account.id, lease.model
        if how == "served":
            one = Served(name, model, search.who)
            self.history.append(one)
            self.concluded.append(one)
            self.scheduler.release(lease, SUCCESS, self.now)
            self.conclude(search)
        elif how == "nothing":
            self.scheduler.release(lease, NEUTRAL, self.now)
        else:
            self._note(Failed(self.now, name, model, search.who, how, search))
            self.scheduler.release(lease, Outcome(Says.FAILED, fault=how), self.now)

    @rule(
        client=st.sampled_from(CLIENTS[:2]),
        met=st.lists(
            st.tuples(st.sampled_from([0, 0, 1]), st.sampled_from(["reset", "served"])), min_size=1, max_size=3
        ),
    )
    def at_once(self, client: tuple[str | None, str], met: list[tuple[int, str]]) -> None:
        """A few requests of one client, each over before the next begins."""
        for index, how in met:
            self.newest += 1
            search = Search(self.newest, client[0], 10, self.now, self.now + 5, client[1])
            self.searches.append((search, "m1"))
            self._ended(self.lease(self.accounts[index], "m1", search), how)
            if how != "served":
                self.conclude(search)

    def _note(self, new: Failed) -> None:
        """The rule about requests that fail alike, in so many words."""
        failures = [one for one in self.history if isinstance(one, Failed)]
        alike = [
            one
            for one in failures
            if one.search is new.search and one.fault == new.fault and one.account != new.account
        ]
        places = [(one.account, one.model) for one in (new, *alike)]
        outage = any(
            one.fault == new.fault
            and one.who != new.who
            and one.at + OUTAGE > self.now
            and (one.account, one.model) in places
            for one in failures
        )
        self.history.append(new)
        if alike and not outage:
            for one in (new, *alike):
                one.pardoned = True

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        self.conclude(data.draw(st.sampled_from(self.idle()))[0])

    def conclude(self, search: Search) -> None:
        self.searches = [one for one in self.searches if one[0] is not search]
        for one in self.history:
            if isinstance(one, Failed) and one.search is search and not one.pardoned:
                one.final_at = self.now
                self.concluded.append(one)
        self.scheduler.learning.conclude(search, self.now)

    def _row(self, name: str, model: str) -> list[Failed]:
        """What counts against an account: since its last success, and since its last hour of peace."""
        row: list[Failed] = []
        for one in self.history:
            if (one.account, one.model) != (name, model):
                continue
            row = [] if isinstance(one, Served) else [*row, one]
        row = [one for one in row if not one.pardoned]
        for place in range(len(row) - 1, 0, -1):
            if row[place - 1].at + MEMORY <= row[place].at:
                return row[place:]
        return row

    @invariant()
    def many_are_three_in_a_row_of_two(self) -> None:
        for one in self.accounts:
            for model in MODELS:
                row = self._row(one.id, model)
                many = len(row) >= IN_A_ROW and len({failed.who for failed in row}) >= 2
                assert self.scheduler.learning.strikes_of(one).are_many(model) is many, (one.id, model)

    @invariant()
    def nobody_is_left_alone_without_a_reason(self) -> None:
        for one in self.accounts:
            for model in MODELS:
                estimate = one.view.cooldowns.estimates.get(model)
                if estimate is not None and estimate.until > self.now:
                    assert self.scheduler.learning.strikes_of(one).are_many(model), (one.id, model)

    @invariant()
    def what_is_not_final_can_be_taken_back_from_the_score(self) -> None:
        for one in self.accounts:
            open_ones = [
                failed
                for failed in self.history
                if isinstance(failed, Failed)
                and failed.account == one.id
                and not failed.pardoned
                and failed.final_at is None
            ]
            assert one.health.provisional == len(open_ones)

    @invariant()
    def a_session_leaves_alone_what_failed_it_twice_in_a_row(self) -> None:
        for session, owner in CLIENTS:
            who = Search(0, session, 0, 0.0, 0.0, owner).who
            for model in MODELS:
                names = sorted(self.scheduler.learning.avoidance.avoided(who, model, self.now))
                assert names == [one.id for one in self.accounts if self._avoids(who, one, model)]

    def _avoids(self, who: str, one: Account, model: str) -> bool:
        times: list[float] = []
        for met in self.concluded:
            if (met.who, met.account, met.model) != (who, one.id, model):
                continue
            if isinstance(met, Served):
                times = []
                continue
            assert met.final_at is not None
            if times and times[-1] + MEMORY <= met.final_at:
                times = []
            times.append(met.final_at)
        return len(times) >= OF_ONE and times[-1] + LEFT_ALONE > self.now


Strikes.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestStrikes = Strikes.TestCase
