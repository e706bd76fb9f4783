"""The gateway's configuration in a scenario: the operator's own, or one written for it. Never a secret.

What only matters to sockets and secrets is replaced before the configuration is loaded, so that no environment
variable is looked up and no file of a secret is opened.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gephyr.harness.scenario.reading import LARGEST_FILE
from gephyr.runtime.configuration import load_mapping, read_toml
from gephyr_core.config import Config, ConfigError, ConfigProblem

MOST_ACCOUNTS = 10_000
_SIMULATED = "simulated"
_PROXY = "http://proxy.invalid:3128"
_REAL_ONLY = ("host", "port", "data_dir", "tls_cert", "tls_key", "metrics_listen")
"""Settings of ``[server]`` that mean nothing where there is no socket; its limits count."""
_ACCOUNT = re.compile(r"\baccounts\[(\d+)\]")


def load_gateway(gateway: object, folder: Path, keys: int) -> Config:
    """Return the configuration that *gateway* is: what a ``gephyr.toml`` holds, or the path of one, from *folder* on.

    Accounts with ``count = N`` become N of them. *keys*: how many client keys there are. Raises :class:`ConfigError`
    with every mistake.
    """
    prefix = "gateway."
    if isinstance(gateway, str):
        path = folder / gateway
        gateway, prefix = read_toml(path, LARGEST_FILE), f"{path}: "
    if not isinstance(gateway, Mapping):
        raise ConfigError([ConfigProblem("gateway", "expected a table, or the path of a gephyr.toml")])
    mapping = _without_secrets(gateway)
    mapping["auth"] = {"api_keys": [f"simulated-key-{number}" for number in range(keys)]}
    accounts, origins, problems = _expanded(mapping.get("accounts", []))
    mapping["accounts"] = accounts
    try:
        config = load_mapping(mapping, {}).config
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(list(_as_in_the_file(problems, origins, prefix)))
    return config


def _as_in_the_file(problems: Iterable[ConfigProblem], origins: list[int], prefix: str) -> Iterator[ConfigProblem]:
    """Name accounts by their place in the file. What is wrong with a template is told once."""

    def place(match: re.Match[str]) -> str:
        return f"accounts[{origins[int(match[1])]}]"

    told = dict.fromkeys((_ACCOUNT.sub(place, one.path), _ACCOUNT.sub(place, one.message)) for one in problems)
    for path, message in told:
        yield ConfigProblem(f"{prefix}{path}", message)


# -- without secrets ------------------------------------------------------------


def _without_secrets(gateway: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without what belongs to the operator's machine: secrets, listeners, files, other networks."""
    mapping = {name: value for name, value in gateway.items() if name not in ("admin", "cors", "security")}
    server, outbound, pool = (mapping.get(name) for name in ("server", "outbound", "proxy_pool"))
    if isinstance(server, Mapping):
        mapping["server"] = {name: value for name, value in server.items() if name not in _REAL_ONLY}
    if isinstance(outbound, Mapping):
        mapping["outbound"] = _with_text(outbound, upstream_proxy=_PROXY, ca_file="")
    if isinstance(pool, Mapping):
        mapping["proxy_pool"] = {**pool, "proxies": _each(pool.get("proxies", []), _proxy)}
    mapping["accounts"] = _each(mapping.get("accounts", []), _account)
    return mapping


def _each(tables: Any, edit: Callable[[Mapping[str, Any]], object]) -> Any:
    if not isinstance(tables, list):
        return tables
    return [edit(table) if isinstance(table, Mapping) else table for table in tables]


def _with_text(table: Mapping[str, Any], **texts: str) -> dict[str, Any]:
    """Return a copy with other texts where *table* has texts. What is of a wrong type stays, for the core to refuse."""
    return {**table, **{name: text for name, text in texts.items() if table.get(name) and isinstance(table[name], str)}}


def _proxy(table: Mapping[str, Any]) -> dict[str, Any]:
    return _with_text(table, url=_PROXY)


def _account(table: Mapping[str, Any]) -> dict[str, Any]:
    """An account signs in as it did, with other secrets; a service account as an OAuth client, which is one token
    endpoint more to ask."""
    account = dict(table)
    oauth = account.get("oauth")
    if account.pop("service_account", None) and oauth is None:
        account.setdefault("project", _SIMULATED)
        oauth = {"token_url": "https://oauth2.googleapis.com/token", "client_id": _SIMULATED}
    if oauth is None:
        account["api_key"] = _SIMULATED
    elif isinstance(oauth, Mapping):
        account.pop("api_key", None)
        account["oauth"] = {**oauth, "client_secret": _SIMULATED, "refresh_token": _SIMULATED}
    proxy = account.get("proxy")
    if isinstance(proxy, str) and ("://" in proxy or proxy.startswith(("env:", "file:"))):
        account["proxy"] = _PROXY
    return account


# -- templates ------------------------------------------------------------


def _expanded(tables: Any) -> tuple[Any, list[int], list[ConfigProblem]]:
    """Return the accounts, the index in the file of each, and what is wrong with their numbers."""
    if not isinstance(tables, list):
        return tables, [], []
    accounts: list[Any] = []
    origins: list[int] = []
    problems: list[ConfigProblem] = []
    for index, table in enumerate(tables):
        made = [table]
        if isinstance(table, Mapping) and "count" in table:
            account = {name: value for name, value in table.items() if name != "count"}
            count, most = table["count"], MOST_ACCOUNTS - len(accounts)
            made = [account]
            if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
                message = f"expected a whole number from 1 to {most}"
                problems.append(ConfigProblem(f"accounts[{len(accounts)}].count", message))
            elif isinstance(account.get("id"), str):
                made = [{**account, "id": f"{account['id']}-{number}"} for number in range(1, count + 1)]
        accounts += made
        origins += [index] * len(made)
    return accounts, origins, problems
