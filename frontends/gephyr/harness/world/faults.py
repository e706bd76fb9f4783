"""Which fault a request meets: those of its account, under way, with their share of chance."""

import random
from collections.abc import Iterable
from fnmatch import fnmatchcase

from gephyr.harness.world.settings import Fault, FaultKind


def faults_of(account: str, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults that can concern an account."""
    return tuple(fault for fault in faults if any(fnmatchcase(account, pattern) for pattern in fault.accounts))


def met(faults: Iterable[Fault], at: float, rng: random.Random) -> Fault | None:
    """Return the first of *faults* that a request meets at *at* (seconds of the scenario), if there is one."""
    for fault in faults:
        if fault.start <= at < fault.end and (fault.share >= 1.0 or rng.random() < fault.share):
            return fault
    return None


def under_way(faults: Iterable[Fault], kind: FaultKind, at: float) -> bool:
    """Whether one of *kind* is under way at *at* (seconds of the scenario), whatever its share."""
    return any(fault.kind == kind and fault.start <= at < fault.end for fault in faults)


def proxy_is_down(faults: Iterable[Fault], proxy: str, at: float) -> bool:
    """Whether no connection can be made through a proxy at *at* (seconds of the scenario)."""
    return any(
        fault.kind == "proxy_down"
        and fault.start <= at < fault.end
        and any(fnmatchcase(proxy, pattern) for pattern in fault.proxies)
        for fault in faults
    )
