"""Who may be asked for a request, who was, and by which ways: what a request has learned on its way to an answer."""

from collections.abc import Iterator, Sequence

import attrs

from gephyr_core.errors import ErrorKind, Fault, Problem
from gephyr_core.exchange.attempts import Attempt, Failure
from gephyr_core.exchange.signers import Maker, divided
from gephyr_core.http import Origin
from gephyr_core.routing import Target
from gephyr_core.scheduling import Account, Lease, Pool, Says, Search
from gephyr_core.scheduling.scheduler import LONGEST_COOLDOWN_WAIT
from gephyr_core.shared import Leg, Route, Shared


@attrs.define
class Itinerary:
    """The legs of a request's route, and what came of those that were tried."""

    shared: Shared
    search: Search
    """The search for an account: what it looks for is known from the complete request on."""
    legs: list[Leg] = attrs.field(factory=list)
    """The stages of the route, those of a translated request split by whose reasoning they can take."""
    closed: dict[Leg, Problem] = attrs.field(factory=dict)
    """Legs on which the request cannot be asked, each with what the client is told if no other is open."""
    tried: list[tuple[Target | None, Account]] = attrs.field(factory=list)
    """Accounts that failed, for one target or (None) for any."""
    dead_targets: list[Target] = attrs.field(factory=list)
    """Targets whose model turned out unknown at the provider."""
    signed_in_again: list[Account] = attrs.field(factory=list)
    """Accounts whose token this request was refused with: another one is fetched once."""
    failed_routes: list[str] = attrs.field(factory=list)
    """Outbound routes whose proxies failed this request."""
    dead_ends: list[tuple[Origin, str]] = attrs.field(factory=list)
    """Hosts to which this request got no connection, each with the outbound route."""
    closed_ends: list[tuple[Origin, str]] = attrs.field(factory=list)
    """Those of them that it does not ask again."""

    def begin(self, search: Search, route: Route) -> None:
        """The request is known: an account is looked for on its route."""
        self.search, self.legs = search, list(route)

    # -- legs ---------------------------------------------------------------------------------------------------

    def open_legs(self) -> Iterator[Leg]:
        """The legs on which the request can still be asked. One that is closed while they are gone through is left
        out."""
        for leg in self.legs:
            if leg.target not in self.dead_targets and leg not in self.closed:
                yield leg

    @property
    def translated_legs(self) -> list[Leg]:
        """Those that ask in another dialect than the client's."""
        return [leg for leg in self.legs if leg.dialect]

    def close(self, leg: Leg, problem: Problem) -> None:
        """The request cannot be asked on *leg*."""
        self.closed.setdefault(leg, problem)

    @property
    def refusal(self) -> Problem | None:
        """Why the request cannot be asked on any leg; None where that is not so."""
        if not all(leg in self.closed for leg in self.legs):
            return None
        return next(iter(self.closed.values()), None)

    @property
    def has_targets_left(self) -> bool:
        """Whether any target may know its model."""
        return any(leg.target not in self.dead_targets for leg in self.legs)

    def prefer(self, makers: Sequence[Maker], dialect: str, newest: Maker | None) -> None:
        """Divide the legs by who made the reasoning of a request in *dialect*; who made the *newest* is asked first."""
        self.legs = divided(self.legs, makers, dialect, newest)

    def pools(self) -> list[Pool]:
        """Every pool of the route, once."""
        return list(dict.fromkeys(self.shared.pool(leg) for leg in self.legs if leg.accounts))

    def open_pools(self) -> list[Pool]:
        """Those of the legs that are open."""
        return list(dict.fromkeys(self.shared.pool(leg) for leg in self.open_legs()))

    # -- accounts -----------------------------------------------------------------------------------------------

    def tried_for(self, leg: Leg) -> list[Account]:
        """Accounts that are not asked on *leg* again."""
        return [account for where, account in self.tried if where is None or where == leg.target]

    def tried_anywhere(self) -> list[Account]:
        """Accounts that failed, for whatever target."""
        return [account for _, account in self.tried]

    def way_to(self, account: Account, now: float) -> str | None:
        """Choose an outbound route: none that failed this request before, and none by which the host is known dead."""
        avoiding = self.failed_routes
        if self.dead_ends:
            avoiding = [*avoiding, *(route for origin, route in self.dead_ends if origin == account.origin)]
        if self.shared.origins.dead:
            avoiding = [*avoiding, *self.shared.origins.dead_routes(account.origin, now)]
        return self.shared.proxies.choose(account.id, now, avoiding)

    def no_way_to(self, account: Account) -> None:
        """No outbound route leads to an account."""
        self.tried.append((None, account))

    def failed(self, attempt: Attempt, failure: Failure, now: float) -> bool:
        """Learn from a failed attempt. True: it was the token's fault, and another one is fetched; that says nothing
        against the account."""
        lease = attempt.lease
        if failure.label == Fault.PROXY.value:
            self.shared.proxy_failed(attempt.route, now)
            self.failed_routes.append(attempt.route)
        elif failure.outcome.says is Says.UNREACHABLE:
            self._note_dead_end(attempt, failure, now)
        renewed = self._signs_in_again(failure, lease, now)
        if not (renewed or self._goes_another_way(failure, lease, now) or _soon_over(failure)):
            everywhere = failure.status is None or failure.kind in {ErrorKind.CREDENTIAL, ErrorKind.MONEY}
            self.tried.append((None if everywhere else attempt.target, lease.account))
        if failure.next_target:
            self.dead_targets.append(attempt.target)
        return renewed

    def look_again(self, now: float) -> None:
        """The search begins anew: its wait is as long as the first."""
        self.search.since, self.search.until = now, now + self.shared.config.scheduling.acquire_timeout

    def _goes_another_way(self, failure: Failure, lease: Lease, now: float) -> bool:
        """Whether the account can be asked again through another proxy than those that failed."""
        if not self.shared.config.proxy_pool.auto_failover:
            return False
        if failure.outcome.says is Says.UNREACHABLE:
            account = lease.current
            return any(
                (account.origin, route) not in self.dead_ends for route in self.shared.proxies.routes(account.id)
            )
        if failure.label != Fault.PROXY.value:
            return False
        route = self.shared.proxies.choose(lease.account.id, now, self.failed_routes)
        return route is not None and route not in self.failed_routes

    def _note_dead_end(self, attempt: Attempt, failure: Failure, now: float) -> None:
        """No connection could be made: the accounts of the host are not asked in vain by the same routes.

        A failure that came fast (a refusal, a name that is not found) may be a moment's: the host is tried a second
        time where it may be tried again soon. A failure that took longer is not waited for twice.
        """
        shared, origin, reason = self.shared, attempt.lease.account.origin, failure.detail or failure.label
        shared.origin_failed(origin, attempt.route, self.search.exchange, attempt.called_at, reason, now)
        end = (origin, attempt.route)
        lost = max(now - attempt.called_at, shared.origins.dead[end].until - now)
        if end in self.dead_ends or lost > LONGEST_COOLDOWN_WAIT:
            self.closed_ends.append(end)
        self.dead_ends.append(end)
        self.search.unreachable = tuple(
            account
            for account in shared.scheduler.accounts.values()
            if all((account.origin, route) in self.closed_ends for route in shared.proxies.routes(account.id))
        )

    def _signs_in_again(self, failure: Failure, lease: Lease, now: float) -> bool:
        """A 401 for a token that should be good: another one is had, once for a request, and the account asked again.

        Then the refusal was the token's, and says nothing against the account.
        """
        account = lease.account
        if failure.status != 401 or account in self.signed_in_again:
            return False
        if not self.shared.sign_in.rejected(account, lease.token_number, now):
            return False
        self.signed_in_again.append(account)
        return True


def _soon_over(failure: Failure) -> bool:
    """Whether the provider itself asks to come back so soon that it is waited for."""
    wait = failure.outcome.retry_after
    return failure.outcome.blames_account and wait is not None and 0.0 < wait <= LONGEST_COOLDOWN_WAIT
