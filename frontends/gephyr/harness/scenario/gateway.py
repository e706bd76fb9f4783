"""The gateway's configuration in a scenario: the operator's own, or one written for it, without any secret."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gephyr_core.config import ConfigError, ConfigProblem

_MOST_ACCOUNTS = 10_000
_SIMULATED = "simulated"


def simulated_gateway(gateway: object, folder: Path, keys: int) -> dict[str, Any]:
    """Return what a ``gephyr.toml`` could hold. *gateway* is that, or the path of a file with it, from *folder* on.

    Accounts with ``count = N`` become N of them; secrets are replaced, and never looked up. *keys*: how many client
    keys there are. Raises :class:`ConfigError`.
    """
    if isinstance(gateway, str):
        gateway = _read(folder / gateway)
    if not isinstance(gateway, Mapping):
        raise ConfigError([ConfigProblem("", "expected a table, or the path of a gephyr.toml")])
    mapping = dict(gateway)
    mapping["auth"] = {"api_keys": [f"simulated-key-{number}" for number in range(keys)]}
    mapping.pop("server", None)
    mapping.pop("admin", None)
    outbound = mapping.get("outbound")
    if isinstance(outbound, Mapping):
        mapping["outbound"] = {name: value for name, value in outbound.items() if name != "ca_file"}
    accounts = mapping.get("accounts", [])
    if isinstance(accounts, list):
        mapping["accounts"] = _accounts(accounts)
    pool = mapping.get("proxy_pool")
    if isinstance(pool, Mapping):
        mapping["proxy_pool"] = {**pool, "proxies": _proxies(pool.get("proxies", []))}
    return mapping


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        message = error.strerror or "cannot be read"
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        message = str(error) or "nested too deeply"
    raise ConfigError([ConfigProblem(str(path), message)])


def _accounts(tables: list[Any]) -> list[Any]:
    accounts: list[Any] = []
    for index, table in enumerate(tables):
        if not isinstance(table, Mapping):
            accounts.append(table)
            continue
        account = _without_secrets(table)
        count = account.pop("count", None)
        if count is None:
            accounts.append(account)
        elif isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_ACCOUNTS:
            message = f"expected a whole number from 1 to {_MOST_ACCOUNTS}"
            raise ConfigError([ConfigProblem(f"accounts[{index}].count", message)])
        else:
            accounts += [
                {**account, "id": f"{account.get('id', 'account')}-{number}"} for number in range(1, count + 1)
            ]
    return accounts


def _without_secrets(table: Mapping[str, Any]) -> dict[str, Any]:
    account = dict(table)
    oauth = account.get("oauth")
    if account.pop("service_account", None) and not isinstance(oauth, Mapping):
        oauth = {}
    if isinstance(oauth, Mapping):
        defaults = {"token_url": "https://tokens.invalid/token", "client_id": _SIMULATED}
        account["oauth"] = {**defaults, **oauth, "client_secret": _SIMULATED, "refresh_token": _SIMULATED}
        account.pop("api_key", None)
    else:
        account["api_key"] = _SIMULATED
    proxy = account.get("proxy")
    if isinstance(proxy, str) and "://" in proxy:
        account["proxy"] = "http://proxy.invalid:3128"
    return account


def _proxies(tables: Any) -> Any:
    """Proxies keep their ids; where they are does not matter here, and their passwords must not."""
    if not isinstance(tables, list):
        return tables
    return [{**table, "url": "http://proxy.invalid:3128"} if isinstance(table, Mapping) else table for table in tables]
