"""Hosts that cannot be reached: what one call learned counts for all accounts of the host, by that outbound route."""

from typing import Any

import pytest
from failing import begin, breaks, serve, session, take
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from play import ROTATING, Play, account

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import ProxyPoolConfig
from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import ClientGone, RequestBody, RequestEnded, TimePassed
from gephyr_core.http import Origin
from gephyr_core.outbound.origins import STEPS, Origins

HOST = "https://one.test"
UNREACHABLE = [(Fault.CONNECT, Sent.NONE), (Fault.TLS, Sent.NONE), (Fault.TIMEOUT, Sent.NONE)]


def on_one_host(count: int = 4, *more: Any, **sections: Any) -> Play:
    """A gateway over accounts of one host, and maybe others."""
    return Play(*(account(f"h{number}", base_url=HOST) for number in range(count)), *more, **sections)


def calls(play: Play) -> list[CallUpstream]:
    return [command for command in take(play) if isinstance(command, CallUpstream)]


def dies(play: Play, fault: Fault = Fault.CONNECT, sent: Sent = Sent.NONE, **more: Any) -> list[CallUpstream]:
    """A request finds the host dead; return the calls that this leads to."""
    call = begin(play, stream=False, **more)
    breaks(play, call, fault, sent)
    return calls(play)


def why(play: Play) -> dict[str, str]:
    return dict(play.gateway.decisions.latest[-1].candidates())


@pytest.mark.parametrize(("fault", "sent"), UNREACHABLE)
def test_accounts_of_a_dead_host_cost_one_attempt_not_one_each(fault: Fault, sent: Sent) -> None:
    """Four accounts on one host that does not answer must not cost four times ``connect_timeout``."""
    play = on_one_host(4)
    call = begin(play, stream=False)
    play.now += play.config.upstream.connect_timeout
    breaks(play, call, fault, sent)
    start, body, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status in {502, 504}
    assert b"provider" in body.data
    assert len(play.records[-1].attempts) == 1


@pytest.mark.parametrize(("fault", "sent"), UNREACHABLE)
def test_a_moments_refusal_is_hidden(fault: Fault, sent: Sent) -> None:
    """A name that is not found, or a connection that is refused, may be well a second later: no client sees that."""
    play = on_one_host(4)
    assert dies(play, fault, sent) == []
    again = passes(play)
    assert play.now == 1000.0 + STEPS[0]
    serve(play, again, stream=False)
    first, second = play.records[-1].attempts
    assert [first.outcome, second.outcome] == [fault.value, "ok"]
    assert first.account != second.account


def test_a_host_that_refuses_twice_is_not_asked_a_third_time() -> None:
    play = on_one_host(4)
    assert dies(play) == []
    breaks(play, passes(play), Fault.CONNECT, Sent.NONE)
    assert play.expect(StartResponse, SendBody, EndResponse)[0].status == 502
    assert len(play.records[-1].attempts) == 2


def passes(play: Play) -> CallUpstream:
    """Time passes until the gateway's deadline; return the call that it makes then."""
    play.feed(TimePassed(), at=play.gateway.deadline)
    (call,) = calls(play)
    return call


@pytest.mark.parametrize(("fault", "sent"), UNREACHABLE)
def test_other_hosts_serve_and_the_decision_says_why(fault: Fault, sent: Sent) -> None:
    play = on_one_host(4, account("other", priority=-1))
    (call,) = dies(play, fault, sent)
    assert call.account == "other"
    serve(play, call, stream=False)
    assert begin(play, stream=False).account == "other"
    assert [why(play)[f"h{number}"] for number in range(4)] == ["host unreachable"] * 4


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.PROTOCOL, Fault.PROXY, Fault.LOCAL, Fault.GATEWAY])
def test_other_faults_say_nothing_about_the_host(fault: Fault) -> None:
    play = on_one_host(2)
    breaks(play, begin(play, stream=False), fault, Sent.NONE)
    assert play.hosts == []


def test_a_silent_provider_is_not_a_dead_host() -> None:
    play = on_one_host(2)
    breaks(play, begin(play, stream=False), Fault.TIMEOUT, Sent.ALL)
    assert play.hosts == []


def test_a_side_routes_call_tells_of_the_host_too() -> None:
    play = Play(account("a", "anthropic"))
    call = play.request(b'{"model":"m","messages":[]}', "/v1/messages/count_tokens")
    breaks(play, call, Fault.CONNECT, Sent.NONE)
    assert [event.reachable for event in play.hosts] == [False]


def test_the_account_is_not_to_blame() -> None:
    play = on_one_host(1, account("other"))
    for number in range(4):
        play.now += 100.0
        for call in dies(play, **session(f"s{number}")):
            serve(play, call, stream=False)
    assert play.events == []


