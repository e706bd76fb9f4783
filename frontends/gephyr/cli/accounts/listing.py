"""``gephyr accounts list``: each account, where it comes from, and whether it serves."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, Literal

import attrs
import click
import msgspec

from gephyr.cli.accounts.known import KnownAccounts, known_accounts
from gephyr.cli.check import config_option, report
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.store_tokens import StoredToken
from gephyr_core.config import AccountConfig, ConfigError
from gephyr_core.records import AccountState, Cooldown

_MOST_MODELS_SHOWN = 3
_HEADINGS = ("ACCOUNT", "PROVIDER", "MODELS", "FROM", "STATE")


@attrs.frozen
class Listed:
    """One line of the list. Times are seconds since the epoch."""

    id: str
    provider: str
    models: tuple[str, ...]
    """Empty: every model."""
    source: Literal["file", "command"]
    state: Literal["in_service", "disabled", "cooling_down", "not_signed_in", "unreadable", "not_fitting"]
    reason: str = ""
    """Why it is disabled."""
    since: float | None = None
    """When it was disabled."""
    cooldowns: tuple[Cooldown, ...] = ()
    """What its provider said of it, or of its organisation. An ``until`` of infinity: until it is enabled."""
    token_until: float | None = None
    """For an account that signs in: when its access token expires."""


@click.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with times in seconds since the epoch.")
def list_accounts(config_path: Path | None, *, as_json: bool) -> None:
    """Show each account: provider, models, whether it stands in the file or was added by command, and state."""
    with known_accounts(config_path) as known:
        lines = _listed(known, time.time())
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode([_fields(line) for line in lines]), indent=2))
            return
        for text in table([_HEADINGS, *(_row(line) for line in lines)]) if lines else ("no account",):
            click.echo(text)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines, in columns; the last one is as wide as it comes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def shown_time(seconds: float) -> str:
    """Return a time of day as people here read it."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _listed(known: KnownAccounts, now: float) -> list[Listed]:
    try:
        loaded, fits = known.together(), True
    except ConfigError as error:  # said, and what can be shown is shown
        report(error)
        loaded, fits = known.loaded, False
    book = known.book
    states = {state.account: state for state in book.states(loaded.credential_digests)}
    tokens = {token.account: token for token in book.tokens.tokens()}
    cooldowns = [cooldown for cooldown in book.cooldowns() if cooldown.until > now]
    lines = []
    for settings in loaded.config.accounts:
        scopes = known.scopes(settings.id)
        own = tuple(cooldown for cooldown in cooldowns if cooldown.scope in scopes)
        line = _line(settings, loaded, states.get(settings.id), own, tokens.get(settings.id))
        lines.append(attrs.evolve(line, source="file" if settings.id in known.of_the_file else "command"))
    if not fits:
        lines += [_lost(added.account, added.table, "not_fitting") for added in known.added]
    return lines + [_lost(account, {}, "unreadable") for account in known.unreadable]


def _line(
    settings: AccountConfig,
    loaded: Loaded,
    found: AccountState | None,
    cooldowns: tuple[Cooldown, ...],
    token: StoredToken | None,
) -> Listed:
    line = Listed(settings.id, settings.provider, settings.models, "file", "in_service", cooldowns=cooldowns)
    grant = loaded.grants.get(settings.id)
    if grant is not None:
        if token is not None and token.configured == grant.lineage:
            line = attrs.evolve(line, token_until=token.expires_at)
        elif not grant.starts_alone:
            line = attrs.evolve(line, state="not_signed_in")
    if cooldowns:
        line = attrs.evolve(line, state="cooling_down")
    if not settings.enabled:
        line = attrs.evolve(line, state="disabled", reason="enabled = false in the file")
    elif found is not None:
        line = attrs.evolve(line, state="disabled", reason=found.disabled, since=found.since)
    return line


def _lost(account: str, settings: Mapping[str, Any], state: Literal["not_fitting", "unreadable"]) -> Listed:
    return Listed(account, settings.get("provider", "?"), tuple(settings.get("models", ())), "command", state)


def _row(line: Listed) -> tuple[str, ...]:
    models = ", ".join(line.models[:_MOST_MODELS_SHOWN]) or ("?" if line.state == "unreadable" else "every model")
    if len(line.models) > _MOST_MODELS_SHOWN:
        models += f", and {len(line.models) - _MOST_MODELS_SHOWN} more"
    return (line.id, line.provider, models, line.source, _state(line))


def _state(line: Listed) -> str:
    match line.state:
        case "unreadable":
            return "cannot be read: the encryption key is not the one it was added with"
        case "not_fitting":
            return "out of service: does not fit the file"
        case "disabled":
            since = "" if line.since is None else f", since {shown_time(line.since)}"
            return f"disabled: {line.reason}{since}"
        case "cooling_down":
            return "; ".join(map(_cooling, line.cooldowns))
        case "not_signed_in":
            return f"not signed in: gephyr accounts login {line.id}"
    if line.token_until is None:
        return "in service"
    return f"in service; signs in, token until {shown_time(line.token_until)}"


def _cooling(cooldown: Cooldown) -> str:
    until = "it is enabled" if cooldown.until == inf else shown_time(cooldown.until)
    model = f" for {cooldown.model}" if cooldown.model else ""
    return f"cooling down{model} until {until} ({cooldown.kind.replace('_', ' ')})"


def _fields(line: Listed) -> dict[str, object]:
    cooldowns = [
        {"model": one.model, "kind": one.kind, "until": None if one.until == inf else one.until}
        for one in line.cooldowns
    ]
    return {**attrs.asdict(line, recurse=False), "cooldowns": cooldowns}
