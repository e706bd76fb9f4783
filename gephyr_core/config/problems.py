"""What can be wrong with a configuration, as values: a path, what was expected there, what was found."""

import datetime
import re
from collections.abc import Mapping, Sequence

import attrs

Path = tuple[str | int, ...]
"""Where a setting is: keys of tables and indices of arrays, from the top."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_QUOTE = 60
_LARGEST_NUMBER_SHOWN = 10**20


@attrs.frozen
class ConfigProblem:
    """One mistake. ``message`` never quotes a secret's value."""

    path: str
    """As written in TOML, ``accounts[2].base_url``; empty when the file as a whole is meant."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """The configuration cannot be used; carries every mistake that was found."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class RefusedValueError(ValueError):
    """A value breaks the rule of its setting; the message says what was expected and what came."""


def path_text(path: Path) -> str:
    """Write *path* as TOML does: ``accounts[2].base_url``, ``models."gpt-4.1*"``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _BARE_KEY.fullmatch(step) else f'"{step}"'
            text += f".{key}" if text else key
    return text


def shown(value: object) -> str:
    """Describe *value* for a message. Text that may hold a credential (an ``@``, a query) is not quoted."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > _LARGEST_NUMBER_SHOWN:
            return "a very large number"
        case int() | float():
            return str(value)
        case str() if "@" in value or "?" in value:
            return "a string"
        case str():
            return repr(value if len(value) <= _LONGEST_QUOTE else value[:_LONGEST_QUOTE] + "...")
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """Name the TOML type of *value* without showing it."""
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "a table"
        case list() | tuple():
            return "an array"
        case datetime.date() | datetime.time():
            return "a date or time"
        case _:
            return "something else"
