"""Accounts as the scheduler sees them: what they can serve, and the one predicate that says who may be asked."""

import math

import attrs

from gephyr_core.errors import ErrorKind
from gephyr_core.http import Origin
from gephyr_core.outbound.origins import Origins
from gephyr_core.providers.capabilities import maker_of
from gephyr_core.routing.models import ModelPattern, Target
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.health import Health
from gephyr_core.scheduling.scopes import Candidate, Cost, Kind, Scope
from gephyr_core.scheduling.views import View

UNREACHABLE = "host unreachable"
"""Why an account is passed over whose provider's host is known dead."""


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
    """Id of the outbound route that the configuration binds it to; empty for none."""
    models: tuple[ModelPattern, ...] = ()
    """Empty: every model of its provider."""
    priority: int = 0
    weight: int = 1
    max_concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    organization: str = ""
    translation_dialect: str = ""
    """The dialect it is asked in on behalf of clients that speak none of its own."""
    kind: str = ""
    """The known provider that its provider is like."""
    collect: str = "auto"
    """``always``, ``auto`` or ``never``: when a whole reply is had by collecting a stream."""
    signs: bool = True
    """Its provider may sign reasoning in Chat Completions."""
    limits_per_model: bool = False
    """Its provider's limits are each for one model."""
    vertex: tuple[str, str] | None = None
    """Vertex AI's project and location, which stand in its paths."""
    signs_in: bool = False
    """It has access tokens that expire, in place of a key."""
    token_until: float = math.inf
    """When its access token expires; 0 where there is none."""
    token_block: Block | None = None
    """Block reported while the account has no access token."""
    token_number: int = 0
    """How many tokens it has had: a failure of an older one says nothing about this one."""
    accepted_token: int = -1
    """Number of the latest token with which the provider served a request."""
    disabled: str = ""
    """Why it is out of service; empty where it is not."""
    enabled_at: float = 0.0
    """When the operator last put it into service, seconds since the epoch."""
    health: Health = attrs.field(factory=Health)
    origins: Origins | None = None
    """What is known of hosts that cannot be reached."""
    view: View = attrs.field(init=False)
    """The ledger's books for it. The scheduler sets it when it adds the account."""
    successor: "Account | None" = None
    """What the operator's latest change has made of it."""

    @property
    def current(self) -> "Account":
        """The account as it is now, if the operator has changed it since."""
        account = self
        while account.successor is not None:
            account = account.successor
        return account

    def take_over(self, older: "Account") -> None:
        """Take over the state of *older*, which is this account before the operator changed it."""
        older.successor = self
        self.enabled_at, self.health = older.enabled_at, older.health

    def goes_on_as(self, older: "Account") -> bool:
        """Whether this account may take over the state of *older*, which has its id: provider and host are equal."""
        return (older.provider, older.origin) == (self.provider, self.origin)

    def candidate(self) -> Candidate:
        """Return the account as claims name it, with what they have to fit in."""
        shared = self.id
        if self.organization and self.organization != self.id:
            shared = f"{self.provider}:{self.organization}"
        scopes = [
            Scope(self.id, Kind.GAUGE, Cost.ONE, self.max_concurrency),
            Scope(self.id, Kind.COOLDOWN),
            Scope(shared, Kind.COOLDOWN),
            Scope(shared, Kind.QUOTA, Cost.ONE, per_model=self.limits_per_model),
            Scope(shared, Kind.QUOTA, Cost.TOKENS, per_model=self.limits_per_model),
        ]
        if self.requests_per_minute is not None:
            scopes.append(Scope(self.id, Kind.WINDOW, Cost.ONE, self.requests_per_minute))
        if self.tokens_per_minute is not None:
            scopes.append(Scope(self.id, Kind.WINDOW, Cost.TOKENS, self.tokens_per_minute))
        return Candidate(self.id, tuple(scopes))

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

    def block(self, model: str, tokens: int, now: float) -> Block | None:
        """Return the block on a request for *model* that may spend *tokens*, or None if the account may be asked.

        Every rule uses this one predicate: the preferred account, the session's own, the last used, and the draw. The
        account's own standing comes first, and then the ledger's view.
        """
        if self.disabled or self.token_until <= now or (self.origins is not None and self.origins.dead):
            standing = self.standing(now)
            if standing is not None:
                return standing
        return self.view.block(model, tokens, now)

    def may_be_called(self, now: float) -> bool:
        """Whether it is in service and has an access token."""
        return not self.disabled and self.token_until > now

    def standing(self, now: float) -> Block | None:
        """Return the block that the account itself puts on every request: it is out of service, it has no access token,
        or its provider's host cannot be reached. None if there is none."""
        if self.disabled:
            return Block(math.inf, Nature.OUT, self.disabled)
        if self.token_until <= now:
            return self.token_block or Block(math.inf, Nature.ROOM, "signing in")
        if self.origins is not None and self.origins.dead:
            return self._unreachable(self.origins, now)
        return None

    def _unreachable(self, origins: Origins, now: float) -> Block | None:
        found = origins.blocks(self.id, self.origin, now)
        if found is None:
            return None
        until, tried = found
        return Block(until, Nature.ESTIMATED, UNREACHABLE, ErrorKind.BAD_GATEWAY, yields=not tried)
