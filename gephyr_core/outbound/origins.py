"""Origins known dead: providers' hosts to which no connection could be made, each by the route that was taken.

A host that refuses connections does so for all of its accounts, so what one call learned counts for all. The origin is
left alone by that route for a time that grows with each failure, and is then tried by one call at a time. The first
reply ends it. Failed name look-ups, connections and TLS handshakes count: nothing in them belongs to an account.
"""

import math
from collections.abc import Callable, Iterable

import attrs

from gephyr_core.http import Origin
from gephyr_core.records import OriginEvent

STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds that an origin is left alone after its first, second, ... failure in a row; the last one repeats."""
_MOST = 4096
"""Origins, each by one route, that are known dead at a time; the oldest is forgotten first."""


@attrs.define(eq=False)
class Death:
    """An origin that cannot be reached by a route."""

    failures: int
    failed_at: float
    """Seconds since the epoch, as are the times below."""
    until: float
    """When it is tried again."""
    probe: int = 0
    """The exchange whose call tries it; 0 where none does."""
    probed_until: float = -math.inf
    """By then the probe has a connection, or has failed for want of one."""

    def blocks_until(self, now: float) -> float:
        """When the next call may be made; 0 where one may now."""
        if self.probe:
            return self.probed_until if self.probed_until > now else 0.0
        return self.until if self.until > now else 0.0


class Origins:
    """What is known of the origins of all accounts. Bounded."""

    __slots__ = ("_routes", "dead")

    def __init__(self, routes: Callable[[str], Iterable[str]]) -> None:
        """*routes* tells every outbound route that calls of an account may take now."""
        self._routes = routes
        self.dead: dict[tuple[Origin, str], Death] = {}
        """By origin and route. Empty nearly always: look before asking."""

    def blocks(self, account: str, origin: Origin, now: float) -> tuple[float, bool] | None:
        """Return until when an account's origin cannot be reached by any route of its, and whether a call is trying
        it; None where it can."""
        soonest, probed = math.inf, False
        for route in self._routes(account):
            death = self.dead.get((origin, route))
            until = 0.0 if death is None else death.blocks_until(now)
            if death is None or not until:
                return None
            soonest, probed = min(soonest, until), probed or bool(death.probe)
        return (soonest, probed) if soonest < math.inf else None

    def dead_routes(self, origin: Origin, now: float) -> list[str]:
        """Return the routes by which an origin is not to be asked now."""
        return [route for (where, route), death in self.dead.items() if where == origin and death.blocks_until(now)]

    def clear_estimate(self, account: str, origin: Origin, now: float) -> bool:
        """Let one call try the origin at once, unless one does already. Return whether that changes anything."""
        changed = False
        for route in self._routes(account):
            death = self.dead.get((origin, route))
            if death is not None and not death.probe and death.until > now:
                death.until, changed = now, True
        return changed

    def opened(self, origin: Origin, route: str, exchange: int, until: float) -> bool:
        """A call begins, and has a connection by *until* if it gets one. Return whether it keeps others away."""
        death = self.dead.get((origin, route))
        if death is None or death.probe:
            return False
        death.probe, death.probed_until = exchange, until
        return True

    def closed(self, origin: Origin, route: str, exchange: int) -> bool:
        """A call is over. Return whether others may try the origin now."""
        death = self.dead.get((origin, route))
        if death is None or death.probe != exchange:
            return False
        death.probe = 0
        return True

    def failed(
        self, origin: Origin, route: str, exchange: int, called_at: float, reason: str, now: float
    ) -> OriginEvent | None:
        """A call got no connection. Return the news, if it is any: calls that were under way together say it once."""
        death = self.dead.get((origin, route))
        if death is not None and death.probe != exchange and called_at <= death.failed_at:
            return None
        failures = 1 if death is None else death.failures + 1
        until = now + STEPS[min(failures, len(STEPS)) - 1]
        self.dead[origin, route] = Death(failures, now, until)
        if len(self.dead) > _MOST:
            self.dead.pop(next(iter(self.dead)))
        return OriginEvent(str(origin), route, reachable=False, at=now, reason=reason, until=until)

    def answered(self, origin: Origin, route: str, now: float) -> OriginEvent | None:
        """A reply began. Return the news, if it is any."""
        if self.dead.pop((origin, route), None) is None:
            return None
        return OriginEvent(str(origin), route, reachable=True, at=now)
