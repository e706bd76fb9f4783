"""Estimates: how they grow, what of them stays known, and which one counts where several meet. Tables of states."""

import pytest
from test_scheduler import NOW

from gephyr_core.errors import ErrorKind
from gephyr_core.providers.classification import LOW_CREDIT
from gephyr_core.scheduling.blocks import Nature
from gephyr_core.scheduling.cooldowns import FAILING, MEMORY, PROBE_INTERVAL, STEPS, YIELDING, Cooldowns

RATE, SERVER, CREDENTIAL, MONEY = ErrorKind.RATE_LIMIT, ErrorKind.SERVER, ErrorKind.CREDENTIAL, ErrorKind.MONEY


def suspected(*failures: tuple[float, ErrorKind], model: str = "m") -> Cooldowns:
    """What is kept after failures at these times."""
    book = Cooldowns()
    for at, kind in failures:
        book.suspect(model, kind, NOW + at)
    return book


@pytest.mark.parametrize("kind", [*STEPS, ErrorKind.BAD_GATEWAY])
def test_each_failure_after_the_last_ones_end_takes_the_next_step_and_the_last_step_repeats(kind: ErrorKind) -> None:
    steps = STEPS.get(kind, (1.0, 5.0, 15.0, 30.0))
    book, now = Cooldowns(), NOW
    for seconds in (*steps, steps[-1], steps[-1]):
        before = book.estimates["m"].until if book.estimates else 0.0
        assert book.suspect("m", kind, now) == max(before, now + seconds)
        (estimate,) = book.estimates.values()
        assert estimate.probe_at == now + min(seconds, max(PROBE_INTERVAL, seconds / 4))
        now += min(seconds, MEMORY - 1)
        book.probe("m", now)


@pytest.mark.parametrize(
    ("after", "probing", "failures"),
    [
        (0.0, False, 1),  # under way together: one failure
        (4.9, False, 1),
        (4.9, True, 2),  # the probe failed
        (5.0, False, 2),
        (5.0, True, 2),
        (MEMORY - 0.1, False, 2),
        (MEMORY, False, 1),  # an hour forgets
        (MEMORY + 1, False, 1),
    ],
)
def test_when_a_failure_is_one_more(after: float, probing: bool, failures: int) -> None:
    book = suspected((0.0, RATE))
    book.estimates["m"].probing = probing
    now = NOW + after
    until = book.suspect("m", RATE, now)
    assert book.estimates["m"].failures == failures
    assert not book.estimates["m"].probing
    assert until == now + STEPS[RATE][failures - 1]


def test_a_shorter_estimate_never_ends_a_longer_one() -> None:
    book = suspected((0.0, RATE), (5.0, RATE))
    assert book.suspect("m", SERVER, NOW + 6) == NOW + 5 + STEPS[RATE][1]
    book = suspected((0.0, SERVER))
    assert book.suspect("m", MONEY, NOW + 0.5) == NOW + 0.5 + STEPS[MONEY][0]


@pytest.mark.parametrize(
    ("first", "second", "after", "kind", "yields"),
    [
        # What began before a refusal ends nothing that is known for certain.
        (CREDENTIAL, SERVER, 1.0, CREDENTIAL, False),
        (CREDENTIAL, SERVER, 60.0, SERVER, True),
        (SERVER, CREDENTIAL, 0.5, CREDENTIAL, False),
        (SERVER, RATE, 0.5, RATE, True),
        (MONEY, RATE, 1.0, MONEY, False),
        (CREDENTIAL, MONEY, 1.0, CREDENTIAL, False),
    ],
)
def test_what_a_second_failure_makes_of_the_first(
    first: ErrorKind, second: ErrorKind, after: float, kind: ErrorKind, yields: bool
) -> None:
    book = suspected((0.0, first), (after, second))
    estimate = book.estimates["m"]
    assert (estimate.kind, estimate.yields) == (kind, yields)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in (CREDENTIAL, MONEY)])
def test_most_estimates_yield_when_nobody_else_is_left(kind: ErrorKind) -> None:
    block = suspected((0.0, kind)).block("m", NOW)
    assert block is not None
    assert block.yields


def test_a_refused_key_and_a_spent_credit_do_not_yield_but_a_low_one_does() -> None:
    for kind in (CREDENTIAL, MONEY):
        block = suspected((0.0, kind)).block("m", NOW)
        assert block is not None
        assert not block.yields
    book = Cooldowns()
    book.suspect("m", MONEY, NOW, LOW_CREDIT)
    block = book.block("m", NOW)
    assert block is not None
    assert block.yields
    assert {kind for kind, yields in YIELDING.items() if not yields} == {CREDENTIAL, MONEY}


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        (RATE, "", "rate limit"),
        (CREDENTIAL, "", "credential refused"),
        (MONEY, "", "no credit"),
        (SERVER, "", "server"),
        (SERVER, FAILING, "failures in a row"),
        (ErrorKind.BAD_GATEWAY, "", "bad gateway"),
    ],
)
def test_a_reason_is_told_in_a_word_or_two(kind: ErrorKind, reason: str, told: str) -> None:
    book = Cooldowns()
    book.suspect("m", kind, NOW, reason)
    block = book.block("m", NOW)
    assert block is not None
    assert (block.reason, block.kind, block.nature) == (told, kind, Nature.ESTIMATED)


