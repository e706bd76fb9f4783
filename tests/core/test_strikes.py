"""Strikes by themselves: which are kept, when they are many, and which accounts a session leaves alone."""

import pytest
from test_scheduler import NOW, account

from gephyr_core.scheduling import Account
from gephyr_core.scheduling.cooldowns import MEMORY
from gephyr_core.scheduling.strikes import LEFT_ALONE, OUTAGE, Avoidance, Strike, Strikes

ONE, OTHER = account("a"), account("b")


def strike(who: str = "s", at: float = 0.0, model: str = "m", fault: str = "reset", of: Account = ONE) -> Strike:
    return Strike(of, model, fault, who, "", NOW + at)


@pytest.mark.parametrize(
    ("who", "many"),
    [
        ((), False),
        (("s",), False),
        (("s", "t"), False),
        (("s", "s", "s"), False),
        (("s", "s", "t"), True),
        (("s", "t", "s"), True),
        (("t", "s", "s"), True),
        (("s", "t", "u", "v"), True),
    ],
)
def test_three_in_a_row_of_two_sessions_are_many(who: tuple[str, ...], many: bool) -> None:
    strikes = Strikes()
    for name in who:
        strikes.add(strike(name))
    assert strikes.are_many("m") is many
    assert not strikes.are_many("other")


@pytest.mark.parametrize(("after", "kept"), [(MEMORY - 1, 2), (MEMORY, 1), (MEMORY + 1, 1)])
def test_a_row_begins_anew_after_an_hour_without_a_strike(after: float, kept: int) -> None:
    strikes = Strikes()
    strikes.add(strike())
    strikes.add(strike(at=after))
    assert len(strikes.rows["m"]) == kept


def test_a_strike_that_is_taken_back_is_gone_and_an_empty_row_with_it() -> None:
    strikes = Strikes()
    first, second = strike(), strike()
    strikes.add(first)
    strikes.take_back(second)
    assert strikes.rows == {"m": [first]}
    strikes.add(second)
    strikes.take_back(first)
    assert strikes.rows == {"m": [second]}
    strikes.take_back(second)
    strikes.take_back(strike(model="other"))
    assert strikes.rows == {}


def test_of_many_strikes_the_one_that_tells_least_goes_first() -> None:
    """Who struck once is remembered, however often another strikes."""
    strikes = Strikes()
    strikes.add(strike("once"))
    for number in range(100):
        strikes.add(strike("often", at=number))
    row = strikes.rows["m"]
    assert len(row) == 32
    assert [one.who for one in row].count("once") == 1
    assert row[-1].at == NOW + 99
    assert row[1].at == NOW + 69
    for number in range(100):
        strikes.add(strike(f"s{number}", at=200.0))
    assert len(strikes.rows["m"]) == 32
    assert strikes.rows["m"][-1].who == "s99"


def test_models_and_faults_that_are_remembered_are_bounded() -> None:
    strikes = Strikes()
    for number in range(600):
        strikes.add(strike(model=f"m{number}"))
        strikes.note(f"m{number}", "reset", "s", NOW)
    assert (len(strikes.rows), len(strikes.seen)) == (512, 512)
    assert list(strikes.rows)[-1] == "m599"
    assert list(strikes.seen)[-1] == ("m599", "reset")


@pytest.mark.parametrize(
    ("model", "fault", "who", "after", "met"),
    [
        ("m", "reset", "t", 0.0, True),
        ("m", "reset", "t", OUTAGE - 0.1, True),
        ("m", "reset", "t", OUTAGE, False),
        ("m", "reset", "s", 0.0, False),
        ("m", "timeout", "t", 0.0, False),
        ("n", "reset", "t", 0.0, False),
    ],
)
def test_whether_others_met_the_same_failure_within_a_minute(
    model: str, fault: str, who: str, after: float, met: bool
) -> None:
    strikes = Strikes()
    strikes.note("m", "reset", "s", NOW)
    assert strikes.others_met(model, fault, who, NOW + after) is met


