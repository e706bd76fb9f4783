"""Accounts that break without saying so: each failure that is the provider's counts, whatever form it takes."""

import itertools
from typing import Any

import pytest
from failing import WAYS, Way, ask, began, begin, breaks, page, reset_before_the_head, serve, session, take
from play import Play, account

from gephyr_core.commands import CallUpstream
from gephyr_core.config import AuthConfig, SchedulingConfig
from gephyr_core.errors import ErrorKind, Fault
from gephyr_core.events import AdminChanged, ClientGone
from gephyr_core.exchange.attempts import outcome_of_error, outcome_of_fault
from gephyr_core.providers import Verdict
from gephyr_core.records import AccountState
from gephyr_core.scheduling import NEUTRAL, Says
from gephyr_core.scheduling.bindings import BindingChange
from gephyr_core.scheduling.strikes import LEFT_ALONE, OUTAGE

RESET = Way(reset_before_the_head, stream=False)
PAGE = Way(page, stream=False)
KEYS = ("0" * 64, "1" * 64)


def playing(*names: str, mode: str = "balance", lock: float = 60.0, **more: Any) -> Play:
    """A gateway over some accounts."""
    scheduling = SchedulingConfig(mode=mode, last_used_lock_seconds=lock)  # type: ignore[arg-type]
    return Play(*(account(name) for name in names), scheduling=scheduling, **more)


def reasons(play: Play, what: str = "cooldown") -> list[tuple[str, str]]:
    """The accounts that something happened to, each with why."""
    return [(event.account, event.reason) for event in play.events if event.what == what]


def passed_over(play: Play) -> dict[str, str]:
    """What the latest decision says of each account."""
    return dict(play.gateway.decisions.latest[-1].candidates())


# -- every failure counts in the score --------------------------------------------------------------------------------


def chance_of(play: Play, name: str) -> float:
    """The score of an account beside that of the other, as the next request compares them."""
    take(play)
    play.feed(ClientGone(play.exchange))
    take(play)
    begin(play, stream=False, **session("another"))
    scores = {one.id: score for one, score in play.gateway.decisions.latest[-1].scores}
    return scores.pop(name) / scores.popitem()[1]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_each_failure_of_the_providers_counts_in_the_health(way: Way) -> None:
    """An account that fails costs an attempt or a reply, whichever way it fails: others are preferred to it."""
    play = playing("a", "b", lock=0)
    call = begin(play, stream=way.stream)
    way.act(play, call)
    assert chance_of(play, call.account) < 0.9


def test_a_client_that_leaves_says_nothing_about_the_account() -> None:
    play = playing("a", "b", lock=0)
    call = begin(play, stream=True)
    began(play, call)
    assert chance_of(play, call.account) > 0.9


def test_an_account_that_hangs_until_clients_leave_is_known_as_slow() -> None:
    """They leave before any limit of ours is over, so no stall is seen: no failure, but others are preferred."""
    play = playing("a", "b", lock=0)
    call = begin(play, stream=True)
    play.now += 60.0
    assert chance_of(play, call.account) < 0.5
    assert reasons(play) == []


@pytest.mark.parametrize("fault", Fault)
def test_what_each_fault_says_about_the_account_is_written_down(fault: Fault) -> None:
    """A new fault needs a row of the table; a side route's call says nothing about the account whatever it ends by."""
    assert outcome_of_fault(fault, side=False).says is not Says.WELL
    assert outcome_of_fault(fault, side=True).says in {Says.NOTHING, Says.UNREACHABLE}


def test_an_error_inside_a_200_that_is_the_requests_own_fault_counts_against_nobody() -> None:
    for kind, blames in ((ErrorKind.BAD_REQUEST, False), (ErrorKind.CONTENT_POLICY, False), (ErrorKind.SERVER, True)):
        outcome = outcome_of_error(Verdict(kind, "", fail_over=blames), kind.http_status, side=False)
        assert (outcome == NEUTRAL, outcome.blames_account) == (not blames, blames)


# -- two in a row of one session ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("mode", ["balance", "cache_first", "performance_first"])
@pytest.mark.parametrize("who", [session("s"), {}], ids=["session", "conversation"])
def test_a_session_leaves_an_account_that_fails_it(way: Way, mode: str, who: dict[str, Any]) -> None:
    """Whatever the mode, an account that breaks is asked by at most four of a session's next twelve requests."""
    play = playing("a", "b", mode=mode)
    first = begin(play, stream=way.stream, **who)
    serve(play, first, stream=way.stream)
    called = [ask(play, way, [first.account], **who) for _ in range(12)]
    assert sum(first.account in accounts for accounts in called) <= 4


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_session_leaves_the_preferred_account_and_the_one_of_higher_priority_too(way: Way) -> None:
    for preferred, priority in (("a", 0), ("", 1)):
        play = Play(
            account("a", priority=priority), account("b"), scheduling=SchedulingConfig(preferred_account=preferred)
        )
        called = [ask(play, way, ["a"], **session("s")) for _ in range(12)]
        assert sum("a" in accounts for accounts in called) <= 4


