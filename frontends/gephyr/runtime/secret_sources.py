"""Where the secrets of a configuration are: literal, ``env:NAME`` or ``file:PATH``; and what stands in their place.

The core gets references (``account:ID``, ``proxy:ID``) and digests, so that nothing it makes can hold a secret.
"""

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from gephyr.runtime.credentials import digest
from gephyr.runtime.tokens import KeyFileError, ServiceAccountGrant
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr_core.config import ConfigProblem, variable_of
from gephyr_core.config.problems import Path as SettingPath
from gephyr_core.config.problems import path_text

_LARGEST_FILE = 65536
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_TOKEN = re.compile(r"[\x21-\x7e]+")

Table = dict[str, Any]


class SecretNotFoundError(Exception):
    """A secret is not where the setting says; the message names the place, not the secret."""


@attrs.frozen
class OAuthSecrets:
    """The secrets of one ``accounts[].oauth``; empty where there are none."""

    client_secret: str = attrs.field(default="", repr=False)
    refresh_token: str = attrs.field(default="", repr=False)


class SecretMover:
    """Moves the secrets out of one configuration. What cannot be found is a problem, not an exception."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """*folder*: where relative ``file:`` paths start."""
        self._folder = folder
        self._environ = environ
        self.account_keys: dict[str, str] = {}
        """The keys of accounts, by account id."""
        self.oauth_secrets: dict[str, OAuthSecrets] = {}
        """The secrets of accounts' OAuth clients, by account id."""
        self.service_accounts: dict[str, ServiceAccountGrant] = {}
        """By account id."""
        self.routes: dict[str, ProxyUrl] = {}
        """Proxies by the route id that stands in their place."""
        self.problems: list[ConfigProblem] = []
        self.literal = False
        """Whether a secret stands in the configuration itself."""

    def move(self, mapping: Mapping[str, object]) -> dict[str, object]:
        """Return *mapping* with a reference or a digest where a secret was.

        What is of a wrong type stays: it is the core's to refuse, and the core does not quote it.
        """
        public = dict(mapping)
        _edit(public, "auth", self._auth)
        _edit_items(public, "accounts", self._account)
        _edit(public, "outbound", self._outbound)
        _edit(public, "proxy_pool", self._proxy_pool)
        return public

    def move_environment(self) -> dict[str, str]:
        """Return the environment with digests where the key and the password were."""
        public = dict(self._environ)
        literal = self.literal
        for name, place in (("API_KEY", self._client_key), ("WEB_PASSWORD", self._password)):
            variable = variable_of(name, self._environ)
            if variable is not None:
                public[variable] = place((variable,), self._environ[variable])
        self.literal = literal
        return public

    # -- where secrets are ------------------------------------------------------------------------

    def _auth(self, table: Table) -> None:
        keys = table.get("api_keys")
        if isinstance(keys, list | tuple):
            table["api_keys"] = [
                self._client_key(("auth", "api_keys", index), key) if isinstance(key, str) else key
                for index, key in enumerate(keys)
            ]
        _put(table, "web_password", lambda text: self._password(("auth", "web_password"), text))

    def _account(self, table: Table, index: int) -> None:
        account = table.get("id")
        if not isinstance(account, str):
            account = f"#{index}"
        reference = f"account:{account}"
        at = ("accounts", index)

        def keep(text: str) -> str:
            self.account_keys[account] = self._token((*at, "api_key"), text)
            return reference

        _put(table, "api_key", keep)
        _put(table, "proxy", lambda text: self._account_proxy((*at, "proxy"), text, account))
        _edit(table, "oauth", lambda oauth: self._oauth(oauth, (*at, "oauth"), account))
        self._service_account(table, (*at, "service_account"), account)

    def _oauth(self, table: Table, at: SettingPath, account: str) -> None:
        secrets: dict[str, str] = {}

        def keep(name: str, text: str) -> str:
            secrets[name] = self._resolved((*at, name), text)
            return f"account:{account}"

        for name in ("client_secret", "refresh_token"):
            _put(table, name, partial(keep, name))
        self.oauth_secrets[account] = OAuthSecrets(**secrets)

    def _service_account(self, table: Table, at: SettingPath, account: str) -> None:
        """Move a key file's content; the account's project is the key's where none is named."""

        def keep(text: str) -> str:
            content = self._resolved(at, text)
            if content:
                try:
                    self.service_accounts[account] = ServiceAccountGrant.parse(content)
                except KeyFileError as error:
                    is_literal = content == text and not text.lstrip().startswith("{")
                    self._refuse(at, f"{error} (file:PATH names a file)" if is_literal else str(error))
            return f"account:{account}"

        _put(table, "service_account", keep)
        grant = self.service_accounts.get(account)
        if grant is not None and not table.get("project"):
            table["project"] = grant.project

    def _account_proxy(self, path: SettingPath, text: str, account: str) -> str:
        text = self._resolved(path, text, secret="@" in text)
        if text and "://" not in text:
            return f"pool:{text}"
        return self._proxy(path, text, f"proxy:{account}")

    def _outbound(self, table: Table) -> None:
        path = ("outbound", "upstream_proxy")
        _put(
            table,
            "upstream_proxy",
            lambda text: self._proxy(path, self._resolved(path, text, secret="@" in text), "proxy:app"),
        )

    def _proxy_pool(self, table: Table) -> None:
        def entry(proxy: Table, index: int) -> None:
            path = ("proxy_pool", "proxies", index, "url")
            route = f"pool:{proxy.get('id')}"
            _put(proxy, "url", lambda text: self._proxy(path, self._resolved(path, text, secret="@" in text), route))

        _edit_items(table, "proxies", entry)

    # -- what secrets become ----------------------------------------------------------------------

    def _client_key(self, path: SettingPath, text: str) -> str:
        return digest(self._token(path, text).encode())

    def _password(self, path: SettingPath, text: str) -> str:
        return digest(self._resolved(path, text).encode("utf-8", "surrogatepass"))

    def _proxy(self, path: SettingPath, url: str, route: str) -> str:
        if url:
            try:
                self.routes[route] = ProxyUrl.parse(url)
            except ValueError as error:
                self._refuse(path, str(error))
        return route

    def _token(self, path: SettingPath, text: str) -> str:
        """Return a secret that goes into a header; empty, and a problem, when it cannot."""
        secret = self._resolved(path, text)
        if not secret or _HEADER_TOKEN.fullmatch(secret):
            return secret
        self._refuse(path, "holds a character that no HTTP header can carry (a space, a line break, no ASCII)")
        return ""

    def _resolved(self, path: SettingPath, text: str, *, secret: bool = True) -> str:
        """Return what *text* is or names; empty, and a problem, when there is none. *secret*: if it is literal."""
        try:
            named = named_secret(text, self._folder, self._environ)
        except SecretNotFoundError as error:
            self._refuse(path, str(error))
            return ""
        if named is None:
            self.literal = self.literal or secret
            return text
        return named

    def _refuse(self, path: SettingPath, message: str) -> None:
        self.problems.append(ConfigProblem(path_text(path), message))


