"""What stands in the way of an account: each reason alone, which of several is told, and who may overrule it."""

import math
from collections.abc import Callable

import pytest
from test_scheduler import NOW, account

from gephyr_core.errors import ErrorKind
from gephyr_core.providers.limits import Quota
from gephyr_core.scheduling import Account
from gephyr_core.scheduling.blocks import Block, Nature

STATED, ESTIMATED, ROOM, OUT = Nature.STATED, Nature.ESTIMATED, Nature.ROOM, Nature.OUT
RATE = ErrorKind.RATE_LIMIT


def one_of(**more: int | None) -> Account:
    """An account with all the limits that an account can have, unless told otherwise."""
    limits: dict[str, int | None] = {"per_minute": 2, "tokens": 100, "most": 2}
    return account("a", **(limits | more))  # type: ignore[arg-type]


# -- own and shared cooldowns ---------------------------------------------------------------------------------------


def cooling(own: tuple[str, float] | None, shared: tuple[str, float] | None) -> Account:
    """An account with a cooldown of its own and one of its organisation, each stated or estimated, of some seconds."""
    one = one_of()
    for book, cooldown in ((one.view.cooldowns, own), (one.view.organization.cooldowns, shared)):
        if cooldown is None:
            continue
        how, seconds = cooldown
        if how == "stated":
            book.state("m", NOW + seconds, RATE, f"stated {seconds:.0f}")
        else:
            # The first step of a failed connection is 1 s, of a rate limit 5 s.
            kind = ErrorKind.BAD_GATEWAY if seconds == 1.0 else RATE
            book.suspect("m", kind, NOW)
    return one


@pytest.mark.parametrize(
    ("own", "shared", "nature", "seconds"),
    [
        (("stated", 9.0), None, STATED, 9.0),
        (None, ("stated", 9.0), STATED, 9.0),
        (("estimated", 5.0), None, ESTIMATED, 5.0),
        (None, ("estimated", 5.0), ESTIMATED, 5.0),
        # Whoever stated it, and however short it is: the provider's word beats a guess.
        (("stated", 2.0), ("estimated", 5.0), STATED, 2.0),
        (("stated", 9.0), ("estimated", 5.0), STATED, 9.0),
        (("estimated", 5.0), ("stated", 2.0), STATED, 2.0),
        (("estimated", 5.0), ("stated", 9.0), STATED, 9.0),
        # Of two alike, the longer.
        (("stated", 9.0), ("stated", 2.0), STATED, 9.0),
        (("stated", 2.0), ("stated", 9.0), STATED, 9.0),
        (("estimated", 1.0), ("estimated", 5.0), ESTIMATED, 5.0),
        (("estimated", 5.0), ("estimated", 1.0), ESTIMATED, 5.0),
    ],
)
def test_of_an_own_and_a_shared_cooldown_the_stated_one_counts_and_of_two_alike_the_longer(
    own: tuple[str, float] | None, shared: tuple[str, float] | None, nature: Nature, seconds: float
) -> None:
    """What is estimated yields to the optimistic reset; an organisation's stated limit must not yield with it."""
    one = cooling(own, shared)
    block = one.block("m", 10, NOW)
    assert block is not None
    assert (block.nature, block.until) == (nature, NOW + seconds)
    assert (one.view.stated("m", NOW) is not None) is (nature is STATED)
    assert one.block("other", 10, NOW) is None
    assert not (one.view.stated("other", NOW) is not None)


def test_a_cooldown_of_every_model_and_one_of_the_model_count_as_the_longer() -> None:
    for every, model, longest in ((9.0, 2.0, 9.0), (2.0, 9.0, 9.0)):
        one = one_of()
        one.view.cooldowns.state("", NOW + every, RATE, "every model")
        one.view.cooldowns.state("m", NOW + model, RATE, "one model")
        block, other = one.block("m", 10, NOW), one.block("other", 10, NOW)
        assert block is not None
        assert other is not None
        assert (block.until, other.until) == (NOW + longest, NOW + every)


def test_a_stated_cooldown_is_over_at_its_time_and_a_guess_takes_its_place() -> None:
    one = one_of()
    one.view.cooldowns.state("m", NOW + 2, RATE, "rate limit")
    one.view.cooldowns.suspect("m", RATE, NOW)
    assert one.view.stated("m", NOW + 1.9) is not None
    block = one.block("m", 10, NOW + 2)
    assert block is not None
    assert (block.nature, block.until) == (ESTIMATED, NOW + 5)
    assert one.block("m", 10, NOW + 5) is None


# -- each reason, and their order -----------------------------------------------------------------------------------


def _out(one: Account) -> None:
    one.disabled = "operator"


def _no_token(one: Account) -> None:
    one.token_until = NOW


def _limited(one: Account) -> None:
    one.view.cooldowns.state("m", NOW + 9, RATE, "rate limit")


