"""What is measured of one account, and how evenly those that can stand in for one another were used."""

import math
from collections.abc import Iterable, Sequence

import attrs

from gephyr.harness.report.bands import Bands
from gephyr.harness.report.timeline import Axis, Occupancy
from gephyr_core.config import AccountConfig
from gephyr_core.records import AccountEvent, AttemptRecord, Usage


@attrs.define
class AccountMeasure:
    """One account's part in a run."""

    id: str
    axis: Axis = attrs.field(repr=False)
    since: float
    """When it was there first, seconds since the epoch."""
    tier: str = "unknown to the configuration"
    """Accounts of one can stand in for one another: same priority, provider and models."""
    weight: int = 1
    attempts: int = 0
    """Calls to the provider, all in all."""
    served: int = 0
    """Requests whose answer came from it."""
    failures: int = 0
    """Calls that ended otherwise than well, without those that the client left."""
    rate_limited: int = 0
    """Of *failures*, those that the provider answered 429."""
    input_tokens: int = 0
    """Cached ones included."""
    cached_tokens: int = 0
    output_tokens: int = 0
    bands: Bands = attrs.field(factory=Bands)
    in_flight: Occupancy = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.in_flight = Occupancy(self.axis)

    def configure(self, config: AccountConfig) -> None:
        """Take in what the configuration says of the account."""
        models = ", ".join(config.models) or "every model"
        self.tier = f"priority {config.priority}, {config.provider}, {models}"
        self.weight = config.weight
        if not config.enabled:
            self.bands.begin("removed", "", self.since, math.inf, "not enabled")

    def attempted(self, attempt: AttemptRecord) -> None:
        """A call to the provider is over."""
        self.attempts += 1
        if attempt.outcome not in ("ok", "cancelled"):
            self.failures += 1
            if attempt.status == 429:
                self.rate_limited += 1
        self.in_flight.add(attempt.started_at, attempt.started_at + attempt.duration)

    def used(self, usage: Usage) -> None:
        """The account's answer said what it took."""
        self.input_tokens += usage.input or 0
        self.cached_tokens += usage.cached or 0
        self.output_tokens += usage.output or 0

    def happened(self, event: AccountEvent) -> None:
        """Take in an event that is about the account."""
        bands, at = self.bands, event.at
        if event.what == "cooldown":
            until = at if event.until is None else event.until
            bands.begin("stated" if event.stated else "estimated", event.model, at, until, event.reason)
        elif event.what == "recovered":
            bands.end(at, "estimated", model=event.model)
        elif event.what == "disabled":
            bands.begin("disabled", "", at, math.inf, event.reason)
        elif event.what == "enabled":
            bands.end(at, "disabled", "removed", "stated", "estimated")
        elif event.what == "removed":
            bands.begin("removed", "", at, math.inf, "")
        elif event.what == "added":
            if not bands.spans and not self.attempts:
                self.since = at
            bands.end(at, "removed")

    def in_service(self, until: float) -> float:
        """Return the seconds before *until* that the account was there and not taken out of service."""
        return max(0.0, until - self.since - self.bands.covered(until, "disabled", "removed"))


@attrs.frozen
class Fairness:
    """How evenly the accounts of one tier were used, for their weight and their time in service."""

    tier: str
    accounts: int
    index: float
    """Jain's index: 1 where all did the same, 1/n where one did everything (Jain, Chiu and Hawe 1984)."""


def fairness(accounts: Iterable[AccountMeasure], until: float) -> list[Fairness]:
    """Return the fairness of each tier of two accounts or more that was used, the least fair first."""
    tiers: dict[str, list[float]] = {}
    for account in accounts:
        seconds = account.in_service(until)
        if seconds > 0.0:
            tiers.setdefault(account.tier, []).append(account.attempts / (account.weight * seconds))
    found = [Fairness(tier, len(loads), _jain(loads)) for tier, loads in tiers.items() if len(loads) > 1 and any(loads)]
    return sorted(found, key=lambda each: (each.index, each.tier))


def _jain(loads: Sequence[float]) -> float:
    # Shares first: squares of very small loads would vanish.
    whole = math.fsum(loads)
    return 1.0 / (len(loads) * math.fsum((load / whole) * (load / whole) for load in loads))
