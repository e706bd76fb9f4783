"""Reading scenario files: every mistake at once, with its place."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

from gephyr.harness.scenario.arrivals import LogError, read_log
from gephyr.harness.scenario.gateway import simulated_gateway
from gephyr.harness.scenario.schema import DIALECTS, ProviderTable, Scenario, ScenarioFile, Workload
from gephyr.harness.world.settings import ProviderSettings
from gephyr.runtime.configuration import load_mapping
from gephyr_core.config import Config, ConfigError, ConfigProblem
from gephyr_core.config.problems import Path as SettingPath
from gephyr_core.config.problems import path_text
from gephyr_core.config.structure import structure_as

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_TIMES = ("duration", "start", "end", "at", "within")
"""Settings that may be written with a unit."""
_SECTIONS = ("scenario", "workloads", "faults", "changes")
_LARGEST_FILE = 1024 * 1024


def load_scenario(path: Path) -> Scenario:
    """Read the scenario at *path*. Raises :class:`ConfigError` with every mistake in it."""
    mapping = _read(path)
    gateway = mapping.pop("gateway", None)
    file, mistakes = structure_as(_with_seconds(mapping), ScenarioFile)
    problems = [ConfigProblem(path_text(mistake.path), mistake.message) for mistake in mistakes]
    config = Config()
    try:
        config = load_mapping(simulated_gateway(gateway, path.parent, _most_keys(file.workloads)), {}).config
    except ConfigError as error:
        problems += [ConfigProblem(f"gateway.{problem.path}", problem.message) for problem in error.problems]
    else:
        problems += [
            ConfigProblem(path_text(place), text) for place, text in _contradictions(file, config, path.parent)
        ]
    if problems:
        raise ConfigError(problems)
    return Scenario(
        path=path,
        about=file.scenario,
        config=config,
        providers={account.id: _provider_of(account.id, file.providers) for account in config.accounts},
        workloads=file.workloads,
        faults=file.faults,
        changes=tuple(sorted(file.changes, key=lambda change: change.at)),
        clients=file.clients,
        expect=file.expect,
    )


def seconds(text: str) -> float | None:
    """Read ``90s``, ``5m``, ``6h``, ``1d``; None where it is none of them."""
    match = _DURATION.fullmatch(text.strip())
    return None if match is None else float(match[1]) * _UNITS[match[2]]


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ConfigError([ConfigProblem(str(path), "larger than 1 MiB: this is no scenario")])
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        message = error.strerror or "cannot be read"
    except UnicodeDecodeError as error:
        message = f"not UTF-8 (at byte {error.start})"
    except (RecursionError, ValueError) as error:
        message = str(error) or "nested too deeply"
    raise ConfigError([ConfigProblem(str(path), message)])


def _with_seconds(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file with numbers of seconds where times were written with a unit."""
    return {name: _converted(value) if name in _SECTIONS else value for name, value in mapping.items()}


def _converted(value: Any) -> Any:
    if isinstance(value, list):
        return [_converted(item) for item in value]
    if not isinstance(value, dict):
        return value
    table = {}
    for name, item in value.items():
        read = seconds(item) if name in _TIMES and isinstance(item, str) else None
        table[name] = read if read is not None else _converted(item)
    return table


def _most_keys(workloads: Sequence[Workload]) -> int:
    return max((workload.keys for workload in workloads), default=1)


def _contradictions(file: ScenarioFile, config: Config, folder: Path) -> Iterator[tuple[SettingPath, str]]:
    names = [account.id for account in config.accounts]
    if not names:
        yield ("gateway", "accounts"), "missing: a scenario needs an account"
    if not file.workloads:
        yield ("workloads",), "missing: a scenario needs clients"
    for index, provider in enumerate(file.providers):
        yield from _unknown(("providers", index, "accounts"), provider.accounts, names)
    for index, fault in enumerate(file.faults):
        if fault.kind == "proxy_down":
            known = [proxy.id for proxy in config.proxy_pool.proxies]
            yield from _unknown(("faults", index, "proxies"), fault.proxies, known)
        else:
            yield from _unknown(("faults", index, "accounts"), fault.accounts, names)
        if fault.end <= fault.start:
            yield ("faults", index, "end"), "expected a time after start"
    for index, change in enumerate(file.changes):
        yield from _unknown(("changes", index, "enable"), change.enable, names)
        yield from _unknown(("changes", index, "disable"), change.disable, names)
    for index, workload in enumerate(file.workloads):
        for place, text in _odd_workload(workload, folder):
            yield ("workloads", index, *place), text


def _unknown(place: SettingPath, patterns: Sequence[str], names: Sequence[str]) -> Iterator[tuple[SettingPath, str]]:
    for index, pattern in enumerate(patterns):
        if not any(fnmatchcase(name, pattern) for name in names):
            yield (*place, index), f"nothing has the id {pattern!r}"


def _odd_workload(workload: Workload, folder: Path) -> Iterator[tuple[SettingPath, str]]:
    if not workload.log and not workload.sessions_per_minute and not workload.bursts:
        yield ("sessions_per_minute",), "missing: nobody comes without it, bursts or a log"
    if workload.hourly and len(workload.hourly) != 24:
        yield ("hourly",), f"expected 24 weights, got {len(workload.hourly)}"
    if workload.hourly and not any(workload.hourly):
        yield ("hourly",), "expected a weight above 0"
    for name in workload.dialects:
        if name not in DIALECTS:
            yield ("dialects", name), f"expected one of {', '.join(DIALECTS)}"
    for field in ("models", "dialects"):
        if not any(getattr(workload, field).values()):
            yield (field,), "expected a weight above 0"
    if workload.log:
        try:
            for _ in read_log(folder / workload.log, attrs.evolve(workload, models={"m": 1.0}), _NO_CHANCE, 1e9):
                break
        except LogError as error:
            yield ("log",), str(error)


class _NoChance:
    def random(self) -> float:
        return 0.0


_NO_CHANCE: Any = _NoChance()


def _provider_of(account: str, tables: Sequence[ProviderTable]) -> ProviderSettings:
    for table in tables:
        if any(fnmatchcase(account, pattern) for pattern in table.accounts):
            return table
    return ProviderSettings()
