"""Every setting with odd values, and settings that contradict each other: what is read, or what the operator is told."""

import itertools
import re
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import attrs
import pytest

from gephyr_core.config import Config, ConfigError, load_config
from gephyr_core.config.environment import VARIABLES
from gephyr_core.providers import PROVIDERS
from tests.approved import check_table

KEY = "a" * 64
ACCOUNT = {"id": "a", "provider": "openai", "api_key": "account:a"}
OAUTH = {"token_url": "https://t.test", "client_id": "c"}
VALUES: tuple[Any, ...] = (
    *(True, -1, 0, 1, 2, 4096, 65535, 65536, 10**9, 10**12, 0.0, 0.5, 1.5, float("inf"), float("nan")),
    *(
        "",
        "x",
        "a b",
        "off",
        "strict",
        "auto",
        "balance",
        "10.0.0.0/8",
        "h:80",
        "::1",
        "http://h.test",
        "https://h.test/x?y#z",
    ),
    *("account:a", "pool:x", "direct", "low", "text", KEY, [], ["x"], ["x", 7], [KEY], {}, {"x": 1}, None),
)
SECTIONS = (
    "server",
    "auth",
    "admin",
    "cors",
    "security",
    "scheduling",
    "compliance",
    "proxy_pool",
    "outbound",
    "upstream",
    "translation",
)
TABLES = {
    "accounts": (lambda fields: [ACCOUNT | fields], 0),
    "providers": (lambda fields: {"mine": {"kind": "openai-compatible", "base_url": "http://h.test"} | fields}, "mine"),
    "capabilities": (lambda fields: {"m*": fields}, "m*"),
}


def outcome(mapping: dict[str, Any], environ: dict[str, str] | None = None) -> Config | list[str]:
    try:
        return load_config(mapping, environ or {}, providers=PROVIDERS)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]


def grouped(
    name: str, usual: object, found: dict[str, Config | list[str]], read: Callable[[Config], object]
) -> Iterator[str]:
    """What is made of the values of one setting: those that meet the same fate stand together."""
    yield f"## {name}, usually {usual!r}"
    fates: dict[str, list[str]] = {}
    for value, one in found.items():
        fate = f"= {read(one)!r}" if isinstance(one, Config) else _GOT.sub(", got it", " | ".join(one))
        fates.setdefault(fate, []).append(value)
    yield from (f"{fate}: {', '.join(values)}" for fate, values in fates.items())


_GOT = re.compile(r", got .*?(?= \| |$)")


def setting_lines() -> Iterator[str]:
    usual = load_config({}, {}, providers=PROVIDERS)
    for section in SECTIONS:
        one = getattr(usual, section)
        for field in attrs.fields(type(one)):
            found = {f"{value!r:.20}": outcome({section: {field.name: value}}) for value in VALUES}
            get = attrgetter(f"{section}.{field.name}")
            yield from grouped(f"{section}.{field.name}", getattr(one, field.name), found, get)
    for section, (wrap, key) in TABLES.items():
        one = getattr(load_config({section: wrap({})}, {}, providers=PROVIDERS), section)[key]
        for field in attrs.fields(type(one)):
            found = {f"{value!r:.20}": outcome({section: wrap({field.name: value})}) for value in VALUES}

            def get(config: Config, section: str = section, key: Any = key, name: str = field.name) -> object:
                return getattr(getattr(config, section)[key], name)

            yield from grouped(f"{section}.{field.name}", getattr(one, field.name), found, get)


def test_each_setting_is_read_or_refused_as_was_approved() -> None:
    check_table("config-settings", setting_lines())


def proxied(account: dict[str, Any], *proxies: dict[str, Any], **pool: Any) -> dict[str, Any]:
    return {"accounts": [ACCOUNT | account], "proxy_pool": {"proxies": list(proxies), **pool}}