def test_the_latest_two_who_met_a_failure_are_remembered() -> None:
    strikes = Strikes()
    for who, at in (("s", 0.0), ("t", 1.0), ("t", 2.0), ("u", 3.0)):
        strikes.note("m", "reset", who, NOW + at)
    assert strikes.seen["m", "reset"] == [("u", NOW + 3), ("t", NOW + 2)]
    assert strikes.others_met("m", "reset", "u", NOW + 3)
    strikes.note("m", "reset", "t", NOW + 4)
    assert strikes.seen["m", "reset"] == [("t", NOW + 4), ("u", NOW + 3)]


# -- whom a session leaves alone --------------------------------------------------------------------------------------


def failed(avoidance: Avoidance, *times: float, of: Account = ONE, who: str = "s", model: str = "m") -> list[bool]:
    return [avoidance.failed(strike(who, at, model, of=of), NOW + at) for at in times]


def test_two_failures_in_a_row_of_one_session_leave_the_account_alone_for_a_minute() -> None:
    avoidance = Avoidance()
    assert failed(avoidance, 0.0) == [False]
    assert avoidance.avoided("s", "m", NOW) == []
    assert failed(avoidance, 1.0) == [True]
    assert avoidance.avoided("s", "m", NOW + 1) == ["a"]
    assert avoidance.avoided("s", "m", NOW + LEFT_ALONE + 0.9) == ["a"]
    assert avoidance.avoided("s", "m", NOW + 1 + LEFT_ALONE) == []
    assert failed(avoidance, 70.0) == [True], "the next one is the third in a row"
    for who, model in (("t", "m"), ("s", "n")):
        assert avoidance.avoided(who, model, NOW + 1) == []


@pytest.mark.parametrize(("after", "left"), [(MEMORY - 1, True), (MEMORY, False)])
def test_a_failure_of_an_hour_ago_is_none_in_a_row(after: float, left: bool) -> None:
    avoidance = Avoidance()
    assert failed(avoidance, 0.0, after)[-1] is left
    assert failed(avoidance, after + 1)[-1]


def test_failures_of_others_are_not_in_the_row() -> None:
    avoidance = Avoidance()
    failed(avoidance, 0.0)
    assert failed(avoidance, 0.0, of=OTHER) == [False]
    assert failed(avoidance, 0.0, who="t") == [False]
    assert failed(avoidance, 0.0, model="n") == [False]
    assert failed(avoidance, 1.0, of=OTHER) == [True]
    assert avoidance.avoided("s", "m", NOW + 1) == ["b"]


def test_a_success_and_the_operators_word_begin_the_row_anew() -> None:
    avoidance = Avoidance()
    failed(avoidance, 0.0)
    failed(avoidance, 0.0, of=OTHER)
    avoidance.served("s", "m", "a")
    avoidance.served("t", "m", "a")
    assert failed(avoidance, 1.0) == [False]
    assert failed(avoidance, 1.0, of=OTHER) == [True]
    avoidance.forget("b")
    assert avoidance.avoided("s", "m", NOW + 1) == []
    assert failed(avoidance, 2.0, of=OTHER) == [False]
    avoidance.forget("a")
    avoidance.forget("b")
    assert avoidance.rows == {}


def test_what_sessions_leave_alone_is_bounded() -> None:
    avoidance = Avoidance()
    for number in range(4100):
        failed(avoidance, 0.0, who=f"s{number}")
    assert len(avoidance.rows) == 4096
    assert ("s4099", "m") in avoidance.rows
    assert ("s0", "m") not in avoidance.rows
    for number in range(100):
        failed(avoidance, 0.0, of=account(f"a{number}"))
    assert len(avoidance.rows["s", "m"]) == 32
    assert failed(avoidance, 1.0, of=account("a99")) == [True]
