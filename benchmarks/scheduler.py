"""Measure the scheduler alone: ``python -m benchmarks.scheduler``. Exits with 1 where a budget is exceeded.

What a choice costs must not grow with the pool: a choice with its claim, and the end of its lease, at 10 to 1,000
accounts, for requests with and without sessions, and with nine accounts of ten limited; and what bindings weigh.
"""

import gc
import random
import sys
import time
import tracemalloc

from gephyr_core.commands import Command
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Origin
from gephyr_core.scheduling import SUCCESS, Account, Choice, Granted, Lease, Pool, Scheduler, Search
from gephyr_core.scheduling.bindings import Bindings

_BUDGETS = {10: 15.0, 100: 40.0, 1000: 40.0}
"""Accounts to microseconds that a choice with its claim may take."""
_MEMORY_BUDGET = 60.0
"""Megabytes of the bindings below."""
_BINDINGS = 100_000
_SESSIONS = 10_000
_CHOICES = 20_000
_ROUNDS = 5
_NOW = 1_800_000_000.0


def _account(number: int) -> Account:
    name = f"account-{number}"
    return Account(
        name,
        "openai",
        ("openai-chat",),
        Origin("https", "api.openai.com", 443),
        "",
        "",
        max_concurrency=50,
        requests_per_minute=100_000,
    )


def _lease(scheduler: Scheduler, pool: Pool, search: Search, now: float) -> Lease:
    """Choose an account, claim it, and be granted it: there is room for each."""
    choice = scheduler.choose(pool, search, (), now)
    if not isinstance(choice, Choice):
        raise TypeError("an account is free")
    claim = scheduler.claim(choice, search)
    answer = scheduler.ledger.claim(claim, now)
    if not isinstance(answer, Granted):
        raise TypeError("the account that was chosen has room")
    return scheduler.granted(choice, search, claim, answer, now)


def _acquire(accounts: int, *, sessions: bool, limited: bool = False) -> tuple[float, float]:
    """Return the microseconds of a choice with its claim, and of both with the end of the lease: the best of a few."""
    config = SchedulingConfig(last_used_lock_seconds=0)
    commands: list[Command] = []
    made = [_account(number) for number in range(accounts)]
    scheduler = Scheduler(made, config, ComplianceConfig(), random.Random(1), commands.append)
    pool = scheduler.pool("gpt-5", made)
    if limited:
        for account in made[: accounts * 9 // 10]:
            account.view.cooldowns.state("", _NOW + 3600, ErrorKind.RATE_LIMIT, "rate limit")
    names = [f"session-{number}" if sessions else None for number in range(_SESSIONS)]
    best_choice = best_both = float("inf")
    for round_number in range(_ROUNDS):
        now = _NOW + 61 * round_number
        searches = [Search(number, names[number % _SESSIONS], 500, now, now + 5) for number in range(_CHOICES)]
        choosing, begun = 0.0, time.perf_counter()
        for search in searches:
            before = time.perf_counter()
            lease = _lease(scheduler, pool, search, now)
            choosing += time.perf_counter() - before
            scheduler.release(lease, SUCCESS, now)
            now += 0.001
            commands.clear()
        both = time.perf_counter() - begun
        best_choice, best_both = min(best_choice, choosing), min(best_both, both)
    return best_choice / _CHOICES * 1e6, best_both / _CHOICES * 1e6


def _megabytes_of_bindings() -> float:
    bindings = Bindings(3600.0, _BINDINGS, None)
    gc.collect()
    tracemalloc.start()
    for number in range(_BINDINGS):
        bindings.bind(f"openai {number:064x}", f"account-{number % 1000}", "gpt-5", _NOW)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / 1e6


def main() -> int:
    """Measure, and print a table."""
    within = True
    sys.stdout.write(f"{'accounts':>8} {'requests':<20} {'acquire':>9} {'and done':>9} {'budget':>7}\n")
    for accounts, budget in _BUDGETS.items():
        for label, sessions, limited in (
            ("without sessions", False, False),
            ("with sessions", True, False),
            ("nine in ten limited", False, True),
        ):
            choice, both = _acquire(accounts, sessions=sessions, limited=limited)
            within = within and choice <= budget
            sys.stdout.write(f"{accounts:>8} {label:<20} {choice:>6.1f} us {both:>6.1f} us {budget:>4.0f} us\n")
    megabytes = _megabytes_of_bindings()
    sys.stdout.write(f"{_BINDINGS} bindings: {megabytes:.1f} MB of {_MEMORY_BUDGET:.0f} MB\n")
    return 0 if within and megabytes <= _MEMORY_BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
