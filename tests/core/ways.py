"""Ways in which an account can be kept away, and pools of such accounts."""

import math
from collections.abc import Callable

from test_scheduler import NOW, World, account

from gephyr_core.errors import ErrorKind
from gephyr_core.providers.limits import Quota
from gephyr_core.scheduling import Account, Pool
from gephyr_core.scheduling.windows import TokenWindow

RATE = ErrorKind.RATE_LIMIT


def out(one: Account) -> None:
    one.disabled = "operator"


def rate_limited(one: Account) -> None:
    one.cooldowns.state("m", NOW + 30, RATE, "rate limit")


def overloaded(one: Account) -> None:
    one.cooldowns.state("m", NOW + 20, ErrorKind.OVERLOADED, "overloaded")


def no_credit(one: Account) -> None:
    one.cooldowns.state("", math.inf, ErrorKind.MONEY, "no credit")


def doubted(one: Account) -> None:
    one.cooldowns.suspect("m", RATE, NOW)


def failing(one: Account) -> None:
    one.cooldowns.suspect("m", ErrorKind.SERVER, NOW)


def refused(one: Account) -> None:
    """Its key was refused, which no reset mends."""
    one.cooldowns.suspect("", ErrorKind.CREDENTIAL, NOW)


def busy(one: Account) -> None:
    one.max_concurrency, one.in_flight = 1, 1


def paced(one: Account) -> None:
    assert one.requests is not None
    one.requests.add(NOW - 50)


def no_token(one: Account) -> None:
    one.token_until = 0.0


def free(one: Account) -> None:
    """Nothing stands in its way."""


def soon(one: Account) -> None:
    one.cooldowns.state("m", NOW + 2, RATE, "rate limit")


def not_so_soon(one: Account) -> None:
    one.cooldowns.state("m", NOW + 2.5, RATE, "rate limit")


def too_small(one: Account) -> None:
    """Its own window is too full for a request of this size."""
    one.tokens = TokenWindow(100)
    one.tokens.add(95, NOW - 1)


def small_quota(one: Account) -> None:
    """The provider's bucket has too little for a request of this size, for half a minute."""
    one.shared.remaining_of("").learn([Quota("tokens", 100, 2, 300.0)], NOW)


def quota_soon(one: Account) -> None:
    """The same, for one second."""
    one.shared.remaining_of("").learn([Quota("tokens", 1000, 5, 199.0)], NOW)


Way = Callable[[Account], None]


def pool_of(*ways: Way) -> tuple[World, Pool]:
    """A pool of an account kept away in each of these ways."""
    accounts = [account(f"a{number}", per_minute=1) for number in range(len(ways))]
    for one, way in zip(accounts, ways, strict=True):
        way(one)
    world = World(*accounts)
    return world, world.pool
