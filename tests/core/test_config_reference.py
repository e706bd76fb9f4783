"""The reference in the docs has every setting, each with its default."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs

from gephyr_core.config import VARIABLES, CapabilityOverride, Config, ProviderConfig
from gephyr_core.config.unavailable import UNAVAILABLE_SETTINGS

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"
_KEYS: dict[type, str] = {ProviderConfig: "NAME", CapabilityOverride: "PATTERN"}
"""What stands for the keys of tables that hold many tables."""
ROW = re.compile(r"\| `([^`]+)` \| (?:`([^`]+)`|(none|required)) \| (.*) \|")


def documented() -> dict[str, tuple[Any, str]]:
    """Return the default and the meaning of each setting in the reference."""
    rows = {}
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        if match := ROW.fullmatch(line):
            name, default, word, meaning = match.groups()
            rows[name] = (tomllib.loads(f"x = {default}")["x"] if default else word, meaning)
    return rows


def settings(cls: type, prefix: str) -> Iterator[tuple[str, Any]]:
    """Walk the schema: each setting with its default, as TOML has it."""
    for field in attrs.fields(cls):
        name, inner = f"{prefix}{field.name}", item_of(field.type)
        if name == "models.routes":
            yield "models.PATTERN", "none"
        elif attrs.has(field.type):
            yield from settings(field.type, f"{name}.")
        elif inner is not None:
            yield from settings(inner, f"{name}.{_KEYS[inner]}." if inner in _KEYS else f"{name}[].")
        elif field.default is attrs.NOTHING:
            yield name, "required"
        else:
            default = field.default
            yield name, "none" if default is None else list(default) if isinstance(default, tuple) else default


def item_of(annotation: Any) -> type | None:
    """Return the class of the tables that a field holds many of."""
    if get_origin(annotation) in (tuple, dict):
        return next((arg for arg in get_args(annotation) if attrs.has(arg)), None)
    return None


def test_the_reference_has_every_setting_with_its_default():
    """A default that changes in the code changes in the docs, or this fails."""
    assert {name: default for name, (default, _) in documented().items()} == dict(settings(Config, ""))


def test_the_reference_marks_what_is_not_built():
    """Nobody plans with a feature that is refused at start."""
    marked = {name for name, (_, meaning) in documented().items() if "*(later)*" in meaning}
    assert marked == {name.replace("providers[]", "providers.NAME") for name in UNAVAILABLE_SETTINGS}


def test_the_reference_has_every_variable():
    """The environment's names are there too, in both spellings."""
    text = REFERENCE.read_text(encoding="utf-8")
    for name, ((section, setting), _) in VARIABLES.items():
        spellings = f"`{name}`" if name.startswith("ABV_") else f"`ABV_{name}`, `{name}`"
        row = next(line for line in text.splitlines() if line.startswith(f"| {spellings} |"))
        assert f"`{section}.{setting}`" in row