# -- probes ---------------------------------------------------------------------------------------------------------


def long_estimate() -> Cooldowns:
    """One of 40 s from now on, to be probed in 15."""
    now = NOW - 35.0
    book = Cooldowns()
    for seconds in STEPS[RATE][:3]:
        book.suspect("m", RATE, now)
        now += seconds
    assert now == NOW
    book.suspect("m", RATE, NOW)
    return book


@pytest.mark.parametrize(
    ("probing", "after", "until"),
    [
        (False, 0.0, 15.0),
        (False, 14.9, 15.0),
        (False, 15.0, None),
        (True, 15.0, 30.0),
        (True, 29.0, 40.0),
        (True, 39.9, 40.0),
        (True, 40.0, None),
        (False, 40.0, None),
    ],
)
def test_an_estimate_stands_in_the_way_until_its_probe_and_during_it(
    probing: bool, after: float, until: float | None
) -> None:
    book = long_estimate()
    book.estimates["m"].probing = probing
    block = book.block("m", NOW + after)
    assert (None if block is None else block.until - NOW) == until


def test_a_request_probes_what_would_stand_in_its_way() -> None:
    book = Cooldowns()
    for name in ("", "m", "other"):
        book.suspect(name, RATE, NOW)
    probed = book.probe("m", NOW + 1)
    assert probed == [book.estimates[""], book.estimates["m"]]
    assert [one.probing for one in book.estimates.values()] == [True, True, False]
    assert book.probe("", NOW + 1) == [book.estimates[""]]
    assert book.probe("m", NOW + 5) == [], "it is over"


def test_of_several_estimates_the_longest_counts_and_one_that_does_not_yield_first() -> None:
    for names in (("", "m"), ("m", "")):
        book = Cooldowns()
        book.suspect(names[0], SERVER, NOW)
        book.suspect(names[1], RATE, NOW)
        block = book.block("m", NOW)
        assert block is not None
        assert (block.until, block.kind) == (NOW + 5, RATE)
        book.suspect(names[0], CREDENTIAL, NOW - 50)  # to be probed before the other ends
        book.estimates[names[0]].probe_at = NOW + 2
        block = book.block("m", NOW)
        assert block is not None
        assert (block.until, block.kind, block.yields) == (NOW + 2, CREDENTIAL, False)


# -- how they end ---------------------------------------------------------------------------------------------------


def test_a_success_ends_the_models_and_everybodys_and_tells_which_it_ended_early() -> None:
    book = Cooldowns()
    for name in ("", "m", "other"):
        book.suspect(name, RATE, NOW)
    assert book.succeeded("m", NOW + 1) == ["", "m"]
    assert list(book.estimates) == ["other"]
    assert book.succeeded("other", NOW + 5) == [], "it was over"
    assert book.estimates == {}
    assert book.succeeded("m", NOW) == []


def test_an_estimate_that_is_cleared_lets_requests_in_and_forgets_nothing() -> None:
    book = Cooldowns()
    for name in ("", "m", "other"):
        book.suspect(name, RATE, NOW)
    assert book.clear_estimates("m", NOW + 1)
    assert book.block("m", NOW + 1) is None
    assert book.block("other", NOW + 1) is not None, "it has its own"
    assert book.block("third", NOW + 1) is None
    assert not book.clear_estimates("m", NOW + 1)
    assert book.suspect("m", RATE, NOW + 1) == NOW + 1 + STEPS[RATE][1]
    refused = suspected((0.0, CREDENTIAL))
    assert not refused.clear_estimates("m", NOW + 1)
    assert refused.block("m", NOW + 1) is not None


def test_what_was_put_down_to_a_kind_of_failure_is_forgotten_and_nothing_else() -> None:
    book = Cooldowns()
    book.suspect("", CREDENTIAL, NOW)
    book.suspect("m", RATE, NOW)
    book.state("", NOW + 60, CREDENTIAL, "no")
    book.state("m", NOW + 60, RATE, "slow")
    book.state("n", NOW + 60, CREDENTIAL, "no")
    assert book.forget(CREDENTIAL) == ["", "n"]
    assert (list(book.estimates), list(book.stated)) == (["m"], ["m"])
    book.clear()
    assert (book.estimates, book.stated) == ({}, {})


def test_an_estimate_goes_back_to_what_it_was() -> None:
    book = suspected((0.0, RATE))
    before = book.estimates["m"]
    book.suspect("m", SERVER, NOW + 5)
    book.restore("m", before)
    assert book.estimates == {"m": before}
    book.restore("m", None)
    book.restore("other", None)
    assert book.estimates == {}


def test_an_estimate_is_forgotten_an_hour_after_its_failure() -> None:
    for after, known in ((MEMORY - 0.1, 1), (MEMORY, 0)):
        book = suspected((0.0, RATE))
        assert book.block("m", NOW + after) is None
        assert len(book.estimates) == known
