"""Outbound routes: which proxy a call takes, what becomes of one that fails, and who never goes without."""

import math
import pickle
import random
from collections import Counter

import pytest
from play import Play, account

from gephyr_core.commands import CallUpstream, CheckProxy, EndResponse, SendBody, StartResponse
from gephyr_core.config import OutboundConfig, ProxyPoolConfig
from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import AdminChanged, ProxyChecked, UpstreamFailed
from gephyr_core.outbound.proxy import FORGET_AFTER, PAUSES
from gephyr_core.outbound.proxy_pool import ProxyPool

NOW = 1000.0
REPLY = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}]}'


def proxies(*names: str, **more: int) -> tuple[ProxyConfig, ...]:
    return tuple(ProxyConfig(id=name, url=f"pool:{name}", priority=more.get(name, 0)) for name in names)


def pool(*names: str, bound: dict[str, str] | None = None, app: str = "", **settings: object) -> ProxyPool:
    listed = settings.pop("proxies", proxies(*names))
    config = ProxyPoolConfig(enabled=True, proxies=listed, **settings)  # type: ignore[arg-type]
    return ProxyPool(config, (bound or {}).items(), app, random.Random(1))


def test_the_order_is_the_accounts_own_the_pools_the_app_wide_and_none() -> None:
    one = pool("x", bound={"a": "proxy:a", "b": ""}, app="proxy:app")
    assert (one.choose("a", NOW), one.choose("b", NOW)) == ("proxy:a", "pool:x")
    assert one.choose("b", NOW, ["pool:x"]) == "proxy:app"
    assert one.choose("b", NOW, ["pool:x", "proxy:app"]) == "direct"
    assert pool("x").choose("b", NOW, ["pool:x"]) == "direct"
    off = ProxyPool(ProxyPoolConfig(proxies=proxies("x")), {"a": "proxy:a"}.items(), "proxy:app", random.Random(1))
    assert (off.choose("a", NOW), off.choose("b", NOW)) == ("proxy:a", "proxy:app")


def test_round_robin_takes_turns() -> None:
    one = pool("x", "y", "z")
    assert [one.choose("a", NOW) for _ in range(4)] == ["pool:x", "pool:y", "pool:z", "pool:x"]


def test_random_is_even_and_weighted_goes_by_priority() -> None:
    one = pool(strategy="weighted_round_robin", proxies=proxies("x", "y", x=9, y=1))
    counts = Counter(one.choose("a", NOW) for _ in range(1000))
    assert 850 < counts["pool:x"] < 950
    one.failed("pool:x", NOW)
    assert {one.choose("a", NOW) for _ in range(50)} == {"pool:y"}
    one.succeeded("pool:x", NOW + 1, NOW + 1)
    assert 850 < Counter(one.choose("a", NOW) for _ in range(1000))["pool:x"] < 950
    two = pool("x", "y", strategy="random")
    assert 400 < Counter(two.choose("a", NOW) for _ in range(1000))["pool:x"] < 600


def test_priority_takes_the_highest_that_is_well() -> None:
    one = pool(strategy="priority", proxies=proxies("low", "high", high=5))
    assert one.choose("a", NOW) == "pool:high"
    one.failed("pool:high", NOW)
    assert one.choose("a", NOW) == "pool:low"
    assert one.choose("a", NOW + PAUSES[0]) == "pool:high"


def test_least_connections_counts_calls_under_way() -> None:
    one = pool("x", "y", strategy="least_connections")
    for _ in range(3):
        one.opened("pool:x")
    one.opened("pool:y")
    assert one.choose("a", NOW) == "pool:y"
    for _ in range(3):
        one.closed("pool:x")
    assert one.choose("a", NOW) == "pool:x"


def test_of_proxies_with_as_many_connections_the_one_used_longest_ago_is_taken() -> None:
    one = pool("x", "y", "z", strategy="least_connections")
    taken = []
    for _ in range(6):
        route = one.choose("a", NOW)
        assert route is not None
        taken.append(route)
        one.opened(route)
        one.closed(route)
    assert taken == ["pool:x", "pool:y", "pool:z"] * 2


def test_a_proxy_of_one_account_is_not_given_to_others() -> None:
    bound = {"a": "pool:x"}
    assert {pool("x", "y", bound=bound).choose("b", NOW) for _ in range(4)} == {"pool:y"}
    shared = pool("x", "y", bound=bound, allow_shared_proxy_fallback=True)
    assert {shared.choose("b", NOW) for _ in range(4)} == {"pool:x", "pool:y"}


