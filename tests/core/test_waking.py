"""Who waits is woken by whatever frees an account, in the order in which they came, at a cost that does not explode."""

import random

import pytest
from play import SSE, Play, account
from scheduling import REPLY, ask, body, limited, session
from test_scheduler import NOW, World
from test_scheduler import account as bare

from gephyr_core.commands import (
    CallUpstream,
    DetachUpstream,
    EndResponse,
    ReadBody,
    SendBody,
    StartResponse,
    StopServing,
)
from gephyr_core.config import ComplianceConfig, ModelsConfig, SchedulingConfig, ServerConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.events import ClientGone, DrainRequested, RequestBody, RequestEnded, TimePassed, UpstreamBody
from gephyr_core.http import header
from gephyr_core.scheduling import SUCCESS, Account, Lease, Search
from gephyr_core.scheduling.queue import WaitingRoom

PATIENT = SchedulingConfig(acquire_timeout=100, last_used_lock_seconds=0)
OVERLOADED = b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n'


def test_an_error_inside_a_stream_wakes_who_waits_for_the_account() -> None:
    play = Play(account("a", max_concurrency=1), account("b", priority=-1, models=("m",)), scheduling=PATIENT)
    call = play.stream_request()
    play.request(body())
    waiting = ask(play, "other")
    play.head(call, 200, SSE)
    play.expect()
    commands = play.feed(UpstreamBody(call.exchange, call.attempt, OVERLOADED))
    calls = [command for command in commands if isinstance(command, CallUpstream)]
    assert [(one.exchange, one.account) for one in calls] == [(call.exchange, "b"), (waiting, "a")]
    play.expect(DetachUpstream, CallUpstream, CallUpstream)


@pytest.mark.parametrize("limit", ["window", "cooldown"])
def test_who_comes_just_as_time_frees_an_account_is_not_served_before_who_waited(limit: str) -> None:
    """The request is told before the runtime has looked at the clock."""
    play = Play(account("a", requests_per_minute=1 if limit == "window" else None), scheduling=PATIENT)
    call = play.request(body())
    if limit == "window":
        play.answer(call, REPLY)
        play.expect(StartResponse, SendBody, EndResponse)
    else:
        limited(play, call, 1)
        play.expect()
    first = play.exchange if limit == "cooldown" else ask(play)
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body()))
    play.expect()
    commands = play.feed(RequestEnded(play.exchange), at=play.now + (60 if limit == "window" else 1))
    assert isinstance(commands[0], CallUpstream)
    assert commands[0].exchange == first
    play.unclaimed = []


def test_who_waits_where_one_model_is_limited_and_another_busy_is_woken_by_both() -> None:
    play = Play(
        account("a", models=("one",)),
        account("b", models=("two",), max_concurrency=1),
        models=ModelsConfig(routes={"m": ("one", "two")}),
        scheduling=PATIENT,
    )
    first = play.request(body())
    limited(play, first, 10)
    play.expect(CallUpstream)
    waiting = ask(play)
    play.wait()
    assert (play.now, play.expect(CallUpstream).exchange) == (1010.0, waiting)


class Counting(World):
    """A world that counts how often it is asked."""

    def __init__(self, *accounts: Account) -> None:
        super().__init__(*accounts)
        self.queue = WaitingRoom()
        self.asked = 0

    def wake(self, now: float) -> list[Lease]:
        """Ask those who wait as the gateway does; return the leases they got."""
        leases = []
        while (number := self.queue.next(now)) is not None:
            self.asked += 1
            answer = self.acquire(now)
            if isinstance(answer, Lease):
                leases.append(answer)
                self.queue.leave(number)
        self.queue.asked()
        return leases


def test_five_thousand_who_wait_cost_two_questions_for_each_that_is_served() -> None:
    world = Counting(bare("a", most=1), bare("b", most=1))
    leases = [world.lease(), world.lease()]
    for number in range(5000):
        assert not isinstance(world.acquire(), Lease)
        world.queue.enter(number, [world.pool])
    served = 0
    rng = random.Random(1)
    while leases:
        world.scheduler.release(leases.pop(rng.randrange(len(leases))), SUCCESS, NOW)
        leases += world.wake(NOW)
        served += 1
    assert served == 5002
    assert world.asked <= 2 * 5000


def test_an_account_that_is_of_no_use_to_five_thousand_is_offered_once_to_each() -> None:
    world = Counting(bare("a"))
    world.tried = list(world.pool.accounts)
    for number in range(5000):
        world.queue.enter(number, [world.pool])
    world.pool.fresh = True
    assert world.wake(NOW) == []
    assert world.asked == 5000
    assert world.wake(NOW) == []
    assert world.asked == 5000


def test_the_global_window_is_no_reason_to_ask_a_suspected_account() -> None:
    rails = ComplianceConfig(enabled=True, max_global_requests_per_minute=1)
    play = Play(account("a"), compliance=rails)
    limited(play, play.request(body()), None, 401)
    play.expect()
    ask(play)
    while play.gateway.open_exchanges:
        play.wait()
        play.unclaimed = []
    estimates = [event.until for event in play.events if event.what == "cooldown" and not event.stated]
    assert estimates == [1060.0]


