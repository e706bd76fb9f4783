"""Where the calls of an account go, for every combination of what the operator set and what the proxies have shown."""

import itertools
import random
from collections.abc import Iterator

from gephyr_core.config import ProxyPoolConfig
from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.events import ProxyChecked
from gephyr_core.outbound.proxy_pool import ProxyPool
from tests.approved import check_table

NOW = 1000.0
STATES = ("well", "failed a check", "failed a call", "failed both", "due for a trial", "another's own")
ACCOUNTS = {"free": "", "with its own proxy": "proxy:a", "with one of the pool's": "pool:p"}


def pool(states: tuple[str, ...], bound: str, app: str, **settings: bool) -> ProxyPool:
    """A pool of proxies in these states, and an account."""
    names = ("p", "q")[: len(states)]
    config = ProxyPoolConfig(
        proxies=tuple(ProxyConfig(id=name, url=f"pool:{name}") for name in names),
        health_check_url="http://check.test" if any("check" in state or "both" in state for state in states) else "",
        **settings,
    )
    accounts = [("a", bound)]
    accounts += [(f"other-{name}", f"pool:{name}") for name, state in zip(names, states, strict=True) if "own" in state]
    made = ProxyPool(config, accounts, app, random.Random(1))
    made.due(NOW - 50)
    for name, state in zip(names, states, strict=True):
        if "check" in state or "both" in state:
            made.checked(ProxyChecked(name, healthy=False, detail="no answer"), NOW)
        if "a call" in state or "both" in state:
            made.failed(f"pool:{name}", NOW)
        if "trial" in state:
            made.failed(f"pool:{name}", NOW - 30)
    return made


def told(made: ProxyPool) -> str:
    """Where a call goes now, where one goes that failed there, all that may come, and the reason that is told."""
    first = made.choose("a", NOW)
    second = made.choose("a", NOW, [first] if first else [])
    return f"{first}, then {second}; of {' '.join(made.routes('a'))}; {made.why('a')}"


def lines() -> Iterator[str]:
    booleans = (True, False)
    for name, bound in ACCOUNTS.items():
        for enabled, failover, require, shared in itertools.product(booleans, booleans, booleans, booleans):
            if require and not enabled:
                continue
            for app in ("", "proxy:app"):
                fates: dict[str, list[str]] = {}
                cases = [(), *((state,) for state in STATES), *itertools.combinations(STATES[:5], 2)]
                for states in cases:
                    made = pool(
                        states,
                        bound if states or not bound.startswith("pool") else "",
                        app,
                        enabled=enabled,
                        auto_failover=failover,
                        require_proxy_for_account_requests=require,
                        allow_shared_proxy_fallback=shared,
                    )
                    fates.setdefault(told(made), []).append(" and ".join(states) or "no proxies")
                yield f"## {name}; enabled {enabled}, failover {failover}, required {require}, shared {shared}, app {app!r}"
                yield from (f"{fate}: {', '.join(where)}" for fate, where in fates.items())


def test_each_call_leaves_by_the_way_that_was_approved() -> None:
    check_table("outbound", lines())


def test_the_answer_to_a_check_that_nobody_began_makes_no_proxy_well() -> None:
    """What it saw may be older than the failure."""
    made = pool(("failed a check",), "", "")
    made.failed("pool:p", NOW)
    fresh = ProxyPool(
        ProxyPoolConfig(enabled=True, proxies=(ProxyConfig(id="p", url="pool:p"),), health_check_url="http://c.test"),
        [],
        "",
        random.Random(1),
    )
    fresh.failed("pool:p", NOW)
    assert fresh.checked(ProxyChecked("p", healthy=True), NOW + 1) is None
    assert fresh.choose("a", NOW + 1) == "direct"


def test_a_check_that_began_after_the_failure_makes_a_proxy_well_again() -> None:
    made = ProxyPool(
        ProxyPoolConfig(enabled=True, proxies=(ProxyConfig(id="p", url="pool:p"),), health_check_url="http://c.test"),
        [],
        "",
        random.Random(1),
    )
    made.failed("pool:p", NOW)
    (check,) = made.due(NOW + 1)
    assert (check.proxy, check.url) == ("p", "http://c.test")
    news = made.checked(ProxyChecked("p", healthy=True), NOW + 2)
    assert news is not None
    assert (news.healthy, made.choose("a", NOW + 100)) == (True, "pool:p")
