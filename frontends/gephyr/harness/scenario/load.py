"""From a scenario file to a :class:`Scenario`, or to every mistake in it at once."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gephyr.harness.scenario.checks import contradictions
from gephyr.harness.scenario.gateway import load_gateway
from gephyr.harness.scenario.reading import LARGEST_FILE, about_times, seconds, with_seconds
from gephyr.harness.scenario.schema import ProviderTable, Scenario, ScenarioFile
from gephyr.harness.world.settings import ProviderSettings
from gephyr.runtime.configuration import read_toml
from gephyr_core.config import Config, ConfigError, ConfigProblem
from gephyr_core.config.problems import Path as SettingPath
from gephyr_core.config.problems import path_text
from gephyr_core.config.structure import structure_as

__all__ = ["load_scenario", "seconds"]

_ARRIVALS = ("sessions_per_minute", "bursts", "log")


def load_scenario(path: Path) -> Scenario:
    """Read the scenario at *path*. Raises :class:`ConfigError` with every mistake in it."""
    return scenario_of(read_toml(path, LARGEST_FILE), path)


def scenario_of(table: Mapping[str, Any], path: Path) -> Scenario:
    """Return the scenario in *table*, as a file at *path* would hold it. Raises :class:`ConfigError`."""
    gateway = table.get("gateway")
    mapping = with_seconds({name: value for name, value in table.items() if name != "gateway"})
    file, refused = structure_as(mapping, ScenarioFile)
    mistakes = [about_times(mistake, mapping) for mistake in refused]
    config: Config | None = None
    problems: list[ConfigProblem] = []
    try:
        config = load_gateway(gateway, path.parent, max((one.keys for one in file.workloads), default=1))
    except ConfigError as error:
        problems += error.problems
    known = [mistake.path for mistake in mistakes]
    found = [(mistake.path, mistake.message) for mistake in mistakes]
    found += [(place, text) for place, text in contradictions(file, config, path.parent) if not _follows(place, known)]
    problems = [ConfigProblem(path_text(place), text) for place, text in found] + problems
    if problems or config is None:
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


def _follows(place: SettingPath, known: Sequence[SettingPath]) -> bool:
    """Whether what is wrong at *place* may be so because of what is wrong elsewhere."""
    same = [place]
    match place:
        case ("workloads", int(index), "sessions_per_minute"):
            same = [("workloads", index, name) for name in _ARRIVALS]
        case (section, int(index), "end"):
            same = [(section, index, name) for name in ("start", "end")]
    return any(one[: len(other)] == other[: len(one)] for one in same for other in known)


def _provider_of(account: str, tables: Sequence[ProviderTable]) -> ProviderSettings:
    for table in tables:
        if any(fnmatchcase(account, pattern) for pattern in table.accounts):
            return table
    return ProviderSettings()
