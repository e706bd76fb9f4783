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
    one.view.cooldowns.state("m", NOW + 30, RATE, "rate limit")


def overloaded(one: Account) -> None:
    one.view.cooldowns.state("m", NOW + 20, ErrorKind.OVERLOADED, "overloaded")


def no_credit(one: Account) -> None:
    one.view.cooldowns.state("", math.inf, ErrorKind.MONEY, "no credit")


def estimated(one: Account) -> None:
    one.view.cooldowns.suspect("m", RATE, NOW)


def failing(one: Account) -> None:
    one.view.cooldowns.suspect("m", ErrorKind.SERVER, NOW)


def refused(one: Account) -> None:
    """Its key was refused, which no reset mends."""
    one.view.cooldowns.suspect("", ErrorKind.CREDENTIAL, NOW)


def busy(one: Account) -> None:
    one.view.most_in_flight, one.view.in_flight = 1, 1


def paced(one: Account) -> None:
    assert one.view.requests is not None
    one.view.requests.add(NOW - 50)


def no_token(one: Account) -> None:
    one.token_until = 0.0


def free(one: Account) -> None:
    """Nothing stands in its way."""


def soon(one: Account) -> None:
    one.view.cooldowns.state("m", NOW + 2, RATE, "rate limit")


def not_so_soon(one: Account) -> None:
    one.view.cooldowns.state("m", NOW + 2.5, RATE, "rate limit")


def too_small(one: Account) -> None:
    """Its own window is too full for a request of this size."""
    one.view.tokens = TokenWindow(100)
    one.view.tokens.add(95, NOW - 1)


def small_quota(one: Account) -> None:
    """The provider's bucket has too little for a request of this size, for half a minute."""
    one.view.organization.remaining_of("").learn([Quota("tokens", 100, 2, 300.0)], NOW)


def quota_soon(one: Account) -> None:
    """The same, for one second."""
    one.view.organization.remaining_of("").learn([Quota("tokens", 1000, 5, 199.0)], NOW)


Way = Callable[[Account], None]


def pool_of(*ways: Way) -> tuple[World, Pool]:
    """A pool of an account kept away in each of these ways."""
    accounts = [account(f"a{number}", per_minute=1) for number in range(len(ways))]
    world = World(*accounts)
    for one, way in zip(accounts, ways, strict=True):
        way(one)
    return world, world.pool
