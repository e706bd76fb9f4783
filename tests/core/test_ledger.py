"""The ledger: a claim is a value, it is booked everywhere or nowhere, and what was booked is given back once."""

import math
import random

import msgspec
import pytest
from claiming import again, grant, ledger, request_elsewhere, take
from hypothesis import given
from hypothesis import strategies as st
from play import account as configured
from scheduling import body
from test_scheduler import NOW, World, account
from ways import busy

from gephyr_core.commands import CallUpstream, Command, ReadBody, Save
from gephyr_core.config import AuthConfig, Config
from gephyr_core.errors import BrokenLawError, ErrorKind
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted
from gephyr_core.exchange import Exchange
from gephyr_core.exchange.attempting import claimed
from gephyr_core.exchange.machine import start
from gephyr_core.providers import Verdict
from gephyr_core.records import Cooldown
from gephyr_core.scheduling import (
    NEUTRAL,
    SUCCESS,
    Account,
    Choice,
    Claim,
    Denied,
    Granted,
    Lease,
    Outcome,
    Says,
    Search,
    Wait,
)
from gephyr_core.scheduling.bindings import Bindings
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.decisions import Rule
from gephyr_core.scheduling.ledger import LocalLedger
from gephyr_core.scheduling.scopes import Cost, Kind, Scope
from gephyr_core.shared import Shared

ALL = (Scope("*", Kind.WINDOW, Cost.ONE, 2),)
BUSY = Block(math.inf, Nature.ROOM, "busy")


def books(*accounts: Account) -> LocalLedger:
    """One ledger for several accounts."""
    kept = ledger()
    for one in accounts:
        one.view = kept.open(one.candidate())
    return kept


def claim_on(*accounts: Account, number: int = 1, tokens: int = 10, session: str = "", all_of: bool = False) -> Claim:
    candidates = tuple(one.view.candidate for one in accounts)
    return Claim(number, candidates, "m", tokens, session, ALL if all_of else ())


def test_what_a_request_has_to_fit_in_is_told_by_the_account() -> None:
    one = account("a", per_minute=5, tokens=100, most=2)
    one.organization, one.limits_per_model = "acme", True
    assert one.candidate().scopes == (
        Scope("a", Kind.GAUGE, Cost.ONE, 2),
        Scope("a", Kind.COOLDOWN),
        Scope("openai:acme", Kind.COOLDOWN),
        Scope("openai:acme", Kind.QUOTA, Cost.ONE, per_model=True),
        Scope("openai:acme", Kind.QUOTA, Cost.TOKENS, per_model=True),
        Scope("a", Kind.WINDOW, Cost.ONE, 5),
        Scope("a", Kind.WINDOW, Cost.TOKENS, 100),
    )


def test_a_claim_can_be_sent_to_another_process() -> None:
    """It is a value: nothing in it refers to what changes."""
    one, other = account("a", per_minute=5), account("b", most=1)
    claim = claim_on(one, other, session="openai s", all_of=True)
    assert msgspec.json.decode(msgspec.json.encode(claim), type=Claim) == claim


def test_the_first_candidate_that_has_room_is_granted() -> None:
    full, free, unused = account("a", most=1), account("b"), account("c")
    kept = books(full, free, unused)
    busy(full)
    assert kept.claim(claim_on(full, free, unused), NOW) == Granted("b")
    assert [one.view.in_flight for one in (full, free, unused)] == [1, 1, 0]


def test_a_claim_that_is_denied_is_booked_nowhere() -> None:
    """Its session is not bound either; and what stands in the way of each candidate is told with its time."""
    paced, full = account("a", per_minute=1, tokens=100), account("b", most=1)
    kept = books(paced, full)
    kept.claim(claim_on(paced), NOW)
    busy(full)
    answer = kept.claim(claim_on(paced, full, number=2, session="openai s", all_of=True), NOW + 10)
    assert answer == Denied({"a": Block(NOW + 60, Nature.ROOM, "requests per minute"), "b": BUSY})
    assert (paced.view.in_flight, full.view.in_flight, kept.in_flight) == (1, 1, 1)
    assert kept.bindings.find("openai s", NOW) is None
    assert kept.blocked(ALL, NOW + 10) is None
    assert isinstance(kept.claim(claim_on(paced, number=3), NOW + 60), Granted)