def test_a_dead_host_is_tried_after_a_time_that_grows_to_a_minute() -> None:
    play = on_one_host(2, account("other", priority=-1))
    for seconds in (*STEPS, STEPS[-1]):
        (call,) = dies(play)
        serve(play, call, stream=False)
        assert play.hosts[-1].until == play.now + seconds
        play.now += seconds - 0.5
        served = begin(play, stream=False)
        assert served.account == "other"
        serve(play, served, stream=False)
        play.now += 0.5


def test_one_call_at_a_time_tries_a_dead_host() -> None:
    """Nobody stampedes on a host that may be back, nor on one that is not."""
    play = on_one_host(4, account("other", priority=-1))
    serve(play, dies(play)[0], stream=False)
    play.now += 1.0
    probe = begin(play, stream=False)
    assert probe.account != "other"
    assert [begin(play, stream=False).account for _ in range(3)] == ["other"] * 3
    play.head(probe)
    take(play)
    assert [event.reachable for event in play.hosts] == [False, True]
    assert begin(play, stream=False).account != "other"


def test_a_probe_whose_client_leaves_lets_the_next_one_try() -> None:
    play = on_one_host(4, account("other", priority=-1))
    serve(play, dies(play)[0], stream=False)
    play.now += 1.0
    assert begin(play, stream=False).account != "other"
    play.feed(ClientGone(play.exchange))
    take(play)
    assert begin(play, stream=False).account != "other"


def test_a_probe_that_has_a_connection_keeps_nobody_away_while_the_provider_thinks() -> None:
    """After ``connect_timeout`` without a failure there is a connection: the reply may take minutes yet."""
    play = on_one_host(4, account("other", priority=-1))
    serve(play, dies(play)[0], stream=False)
    play.now += 1.0
    begin(play, stream=False)
    play.now += play.config.upstream.connect_timeout
    assert begin(play, stream=False).account != "other"


def test_calls_that_were_under_way_together_count_once() -> None:
    play = on_one_host(4, account("other", priority=-1))
    begun = [begin(play, stream=False) for _ in range(4)]
    for call in begun:
        breaks(play, call, Fault.CONNECT, Sent.NONE)
        take(play)
    assert [(event.reachable, event.until) for event in play.hosts] == [(False, play.now + STEPS[0])]


def test_where_every_account_is_on_a_dead_host_each_request_tries_it_once() -> None:
    """The optimistic reset: a host that is back is found by the next request, and a dead one costs one attempt."""
    play = on_one_host(4)
    assert dies(play) == []
    breaks(play, passes(play), Fault.CONNECT, Sent.NONE)
    take(play)
    play.now += STEPS[1]
    for _ in range(5):  # left alone for longer than the two seconds that are waited out
        assert dies(play) == []
        assert len(play.records[-1].attempts) == 1
    call = begin(play, stream=False)
    waiting = begin_without_call(play)
    assert b"host unreachable" in waiting
    serve(play, call, stream=False)
    serve(play, begin(play, stream=False), stream=False)


def begin_without_call(play: Play) -> bytes:
    """Have a client ask that is refused; return what it is told."""
    refusal = play.refused(b'{"model":"m","messages":[]}')
    assert refusal.status == 503
    return refusal.body


def test_a_reply_by_a_kept_connection_ends_it_too() -> None:
    play = on_one_host(2, account("other", priority=-1))
    kept = begin(play, stream=False)
    serve(play, dies(play)[0], stream=False)
    play.head(kept)
    take(play)
    assert play.hosts[-1].reachable
    assert begin(play, stream=False).account != "other"


def test_whoever_waits_is_served_when_the_host_is_back() -> None:
    play = on_one_host(1, account("full", max_concurrency=1))
    first, second = begin(play, stream=False), begin(play, stream=False)
    full, dead = (first, second) if first.account == "full" else (second, first)
    breaks(play, dead, Fault.CONNECT, Sent.NONE)
    assert calls(play) == []
    play.start()
    take(play)
    play.feed(RequestBody(play.exchange, b'{"model":"m","messages":[]}'))
    play.feed(RequestEnded(play.exchange))
    assert calls(play) == []
    play.feed(TimePassed(), at=play.gateway.deadline)
    (probe,) = calls(play)
    assert (full.account, probe.account, play.now) == ("full", "h0", 1001.0)


