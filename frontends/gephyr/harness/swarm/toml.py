"""Writes a scenario as TOML: tables of sections, everything inside them inline."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(scenario: Mapping[str, Any]) -> str:
    """Return the text of a scenario file."""
    blocks = []
    for name, value in scenario.items():
        if isinstance(value, Mapping):
            blocks.append(_block(f"[{name}]", value))
        else:
            blocks += [_block(f"[[{name}]]", table) for table in value]
    return "\n".join(blocks)


def _block(head: str, table: Mapping[str, Any]) -> str:
    return "\n".join([head, *(f"{_key(name)} = {_inline(value)}" for name, value in table.items())]) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_inline(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], Mapping):
            return "[\n" + "".join(f"  {_inline(item)},\n" for item in value) + "]"
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)  # of a text, a number and a boolean, JSON's form is TOML's too


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)