def test_the_limit_on_all_requests_denies_whoever_would_serve() -> None:
    one = account("a")
    kept = books(one)
    for number in (1, 2):
        assert isinstance(kept.claim(claim_on(one, number=number, all_of=True), NOW + number), Granted)
    answer = kept.claim(claim_on(one, number=3, all_of=True), NOW + 3)
    assert isinstance(answer, Denied)
    assert (answer.blocks, answer.everywhere) == ({}, kept.blocked(ALL, NOW + 3))
    assert answer.everywhere is not None
    assert answer.everywhere.until == NOW + 61
    assert isinstance(kept.claim(claim_on(one, number=4, all_of=True), NOW + 61), Granted)


def test_a_grant_binds_the_session_that_the_claim_names_to_whom_it_was_granted() -> None:
    full, free = account("a", most=1), account("b")
    kept = books(full, free)
    busy(full)
    kept.claim(claim_on(full, free, session="openai s"), NOW)
    kept.claim(claim_on(free, number=2), NOW)
    assert kept.bindings.accounts() == {"openai s": "b"}


def test_only_a_claim_that_is_out_is_released() -> None:
    one = account("a", most=1)
    kept = books(one)
    kept.claim(claim_on(one, number=7), NOW)
    kept.claim(claim_on(one, number=8), NOW)
    assert kept.renew([7, 8]) == [8], "the denied one is not out"
    for number in (8, 9):
        with pytest.raises(BrokenLawError, match=f"claim {number} "):
            kept.release(number, None, NEUTRAL, NOW)
    kept.release(7, None, NEUTRAL, NOW)
    with pytest.raises(BrokenLawError, match="claim 7 "):
        kept.release(7, None, NEUTRAL, NOW)
    assert (one.view.in_flight, kept.in_flight, kept.renew([7])) == (0, 0, [7])


def test_a_claim_on_a_closed_account_can_still_be_released() -> None:
    one = account("a")
    kept = books(one)
    kept.claim(claim_on(one), NOW)
    kept.close(one.view)
    kept.release(1, None, SUCCESS, NOW)
    assert (one.view.in_flight, kept.in_flight) == (0, 0)
    with pytest.raises(KeyError):
        kept.view("a")


def test_a_second_call_takes_the_place_of_the_first() -> None:
    """There is one place in flight, which is free when the claim is released once."""
    world = World(account("a", most=1))
    lease = world.lease()
    assert again(world.scheduler, lease, NOW)
    assert world.pool.accounts[0].view.in_flight == 1
    world.scheduler.release(lease, NEUTRAL, NOW)
    assert world.pool.accounts[0].view.in_flight == 0


# -- who hears of what ---------------------------------------------------------------------------------------------


def mates() -> tuple[LocalLedger, Account, Account, list[str], list[Command]]:
    """A ledger with two accounts of one organisation, whom it hints at, and what it emits."""
    hinted: list[str] = []
    told: list[Command] = []
    kept = LocalLedger(Bindings(3600.0, 100, None), None, told.append, hinted.append)
    first, second = account("a"), account("b")
    for one in (first, second):
        one.organization = "acme"
        one.view = kept.open(one.candidate())
    return kept, first, second, hinted, told


def refusal(kind: ErrorKind, seconds: float | None = None) -> Outcome:
    return Outcome(Says.REFUSED, Verdict(kind, "", fail_over=True, retry_after=seconds), 429)


