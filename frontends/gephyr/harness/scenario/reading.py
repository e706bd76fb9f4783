"""Reading scenario files: TOML, with times as people write them."""

import re
from collections.abc import Mapping
from typing import Any

from gephyr_core.config.problems import shown
from gephyr_core.config.structure import Mistake

LARGEST_FILE = 1024 * 1024
_DEPTH = 8
"""Levels of tables and arrays, one in the other: more than any setting has."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smhd])")
_TIMES = frozenset(
    (
        *("duration", "at", "start", "end", "within"),
        *("cache_lifetime", "token_lifetime", "clock_skew"),
        *("backoff", "longest_retry_after", "max_wait_p95"),
    )
)
"""Settings that are times."""
_SPREADS = frozenset(("think", "leaves_after", "first_byte", "token_endpoint"))
"""Settings whose ``median`` and ``p95`` are."""


def seconds(text: str) -> float | None:
    """Read ``90s``, ``5m``, ``6h``, ``1d``; None where it is none of them."""
    match = _DURATION.fullmatch(text.strip())
    return None if match is None else float(match[1]) * _UNITS[match[2]]


def with_seconds(value: Any, depth: int = _DEPTH) -> Any:
    """Return *value*, what a file holds, with numbers of seconds where times are written with a unit. *depth*: how many
    levels of tables and arrays are looked into."""
    if not depth:
        return value
    if isinstance(value, list):
        return [with_seconds(item, depth - 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    table = {}
    for name, item in value.items():
        if name in _TIMES:
            table[name] = _read(item)
        elif name in _SPREADS and isinstance(item, Mapping):
            table[name] = {key: _read(number) for key, number in item.items()}
        else:
            table[name] = with_seconds(item, depth - 1)
    return table


def _read(value: Any) -> Any:
    found = seconds(value) if isinstance(value, str) else None
    return value if found is None else found


def about_times(mistake: Mistake, mapping: Mapping[str, Any]) -> Mistake:
    """Return *mistake* with the forms of times in its message, if it is about one that is text in *mapping*."""
    *holder, name = mistake.path
    is_time = name in _TIMES or (holder and holder[-1] in _SPREADS)
    value: Any = mapping
    if is_time:
        for step in mistake.path:
            value = value.get(step) if isinstance(value, Mapping) else value[step]
    if is_time and isinstance(value, str):
        message = f"expected seconds, or a time such as '90s', '5m' or '6h', got {shown(value)}"
        return Mistake(mistake.path, message)
    return mistake
