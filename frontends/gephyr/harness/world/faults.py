"""Which fault a request meets: those of its account, under way, with their share of chance."""

import random
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from gephyr.harness.world.settings import Fault, FaultKind
from gephyr_core.config import Config
from gephyr_core.http import Origin
from gephyr_core.shared import make_account


def host_mates(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the accounts of each account's host, itself included."""
    hosts: dict[Origin, list[str]] = {}
    origins = {account.id: make_account(account, config).origin for account in config.accounts}
    for name, origin in origins.items():
        hosts.setdefault(origin, []).append(name)
    return {name: tuple(hosts[origin]) for name, origin in origins.items()}


def faults_of(account: str, faults: Iterable[Fault], mates: Sequence[str] = ()) -> tuple[Fault, ...]:
    """Return the faults that can concern an account. *mates*: the accounts of its host, which an outage concerns
    together."""
    return tuple(fault for fault in faults if any(_named(fault, one) for one in _concerned(fault, account, mates)))


def _concerned(fault: Fault, account: str, mates: Sequence[str]) -> Sequence[str]:
    return mates or (account,) if fault.kind == "outage" else (account,)


def _named(fault: Fault, account: str) -> bool:
    return any(fnmatchcase(account, pattern) for pattern in fault.accounts)


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
