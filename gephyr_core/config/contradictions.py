"""What is wrong between settings that are each well-formed by themselves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from gephyr_core import addresses
from gephyr_core.config.problems import Path, shown
from gephyr_core.config.schema import Config
from gephyr_core.config.schema_providers import AccountConfig

APP_PROXY = "app"
"""The app-wide proxy's route is ``proxy:app``, so no account may have this id."""
WITHOUT_KEY = "openai-compatible"
"""The one kind of provider that may want no credential: a model server of the operator's own."""
VERTEX = "vertex"
"""The kind of provider that has projects and locations, and takes Google's service accounts."""


class ProviderFacts(Protocol):
    """What has to be known of a provider in order to judge a configuration."""

    @property
    def base_url(self) -> str | None:
        """The provider's address; None where every customer has an own one."""

    @property
    def dialects(self) -> Sequence[str]:
        """The dialects its endpoint speaks."""


Found = Iterator[tuple[Path, str]]


def contradictions(config: Config, providers: Mapping[str, ProviderFacts]) -> Found:
    """Yield the place and the text of every contradiction in *config*."""
    yield from _server(config)
    yield from _providers(config, providers)
    yield from _accounts(config, providers)
    yield from _proxies(config)


def is_loopback(host: str) -> bool:
    """Whether *host* can be reached from this machine only."""
    return host.lower() == "localhost" or addresses.is_loopback(host)


def provider_kind(config: Config, name: str) -> str:
    """Return the known provider that the name in an account's ``provider`` comes down to."""
    custom = config.providers.get(name)
    return name if custom is None else custom.kind or name


def _server(config: Config) -> Found:
    server = config.server
    hosts = {"host": server.host}
    if server.metrics_listen:
        hosts["metrics_listen"] = urlsplit(f"//{server.metrics_listen}").hostname or ""
    for name, host in hosts.items():
        if not is_loopback(host) and not config.auth.allow_lan_access:
            yield ("server", name), f"{host!r} is not loopback, which needs auth.allow_lan_access = true"
    if server.tls_cert and not server.tls_key:
        yield ("server", "tls_key"), "missing, as server.tls_cert is set"
    if server.tls_key and not server.tls_cert:
        yield ("server", "tls_cert"), "missing, as server.tls_key is set"
    if server.max_buffered_bytes < server.max_body_size:
        yield ("server", "max_buffered_bytes"), "expected no less than server.max_body_size"


def _providers(config: Config, providers: Mapping[str, ProviderFacts]) -> Found:
    for name, provider in config.providers.items():
        kind = provider.kind or name
        if kind not in providers:
            yield ("providers", name, "kind"), _not_one_of(providers, provider.kind)
        elif provider.dialect and provider.dialect not in providers[kind].dialects:
            yield ("providers", name, "dialect"), _not_one_of(providers[kind].dialects, provider.dialect)


def _accounts(config: Config, providers: Mapping[str, ProviderFacts]) -> Found:
    first: dict[str, int] = {}
    for index, account in enumerate(config.accounts):
        at = ("accounts", index)
        if account.id == APP_PROXY:
            yield (*at, "id"), f"{APP_PROXY!r} is reserved"
        elif first.setdefault(account.id, index) != index:
            yield (*at, "id"), f"{account.id!r} is the id of accounts[{first[account.id]}] too"
        kind = provider_kind(config, account.provider)
        if kind in providers:
            for name, message in _account_at(config, account, kind, providers[kind]):
                yield (*at, name), message
        elif account.provider not in config.providers:
            yield (*at, "provider"), _not_one_of([*providers, *config.providers], account.provider)
    preferred = config.scheduling.preferred_account
    if preferred and preferred not in first:
        yield ("scheduling", "preferred_account"), f"no account has the id {shown(preferred)}"


def _account_at(config: Config, account: AccountConfig, kind: str, facts: ProviderFacts) -> Iterator[tuple[str, str]]:
    """Yield what of *account* does not fit its provider."""
    custom = config.providers.get(account.provider)
    if not (account.base_url or (custom and custom.base_url) or facts.base_url):
        yield "base_url", f"missing; the provider {account.provider!r} has no address of its own"
    yield from _signing_in(account, kind)
    if account.dialect and account.dialect not in facts.dialects:
        yield "dialect", _not_one_of(facts.dialects, account.dialect)


def _signing_in(account: AccountConfig, kind: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with how *account* shows who it is."""
    ways = [
        name
        for name, is_set in (
            ("api_key", bool(account.api_key)),
            ("oauth", account.oauth is not None),
            ("service_account", bool(account.service_account)),
        )
        if is_set
    ]
    for way in ways[1:]:
        yield way, f"cannot be set beside {ways[0]}"
    if kind != VERTEX:
        if not ways and kind != WITHOUT_KEY:
            yield "api_key", "missing"
        for name, is_set in (
            ("service_account", account.service_account),
            ("project", account.project),
            ("location", account.location != "global"),
        ):
            if is_set:
                yield name, f"only an account of the provider {VERTEX!r} has one"
        return
    if not ways:
        yield "service_account", "missing"
    elif account.api_key:
        yield "api_key", f"the provider {VERTEX!r} takes a service_account, or oauth"
    if account.oauth is not None and not account.project:
        yield "project", "missing"
    if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z0-9-]*", account.project):
        yield "project", f"expected a project's id, got {shown(account.project)}"
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", account.location):
        yield "location", f"expected a location like 'europe-west4', got {shown(account.location)}"


def _proxies(config: Config) -> Found:
    first: dict[str, int] = {}
    for index, proxy in enumerate(config.proxy_pool.proxies):
        if first.setdefault(proxy.id, index) != index:
            yield (
                ("proxy_pool", "proxies", index, "id"),
                f"{proxy.id!r} is the id of proxy_pool.proxies[{first[proxy.id]}] too",
            )
        if not proxy.url:
            yield ("proxy_pool", "proxies", index, "url"), "missing"
    if config.proxy_pool.require_proxy_for_account_requests and not config.proxy_pool.enabled:
        yield ("proxy_pool", "require_proxy_for_account_requests"), "needs proxy_pool.enabled = true"
    used: dict[str, int] = {}
    for index, account in enumerate(config.accounts):
        kind, _, name = account.proxy.partition(":")
        if kind != "pool":
            continue
        used[name] = used.get(name, 0) + 1
        if name in first and not config.proxy_pool.enabled:
            yield ("accounts", index, "proxy"), "a proxy of the pool, which needs proxy_pool.enabled = true"
        elif name not in first:
            yield ("accounts", index, "proxy"), "expected a proxy's URL, or the id of one of proxy_pool.proxies"
        elif not config.proxy_pool.proxies[first[name]].enabled:
            yield ("accounts", index, "proxy"), "this proxy is not enabled"
        elif used[name] > (config.proxy_pool.proxies[first[name]].max_accounts or used[name]):
            most = config.proxy_pool.proxies[first[name]].max_accounts
            yield ("accounts", index, "proxy"), f"this proxy has max_accounts = {most}, and as many accounts already"


def _not_one_of(known: Mapping[str, object] | Sequence[str], value: str) -> str:
    return f"expected one of {', '.join(known)}, got {shown(value)}"