EVERYWHERE = "0.0.0.0"  # noqa: S104
P = {"id": "p", "url": "pool:p"}
CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "a host beyond loopback": {"server": {"host": EVERYWHERE}},
    "a host beyond loopback, allowed": {"server": {"host": EVERYWHERE}, "auth": {"allow_lan_access": True}},
    "a name beyond loopback": {"server": {"host": "example.test"}},
    "localhost": {"server": {"host": "LocalHost"}},
    "metrics beyond loopback": {"server": {"metrics_listen": "10.0.0.1:9000"}},
    "metrics on loopback": {"server": {"metrics_listen": "[::1]:9000"}},
    "a certificate without its key": {"server": {"tls_cert": "c"}},
    "a key without its certificate": {"server": {"tls_key": "k"}},
    "both": {"server": {"tls_cert": "c", "tls_key": "k"}},
    "less memory than one body": {"server": {"max_buffered_bytes": 2000, "max_body_size": 2001}},
    "as much memory as one body": {"server": {"max_buffered_bytes": 2000, "max_body_size": 2000}},
    "a kind that nobody knows": {"providers": {"mine": {"kind": "odd", "base_url": "http://h"}}},
    "a dialect that a kind does not speak": {"providers": {"mine": {"kind": "anthropic", "dialect": "gemini"}}},
    "a known provider set anew": {"providers": {"anthropic": {"base_url": "http://h"}}},
    "a reserved id": {"accounts": [ACCOUNT | {"id": "app"}]},
    "two of one id": {"accounts": [ACCOUNT, ACCOUNT]},
    "a provider that nobody knows": {"accounts": [ACCOUNT | {"provider": "odd"}]},
    "a provider of the operator's own": {
        "accounts": [ACCOUNT | {"provider": "mine"}],
        "providers": {"mine": {"kind": "openai-compatible", "base_url": "http://h"}},
    },
    "a provider whose kind is unknown": {
        "accounts": [ACCOUNT | {"provider": "mine"}],
        "providers": {"mine": {"kind": "odd"}},
    },
    "a compatible one without an address": {"accounts": [ACCOUNT | {"provider": "openai-compatible"}]},
    "an account's dialect that its provider does not speak": {"accounts": [ACCOUNT | {"dialect": "gemini"}]},
    "an account's dialect that its provider speaks": {"accounts": [ACCOUNT | {"dialect": "openai-chat"}]},
    "a preferred account that there is not": {"scheduling": {"preferred_account": "z"}, "accounts": [ACCOUNT]},
    "a preferred account that there is": {"scheduling": {"preferred_account": "a"}, "accounts": [ACCOUNT]},
    "no key": {"accounts": [{"id": "a", "provider": "openai"}]},
    "no key where none is needed": {"accounts": [{"id": "a", "provider": "openai-compatible", "base_url": "http://h"}]},
    "a key and oauth": {"accounts": [ACCOUNT | {"oauth": OAUTH}]},
    "three ways": {"accounts": [ACCOUNT | {"oauth": OAUTH, "service_account": "account:a"}]},
    "a service account beyond vertex": {
        "accounts": [{"id": "a", "provider": "openai", "service_account": "account:a"}]
    },
    "a project beyond vertex": {"accounts": [ACCOUNT | {"project": "p", "location": "x"}]},
    "vertex without anything": {"accounts": [{"id": "a", "provider": "vertex"}]},
    "vertex with a key": {"accounts": [ACCOUNT | {"provider": "vertex"}]},
    "vertex with oauth": {"accounts": [{"id": "a", "provider": "vertex", "oauth": OAUTH}]},
    "vertex with oauth and a project": {
        "accounts": [{"id": "a", "provider": "vertex", "oauth": OAUTH, "project": "p.q:r"}]
    },
    "vertex with odd places": {
        "accounts": [
            {"id": "a", "provider": "vertex", "service_account": "account:a", "project": "P!", "location": "-x"}
        ]
    },
    "two proxies of one id": {"proxy_pool": {"proxies": [P, P]}},
    "a proxy without an address": {"proxy_pool": {"proxies": [{"id": "p"}]}},
    "proxies demanded from no pool": {"proxy_pool": {"require_proxy_for_account_requests": True}},
    "proxies demanded from a pool": {"proxy_pool": {"require_proxy_for_account_requests": True, "enabled": True}},
    "an account's own proxy": proxied({"proxy": "proxy:a"}),
    "one of the pool": proxied({"proxy": "pool:p"}, P, enabled=True),
    "one of a pool that is off": proxied({"proxy": "pool:p"}, P),
    "one that is not in the pool": proxied({"proxy": "pool:q"}, P, enabled=True),
    "one that is off": proxied({"proxy": "pool:p"}, P | {"enabled": False}, enabled=True),
    "one for one": proxied({"proxy": "pool:p"}, P | {"max_accounts": 1}, enabled=True),
    "one for one, of two": {
        "accounts": [ACCOUNT | {"proxy": "pool:p"}, ACCOUNT | {"id": "b", "proxy": "pool:p"}],
        "proxy_pool": {"enabled": True, "proxies": [P | {"max_accounts": 1}]},
    },
    "unknown sections and settings": {
        "servr": {},
        "server": {"prt": 1, "zzzzzz": 1},
        "accounts": [ACCOUNT | {"modells": []}],
    },
    "a section that is none": {"server": [], "accounts": {}, "providers": [], "models": 7},
    "models": {"models": {"a": [], "b": "", "c": 7, "d": ["x", 7], "e*f*": "x", "default": 7, "list": "x", "g": "x"}},
}


def test_what_contradicts_is_told_as_was_approved() -> None:
    lines = []
    for name, mapping in CONTRADICTIONS.items():
        found = outcome(mapping)
        lines.append(f"{name}: {'well' if isinstance(found, Config) else ' | '.join(found)}")
    check_table("config-contradictions", lines)


@pytest.mark.parametrize("prefix", ["", "ABV_"])
def test_each_variable_of_the_environment_is_read_or_refused_as_was_approved(prefix: str) -> None:
    lines = []
    values = (
        "",
        " ",
        "1",
        "0",
        "TRUE",
        "no",
        "On",
        "maybe",
        "4096",
        "-1",
        "1e3",
        "9" * 20,
        "x",
        KEY,
        "strict",
        "http://h.test",
        "²",
    )
    for name, value in itertools.product(VARIABLES, values):
        variable = name if name.startswith("ABV_") else prefix + name
        found = outcome({"auth": {"mode": "off"}, "server": {"max_body_size": 5000}}, {variable: value})
        section, field = VARIABLES[name][0]
        read = repr(getattr(getattr(found, section), field)) if isinstance(found, Config) else " | ".join(found)
        lines.append(f"{variable}={value}: {read}")
    check_table(f"config-environment{'-' + prefix.strip('_').lower() if prefix else ''}", lines)
