"""A request's way to an account, step by step, as an exchange goes it while the ledger is in memory."""

from collections.abc import Sequence

from gephyr_core.http import Origin
from gephyr_core.scheduling import Account, Choice, Granted, Lease, Pool, Refused, Scheduler, Search, Wait
from gephyr_core.scheduling.bindings import Bindings
from gephyr_core.scheduling.decisions import Rule
from gephyr_core.scheduling.hints import Hints
from gephyr_core.scheduling.ledger import LocalLedger


def ledger(hints: Hints | None = None) -> LocalLedger:
    """A ledger without a scheduler, which nobody listens to."""
    return LocalLedger(Bindings(3600.0, 1000, None), None, lambda _: None, (hints or Hints()).opened)


def take(
    scheduler: Scheduler, pool: Pool, search: Search, tried: Sequence[Account], now: float
) -> Lease | Wait | Refused:
    """Choose an account, claim it, and be granted it."""
    answer = scheduler.choose(pool, search, tried, now)
    return grant(scheduler, answer, search, now) if isinstance(answer, Choice) else answer


def grant(scheduler: Scheduler, choice: Choice, search: Search, now: float) -> Lease:
    """Claim what was chosen, which nobody else has taken meanwhile."""
    claim = scheduler.claim(choice, search)
    answer = scheduler.ledger.claim(claim, now)
    assert isinstance(answer, Granted), answer
    return scheduler.granted(choice, search, claim, answer, now)


def take_this(scheduler: Scheduler, account: Account, pool: Pool, search: Search, now: float) -> Lease:
    """Be granted just this account."""
    return grant(scheduler, Choice(pool, (account,), Rule.ONLY_ONE, ()), search, now)


def request_elsewhere(scheduler: Scheduler, now: float) -> None:
    """Have a request served by an account that nobody else asks: it counts in the limit on all requests together."""
    name = f"elsewhere-{scheduler.claims}"
    account = Account(name, "openai", ("openai-chat",), Origin("https", f"{name}.test", 443), "", "")
    scheduler.add(account)
    take_this(scheduler, account, scheduler.pool("m", (account,)), Search(1, None, 1, now, now), now)


def again(scheduler: Scheduler, lease: Lease, now: float) -> bool:
    """Claim the account of a lease for a second call. Return whether that was granted."""
    if not lease.current.may_be_called(now):
        return False
    if not isinstance(scheduler.ledger.claim(scheduler.claim_again(lease), now), Granted):
        return False
    scheduler.granted_again(lease, now)
    return True