def _busy(one: Account) -> None:
    one.view.in_flight = 2


def _no_requests(one: Account) -> None:
    assert one.view.requests is not None
    for at in (NOW - 30, NOW - 20):
        one.view.requests.add(at)


def _no_tokens(one: Account) -> None:
    assert one.view.tokens is not None
    one.view.tokens.add(100, NOW - 10)


def _no_quota(one: Account) -> None:
    one.view.organization.remaining_of("").learn([Quota("requests", 100, 0, 50.0)], NOW)


REASONS: tuple[tuple[Callable[[Account], None], Block], ...] = (
    (_out, Block(math.inf, OUT, "operator")),
    (_no_token, Block(math.inf, ROOM, "signing in")),
    (_limited, Block(NOW + 9, STATED, "rate limit", RATE)),
    (_busy, Block(math.inf, ROOM, "busy")),
    (_no_requests, Block(NOW + 30, ROOM, "requests per minute")),
    (_no_tokens, Block(NOW + 50, ROOM, "tokens per minute", None, False, NOW + 50)),
    (_no_quota, Block(NOW + 0.5, ESTIMATED, "quota used up", RATE, False, NOW + 0.5, True)),
)
"""In the order in which they are told."""


@pytest.mark.parametrize(("obstacle", "block"), REASONS)
def test_each_reason_alone_keeps_an_account_away(obstacle: Callable[[Account], None], block: Block) -> None:
    one = one_of()
    assert one.block("m", 10, NOW) is None
    obstacle(one)
    assert one.block("m", 10, NOW) == block


@pytest.mark.parametrize("first", range(len(REASONS)))
def test_of_several_reasons_the_one_that_lasts_is_told(first: int) -> None:
    """An account that is out of service is not told as busy: nobody is to wait for it."""
    one = one_of()
    for obstacle, _ in REASONS[first:]:
        obstacle(one)
    assert one.block("m", 10, NOW) == REASONS[first][1]


def test_an_account_without_limits_is_kept_away_by_none() -> None:
    one = one_of(per_minute=None, tokens=None, most=None)
    one.view.in_flight = 1000
    assert one.block("m", 10**9, NOW) is None


@pytest.mark.parametrize(("in_flight", "full"), [(0, False), (1, False), (2, True), (3, True)])
def test_an_account_is_full_at_its_limit(in_flight: int, full: bool) -> None:
    one = one_of()
    one.view.in_flight = in_flight
    assert (one.block("m", 10, NOW) is not None) is full


def test_a_token_ends_at_its_time() -> None:
    one = one_of()
    one.token_until = NOW + 1
    assert one.block("m", 10, NOW) is None
    assert one.block("m", 10, NOW + 1) == Block(math.inf, ROOM, "signing in")
    one.token_block = Block(NOW + 5, ESTIMATED, "no token")
    assert one.block("m", 10, NOW + 1) == one.token_block


# -- sizes ----------------------------------------------------------------------------------------------------------


def test_a_request_that_is_too_large_for_the_tokens_left_is_told_so_and_a_smaller_one_passes() -> None:
    one = one_of()
    assert one.view.tokens is not None
    one.view.tokens.add(60, NOW - 20)
    assert one.block("m", 40, NOW) is None
    assert one.block("m", 41, NOW) == Block(NOW + 40, ROOM, "tokens per minute", None, True, 0.0)


def test_where_no_token_is_left_it_is_no_matter_of_size() -> None:
    """Entries leave one by one: a small request fits when the first is a minute old, a large one when both are."""
    one = one_of()
    assert one.view.tokens is not None
    one.view.tokens.add(10, NOW - 50)
    one.view.tokens.add(90, NOW - 20)
    assert one.block("m", 50, NOW) == Block(NOW + 40, ROOM, "tokens per minute", None, False, NOW + 10)


def test_a_quota_that_is_too_small_for_a_request_keeps_only_such_a_one_away() -> None:
    one = one_of(tokens=None)
    one.view.organization.remaining_of("").learn([Quota("tokens", 1000, 200, 80.0)], NOW)
    assert one.block("m", 200, NOW) is None
    # The bucket fills by 10 tokens a second.
    assert one.block("m", 300, NOW) == Block(NOW + 10, ESTIMATED, "quota used up", RATE, True, 0.0, True)


def test_a_quota_counts_for_the_model_where_the_provider_counts_each_alone() -> None:
    for per_model, scope, blocked in (
        (False, "", ("m", "other")),
        (True, "m", ("m",)),
        (True, "", ()),
        (False, "m", ()),
    ):
        one = one_of()
        one.view.per_model = per_model
        one.view.organization.remaining_of(scope).learn([Quota("requests", 100, 0, 50.0)], NOW)
        assert tuple(model for model in ("m", "other") if one.block(model, 10, NOW) is not None) == blocked