def named_secret(text: str, folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the secret that ``env:NAME`` or ``file:PATH`` names; None where *text* is neither.

    *folder*: where a relative path starts. Raises :class:`SecretNotFoundError`.
    """
    source, colon, name = text.partition(":")
    if colon and source == "env":
        return _of_variable(name, environ)
    if colon and source == "file":
        return _of_file(name, folder)
    return None


def _of_variable(name: str, environ: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise SecretNotFoundError("expected env: and the name of an environment variable")
    secret = environ.get(name, "").strip()
    if not secret:
        raise SecretNotFoundError(f"the environment variable {name} is not set")
    return secret


def _of_file(name: str, folder: Path) -> str:
    try:
        with absolute_path(name, folder).open("rb") as file:
            secret = file.read(_LARGEST_FILE).decode().strip()
    except OSError as error:
        raise SecretNotFoundError(f"cannot read the file {name!r}: {error.strerror}") from None
    except ValueError:  # not UTF-8, or a path that no file can have
        raise SecretNotFoundError(f"cannot read the file {name!r}") from None
    if not secret:
        raise SecretNotFoundError(f"the file {name!r} is empty")
    return secret


def absolute_path(text: str, folder: Path) -> Path:
    """Return the path that *text* means in *folder*; ``~`` is the user's home."""
    path = Path(text)
    with contextlib.suppress(RuntimeError):  # "~name" of a user that there is not is a name like any other
        path = path.expanduser()
    return Path(os.path.normpath(folder / path))


def _put(table: Table, name: str, place: Callable[[str], str]) -> None:
    """Replace a setting that is a string, and not an empty one."""
    value = table.get(name)
    if isinstance(value, str) and value:
        table[name] = place(value)


def _edit(table: Table, name: str, edit: Callable[[Table], None]) -> None:
    """Replace a table within *table* by an edited copy."""
    value = table.get(name)
    if isinstance(value, Mapping):
        copy = dict(value)
        edit(copy)
        table[name] = copy


def _edit_items(table: Table, name: str, edit: Callable[[Table, int], None]) -> None:
    """Replace the tables of an array within *table* by edited copies."""
    items = table.get(name)
    if isinstance(items, list | tuple):
        copies = [dict(item) if isinstance(item, Mapping) else item for item in items]
        for index, copy in enumerate(copies):
            if isinstance(copy, dict):
                edit(copy, index)
        table[name] = copies