def test_where_a_proxy_is_demanded_nothing_goes_without() -> None:
    one = pool("x", require_proxy_for_account_requests=True)
    one.failed("pool:x", NOW)
    assert one.choose("a", NOW) is None
    assert one.choose("a", NOW + PAUSES[0]) == "pool:x"
    assert (
        pool("x", app="proxy:app", require_proxy_for_account_requests=True).choose("a", NOW, ["pool:x"]) == "proxy:app"
    )


def test_an_account_with_a_proxy_never_goes_direct() -> None:
    one = pool("x", bound={"a": "pool:x"})
    one.failed("pool:x", NOW)
    assert one.choose("a", NOW) == "pool:x"
    two = pool("x", "y", bound={"a": "pool:x"})
    two.failed("pool:x", NOW)
    assert two.choose("a", NOW) == "pool:y"


def test_without_failover_a_failing_proxy_is_used_all_the_same() -> None:
    one = pool("x", auto_failover=False)
    one.failed("pool:x", NOW)
    assert one.choose("a", NOW, ["pool:x"]) == "pool:x"


def test_pauses_grow_and_failures_under_way_together_count_once() -> None:
    one = pool("x", "y")
    assert one.failed("pool:x", NOW) is not None
    assert one.failed("pool:x", NOW) is None
    assert {one.choose("a", NOW + PAUSES[0] - 0.1) for _ in range(2)} == {"pool:y"}
    assert one.failed("pool:x", NOW + PAUSES[0]) is None, "it was known, and no trial"
    at = NOW
    for pause in (*PAUSES, PAUSES[-1]):
        assert {one.choose("a", at + pause - 0.1) for _ in range(2)} == {"pool:y"}
        at += pause
        assert one.choose("a", at) == "pool:x", "its trial"
        one.opened("pool:x")
        assert one.failed("pool:x", at) is None, "it is no news"
        one.closed("pool:x")


def test_one_call_at_a_time_tries_a_proxy_that_failed() -> None:
    one = pool("x", "y")
    one.failed("pool:x", NOW)
    due = NOW + PAUSES[0]
    assert [one.choose("a", due, ["pool:x"]), one.choose("a", due)] == ["pool:y", "pool:x"]
    one.opened("pool:x")
    assert {one.choose("a", due) for _ in range(4)} == {"pool:y"}
    one.closed("pool:x")
    assert one.choose("a", due) == "pool:x", "the first showed nothing: its client had left"
    one.opened("pool:x")
    assert one.succeeded("pool:x", NOW - 1, due) is None, "it was called before the proxy failed"
    recovered = one.succeeded("pool:x", due, due)
    assert recovered is not None
    assert (recovered.proxy, recovered.healthy) == ("x", True)
    assert {one.choose("a", due) for _ in range(2)} == {"pool:x", "pool:y"}


def test_what_an_account_with_nothing_but_its_proxy_goes_through_makes_no_pause_longer() -> None:
    one = pool("x", "y", bound={"a": "pool:x", "b": "pool:y"})
    for _ in range(len(PAUSES)):
        assert one.choose("a", NOW) == "pool:x"
        one.opened("pool:x")
        one.failed("pool:x", NOW)
        one.closed("pool:x")
    one.bind("b", "")
    assert one.choose("a", NOW + PAUSES[0] - 0.1) == "pool:y"
    assert one.choose("a", NOW + PAUSES[0]) == "pool:x"


def test_a_proxy_that_fails_again_soon_after_it_came_back_is_not_trusted_like_a_new_one() -> None:
    one = pool("x", "y")
    one.failed("pool:x", NOW)
    one.succeeded("pool:x", NOW + 5, NOW + 5)
    one.failed("pool:x", NOW + 6)
    assert {one.choose("a", NOW + 6 + PAUSES[1] - 0.1) for _ in range(2)} == {"pool:y"}
    one.succeeded("pool:x", NOW + 20, NOW + 20)
    one.failed("pool:x", NOW + 21 + FORGET_AFTER)
    assert one.choose("a", NOW + 21 + FORGET_AFTER + PAUSES[0]) == "pool:x"


def test_a_proxy_is_free_again_when_its_account_is_bound_elsewhere() -> None:
    one = pool("x", "y", bound={"a": "pool:x", "b": "pool:x"})
    one.bind("a", "pool:y")
    assert one.choose("c", NOW) == "direct"
    one.bind("b", "")
    assert (one.choose("a", NOW), one.choose("b", NOW), one.choose("c", NOW)) == ("pool:y", "pool:x", "pool:x")