def test_a_session_leaves_an_account_of_its_own_dialect_for_one_that_is_translated_for() -> None:
    """An account that the client need not be translated for is asked first, but not by a session that it fails."""
    play = Play(account("a", models=("m",)), account("b", "anthropic", models=("m",)))
    called = []
    for _ in range(12):
        call = begin(play, stream=False, **session("s"))
        while isinstance(call, CallUpstream):
            called.append(call.account)
            if call.account == "a":
                page(play, call)
                call = next((one for one in take(play) if isinstance(one, CallUpstream)), None)  # type: ignore[assignment]
                continue
            reply = b'{"id":"m","type":"message","role":"assistant","content":[],"stop_reason":"end_turn"}'
            play.answer(call, reply)
            take(play)
            break
    assert called.count("a") == 2
    assert called.count("b") == 12


def test_the_binding_is_released_after_two_failures_in_a_row_and_says_why() -> None:
    play = playing("a", "b")
    first = begin(play, stream=False, **session("s"))
    serve(play, first, stream=False)
    for _ in range(2):
        ask(play, RESET, [first.account], **session("s"))
    events = [event for event in play.gateway.binding_events if event.change is BindingChange.RELEASED_FAILING]
    assert [(event.account, event.reason) for event in events] == [(first.account, "failed twice in a row: reset")]
    begin(play, stream=False, **session("s"))
    assert passed_over(play)[first.account] == "failed this session twice in a row"


def test_a_success_between_two_failures_keeps_the_session() -> None:
    play = playing("a", "b")
    for _ in range(6):
        ask(play, RESET, ["a", "b"], **session("other"))  # fails on both alike: nobody's fault
    first = begin(play, stream=False, **session("s"))
    serve(play, first, stream=False)
    for broken in [first.account], [], [first.account], [], [first.account], []:
        assert ask(play, PAGE, broken, **session("s"))[0] == first.account
    assert BindingChange.RELEASED_FAILING not in [event.change for event in play.gateway.binding_events]


def test_a_session_leaves_an_account_alone_for_a_minute() -> None:
    """And others do not: what fails one session may serve the next."""
    scheduling = SchedulingConfig(mode="performance_first")
    play = Play(account("a", priority=1), account("b"), scheduling=scheduling)
    for _ in range(2):
        assert ask(play, RESET, ["a"], **session("s")) == ["a", "b"]
    assert ask(play, RESET, ["a"], **session("s")) == ["b"]
    assert begin(play, stream=False, **session("another")).account == "a"
    play.now += LEFT_ALONE
    assert begin(play, stream=False, **session("s")).account == "a"


def test_a_session_without_another_account_asks_the_one_that_failed_it() -> None:
    """Leaving an account alone is a preference: nobody is refused for it."""
    play = playing("a")
    for _ in range(5):
        assert ask(play, Way(page, stream=False), ["a"], **session("s")) == ["a"]
    serve(play, begin(play, stream=False, **session("s")), stream=False)


# -- three in a row, from two sessions or keys --------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_three_in_a_row_from_two_sessions_bench_the_account(way: Way) -> None:
    play = Play(account("a", priority=1), account("b"))
    for name in ("s", "t"):
        ask(play, way, ["a"], **session(name))
        assert reasons(play) == []
    ask(play, way, ["a"], **session("u"))
    (event,) = [event for event in play.events if event.what == "cooldown"]
    assert event.account == "a"
    assert event.reason.startswith("failures in a row: ")
    assert event.until == play.now + 1.0
    begin(play, stream=False, **session("v"))
    assert passed_over(play)["a"] == "failures in a row"


@pytest.mark.parametrize(
    ("between", "names", "benched"),
    [
        (None, ["s", "s", "s", "s"], False),
        (None, ["s", "s", "t"], True),
        (None, ["s", "t", "t"], True),
        (None, ["s", "t"], False),
        ("m", ["s", "t", "u"], False),
        ("other", ["s", "t", "u"], True),
    ],
)
def test_which_failures_in_a_row_are_many(between: str | None, names: list[str], benched: bool) -> None:
    """Three conditions meet: how many, whose, and whether a success of the same model came between."""
    scheduling = SchedulingConfig(mode="performance_first")  # a session asks for the same account again
    play = Play(account("a", priority=1), account("b"), scheduling=scheduling)
    for place, name in enumerate(names):
        if place == len(names) - 1 and between:
            serve(play, begin(play, stream=False, model=between, **session("x")), stream=False)
        assert ask(play, RESET, ["a"], **session(name)) == ["a", "b"]
        play.now += LEFT_ALONE
    assert bool(reasons(play)) is benched


def test_failures_of_three_models_are_not_three_in_a_row() -> None:
    play = Play(account("a", priority=1), account("b"))
    for model in ("m1", "m2", "m3"):
        ask(play, RESET, ["a"], model=model, **session(model))
    assert reasons(play) == []


