"""Accounts as the scheduler sees them: what they can serve, what they are doing, and the one predicate that says
whether they may be asked."""

import math
from typing import TYPE_CHECKING

import attrs

from gephyr_core.errors import ErrorKind
from gephyr_core.http import Origin
from gephyr_core.outbound.origins import Origins
from gephyr_core.providers.capabilities import maker_of
from gephyr_core.routing.models import ModelPattern, Target
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.cooldowns import Cooldowns
from gephyr_core.scheduling.health import Health, Remaining
from gephyr_core.scheduling.strikes import Strikes
from gephyr_core.scheduling.windows import RequestWindow, TokenWindow

if TYPE_CHECKING:
    from gephyr_core.scheduling.pool import Pool

UNREACHABLE = "host unreachable"
"""Why an account is passed over whose provider's host is known dead."""
_MOST_MODELS = 512
"""Models whose remaining quota is known, of one organisation."""


@attrs.define(eq=False)
class Organization:
    """Accounts that share a provider's quota. Each account belongs to one, often to one of its own."""

    id: str
    """``PROVIDER:ORGANIZATION``, or the id of the one account."""
    cooldowns: Cooldowns = attrs.field(factory=Cooldowns)
    remaining: dict[str, Remaining] = attrs.field(factory=dict)
    """By model; the empty name where the provider counts all models together."""
    accounts: list["Account"] = attrs.field(factory=list)

    def remaining_of(self, model: str) -> Remaining:
        """Return what is known of a model's quota, to be added to."""
        known = self.remaining.get(model)
        if known is None:
            if len(self.remaining) >= _MOST_MODELS:
                self.remaining.pop(next(iter(self.remaining)))
            known = self.remaining[model] = Remaining()
        return known

    def changed(self) -> None:
        """Something that stood in the way of all of them may be gone."""
        for account in self.accounts:
            account.changed()


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
    requests: RequestWindow | None = None
    tokens: TokenWindow | None = None
    signs_in: bool = False
    """It has access tokens that expire, in place of a key."""
    token_until: float = math.inf
    """When its access token expires; 0 where there is none."""
    token_block: Block | None = None
    """What is said of it while there is none."""
    token_number: int = 0
    """How many tokens it has had: a failure of an older one says nothing about this one."""
    accepted_token: int = -1
    """Number of the latest token with which the provider served a request."""
    disabled: str = ""
    """Why it is out of service; empty where it is not."""
    enabled_at: float = 0.0
    """When the operator last put it into service, seconds since the epoch."""
    in_flight: int = 0
    last_lease: int = 0
    """Serial number of its latest lease: among equals, the one idle for longest is next."""
    cooldowns: Cooldowns = attrs.field(factory=Cooldowns)
    health: Health = attrs.field(factory=Health)
    strikes: Strikes = attrs.field(factory=Strikes)
    origins: Origins | None = None
    """What is known of hosts that cannot be reached."""
    shared: Organization = attrs.field(factory=lambda: Organization(""))
    parked_in: dict["Pool", None] = attrs.field(factory=dict)
    """Pools that do not offer it until something changes, or did not offer it to a request that was too large."""

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
        """Go on as what *older* is now: a change by the operator ends no window and no cooldown."""
        if (older.provider, older.origin) != (self.provider, self.origin):
            return
        older.successor = self
        self.in_flight, self.last_lease, self.enabled_at = older.in_flight, older.last_lease, older.enabled_at
        self.cooldowns, self.health, self.strikes = older.cooldowns, older.health, older.strikes
        if self.requests is not None and older.requests is not None:
            self.requests.take_over(older.requests)
        if self.tokens is not None and older.tokens is not None:
            self.tokens.take_over(older.tokens)

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

    def scope(self, model: str) -> str:
        """The model that a limit met with *model* is for; empty where the provider counts all models together."""
        return model if self.limits_per_model else ""

    def block(self, model: str, tokens: int, now: float) -> Block | None:
        """Return what stands in the way of a request for *model* that may spend *tokens*; None: it may be asked.

        The one predicate: sticky reuse, the preferred account, the last-used lock and the rotation all ask it.
        """
        if self.disabled:
            return Block(math.inf, Nature.OUT, self.disabled)
        if self.token_until <= now:
            return self.token_block or Block(math.inf, Nature.ROOM, "signing in")
        if self.origins is not None and self.origins.dead and (block := self._unreachable(now)) is not None:
            return block
        if self.cooldowns.stated or self.cooldowns.estimates or self.shared.cooldowns.stated or self._doubted():
            block = self._cooling(model, now)
            if block is not None:
                return block
        if self.max_concurrency is not None and self.in_flight >= self.max_concurrency:
            return Block(math.inf, Nature.ROOM, "busy")
        if self.requests is not None:
            opens_at = self.requests.opens_at()
            if opens_at > now:
                return Block(opens_at, Nature.ROOM, "requests per minute")
        if self.tokens is not None:
            opens_at = self.tokens.opens_at(tokens, now)
            if opens_at > now:
                eases_at = self.tokens.opens_at(1, now)
                return Block(opens_at, Nature.ROOM, "tokens per minute", None, eases_at <= now, eases_at)
        if self.shared.remaining:
            return self._exhausted(model, tokens, now)
        return None

    def _unreachable(self, now: float) -> Block | None:
        assert self.origins is not None
        found = self.origins.blocks(self.id, self.origin, now)
        if found is None:
            return None
        until, tried = found
        return Block(until, Nature.ESTIMATED, UNREACHABLE, ErrorKind.BAD_GATEWAY, yields=not tried)

    def is_told_off(self, model: str, now: float) -> bool:
        """Whether the provider, or the operator, said to leave it alone for now."""
        block = self._cooling(model, now)
        return block is not None and block.nature is Nature.STATED

    def _doubted(self) -> bool:
        return bool(self.shared.cooldowns.estimates)

    def _cooling(self, model: str, now: float) -> Block | None:
        own, shared = self.cooldowns.block(model, now), self.shared.cooldowns.block(model, now)
        if own is None or shared is None:
            return own or shared
        if own.nature is not shared.nature:
            return own if own.nature is Nature.STATED else shared
        if own.yields is not shared.yields:
            return shared if own.yields else own
        return own if own.until >= shared.until else shared

    def _exhausted(self, model: str, tokens: int, now: float) -> Block | None:
        remaining = self.shared.remaining.get(self.scope(model))
        if remaining is None or (opens_at := remaining.opens_at(tokens, now)) <= now:
            return None
        eases_at = remaining.opens_at(1, now)
        return Block(opens_at, Nature.ESTIMATED, "quota used up", ErrorKind.RATE_LIMIT, eases_at <= now, eases_at, True)

    @property
    def full(self) -> bool:
        """Whether a lease that is given back makes room."""
        return self.max_concurrency is not None and self.in_flight >= self.max_concurrency

    def changed(self) -> None:
        """Something that stood in the way may be gone: be offered again everywhere."""
        for pool in list(self.parked_in):
            pool.restore(self)