def test_health_checks_are_spread_and_one_at_a_time() -> None:
    one = pool("x", "y", health_check_url="http://check.test/", health_check_interval=60.0)
    assert one.deadline == 0.0
    assert [check.proxy for check in one.due(NOW)] == ["x"]
    assert one.deadline == NOW + 30
    assert [check.proxy for check in one.due(NOW + 30)] == ["y"]
    assert one.deadline == math.inf
    assert one.checked(ProxyChecked("x", healthy=False, detail="refused"), NOW + 31) is not None
    assert one.choose("a", NOW + 31) == "pool:y"
    assert one.deadline == NOW + 31 + PAUSES[0]
    [again] = one.due(NOW + 36)
    assert again == CheckProxy("x", "pool:x", "http://check.test/", 200, 10.0)
    event = one.checked(ProxyChecked("x", healthy=True), NOW + 37)
    assert event is not None
    assert event.healthy


def test_where_there_are_checks_they_say_when_a_proxy_is_back_and_no_call_is_risked() -> None:
    one = pool("x", "y", health_check_url="http://check.test/", health_check_interval=60.0)
    one.due(NOW)
    one.checked(ProxyChecked("x", healthy=True), NOW)
    one.failed("pool:x", NOW + 1)
    assert one.deadline == NOW + 1 + PAUSES[0], "sooner than its turn"
    assert {one.choose("a", NOW + 20) for _ in range(3)} == {"pool:y"}
    [check] = one.due(NOW + 6)
    assert one.checked(ProxyChecked(check.proxy, healthy=False), NOW + 7) is None, "it is no news"
    assert one.deadline == NOW + 7 + PAUSES[1]
    [check] = one.due(NOW + 17)
    assert one.checked(ProxyChecked(check.proxy, healthy=True), NOW + 18) is not None
    assert {one.choose("a", NOW + 20) for _ in range(2)} == {"pool:x", "pool:y"}


def test_a_check_that_was_brought_forward_is_not_made_twice() -> None:
    one = pool("x", health_check_url="http://check.test/", health_check_interval=60.0)
    one.due(NOW)
    one.checked(ProxyChecked("x", healthy=True), NOW)
    one.failed("pool:x", NOW + 50)
    assert len(one.due(NOW + 55)) == 1
    assert one.due(NOW + 60) == []


def test_a_call_excuses_no_failed_check() -> None:
    one = pool("x", health_check_url="http://check.test/")
    one.due(NOW)
    one.failed("pool:x", NOW + 1)
    one.checked(ProxyChecked("x", healthy=False, detail="answered 503, not 200"), NOW + 2)
    assert one.succeeded("pool:x", NOW + 3, NOW + 3) is None
    assert "none of 1 proxies" in one.why("a")


def test_a_check_that_began_before_a_call_failed_does_not_excuse_the_proxy() -> None:
    one = pool("x", health_check_url="http://check.test/")
    one.due(NOW)
    one.failed("pool:x", NOW + 1)
    assert one.checked(ProxyChecked("x", healthy=True), NOW + 2) is None
    assert one.choose("a", NOW + 2) == "direct"
    assert one.deadline == NOW + 2 + PAUSES[0]


def test_proxies_that_failed_their_checks_only_come_before_no_proxy() -> None:
    settings = {"health_check_url": "http://check.test/", "health_check_interval": 0.001}
    for app, route in (("", "pool:x"), ("proxy:app", "proxy:app")):
        one = pool("x", "y", app=app, **settings)
        for name in ("x", "y"):
            one.due(NOW)
            one.checked(ProxyChecked(name, healthy=False, detail="answered 503, not 200"), NOW)
        assert one.choose("a", NOW) == route
        one.failed("pool:x", NOW)
        one.failed("pool:y", NOW)
        assert one.choose("a", NOW) == (app or "direct")


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (pool("x", "y"), "one of the pool by round_robin: 2 of 2"),
        (pool("x", bound={"a": "pool:x"}), "pool:x, its own proxy"),
        (pool("x", bound={"a": "proxy:a"}), "proxy:a, its own proxy"),
        (pool(), "none of 0 proxies of the pool may be selected; direct"),
        (pool("x", bound={"b": "pool:x"}, require_proxy_for_account_requests=True), "refused, as a proxy is required"),
        (pool(app="proxy:app"), "proxy:app, the app-wide proxy"),
        (ProxyPool(ProxyPoolConfig(), (), "proxy:app", random.Random(1)), "proxy:app, the app-wide proxy"),
        (ProxyPool(ProxyPoolConfig(), (), "", random.Random(1)), "direct: no proxy is configured"),
    ],
)
def test_the_operator_is_told_where_an_account_goes(one: ProxyPool, says: str) -> None:
    assert says in one.why("a")