def test_the_end_of_a_probe_is_hinted_to_all_who_share_the_quota() -> None:
    """Whoever waits for another account of the organisation may send the next probe."""
    kept, first, second, hinted, _ = mates()
    for number in range(1, 6):  # a minute, of which the probe is due after a quarter
        kept.clear_estimates(first.view, "m", NOW)
        kept.claim(claim_on(first, number=number), NOW)
        kept.release(number, None, refusal(ErrorKind.RATE_LIMIT), NOW)
    assert isinstance(kept.claim(claim_on(first, number=9), NOW + 16), Granted)
    assert isinstance(kept.claim(claim_on(second, number=10), NOW + 16), Denied), "one probe at a time"
    hinted.clear()
    kept.release(9, None, NEUTRAL, NOW + 16)
    assert hinted == ["a", "b"]
    assert isinstance(kept.claim(claim_on(second, number=11), NOW + 16), Granted)


def test_a_cleared_estimate_of_the_organisation_is_hinted_to_all_of_its_accounts() -> None:
    kept, first, second, hinted, _ = mates()
    kept.claim(claim_on(first), NOW)
    kept.release(1, None, refusal(ErrorKind.RATE_LIMIT), NOW)
    assert isinstance(kept.claim(claim_on(second, number=2), NOW), Denied)
    hinted.clear()
    kept.clear_estimates(first.view, "m", NOW)
    assert hinted == ["a", "b", "a"]
    assert isinstance(kept.claim(claim_on(second, number=3), NOW), Granted)
    hinted.clear()
    kept.clear_estimates(first.view, "m", NOW)
    assert hinted == ["a"], "there is nothing of the organisation's to clear"


def test_what_the_operator_calls_well_is_forgotten_by_the_store_too() -> None:
    """An empty kind says that a cooldown is over."""
    kept, first, second, hinted, told = mates()
    for number in (1, 2):
        kept.claim(claim_on(first, number=number), NOW)
    for number, kind in ((1, ErrorKind.RATE_LIMIT), (2, ErrorKind.OVERLOADED)):
        kept.release(number, None, refusal(kind, 60.0), NOW)
    told.clear()
    hinted.clear()
    kept.reset(first.view, NOW + 1)
    saved = [command.record for command in told if isinstance(command, Save)]
    assert saved == [Cooldown("a", "m", "", NOW + 1), Cooldown("openai:acme", "", "", NOW + 1)]
    assert hinted == ["a", "b"]
    assert isinstance(kept.claim(claim_on(second, first, number=4), NOW + 1), Granted)


# -- the steps -----------------------------------------------------------------------------------------------------


def test_who_was_overtaken_between_choice_and_claim_is_denied_and_chooses_anew() -> None:
    world = World(account("a", most=1), account("b", priority=-1))
    slow, quick = Search(1, None, 10, NOW, NOW + 5), Search(2, None, 10, NOW, NOW + 5)
    choice = world.scheduler.choose(world.pool, slow, (), NOW)
    assert isinstance(choice, Choice)
    rival = take(world.scheduler, world.pool, quick, (), NOW)
    assert isinstance(rival, Lease)
    assert rival.account.id == "a"
    claim = world.scheduler.claim(choice, slow)
    assert world.scheduler.ledger.claim(claim, NOW) == Denied({"a": BUSY})
    lease = take(world.scheduler, world.pool, slow, (), NOW)
    assert isinstance(lease, Lease)
    assert lease.account.id == "b"


def test_of_two_that_were_compared_the_other_one_is_granted_if_the_better_one_was_taken_meanwhile() -> None:
    """In the same claim, which costs one trip to a ledger that is elsewhere."""
    world = World(account("a", most=1), account("b", most=1))
    search = Search(1, None, 10, NOW, NOW + 5)
    choice = world.scheduler.choose(world.pool, search, (), NOW)
    assert isinstance(choice, Choice)
    better, other = choice.accounts
    busy(better)
    lease = grant(world.scheduler, choice, search, NOW)
    assert (lease.account, lease.rule) == (other, Rule.BEST_OF_TWO)
    assert world.scheduler.decisions.latest[-1].account == other.id


