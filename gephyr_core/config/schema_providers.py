"""The providers' side of the configuration: accounts, models, scheduling, and the ways out."""

from typing import Annotated, Literal

import attrs

from gephyr_core.config.rules import (
    ACCOUNT_SECRET,
    ANY_TEXT,
    HTTP_URL,
    MODEL_PATTERN,
    MODEL_TARGET,
    NAME,
    NETWORK_OR_NAME,
    OPTIONAL_HTTP_URL,
    PROXY_ROUTE,
    Seconds,
    Whole,
)


@attrs.frozen(kw_only=True)
class OAuthConfig:
    """An account's OAuth client (RFC 6749), in place of an API key."""

    token_url: Annotated[str, HTTP_URL]
    client_id: Annotated[str, ANY_TEXT]
    client_secret: Annotated[str, ACCOUNT_SECRET] = ""
    refresh_token: Annotated[str, ACCOUNT_SECRET] = ""
    """May be left out: ``gephyr accounts login`` gets one."""
    authorize_url: Annotated[str, OPTIONAL_HTTP_URL] = ""
    """Where a browser signs in (RFC 6749 section 3.1); wanted by ``gephyr accounts login`` only."""
    scopes: tuple[Annotated[str, ANY_TEXT], ...] = ()


@attrs.frozen(kw_only=True)
class AccountConfig:
    """One of ``[[accounts]]``: an account of the operator's at a provider."""

    id: Annotated[str, NAME]
    provider: Annotated[str, NAME]
    """A provider that Gephyr knows, or the name of a ``[providers.NAME]``."""
    api_key: Annotated[str, ACCOUNT_SECRET] = ""
    """``account:ID``, the name of the key in the runtime's vault; empty for an endpoint that wants none."""
    base_url: Annotated[str, OPTIONAL_HTTP_URL] = ""
    models: tuple[Annotated[str, MODEL_PATTERN], ...] = ()
    """Names and patterns; empty: every model asked for in the provider's dialects."""
    enabled: bool = True
    priority: Annotated[int, Whole(-1000, 1000)] = 0
    """Higher is preferred."""
    weight: Annotated[int, Whole(1, 1000)] = 1
    proxy: Annotated[str, PROXY_ROUTE] = ""
    """Id of the account's outbound route: ``proxy:ID`` for its own, ``pool:NAME`` for one of the pool's."""
    max_concurrency: Annotated[int, Whole(1)] | None = None
    requests_per_minute: Annotated[int, Whole(1)] | None = None
    tokens_per_minute: Annotated[int, Whole(1)] | None = None
    dialect: Annotated[str, ANY_TEXT] = ""
    """The only dialect that the account's endpoint speaks; empty: those of its provider."""
    organization: Annotated[str, ANY_TEXT] = ""
    oauth: OAuthConfig | None = None
    service_account: Annotated[str, ACCOUNT_SECRET] = ""
    """A Google service account's key (the JSON file's content), for Vertex AI; in place of an API key."""
    project: Annotated[str, ANY_TEXT] = ""
    """Vertex AI's project; empty: the service account's own."""
    location: Annotated[str, ANY_TEXT] = "global"
    """Vertex AI's location."""