def test_the_operator_is_told_what_became_of_an_accounts_own_proxy() -> None:
    for more, says in (
        ({}, "one of the pool"),
        ({"auto_failover": False}, "used all the same, as auto_failover is off"),
        ({"proxies": proxies("x")}, "none of 1 proxies of the pool may be selected; used all the same"),
    ):
        one = pool("x", "y", bound={"a": "pool:x"}, **more)
        one.failed("pool:x", NOW)
        assert one.why("a").startswith("pool:x, its own proxy, failed (a call through it failed): ")
        assert says in one.why("a")


def test_an_accounts_own_proxy_is_left_alone_too_when_it_failed_and_nobody_else_gets_it() -> None:
    own = {"a": "proxy:a"}
    one = pool("x", bound=own, allow_shared_proxy_fallback=True, health_check_url="http://check.test/")
    assert {one.choose("b", NOW) for _ in range(3)} == {"pool:x"}
    event = one.failed("proxy:a", NOW)
    assert event is not None
    assert (event.proxy, event.healthy) == ("proxy:a", False)
    assert one.choose("a", NOW) == "pool:x"
    assert [check.proxy for check in one.due(NOW)] == ["x"]
    assert one.choose("a", NOW + PAUSES[0]) == "proxy:a", "no check will tell"
    one.bind("a", "")
    one.bind("a", "proxy:a")
    assert one.choose("a", NOW) == "proxy:a", "it may be another one now"
    off = ProxyPool(ProxyPoolConfig(), own.items(), "proxy:app", random.Random(1))
    assert off.failed("proxy:a", NOW) is None
    assert (off.choose("a", NOW), off.why("a")) == ("proxy:a", "proxy:a, its own proxy")


def test_what_is_kept_does_not_grow_with_the_calls() -> None:
    one = pool("x", "y", strategy="least_connections")
    one.failed("pool:x", NOW)
    before = len(pickle.dumps(one))
    for _ in range(5000):
        for name in ("pool:x", "pool:y"):  # a trial that shows nothing, and a call
            one.opened(name)
            one.closed(name)
    assert len(pickle.dumps(one)) < before + 5000


def test_what_is_not_known_is_no_harm() -> None:
    one = pool("x")
    assert one.checked(ProxyChecked("gone", healthy=False), NOW) is None
    assert one.failed("direct", NOW) is None
    one.opened("direct")
    one.closed("direct")


# -- through the gateway ----------------------------------------------------------------------------------------


def broken(play: Play, call: CallUpstream) -> None:
    play.feed(UpstreamFailed(call.exchange, call.attempt, Fault.PROXY, "refused", sent=Sent.NONE))


def test_a_proxys_failure_is_the_proxys_and_the_account_is_asked_through_another() -> None:
    play = Play(account("a"), proxy_pool=ProxyPoolConfig(enabled=True, proxies=proxies("x", "y")))
    first = play.request()
    broken(play, first)
    second = play.expect(CallUpstream)
    assert (first.route, second.route, second.account) == ("pool:x", "pool:y", "a")
    play.answer(second, REPLY)
    play.expect(StartResponse, SendBody, EndResponse)
    assert play.events == [], "no cooldown of the account"
    assert play.request().route == "pool:y"
    assert [attempt.route for attempt in play.records[0].attempts] == ["pool:x", "pool:y"]


@pytest.mark.parametrize("app", ["", "proxy:app"])
def test_it_fails_closed_where_a_proxy_is_demanded(app: str) -> None:
    settings = ProxyPoolConfig(enabled=True, proxies=proxies("x"), require_proxy_for_account_requests=True)
    play = Play(account("a"), proxy_pool=settings, outbound=OutboundConfig(upstream_proxy=app))
    broken(play, play.request())
    if app:
        play.answer(play.expect(CallUpstream), REPLY)
        play.expect(StartResponse, SendBody, EndResponse)
        assert play.records[0].attempts[-1].route == app
        return
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status in {502, 503}
    assert b"pool:x" not in sent.data
    assert play.refused(b'{"model":"m"}').status == 503
    play.finish()


def test_a_proxy_is_free_again_when_its_account_is_removed() -> None:
    play = Play(
        account("a"), account("b", proxy="pool:x"), proxy_pool=ProxyPoolConfig(enabled=True, proxies=proxies("x"))
    )
    play.feed(AdminChanged(play.config.accounts[:1], (), ()))
    play.expect()
    assert play.request().route == "pool:x"


def test_health_checks_go_on_beside_requests() -> None:
    settings = ProxyPoolConfig(enabled=True, proxies=proxies("x", "y"), health_check_url="http://check.test/")
    play = Play(account("a"), proxy_pool=settings)
    play.wait()
    assert play.expect(CheckProxy).proxy == "x"
    play.feed(ProxyChecked("x", healthy=False, detail="refused"))
    play.expect()
    assert [play.request(headers=[]).route for _ in range(2)] == ["pool:y", "pool:y"]
