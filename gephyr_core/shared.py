"""What the exchanges of one gateway share: configuration made ready, accounts, pins, and the list of commands."""

import random
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import attrs

from gephyr_core.commands import Command, Observe
from gephyr_core.computing import HEAVY
from gephyr_core.config import AccountConfig, Config, TranslationConfig, provider_kind
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import LeftOut
from gephyr_core.guards import Authenticator, Cors, IpFilter
from gephyr_core.http import DEFAULT_PORTS, Origin
from gephyr_core.outbound.origins import Origins
from gephyr_core.outbound.proxy_pool import ProxyPool
from gephyr_core.pins import Pins
from gephyr_core.providers import PROVIDERS
from gephyr_core.providers.vertex import vertex_base_url
from gephyr_core.records import OriginEvent
from gephyr_core.routing import ModelTable, Target
from gephyr_core.routing.models import ModelPattern
from gephyr_core.scheduling import Account, Pool, Scheduler
from gephyr_core.scheduling.sign_in import SignIn
from gephyr_core.translation.memory import ReasoningMemory


@attrs.define(eq=False)
class Leg:
    """One stage of a route: a target, and accounts that are asked for it in one way."""

    target: Target
    accounts: tuple[Account, ...]
    dialect: str = ""
    """The dialect they are asked in, where it is not the client's: the request is translated."""
    kind: str = ""
    """The known provider that they are like, for a translated leg: what its models can do."""
    without: LeftOut | None = None
    """What is left out for these accounts of a request that is not translated: they did not make it."""
    found_pool: Pool | None = attrs.field(default=None, init=False)
    """The scheduler's pool of the accounts, once it was asked for."""


Route = tuple[Leg, ...]
"""The stages of a request in the order they are tried. For one target, accounts that speak the client's dialect come
before those that have to be translated for."""

LARGE_BUFFER = 1024 * 1024
"""Bytes from which on a buffer that is let go is worth giving back to the system."""
_MOST_ROUTES = 4096
_LONGEST_CACHED_NAME = 256