@attrs.frozen(kw_only=True)
class ModelsConfig:
    """``[models]``: what names are mapped to. ``default`` and ``list`` are reserved, the rest are routes."""

    routes: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Pattern to targets (``provider/model`` or ``model``), which are tried in order."""
    default: tuple[Annotated[str, MODEL_TARGET], ...] = ()
    """Targets of a name that no account serves and no route matches."""
    list: tuple[Annotated[str, MODEL_PATTERN], ...] = ()
    """Names shown in model lists besides those that follow from routes and accounts."""


@attrs.frozen(kw_only=True)
class SchedulingConfig:
    """``[scheduling]``: which account serves a request, and how long one is waited for."""

    mode: Literal["balance", "cache_first", "performance_first"] = "balance"
    max_wait_seconds: Annotated[float, Seconds(0)] = 60.0
    preferred_account: Annotated[str, ANY_TEXT] = ""
    persist_session_bindings: bool = True
    acquire_timeout: Annotated[float, Seconds(0)] = 5.0
    last_used_lock_seconds: Annotated[float, Seconds(0)] = 60.0
    binding_idle_seconds: Annotated[float, Seconds(most=2592000)] = 3600.0
    max_bindings: Annotated[int, Whole(1)] = 100000


def _none_for_zero(limit: int | None) -> int | None:
    return limit or None


@attrs.frozen(kw_only=True)
class ComplianceConfig:
    """``[compliance]``: limits that the operator sets above the providers' own.

    Switched on, all of them hold, with the defaults of the original Gephyr. 0 switches one off, and is None here; only
    for ``max_retry_attempts`` it is a number like any other.
    """

    enabled: bool = False
    max_global_requests_per_minute: Annotated[int, Whole(0)] | None = attrs.field(default=120, converter=_none_for_zero)
    max_account_requests_per_minute: Annotated[int, Whole(0)] | None = attrs.field(default=60, converter=_none_for_zero)
    max_account_concurrency: Annotated[int, Whole(0)] | None = attrs.field(default=10, converter=_none_for_zero)
    risk_cooldown_seconds: Annotated[float, Seconds(0)] | None = 5.0
    max_retry_attempts: Annotated[int, Whole(0)] | None = 3

    @property
    def in_force(self) -> "ComplianceConfig":
        """The limits that hold: none of them while the section is off."""
        return self if self.enabled else _NO_LIMITS


_NO_LIMITS = ComplianceConfig(
    max_global_requests_per_minute=None,
    max_account_requests_per_minute=None,
    max_account_concurrency=None,
    risk_cooldown_seconds=None,
    max_retry_attempts=None,
)


@attrs.frozen(kw_only=True)
class ProxyConfig:
    """One of ``[[proxy_pool.proxies]]``."""

    id: Annotated[str, NAME]
    url: Annotated[str, PROXY_ROUTE]
    """``pool:ID``: the runtime keeps the URL, which may hold a password."""
    priority: Annotated[int, Whole(-1000, 1000)] = 0
    max_accounts: Annotated[int, Whole(1)] | None = None
    enabled: bool = True


@attrs.frozen(kw_only=True)
class ProxyPoolConfig:
    """``[proxy_pool]``: proxies that accounts without one of their own share."""

    enabled: bool = False
    strategy: Literal["round_robin", "random", "priority", "least_connections", "weighted_round_robin"] = "round_robin"
    proxies: tuple[ProxyConfig, ...] = ()
    allow_shared_proxy_fallback: bool = False
    require_proxy_for_account_requests: bool = False
    auto_failover: bool = True
    """A call whose proxy fails is made again through another one, on the same account."""
    health_check_url: Annotated[str, OPTIONAL_HTTP_URL] = ""
    """Asked for through each proxy; empty: proxies are judged by the calls that go through them alone."""
    health_check_interval: Annotated[float, Seconds()] = 60.0
    health_check_timeout: Annotated[float, Seconds()] = 10.0
    health_check_expected_status: Annotated[int, Whole(100, 599)] = 200


@attrs.frozen(kw_only=True)
class OutboundConfig:
    """``[outbound]``: the way to every provider."""

    upstream_proxy: Annotated[str, PROXY_ROUTE] = ""
    """``proxy:app`` when there is an app-wide proxy, else empty."""
    ca_file: Annotated[str, ANY_TEXT] = ""
    """PEM file of certificate authorities trusted besides the system's."""


@attrs.frozen(kw_only=True)
class UpstreamConfig:
    """``[upstream]``: the limits of calls to providers; times in seconds, sizes in bytes."""

    connect_timeout: Annotated[float, Seconds()] = 10.0
    first_byte_timeout: Annotated[float, Seconds()] = 120.0
    """For streams. The first byte of a whole reply may take *total_timeout*."""
    idle_timeout: Annotated[float, Seconds()] = 120.0
    total_timeout: Annotated[float, Seconds()] = 600.0
    """Follows ``server.request_timeout`` when it is not set."""
    max_reply_size: Annotated[int, Whole(1)] = 104857600
    max_sse_line: Annotated[int, Whole(1024)] = 16777216
    max_attempts: Annotated[int, Whole(1, 100)] = 4
    """Calls for one request, the first one included."""
    tcp_keepalive_idle: Annotated[int, Whole(0, 32767)] = 60
    """Seconds of silence on a connection before the system probes it; 0: it never does. Linux allows 32767."""
    tcp_keepalive_interval: Annotated[int, Whole(1, 32767)] = 60
    """Seconds between probes."""
    tcp_keepalive_probes: Annotated[int, Whole(1, 127)] = 5
    """Probes without an answer after which the connection is closed."""


@attrs.frozen(kw_only=True)
class TranslationConfig:
    """``[translation]``: between client and provider of different dialects."""

    strict: bool = False
    fetch_urls: bool = True
    fetch_allow: tuple[Annotated[str, NETWORK_OR_NAME], ...] = ()
    """Networks and host names that may be fetched from although they are not public, on any port."""
    fetch_max_bytes: Annotated[int, Whole(1, 1073741824)] = 20971520
    fetch_timeout: Annotated[float, Seconds()] = 20.0
    default_max_tokens: Annotated[int, Whole(1)] | None = None
    hosted_tools: Literal["drop", "refuse"] = "drop"
    """What becomes of tools that a provider runs itself (web search, MCP) where the one that answers has none: left
    out if the client offers others too, or refused in any case."""
    stored_responses: Literal["keep", "refuse"] = "keep"
    """What becomes of ``store: true`` where the provider that answers keeps no responses."""
    stored_responses_ttl: Annotated[float, Seconds(most=31536000)] = 2592000.0
    stored_responses_max_bytes: Annotated[int, Whole(1)] = 1073741824
    remember_reasoning: bool = True
    """Reasoning that does not come back through its client is kept here for the provider that signed it."""
    remember_reasoning_ttl: Annotated[float, Seconds(most=31536000)] = 2592000.0
    remember_reasoning_max_bytes: Annotated[int, Whole(1)] = 67108864


@attrs.frozen(kw_only=True)
class ProviderConfig:
    """One ``[providers.NAME]``: a provider of the operator's own, or new settings for a known one."""

    kind: Annotated[str, ANY_TEXT] = ""
    """The known provider it is like; may be left out when NAME is one."""
    base_url: Annotated[str, OPTIONAL_HTTP_URL] = ""
    dialect: Annotated[str, ANY_TEXT] = ""
    collect: Literal["always", "auto", "never"] = "auto"
