"""The reference of scenario files says what the code does."""

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs
import pytest

from gephyr.cli.simulate import simulate
from gephyr.harness.scenario.arrivals import Arrival
from gephyr.harness.scenario.reading import with_seconds
from gephyr.harness.scenario.schema import DIALECTS, ScenarioFile
from gephyr.harness.world.settings import FaultKind, Spread

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulating.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| `([^`]+)` \| (?:`([^`]+)`|(none|required)) \| .+ \|")


def rows(text: str) -> dict[str, Any]:
    """Return the settings in a page's tables, with their defaults."""
    found = [match.groups() for line in text.splitlines() if (match := ROW.fullmatch(line))]
    assert len({name for name, *_ in found}) == len(found), "a setting is told once"
    return {name: tomllib.loads(f"x = {default}")["x"] if default else word for name, default, word in found}


def settings(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk the schema: each setting with its default, as TOML has it."""
    for field in attrs.fields(cls):
        name, annotation = f"{prefix}{field.name}", field.type
        items = [arg for arg in get_args(annotation) if attrs.has(arg)] if get_origin(annotation) is tuple else []
        if items and prefix:
            yield name, []
        if items:
            yield from settings(items[0], f"{name}[].")
        elif attrs.has(annotation) and annotation is not Spread:
            yield from settings(annotation, f"{name}.")
        else:
            yield name, shown(field.default)


def shown(default: Any) -> Any:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    if default is attrs.NOTHING:
        return "required"
    if default is None or default == math.inf:
        return "none"
    if isinstance(default, Spread):
        return attrs.asdict(default)
    return list(default) if isinstance(default, tuple) else default


def test_every_setting_of_a_scenario_is_documented_with_its_default() -> None:
    """A default that changes in the code changes in the docs, or this fails."""
    documented = {name: default for name, default in rows(PAGE).items() if "." in name}
    assert documented == dict(settings(ScenarioFile))


def test_every_member_of_a_log_is_documented_with_its_default() -> None:
    """The same for the lines of a recorded log."""
    documented = {name: default for name, default in rows(PAGE).items() if "." not in name}
    filled = Arrival(time=0.0, input_tokens=0, output_tokens=0)
    optional = {"model", "session", "took"}
    names = Arrival.__struct_fields__
    assert documented == {name: getattr(filled, name) if name in optional else "required" for name in names}


def test_every_fault_dialect_option_and_example_is_named() -> None:
    """What can be chosen can be found."""
    for kind in get_args(FaultKind):
        assert f"| `{kind}` |" in PAGE
    for dialect in DIALECTS:
        assert f"`{dialect}`" in PAGE
    for option in simulate.params:
        if option.param_type_name == "option":
            assert f"| `{option.opts[0]}` |" in PAGE
    for path in (ROOT / "examples" / "scenarios").glob("*.toml"):
        assert f"`{path.name}`" in PAGE


def times() -> list[str]:
    """Return the settings whose meaning is a time."""
    lines = [line for line in PAGE.splitlines() if ROW.fullmatch(line) and re.search(r"\bseconds\b|\bwhen\b", line)]
    return [name for name in (line.split("`")[1] for line in lines) if "." in name]


@pytest.mark.parametrize("name", times())
def test_a_setting_that_is_documented_as_a_time_takes_a_unit(name: str) -> None:
    """The names of times are listed apart from the schema: this holds the two together."""
    leaf = name.rpartition(".")[2].removesuffix("[]")
    is_spread = isinstance(rows(PAGE)[name], dict)
    value = {leaf: {"median": "5m"} if is_spread else "5m"}
    assert with_seconds(value) == {leaf: {"median": 300.0} if is_spread else 300.0}
