"""Shrinks a scenario that breaks an invariant: as little of everything as still breaks it."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Breaks = Callable[[Mapping[str, Any]], bool]
_MOST_TRIES = 200


def shrunk(scenario: dict[str, Any], breaks: Breaks, at: float) -> dict[str, Any]:
    """Return a scenario that *breaks* the same rule and has nothing in it that could be left out, as far as that many
    tries tell. *at*: when it broke, seconds of the scenario."""
    tries = 0
    duration = max(1.0, min(float(scenario["scenario"]["duration"]), at + 1.0))
    shorter = copy.deepcopy(scenario)
    shorter["scenario"]["duration"] = duration
    if breaks(shorter):
        scenario = shorter
    again = True
    while again:
        again = False
        for smaller in _smaller(scenario):
            tries += 1
            if tries > _MOST_TRIES:
                return scenario
            if breaks(smaller):
                scenario, again = smaller, True
                break
    return scenario


def _smaller(scenario: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield scenarios with one thing less, the largest things first."""
    for section in ("faults", "changes", "workloads", "providers"):
        for index in range(len(scenario.get(section, ()))):
            if section != "workloads" or len(scenario["workloads"]) > 1:
                yield _without(scenario, (section,), index)
    for index in range(len(scenario["gateway"]["accounts"])):
        if len(scenario["gateway"]["accounts"]) > 1:
            yield _without(scenario, ("gateway", "accounts"), index)
    for section in ("compliance", "proxy_pool", "upstream"):
        if section in scenario["gateway"]:
            yield _without(scenario, ("gateway",), section)
    if "clients" in scenario:
        yield _without(scenario, (), "clients")
    for path in _tables(scenario):
        for name in list(_at(scenario, path)):
            if name not in {"id", "provider", "kind", "accounts", "at", "enabled", "base_url", "proxies", "duration"}:
                yield _without(scenario, path, name)


def _tables(scenario: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    yield ("gateway", "scheduling")
    for index in range(len(scenario["gateway"]["accounts"])):
        yield ("gateway", "accounts", index)
    for section in ("providers", "workloads", "faults"):
        for index in range(len(scenario.get(section, ()))):
            yield (section, index)


def _at(scenario: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        scenario = scenario[step] if isinstance(scenario, list) or step in scenario else {}
    return scenario


def _without(scenario: Mapping[str, Any], path: tuple[Any, ...], name: Any) -> dict[str, Any]:
    smaller = copy.deepcopy(dict(scenario))
    del _at(smaller, path)[name]
    return smaller