class Shared:
    """State and configuration that outlive one exchange."""

    def __init__(self, config: Config, rng: random.Random, heavy: float = HEAVY) -> None:
        self.config = config
        self.heavy = heavy
        """Bytes from which on reading or writing them is a job for the front end."""
        self.random = rng
        self.out: list[Command] = []
        self.emit: Callable[[Command], None] = self.out.append
        self.authenticator = Authenticator(config.auth.mode, config.auth.api_keys)
        self.cors = Cors(config.cors.origins)
        self.ip_filter = IpFilter(
            allow=config.security.allow,
            block=config.security.block,
            trusted_proxies=config.security.trusted_proxies,
        )
        self.scheduler = Scheduler(
            [make_account(account, config) for account in config.accounts if account.enabled],
            config.scheduling,
            config.compliance,
            rng,
            self.emit,
        )
        self.sign_in = SignIn(rng, self.scheduler.hints.opened)
        bound = {account.id: account.route for account in self.scheduler.accounts.values()}
        self.proxies = ProxyPool(config.proxy_pool, bound.items(), config.outbound.upstream_proxy, rng)
        self.origins = Origins(self.proxies.routes)
        for one in self.scheduler.accounts.values():
            one.origins = self.origins
        self.pins = Pins()
        self.models = _model_table(config, config.accounts)
        self.released = 0
        """Bytes of large buffers that were let go since the start: memory that the runtime may give back."""
        self.buffered = 0
        """Bytes of request bodies, whole replies and preludes held, of all exchanges together."""
        self.most_attempts = config.upstream.max_attempts
        """Calls for one request, the first one included."""
        retries = config.compliance.in_force.max_retry_attempts
        if retries is not None:
            self.most_attempts = min(self.most_attempts, 1 + retries)
        self.draining = False
        self.finished: list[int] = []
        """Exchanges that ended since the gateway last looked."""
        self.memory = _memory(config.translation)
        """None where nothing is remembered."""
        self.learned: dict[tuple[str, str], Capabilities | None] = {}
        """What providers' model endpoints told, by kind of provider and model; None while it is being asked."""
        self._routes: dict[tuple[str, str | None, bool], Route] = {}
        self._pools: dict[tuple[str, tuple[Account, ...]], Pool] = {}

    def recount(self, before: int, after: int) -> bool:
        """Count *after* bytes as held where *before* were; return whether all together are within the limit."""
        self.buffered += after - before
        if before - after >= LARGE_BUFFER:
            self.released += before - after
        return self.buffered <= self.config.server.max_buffered_bytes

    def take_commands(self) -> list[Command]:
        """Return what was emitted, and start anew."""
        taken = self.out.copy()
        self.out.clear()
        return taken

    def request_id(self) -> str:
        """Make a request's id."""
        return f"req_{self.random.getrandbits(96):024x}"

    def route(self, dialect: str, model: str | None, *, translates: bool = False) -> Route:
        """Return where a model (None: an operation without one) can be served by accounts that speak *dialect*, and
        with *translates* by others too."""
        key = (dialect, model, translates)
        route = self._routes.get(key)
        if route is None:
            route = tuple(self._find_route(dialect, model, translates=translates))
            if model is not None and len(model) > _LONGEST_CACHED_NAME:
                return route  # it is the client's to choose, and would be held for long
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[key] = route
        return route

    def route_of_prompts(self, dialect: str) -> Route:
        """Return where a stored prompt may lie, which holds the model: with the accounts of the default target, else
        with those of providers that have such prompts, OpenAI first. Only its maker can read it, so it is never
        translated."""
        speaking = [account for account in self.scheduler.accounts.values() if dialect in account.dialects]
        for target in self.models.default:
            accounts = tuple(account for account in speaking if account.serves(target, dialect))
            if accounts:
                return (Leg(Target(""), accounts),)
        kinds = dict.fromkeys(["openai", *(account.kind for account in speaking)])
        pools = [tuple(one for one in speaking if one.kind == kind) for kind in kinds if PROVIDERS[kind].stored_prompts]
        return tuple(Leg(Target("", accounts[0].kind), accounts) for accounts in pools if accounts)

    def origin_failed(
        self, origin: Origin, route: str, exchange: int, called_at: float, reason: str, now: float
    ) -> None:
        """A call got no connection to a provider's host."""
        self._origin_news(origin, self.origins.failed(origin, route, exchange, called_at, reason, now))

    def origin_answered(self, origin: Origin, route: str, now: float) -> None:
        """A reply of a host that was known dead began."""
        self._origin_news(origin, self.origins.answered(origin, route, now))

    def origin_closed(self, origin: Origin, route: str, exchange: int) -> None:
        """A call to a host that is known dead is over, whatever it came to."""
        if self.origins.closed(origin, route, exchange):
            self._look_again(origin)

    def _origin_news(self, origin: Origin, news: OriginEvent | None) -> None:
        if news is not None:
            self.emit(Observe(news))
            self._look_again(origin)

    def _look_again(self, origin: Origin) -> None:
        """Have the accounts of a host offered again where they may be asked."""
        for account in self.scheduler.accounts.values():
            if account.origin == origin:
                self.scheduler.hints.opened(account.id)

    def route_works(self, route: str, called_at: float, now: float) -> None:
        """A provider answered a call by a route."""
        event = self.proxies.succeeded(route, called_at, now)
        if event is not None:
            self.emit(Observe(event))

    def proxy_failed(self, route: str, now: float) -> None:
        """A call could not be made through a proxy."""
        event = self.proxies.failed(route, now)
        if event is not None:
            self.emit(Observe(event))

    def pool(self, leg: Leg) -> Pool:
        """Return the pool of a leg's accounts: the same one for all legs that ask the same accounts for a model."""
        pool = leg.found_pool
        if pool is None:
            key = (leg.target.model, leg.accounts)
            pool = self._pools.get(key)
            if pool is None:
                if len(self._pools) >= _MOST_ROUTES:
                    self._pools = {name: one for name, one in self._pools.items() if one.waiters}
                    self.scheduler.forget_idle_pools()
                pool = self._pools[key] = self.scheduler.pool(leg.target.model, leg.accounts)
            leg.found_pool = pool
        return pool

    def accounts_changed(self, accounts: Sequence[AccountConfig]) -> None:
        """The accounts are others now: routes and pools are found anew."""
        self.models = _model_table(self.config, accounts)
        self._routes.clear()
        self._pools.clear()
        self.scheduler.forget_idle_pools()

    def _find_route(self, dialect: str, model: str | None, *, translates: bool) -> Iterator[Leg]:
        accounts = self.scheduler.accounts.values()
        if model is None:
            yield Leg(Target(""), tuple(account for account in accounts if dialect in account.dialects))
            return
        targets, found = self.models.resolve(model), False
        for target in targets:
            serving = tuple(account for account in accounts if account.serves(target, dialect))
            legs = [Leg(target, serving)] if serving else []
            if translates:
                legs += self._translated_legs(dialect, target, Account.serves_translated)
            found = found or bool(legs)
            yield from legs
        if translates and not found:
            for target in targets:
                yield from self._translated_legs(dialect, target, Account.makes)

    def _translated_legs(
        self, dialect: str, target: Target, serves: Callable[[Account, Target], bool]
    ) -> Iterator[Leg]:
        legs: dict[tuple[str, str], list[Account]] = {}
        for account in self.scheduler.accounts.values():
            if dialect not in account.dialects and serves(account, target):
                legs.setdefault((account.translation_dialect, account.kind), []).append(account)
        for (asked_in, kind), accounts in legs.items():
            yield Leg(target, tuple(accounts), asked_in, kind)

    def serves(self, model: str) -> bool:
        """Whether any account, in whatever dialect, can be asked for the model."""
        return any(
            account.serves(target, dialect)
            for target in self.models.resolve(model)
            for account in self.scheduler.accounts.values()
            for dialect in account.dialects
        )

    def listed_models(self) -> dict[str, str]:
        """Return the models that lists show, with their owners: exact mappings, exact account models, ``list``."""
        listed = {}
        for name in (*self.config.models.routes, *self.config.models.list):
            if "*" not in name:
                listed[name] = "gephyr"
        for account in self.scheduler.accounts.values():
            for pattern in account.models:
                if pattern.exact:
                    listed.setdefault(pattern.text, account.provider)
        return listed


