"""Windows of requests and tokens: exact in any minute, and nobody waits for longer than they ask."""

from hypothesis import given
from hypothesis import strategies as st
from test_scheduler import NOW, World, account

from gephyr_core.providers.limits import Quota
from gephyr_core.scheduling import NEUTRAL, Lease, Refused, Search, Wait
from gephyr_core.scheduling.windows import SPAN, RequestWindow, TokenWindow


@given(limit=st.integers(1, 5), steps=st.lists(st.floats(0, 40), max_size=60))
def test_no_minute_anywhere_holds_more_requests_than_the_limit(limit: int, steps: list[float]) -> None:
    window, now, begun = RequestWindow(limit), NOW, []
    for step in steps:
        now += step
        if window.opens_at() <= now:
            window.add(now)
            begun.append(now)
        else:
            assert len([at for at in begun if at + SPAN > now]) == limit, "refused only where it has to be"
    for at in begun:
        assert len([other for other in begun if at <= other and at + SPAN > other]) <= limit


@given(
    limit=st.integers(1, 300),
    steps=st.lists(st.tuples(st.floats(0, 40), st.integers(1, 400), st.none() | st.integers(0, 500)), max_size=40),
)
def test_tokens_open_when_they_say(limit: int, steps: list[tuple[float, int, int | None]]) -> None:
    window, now, begun = TokenWindow(limit), NOW, []
    for step, tokens, spent in steps:
        now += step
        opens_at = window.opens_at(tokens, now)
        used = sum(entry.tokens for entry in begun if entry.at + SPAN > now)
        assert (opens_at <= now) == (used + min(tokens, limit) <= limit)
        if opens_at <= now:
            begun.append(window.add(tokens, now))
            if spent is not None:
                window.settle(begun[-1], spent)
        else:
            left = sum(entry.tokens for entry in begun if entry.at + SPAN > opens_at)
            assert left + min(tokens, limit) <= limit


def test_a_request_larger_than_the_limit_is_served_once_nothing_else_is_in_the_window() -> None:
    world = World(account("a", tokens=100))
    small = world.acquire(NOW, tokens=1)
    assert isinstance(small, Lease)
    assert isinstance(world.acquire(NOW + 1, tokens=5000), Wait)
    assert isinstance(world.acquire(NOW + SPAN, tokens=5000), Lease)


def test_a_large_request_that_finds_no_room_does_not_keep_a_small_one_waiting() -> None:
    world = World(account("a", tokens=100))
    for at, tokens in ((NOW, 60), (NOW + 30, 40)):
        assert isinstance(world.acquire(at, tokens=tokens), Lease)
    assert isinstance(world.acquire(NOW + 31, tokens=100), Wait)
    assert world.pool.next_change() == NOW + SPAN, "a small one fits when the first is a minute old"
    assert isinstance(world.acquire(NOW + SPAN, tokens=10), Lease)


def test_tokens_that_were_not_spent_wake_those_for_whom_they_were_too_many() -> None:
    world = World(account("a", tokens=100))
    lease = world.acquire(tokens=60)
    assert isinstance(lease, Lease)
    assert isinstance(world.acquire(tokens=60), Wait)
    world.pool.fresh = False
    world.scheduler.release(lease, NEUTRAL, NOW, 1)
    assert world.pool.fresh


def test_quota_that_a_reply_reports_wakes_those_who_wait_for_it() -> None:
    world = World(account("a"))
    one = world.pool.accounts[0]
    lease = world.lease()
    one.view.organization.remaining_of("").learn([Quota("tokens", 1000, 0, 60.0)], NOW)
    assert isinstance(world.acquire(tokens=100), Refused)
    world.pool.fresh = False
    world.scheduler.learning.heard(lease, [(b"x-ratelimit-remaining-tokens", b"900"), *_LIMIT], 0.1, NOW + 1)
    assert world.pool.fresh
    assert isinstance(world.acquire(NOW + 1, tokens=100), Lease)
    world.scheduler.release(lease, NEUTRAL, NOW + 1)


_LIMIT = [(b"x-ratelimit-limit-tokens", b"1000"), (b"x-ratelimit-reset-tokens", b"6s")]


def test_one_request_too_large_for_now_is_no_reason_for_another_to_wait() -> None:
    world = World(account("a", tokens=100), account("b"))
    world.tried = [world.pool.accounts[1]]
    assert isinstance(world.acquire(tokens=60), Lease)
    assert isinstance(world.acquire(tokens=60), Wait)
    world.tried = list(world.pool.accounts)
    assert isinstance(world.acquire(tokens=1), Refused)


def test_the_last_account_is_asked_although_we_reckon_that_the_request_is_too_large() -> None:
    world = World(account("a"))
    one = world.pool.accounts[0]
    one.view.organization.remaining_of("").learn([Quota("tokens", 1000, 50, 60.0)], NOW)
    assert isinstance(world.acquire(tokens=500), Refused)
    search = Search(1, None, 500, NOW, NOW + 5)
    assert world.scheduler.clear_estimates([world.pool], search, [], NOW)
    assert isinstance(world.acquire(tokens=500), Lease)


def test_a_window_with_room_opens_at_no_time() -> None:
    """0 says that it is open; callers show a time only where there is one."""
    requests, tokens = RequestWindow(2), TokenWindow(100)
    assert requests.opens_at() == 0.0
    assert tokens.opens_at(100, NOW) == 0.0
    requests.add(NOW)
    assert (requests.opens_at(), requests.used(NOW)) == (0.0, 1)
    requests.add(NOW + 1)
    assert (requests.opens_at(), requests.used(NOW + 1)) == (NOW + 60, 2)
    assert (requests.used(NOW + 59.9), requests.used(NOW + 60), requests.used(NOW + 61)) == (2, 1, 0)
    tokens.add(60, NOW)
    assert tokens.opens_at(40, NOW) == 0.0
    assert tokens.opens_at(41, NOW) == NOW + 60
    assert tokens.opens_at(41, NOW + 60) == 0.0


def test_a_window_that_takes_over_another_counts_what_is_in_it() -> None:
    older, newer = RequestWindow(3), RequestWindow(2)
    for at in (1.0, 2.0, 3.0):
        older.add(NOW + at)
    newer.take_over(older)
    assert newer.opens_at() == NOW + 62
    spent, left = TokenWindow(100), TokenWindow(50)
    entry = spent.add(40, NOW)
    left.take_over(spent)
    assert left.opens_at(11, NOW) == NOW + 60
    left.settle(entry, 10)
    assert left.opens_at(40, NOW) == 0.0


def test_what_is_settled_after_its_minute_counts_no_more() -> None:
    window = TokenWindow(100)
    entry = window.add(60, NOW)
    assert window.opens_at(100, NOW + 60) == 0.0
    window.settle(entry, 90)
    assert window.opens_at(100, NOW + 60) == 0.0
    late = window.add(10, NOW + 60)
    window.settle(late, 100)
    assert window.opens_at(1, NOW + 61) == NOW + 120
