"""Leases: a call that is sent a second time is one more request on the account, and needs leave like the first."""

import pytest
from claiming import again, request_elsewhere
from play import Play
from play import account as configured
from scheduling import served
from test_scheduler import NOW, World, account

from gephyr_core.config import SchedulingConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.providers.limits import Quota
from gephyr_core.scheduling import NEUTRAL, Lease


def test_a_call_is_not_sent_again_on_an_account_that_is_out_of_service() -> None:
    world = World(account("a"))
    lease = world.lease()
    world.scheduler.remove(world.pool.accounts[0], NOW)
    assert not again(world.scheduler, lease, NOW)


def test_a_call_is_not_sent_again_into_a_stated_cooldown() -> None:
    world = World(account("a"))
    lease = world.lease()
    assert again(world.scheduler, lease, NOW)
    world.pool.accounts[0].view.cooldowns.state("m", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
    assert not again(world.scheduler, lease, NOW + 1)


def test_tokens_of_a_call_that_is_sent_again_count_once() -> None:
    world = World(account("a", tokens=100))
    lease = world.acquire(tokens=60)
    assert isinstance(lease, Lease)
    assert again(world.scheduler, lease, NOW + 30)
    assert isinstance(world.acquire(NOW + 31, tokens=40), Lease)
    assert not isinstance(world.acquire(NOW + 61, tokens=1), Lease)


@pytest.mark.parametrize("most", [1, 3])
def test_leases_on_an_account_are_counted_through_its_changes(most: int) -> None:
    first, second = account("a", most=most), account("a", most=most)
    world = World(first)
    leases = [world.lease() for _ in range(most)]
    for older, newer in ((first, second), (second, account("a", most=most + 1))):
        world.scheduler.remove(older, NOW, comes_back=True)
        world.scheduler.add(newer)
        assert newer.view.in_flight == most
    for lease in leases:
        world.scheduler.release(lease, NEUTRAL, NOW)
    assert world.scheduler.accounts["a"].view.in_flight == world.scheduler.ledger.in_flight == 0


def test_names_that_clients_invent_do_not_push_out_the_account_that_is_in_use() -> None:
    play = Play(*(configured(name) for name in "abcdef"), scheduling=SchedulingConfig())
    first = served(play, "gpt-5")
    for number in range(1000):
        served(play, "".join(chr(97 + int(digit)) for digit in f"{number:04}"))
        if number % 100 == 0:
            assert served(play, "gpt-5") == first


@pytest.mark.parametrize(
    ("obstacle", "granted"),
    [
        ("nothing", True),
        ("out of service", False),
        ("no token", False),
        ("stated cooldown", False),
        ("stated cooldown of the organisation", False),
        ("stated cooldown of another model", True),
        ("estimate", True),
        ("all requests", False),
        ("the account's requests", False),
        ("the account's tokens", False),
        ("busy", True),
    ],
)
def test_a_call_is_sent_again_where_nothing_but_a_guess_stands_in_its_way(obstacle: str, granted: bool) -> None:
    """Each condition alone. A resend counts like a request: in the window of all requests and in the account's own."""
    one = account("a", per_minute=3, tokens=100, most=1)
    world = World(one, most=2)
    assert one.view.requests is not None
    assert one.view.tokens is not None
    lease = world.lease()
    match obstacle:
        case "out of service":
            one.disabled = "operator"
        case "no token":
            one.token_until = NOW
        case "stated cooldown":
            one.view.cooldowns.state("m", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
        case "stated cooldown of the organisation":
            one.view.organization.cooldowns.state("", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
        case "stated cooldown of another model":
            one.view.cooldowns.state("other", NOW + 60, ErrorKind.RATE_LIMIT, "rate limit")
        case "estimate":
            one.view.cooldowns.suspect("m", ErrorKind.RATE_LIMIT, NOW)
        case "all requests":
            request_elsewhere(world.scheduler, NOW)
        case "the account's requests":
            for _ in range(2):
                one.view.requests.add(NOW)
        case "the account's tokens":
            one.view.tokens.add(91, NOW)
    before = one.view.requests.used(NOW)
    assert again(world.scheduler, lease, NOW) is granted
    assert one.view.requests.used(NOW) == before + granted
    assert (world.scheduler.held(NOW) is not None) is (granted or obstacle == "all requests")


def test_a_call_may_be_sent_again_just_as_each_window_opens() -> None:
    world = World(account("a", per_minute=1, tokens=10), most=1)
    lease = world.lease()
    assert not again(world.scheduler, lease, NOW + 59)
    assert again(world.scheduler, lease, NOW + 60)
    assert not again(world.scheduler, lease, NOW + 60)


def test_the_tokens_of_a_call_that_was_not_read_are_given_back_at_once() -> None:
    world = World(account("a", tokens=100))
    lease = world.acquire(tokens=100)
    assert isinstance(lease, Lease)
    assert not isinstance(world.acquire(tokens=1), Lease)
    world.scheduler.release(lease, NEUTRAL, NOW, 0)
    assert isinstance(world.acquire(tokens=100), Lease)


@pytest.mark.parametrize(("spent", "told"), [(9, True), (10, False), (11, False)])
def test_who_waits_learns_of_tokens_that_were_not_spent(spent: int, told: bool) -> None:
    """A pool that had parked the account looks at it again where there is more room than was reckoned with."""
    world = World(account("a", tokens=10))
    lease = world.acquire(tokens=10)
    assert isinstance(lease, Lease)
    assert not isinstance(world.acquire(tokens=10), Lease)
    world.pool.fresh = False
    world.scheduler.release(lease, NEUTRAL, NOW, spent)
    assert world.pool.fresh is told


def test_an_account_without_a_window_of_tokens_settles_nothing() -> None:
    world = World(account("a"))
    world.scheduler.release(world.lease(), NEUTRAL, NOW, 1000)
    assert (world.pool.accounts[0].view.tokens, world.pool.fresh) == (None, False)


def test_a_lease_counts_in_the_quota_that_the_provider_told() -> None:
    """Two requests fit into what is left, whatever was told of another model."""
    for per_model in (False, True):
        one = account("a")
        one.limits_per_model = per_model
        world = World(one)
        scope = "m" if per_model else ""
        one.view.organization.remaining_of(scope).learn([Quota("requests", 100, 2, 100.0)], NOW)
        assert isinstance(world.acquire(), Lease)
        assert isinstance(world.acquire(), Lease)
        assert not isinstance(world.acquire(), Lease)


def test_the_end_of_a_lease_wakes_who_waits_for_the_place_only_if_it_was_the_last() -> None:
    for most, woken in ((1, True), (2, False), (None, False)):
        world = World(account("a", most=most))
        lease = world.lease()
        world.scheduler.hints.watch(world.pool, world.pool.accounts[0])
        world.scheduler.release(lease, NEUTRAL, NOW)
        assert world.pool.fresh is woken


def test_the_serial_number_of_a_lease_tells_who_was_idle_for_longest() -> None:
    world = World(account("a"), account("b"), account("c"))
    order = [world.lease().account.id for _ in range(3)]
    assert sorted(order) == ["a", "b", "c"]
    assert [world.scheduler.accounts[name].view.last_claim for name in order] == [1, 2, 3]
    assert (world.scheduler.claims, world.scheduler.ledger.in_flight) == (3, 3)