@given(places=st.integers(1, 4), rivals=st.integers(1, 8), seed=st.integers(0, 99))
def test_however_many_choose_before_anybody_claims_no_place_is_granted_twice(
    places: int, rivals: int, seed: int
) -> None:
    """Each of two accounts has some places. Who is denied finds the rest by choosing anew, or waits."""
    world = World(account("a", most=places), account("b", most=places), seed=seed)
    searches = [Search(number, None, 10, NOW, NOW + 5) for number in range(rivals)]
    choices = [world.scheduler.choose(world.pool, search, (), NOW) for search in searches]
    random.Random(seed).shuffle(choices)
    served = 0
    for search, choice in zip(searches, choices, strict=True):
        assert isinstance(choice, Choice)
        claim = world.scheduler.claim(choice, search)
        answer = world.scheduler.ledger.claim(claim, NOW)
        if isinstance(answer, Granted):
            world.scheduler.granted(choice, search, claim, answer, NOW)
            served += 1
        else:
            served += isinstance(take(world.scheduler, world.pool, search, (), NOW), Lease)
        assert all(one.view.in_flight <= places for one in world.pool.accounts)
    assert served == min(rivals, 2 * places)
    assert world.scheduler.ledger.in_flight == served


def test_a_claim_whose_search_breaks_off_is_given_back_whether_it_was_answered_or_not() -> None:
    world = World(account("a", most=1))
    for answered in (False, True):
        search = Search(1, None, 10, NOW, NOW + 5)
        choice = world.scheduler.choose(world.pool, search, (), NOW)
        assert isinstance(choice, Choice)
        claim = world.scheduler.claim(choice, search)
        if answered:
            world.scheduler.ledger.claim(claim, NOW)
        world.scheduler.abandon(search, NOW)
        world.scheduler.abandon(search, NOW)
        assert world.scheduler.ledger.in_flight == 0


def test_the_limit_on_all_requests_counts_those_on_other_accounts_too() -> None:
    world = World(account("a"), most=2)
    for second in (1, 2):
        request_elsewhere(world.scheduler, NOW + second)
    assert isinstance(world.acquire(NOW + 3), Wait)
    assert isinstance(world.acquire(NOW + 61), Lease)


def test_an_exchange_goes_on_from_the_answer_to_its_claim() -> None:
    """Denied, it waits on; granted, it calls: so the answer may come from elsewhere, and later."""
    shared = Shared(
        Config(accounts=(configured("a", max_concurrency=1),), auth=AuthConfig(mode="off")), random.Random(1)
    )
    (one,) = shared.scheduler.accounts.values()
    rival = Search(99, None, 10, NOW, NOW + 5)
    taken = grant(shared.scheduler, Choice(shared.scheduler.pool("m", (one,)), (one,), Rule.ONLY_ONE, ()), rival, NOW)
    exchange = Exchange(shared, RequestStarted(1, "POST", "/v1/chat/completions", [], (), "127.0.0.1"), NOW)
    start(exchange, NOW)
    exchange.handle(RequestBody(1, body()), NOW)
    exchange.handle(RequestEnded(1), NOW)
    assert [type(command) for command in shared.take_commands()] == [ReadBody]
    (leg,) = exchange.itinerary.legs
    choice = Choice(shared.pool(leg), (one,), Rule.ONLY_ONE, ())
    for room in (False, True):
        claim = shared.scheduler.claim(choice, exchange.itinerary.search)
        if room:
            shared.scheduler.release(taken, SUCCESS, NOW)
        claimed(exchange, leg, choice, claim, shared.scheduler.ledger.claim(claim, NOW), NOW)
        calls = [command for command in shared.take_commands() if isinstance(command, CallUpstream)]
        assert [call.account for call in calls] == ["a"] * room
