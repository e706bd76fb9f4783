"""What is wrong in a scenario between settings that are each well-formed by themselves."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from gephyr.harness.scenario.arrivals import LogError, read_sessions
from gephyr.harness.scenario.schema import DIALECTS, ScenarioFile, Workload
from gephyr_core.config import Config
from gephyr_core.config.problems import Path as SettingPath
from gephyr_core.config.problems import shown

Found = Iterator[tuple[SettingPath, str]]


def contradictions(file: ScenarioFile, config: Config | None, folder: Path) -> Found:
    """Yield the place and the text of every contradiction. *config*: the gateway's, None where it cannot be loaded;
    *folder*: where arrival logs are."""
    yield from _times(file)
    yield from _workloads(file.workloads, folder)
    if config is not None:
        yield from _patterns(file, config)


def _times(file: ScenarioFile) -> Found:
    spans = [(("workloads", index), one.start, one.end) for index, one in enumerate(file.workloads)]
    spans += [(("faults", index), one.start, one.end) for index, one in enumerate(file.faults)]
    for place, start, end in spans:
        if end <= start:
            yield (*place, "end"), "expected a time after start"


def _workloads(workloads: Sequence[Workload], folder: Path) -> Found:
    if not workloads:
        yield ("workloads",), "missing: nobody comes"
    names: dict[str, int] = {}
    for index, workload in enumerate(workloads):
        at = ("workloads", index)
        if names.setdefault(label(workload, index), index) != index:
            first = names[label(workload, index)]
            yield (*at, "name"), f"{label(workload, index)!r} is the name of workloads[{first}] too"
        for name, message in _arrivals(workload, folder):
            yield (*at, name), message
        for name in workload.dialects:
            if name not in DIALECTS:
                yield (*at, "dialects", name), f"expected one of {', '.join(DIALECTS)}"
        for name, weights in (("models", workload.models), ("dialects", workload.dialects)):
            if not any(weights.values()):
                yield (*at, name), "expected a weight above 0"


def label(workload: Workload, index: int) -> str:
    """Return the name of the workload at *index*, one that it is given where it has none."""
    return workload.name or f"workload {index + 1}"


def _arrivals(workload: Workload, folder: Path) -> Iterator[tuple[str, str]]:
    drawn = [name for name in ("sessions_per_minute", "bursts") if getattr(workload, name)]
    if workload.log:
        for name in drawn:
            yield name, "cannot be set beside log"
        try:
            read_sessions(folder / workload.log)
        except LogError as error:
            yield "log", str(error)
    elif not drawn:
        yield "sessions_per_minute", "missing: nobody comes without it, bursts or a log"
    if workload.hourly and len(workload.hourly) != 24:
        yield "hourly", f"expected 24 weights, got {len(workload.hourly)}"
    elif workload.hourly and not any(workload.hourly):
        yield "hourly", "expected a weight above 0"


def _patterns(file: ScenarioFile, config: Config) -> Found:
    accounts = [account.id for account in config.accounts]
    proxies = [proxy.id for proxy in config.proxy_pool.proxies]
    if not accounts:
        yield ("gateway", "accounts"), "missing: a scenario needs an account"
        return
    for index, provider in enumerate(file.providers):
        yield from _unknown(("providers", index, "accounts"), provider.accounts, accounts)
    for index, fault in enumerate(file.faults):
        name, patterns, ids = "accounts", fault.accounts, accounts
        if fault.kind == "proxy_down":
            name, patterns, ids = "proxies", fault.proxies, proxies
        yield from _unknown(("faults", index, name), patterns, ids)
    for index, change in enumerate(file.changes):
        for name, patterns in (("enable", change.enable), ("disable", change.disable)):
            yield from _unknown(("changes", index, name), patterns, accounts)


def _unknown(place: SettingPath, patterns: Sequence[str], ids: Sequence[str]) -> Found:
    for index, pattern in enumerate(patterns):
        if not any(fnmatchcase(name, pattern) for name in ids):
            yield (*place, index), f"nothing has the id {shown(pattern)}"