def test_an_account_that_is_busy_is_told_as_the_soonest() -> None:
    play = Play(account("a", max_concurrency=1), account("b", priority=1))
    limited(play, play.request(body()), 600)
    play.expect(CallUpstream)
    ask(play)
    play.wait()
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert header(start.headers, b"retry-after") == b"1"


def test_nobody_is_called_for_a_client_who_leaves_just_as_time_frees_an_account() -> None:
    play = Play(account("a", requests_per_minute=1), scheduling=PATIENT)
    play.answer(play.request(body()), REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    waiting = ask(play)
    play.feed(ClientGone(waiting), at=play.now + 60)
    play.expect()
    play.finish()


def test_who_was_asked_in_vain_is_asked_again_when_another_has_the_cleared_estimates() -> None:
    """Three wait for *busy*; one of them may ask nobody else, and has the estimate of *suspected* cleared for all."""
    world = Counting(bare("busy", most=1), bare("suspected", most=2))
    suspected = world.scheduler.accounts["suspected"]
    lease = world.lease()
    if lease.account is suspected:
        world.scheduler.release(lease, SUCCESS, NOW)
        lease = world.lease()
    suspected.view.cooldowns.suspect("m", ErrorKind.SERVER, NOW)
    world.scheduler.queue = world.queue
    for number in range(2):
        assert not isinstance(world.acquire(), Lease)
        world.queue.enter(number, [world.pool])
    world.pool.fresh = True
    world.scheduler.hints.opened("suspected")
    assert world.queue.next(NOW) == 0
    assert not isinstance(world.acquire(), Lease)
    world.pool.fresh = True
    world.scheduler.hints.opened("busy")
    assert world.queue.next(NOW) == 1
    world.scheduler.clear_estimates([world.pool], Search(1, None, 10, NOW, NOW + 5), [], NOW)
    assert world.queue.next(NOW) == 0
    assert isinstance(world.acquire(), Lease)


def test_who_waits_for_another_account_now_is_not_offered_the_first() -> None:
    queue, first, second = WaitingRoom(), World(bare("a")).pool, World(bare("b")).pool
    queue.enter(1, [first])
    queue.enter(1, [second])
    first.fresh = True
    assert queue.next(NOW) is None
    second.fresh = True
    assert queue.next(NOW) == 1
    queue.leave(1)
    assert (first.waiters, second.waiters, len(queue)) == ({}, {}, 0)


def test_who_waits_for_a_busy_account_learns_that_it_is_limited_now() -> None:
    play = Play(account("a", max_concurrency=1), scheduling=PATIENT)
    call = play.request(body())
    ask(play)
    limited(play, call, 600)
    first, _, _, second, _, _ = play.expect(*[StartResponse, SendBody, EndResponse] * 2)
    assert [header(one.headers, b"retry-after") for one in (first, second)] == [b"600", b"600"]


def test_who_waits_for_a_busy_account_is_the_first_to_have_its_cleared_estimates() -> None:
    play = Play(account("a", max_concurrency=1), scheduling=PATIENT)
    call = play.request(body())
    waiting = ask(play)
    limited(play, call, None)
    *_, second = play.expect(StartResponse, SendBody, EndResponse, CallUpstream)
    assert second.exchange == waiting


def test_estimates_that_are_cleared_serve_first_who_waited_first() -> None:
    """In ``cache_first`` a session waits for its own account, which is suspected; another request has that cleared."""
    mode = SchedulingConfig(mode="cache_first", acquire_timeout=100, last_used_lock_seconds=0)
    play = Play(account("a", max_concurrency=1), scheduling=mode)
    limited(play, play.request(body(), **session()), None)
    play.expect(StartResponse, SendBody, EndResponse)
    first = ask(play, **session())
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body()))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    assert play.expect(CallUpstream).exchange == first


@pytest.mark.parametrize("patience", [60, 100])
def test_nobody_is_called_at_the_very_end_of_draining(patience: float) -> None:
    waits = SchedulingConfig(acquire_timeout=patience, last_used_lock_seconds=0)
    play = Play(account("a", requests_per_minute=1), scheduling=waits, server=ServerConfig(drain_timeout=60))
    play.answer(play.request(body()), REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    ask(play)
    play.feed(DrainRequested())
    play.expect()
    play.feed(TimePassed(), at=play.now + 60)
    play.expect(StartResponse, SendBody, EndResponse, StopServing)


def test_who_comes_to_wait_for_another_account_keeps_the_place_in_the_line() -> None:
    queue, first, second = WaitingRoom(), World(bare("a")).pool, World(bare("b")).pool
    queue.enter(1, [first])
    queue.enter(2, [second])
    queue.enter(3, [second])
    queue.enter(1, [second])
    second.fresh = True
    assert [queue.next(NOW) for _ in range(4)] == [1, 2, 3, None]