def test_another_proxy_is_another_way_to_the_host() -> None:
    """What fails through one proxy may do well through another, and the account is asked again that way."""
    proxies = (
        ProxyConfig(id="x", url="pool:x", priority=2),
        ProxyConfig(id="y", url="pool:y", priority=1),
    )
    pool = ProxyPoolConfig(enabled=True, strategy="priority", auto_failover=True, proxies=proxies)
    play = on_one_host(2, proxy_pool=pool)
    call = begin(play, stream=False)
    assert call.route == "pool:x"
    breaks(play, call, Fault.TLS, Sent.NONE)
    (again,) = calls(play)
    assert again.route == "pool:y"
    serve(play, again, stream=False)
    assert begin(play, stream=False).route == "pool:y"
    assert [(event.origin, event.route) for event in play.hosts] == [(HOST, "pool:x")]


@pytest.mark.parametrize("fault", [Fault.TLS, Fault.PROXY])
@pytest.mark.parametrize("failover", [True, False])
def test_no_other_proxy_is_tried_where_that_is_off(fault: Fault, failover: bool) -> None:
    proxies = tuple(ProxyConfig(id=name, url=f"pool:{name}", priority=at) for name, at in (("x", 2), ("y", 1)))
    pool = ProxyPoolConfig(enabled=True, strategy="priority", auto_failover=failover, proxies=proxies)
    play = on_one_host(1, proxy_pool=pool)
    call = begin(play, stream=False)
    breaks(play, call, fault, Sent.NONE)
    again = [one.route for one in calls(play)]
    assert again == (["pool:y"] if failover else [])
    play.unclaimed = []


def test_an_account_with_a_proxy_of_its_own_is_asked_although_the_host_is_dead_for_the_others() -> None:
    play = Play(
        account("a", base_url=HOST, priority=1),
        account("b", base_url=HOST),
        account("c", base_url=HOST, proxy="proxy:own"),
        scheduling=ROTATING,
    )
    (call,) = dies(play)
    assert (call.account, call.route) == ("c", "proxy:own")


ORIGINS = (Origin("https", "one.test", 443), Origin("https", "two.test", 443))
ROUTES = {"a": ("direct",), "b": ("direct", "proxy:x")}


class Model(RuleBasedStateMachine):
    """Deaths against the plainest bookkeeping: for each host and route how often it failed, until when, and who tries."""

    def __init__(self) -> None:
        super().__init__()
        self.origins = Origins(lambda name: ROUTES[name])
        self.now = 1000.0
        self.exchange = 0
        self.failures: dict[tuple[Origin, str], int] = {}
        self.until: dict[tuple[Origin, str], float] = {}
        self.probes: dict[tuple[Origin, str], tuple[int, float]] = {}

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0, 30.0, 60.0]))
    def time(self, seconds: float) -> None:
        self.now += seconds

    @rule(origin=st.sampled_from(ORIGINS), route=st.sampled_from(["direct", "proxy:x"]), fails=st.booleans())
    def call(self, origin: Origin, route: str, fails: bool) -> None:
        """A call of its own, that others do not overlap."""
        key = (origin, route)
        if self._blocked(key):
            return
        self.exchange += 1
        self.origins.opened(origin, route, self.exchange, self.now + 10)
        if fails:
            news = self.origins.failed(origin, route, self.exchange, self.now, "refused", self.now)
            self.failures[key] = self.failures.get(key, 0) + 1
            self.until[key] = self.now + STEPS[min(self.failures[key], len(STEPS)) - 1]
            assert news is not None
            assert news.until == self.until[key]
        else:
            news = self.origins.answered(origin, route, self.now)
            assert (news is not None) is (self.failures.pop(key, None) is not None)
            self.until.pop(key, None)
        self.probes.pop(key, None)
        self.origins.closed(origin, route, self.exchange)

    @precondition(lambda self: self.failures)
    @rule(data=st.data(), leaves=st.booleans())
    def probe(self, data: st.DataObject, leaves: bool) -> None:
        key = data.draw(st.sampled_from(list(self.failures)))
        if self._blocked(key) or key in self.probes:
            return
        self.exchange += 1
        assert self.origins.opened(*key, self.exchange, self.now + 10)
        if leaves:
            assert self.origins.closed(*key, self.exchange)
        else:
            self.probes[key] = (self.exchange, self.now + 10)

    def _blocked(self, key: tuple[Origin, str]) -> bool:
        if key in self.probes:
            return self.probes[key][1] > self.now
        return self.until.get(key, 0.0) > self.now

    @rule(origin=st.sampled_from(ORIGINS), name=st.sampled_from(list(ROUTES)))
    def look(self, origin: Origin, name: str) -> None:
        """An account is passed over exactly while every way of its is blocked."""
        keys = [(origin, route) for route in ROUTES[name]]
        found = self.origins.blocks(name, origin, self.now)
        assert (found is not None) is all(self._blocked(key) for key in keys)
        if found is not None:
            ends = [self.probes[key][1] if key in self.probes else self.until[key] for key in keys]
            assert found == (min(ends), any(key in self.probes for key in keys))


Model.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestModel = Model.TestCase