def test_requests_without_a_session_are_their_keys() -> None:
    """Two keys tell of a broken account; one key alone may be sending the same bad request again and again."""
    for keys, benched in ((KEYS[:1], False), (KEYS, True)):
        play = Play(account("a", priority=1), account("b"), auth=AuthConfig(mode="all_except_health", api_keys=KEYS))
        for key in itertools.islice(itertools.cycle(keys), 6):
            call = play.request(b'{"model":"m","input":"x"}', "/v1/embeddings", credentials=(key,))
            if call.account == "a":
                page(play, call)
                (call,) = [one for one in take(play) if isinstance(one, CallUpstream)]
            play.answer(call, b'{"object":"list","data":[]}')
            take(play)
        assert bool(reasons(play)) is benched


def test_a_success_ends_the_cooldown_and_the_count() -> None:
    play = Play(account("a", priority=1), account("b"))
    for name in ("s", "t", "u"):
        ask(play, RESET, ["a"], **session(name))
    play.now += 1.0
    serve(play, begin(play, stream=False, **session("v")), stream=False)
    play.events.clear()
    for name in ("w", "x"):
        ask(play, RESET, ["a"], **session(name))
    assert reasons(play) == []


def test_failures_that_go_on_bench_for_longer_and_longer() -> None:
    play = Play(account("a", priority=1), account("b"))
    for number in range(5):
        ask(play, RESET, ["a"], **session(f"s{number}"))
        play.now += 10.0
    assert [event.until - event.at for event in play.events if event.until] == [1.0, 3.0, 10.0]


# -- a request that fails alike on two accounts ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS[-5:], ids=str)
def test_a_request_that_fails_alike_on_two_accounts_counts_against_neither(way: Way) -> None:
    """A poisonous prompt must not bench a pool, nor cost a session its account."""
    play = playing("a", "b", "c", lock=0)
    first = begin(play, stream=False, **session("s"))
    serve(play, first, stream=False)
    for _ in range(6):
        assert len(ask(play, way, "abc", **session("s"))) == 3
    assert reasons(play) == []
    begin(play, stream=False, **session("s"))
    assert play.gateway.decisions.latest[-1].account == first.account
    play.feed(ClientGone(play.exchange))
    take(play)
    play.now += 600.0  # traces of recent requests are mostly gone, and not yet what was learned
    begin(play, stream=False, **session("t"))
    assert all(score > 0.7 for _, score in play.gateway.decisions.latest[-1].scores)


def test_a_poisonous_prompt_of_several_sessions_is_an_outage_only_within_a_minute() -> None:
    for pause, benched in ((OUTAGE, False), (OUTAGE - 1, True)):
        play = playing("a", "b", lock=0)
        for number in range(5):
            ask(play, RESET, "ab", **session(f"s{number}"))
            play.now += pause
        assert bool(reasons(play)) is benched


def test_failures_of_another_kind_on_another_account_both_count() -> None:
    play = playing("a", "b", lock=0)
    call = begin(play, stream=False)
    reset_before_the_head(play, call)
    (other,) = [one for one in take(play) if isinstance(one, CallUpstream)]
    page(play, other)
    take(play)
    begin(play, stream=False, **session("t"))
    assert all(score < 0.8 for _, score in play.gateway.decisions.latest[-1].scores)


def test_a_cooldown_is_taken_back_when_its_third_failure_turns_out_to_be_the_requests() -> None:
    """Other sessions' failures were of another kind, so the third one alone decides."""
    play = Play(account("a", priority=1), account("b"))
    for name in ("s", "t"):
        ask(play, PAGE, ["a"], **session(name))
    assert ask(play, RESET, ["a", "b"], **session("u")) == ["a", "b"]
    assert reasons(play) == [("a", "failures in a row: reset")]
    assert reasons(play, "recovered") == [("a", "the same request failed elsewhere too")]
    assert begin(play, stream=False, **session("v")).account == "a"


def test_a_failure_counts_at_once_while_its_request_goes_on_elsewhere() -> None:
    """Others need not wait for a long stream to end before they hear of it."""
    play = Play(account("a", priority=1), account("b"))
    for name in ("s", "t", "u"):
        call = begin(play, stream=False, **session(name))
        breaks(play, call, Fault.RESET)
        assert take(play)
    assert reasons(play) == [("a", "failures in a row: reset")]


def test_a_client_that_leaves_does_not_take_back_what_its_request_met() -> None:
    play = Play(account("a", priority=1), account("b"))
    for name in ("s", "t", "u"):
        call = begin(play, stream=False, **session(name))
        breaks(play, call, Fault.RESET)
        take(play)
        play.feed(ClientGone(play.exchange))
        take(play)
    assert len(reasons(play)) == 1
    play.finish()


def test_what_the_operator_calls_well_begins_anew() -> None:
    """``gephyr accounts enable`` forgets what was held against an account, for its sessions too."""
    play = Play(account("a", priority=1), account("b"))
    for _ in range(2):
        ask(play, RESET, ["a"], **session("s"))
    assert begin(play, stream=False, **session("s")).account == "b"
    play.feed(AdminChanged(play.config.accounts, (AccountState("a", "", play.now),)))
    play.unclaimed = []
    play.feed(ClientGone(play.exchange))
    take(play)
    call = begin(play, stream=False, **session("t"))
    breaks(play, call, Fault.RESET)
    assert call.account == "a"
    assert reasons(play) == []
