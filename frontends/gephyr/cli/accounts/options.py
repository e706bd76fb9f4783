"""The options that describe an account, and what they make of ``[[accounts]]``.

A secret is named (``env:NAME``, ``file:PATH``), read from standard input (``-``) or asked for: on a command line it
would show in the list of processes and in the shell's history.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import click

from gephyr.runtime.secret_sources import SecretNotFoundError, named_secret

STANDARD_INPUT = "-"
_LARGEST_SECRET = 65536
_UNREAD = "unread"
"""Stands in the place of a secret that could not be had, so that the other mistakes are found all the same."""


@attrs.frozen
class Setting:
    """An option, and the setting that it gives."""

    option: str
    path: tuple[str, ...]
    """Where the setting is, below ``[[accounts]]``."""
    help: str
    form: Literal["text", "texts", "number", "secret", "url"] = "text"
    """``url``: one that may hold a password."""

    @property
    def name(self) -> str:
        """The option's name as a parameter."""
        return self.option[2:].replace("-", "_")

    def parameter(self) -> click.Option:
        """Return the option for click."""
        kind = int if self.form == "number" else str
        metavar = {"number": "NUMBER", "secret": "SOURCE"}.get(self.form)
        return click.Option([self.option], type=kind, multiple=self.form == "texts", metavar=metavar, help=self.help)


_SOURCE = "env:NAME, file:PATH, or - for standard input"
SETTINGS = (
    Setting("--id", ("id",), "Your name for the account."),
    Setting("--provider", ("provider",), "openai, anthropic, gemini, ..., or one of [providers.NAME]."),
    Setting("--api-key", ("api_key",), f"{_SOURCE}; else it is asked for.", "secret"),
    Setting("--base-url", ("base_url",), "Address of the endpoint, where it is not the provider's usual one."),
    Setting("--model", ("models",), "A name or pattern that it serves; may be repeated. None: every model.", "texts"),
    Setting("--priority", ("priority",), "Higher is preferred.", "number"),
    Setting("--weight", ("weight",), "Share among accounts of one priority.", "number"),
    Setting("--max-concurrency", ("max_concurrency",), "Requests at one time.", "number"),
    Setting("--requests-per-minute", ("requests_per_minute",), "Requests in any minute.", "number"),
    Setting("--tokens-per-minute", ("tokens_per_minute",), "Tokens in any minute.", "number"),
    Setting("--organization", ("organization",), "Accounts of one organisation share its quota."),
    Setting("--proxy", ("proxy",), "Its own way out: a URL, or the id of one of proxy_pool.proxies.", "url"),
    Setting("--dialect", ("dialect",), "The only dialect that its endpoint speaks."),
    Setting("--token-url", ("oauth", "token_url"), "OAuth: the token endpoint."),
    Setting("--client-id", ("oauth", "client_id"), "OAuth: the client."),
    Setting("--client-secret", ("oauth", "client_secret"), f"OAuth: {_SOURCE}.", "secret"),
    Setting("--refresh-token", ("oauth", "refresh_token"), f"OAuth: {_SOURCE}; else sign in by 'login'.", "secret"),
    Setting("--authorize-url", ("oauth", "authorize_url"), "OAuth: where a browser signs in."),
    Setting("--scope", ("oauth", "scopes"), "OAuth: a scope; may be repeated.", "texts"),
    Setting("--service-account", ("service_account",), "Vertex AI: file:PATH of a service account's key.", "secret"),
    Setting("--project", ("project",), "Vertex AI: the project; else the service account's own."),
    Setting("--location", ("location",), "Vertex AI: the location; else global."),
)


@attrs.frozen
class Described:
    """What options say."""

    table: dict[str, Any] = attrs.field(repr=False)
    """As one of ``[[accounts]]``, secrets included."""
    problems: dict[str, str]
    """Mistakes, by option."""


def described(values: Mapping[str, Any]) -> Described:
    """Read the options' *values*, by parameter name; standard input too, where one of them says so."""
    table: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for setting in SETTINGS:
        value = values.get(setting.name)
        if value is None or value == ():
            continue
        if setting.form in {"secret", "url"}:
            try:
                value = _secret(setting, value, values)
            except SecretNotFoundError as error:
                problems[setting.option] = str(error)
                value = _UNREAD
        home = table.setdefault(setting.path[0], {}) if len(setting.path) > 1 else table
        home[setting.path[-1]] = list(value) if setting.form == "texts" else value
    return Described(table, problems)


def option_of(path: str) -> str | None:
    """Return the option that gives the setting at *path*, as problems name it: ``oauth.scopes[0]``."""
    named = path.partition("[")[0]
    return next((setting.option for setting in SETTINGS if ".".join(setting.path) == named), None)


def _secret(setting: Setting, text: str, values: Mapping[str, Any]) -> str:
    """Return the secret that *text* names. Raises :class:`SecretNotFoundError`."""
    if text == STANDARD_INPUT:
        reading = [other.option for other in SETTINGS if values.get(other.name) == STANDARD_INPUT]
        if setting.option != reading[0]:
            raise SecretNotFoundError(f"{reading[0]} reads standard input already")
        try:
            read = sys.stdin.read(_LARGEST_SECRET).strip()
        except ValueError:
            raise SecretNotFoundError("standard input is no text") from None
        if not read:
            raise SecretNotFoundError("standard input is empty")
        return read
    secret = named_secret(text, Path.cwd(), os.environ)
    if secret is not None:
        return secret
    if setting.form == "url":
        if "@" in text:
            raise SecretNotFoundError(
                "a password on the command line shows in the list of processes and in the shell's history:"
                " put the URL into env:NAME or file:PATH"
            )
        return text
    raise SecretNotFoundError(
        "a secret on the command line shows in the list of processes and in the shell's history: give"
        f" {_SOURCE}{', or leave the option out to be asked' if setting.option == '--api-key' else ''}"
    )
