"""Accounts as the scheduler sees them: what they can serve, what they are doing, and when they may be asked again."""

import attrs

from gephyr_core.errors import ErrorKind
from gephyr_core.http import Origin
from gephyr_core.providers.capabilities import maker_of
from gephyr_core.routing.models import ModelPattern, Target

_ESTIMATES = {
    ErrorKind.CREDENTIAL: 60.0,
    ErrorKind.MONEY: 300.0,
    ErrorKind.RATE_LIMIT: 10.0,
}
_OTHER_ESTIMATE = 5.0


@attrs.frozen
class Outcome:
    """How an attempt ended, as far as it concerns the account."""

    success: bool = False
    blames_account: bool = False
    """Whether a failure says anything about the account: a proxy's, a side route's or a closed socket's do not."""
    kind: ErrorKind | None = None
    retry_after: float | None = None
    """Seconds, as the provider stated them."""


SUCCESS = Outcome(success=True)
NEUTRAL = Outcome()
"""The attempt ended for reasons that are not the account's: the client left, the gateway stopped."""


@attrs.define(eq=False)
class Account:
    """One account: its place in the configuration, and its state."""

    id: str
    provider: str
    dialects: tuple[str, ...]
    origin: Origin
    base_path: str
    """What stands before the API's own paths, without a trailing slash."""
    route: str
    models: tuple[ModelPattern, ...] = ()
    """Empty: every model of its provider."""
    priority: int = 0
    max_concurrency: int | None = None
    organization: str = ""
    translation_dialect: str = ""
    """The dialect it is asked in on behalf of clients that speak none of its own."""
    kind: str = ""
    """The known provider that its provider is like."""
    collect: str = "auto"
    """``always``, ``auto`` or ``never``: when a whole reply is had by collecting a stream."""
    in_flight: int = 0
    last_lease: int = 0
    """Serial number of its latest lease: among equals, the one idle for longest is next."""
    stated_until: float = 0.0
    """Until when the provider itself said not to come back. Excludes the account."""
    stated_kind: ErrorKind | None = None
    doubtful_until: float = 0.0
    """Until when our own estimate doubts it. Ranks the account behind the others, and never excludes it."""

    def serves(self, target: Target, dialect: str) -> bool:
        """Whether the account can be asked for the target in the dialect at all."""
        if dialect not in self.dialects or (target.provider is not None and target.provider != self.provider):
            return False
        return not self.models or any(pattern.matches(target.model) for pattern in self.models)

    def serves_translated(self, target: Target) -> bool:
        """Whether the account can be asked for the target by clients of other dialects: the route or the account's own
        ``models`` must say so, since a bare name may be another provider's."""
        if target.provider is not None and target.provider != self.provider:
            return False
        if not self.models:
            return target.provider is not None
        return any(pattern.matches(target.model) for pattern in self.models)

    def makes(self, target: Target) -> bool:
        """Whether the name alone tells that the account's provider makes the model (``claude-...``). Says enough only
        where nobody else serves the name."""
        return not self.models and target.provider is None and maker_of(target.model) == self.kind

    @property
    def has_room(self) -> bool:
        """Whether ``max_concurrency`` leaves room for one more."""
        return self.max_concurrency is None or self.in_flight < self.max_concurrency

    def is_free(self, now: float) -> bool:
        """Whether the account may be asked now: it has room, and no provider said otherwise."""
        return self.stated_until <= now and self.has_room

    def why_not(self, now: float) -> str:
        """Say in a word or two why the account cannot take a request, for the operator's eyes and the client's."""
        if self.stated_until > now and self.stated_kind is not None:
            return self.stated_kind.value.replace("_", " ")
        return "tried" if self.has_room else "busy"

    def learn(self, outcome: Outcome, now: float) -> None:
        """Take in how an attempt ended."""
        if outcome.success:
            self.doubtful_until = 0.0
        elif outcome.blames_account and outcome.kind is not None:
            if outcome.retry_after is not None:
                self.stated_until = max(self.stated_until, now + outcome.retry_after)
                self.stated_kind = outcome.kind
            else:
                self.doubtful_until = now + _ESTIMATES.get(outcome.kind, _OTHER_ESTIMATE)