def make_account(account: AccountConfig, config: Config) -> Account:
    """Make an account ready from its configuration and its provider's."""
    custom = config.providers.get(account.provider)
    known = PROVIDERS[provider_kind(config, account.provider)]
    base_url = account.base_url or (custom.base_url if custom is not None else "") or known.base_url or ""
    is_vertex = known.name == "vertex"
    if is_vertex and base_url == known.base_url:
        base_url = vertex_base_url(account.location)
    dialect = account.dialect or (custom.dialect if custom is not None else "")
    origin, base_path = split_base_url(base_url)
    compliance = config.compliance.in_force
    return Account(
        id=account.id,
        provider=account.provider,
        dialects=_family(dialect) if dialect else known.dialects,
        translation_dialect=dialect or known.translation_dialect,
        kind=provider_kind(config, account.provider),
        collect=custom.collect if custom is not None else "auto",
        origin=origin,
        base_path=base_path,
        route=account.proxy,
        models=tuple(ModelPattern(text) for text in account.models),
        priority=account.priority,
        weight=account.weight,
        organization=account.organization or account.id,
        vertex=(account.project, account.location) if is_vertex else None,
        signs_in=account.oauth is not None or bool(account.service_account),
        signs=known.signs_chat or base_url != known.base_url,
        limits_per_model=known.limits_per_model,
        max_concurrency=_least(account.max_concurrency, compliance.max_account_concurrency),
        requests_per_minute=_least(account.requests_per_minute, compliance.max_account_requests_per_minute),
        tokens_per_minute=account.tokens_per_minute,
    )


def _memory(settings: TranslationConfig) -> ReasoningMemory | None:
    if not settings.remember_reasoning:
        return None
    return ReasoningMemory(settings.remember_reasoning_max_bytes, settings.remember_reasoning_ttl)


def _model_table(config: Config, accounts: Sequence[AccountConfig]) -> ModelTable:
    return ModelTable(
        config.models.routes,
        config.models.default,
        [account.provider for account in accounts],
        [model for account in accounts if account.enabled for model in account.models],
    )


def _least(*limits: int | None) -> int | None:
    """Return the strictest of the limits that are set."""
    return min((limit for limit in limits if limit is not None), default=None)


def _family(dialect: str) -> tuple[str, ...]:
    """An endpoint that speaks Chat Completions speaks their older sister too."""
    return ("openai-chat", "openai-completions") if dialect == "openai-chat" else (dialect,)


def split_base_url(url: str) -> tuple[Origin, str]:
    """Return the origin and the path before the API's own paths; a trailing ``/v1`` or ``/v1beta`` is left out."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    path = parts.path.rstrip("/")
    for version in ("/v1", "/v1beta"):
        path = path.removesuffix(version)
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS[scheme]), path
