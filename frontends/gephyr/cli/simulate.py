"""``gephyr simulate``: plays a scenario in virtual time, tells what came of it, and compares configurations."""

import contextlib
import json
import math
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import attrs
import click

from gephyr.cli.check import EXIT_BAD_CONFIGURATION, report
from gephyr.cli.swarm import swarm
from gephyr.harness.report.compare import Change, compare, comparison, comparison_data
from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.expectations import missed
from gephyr.harness.report.html import Told, page, write_whole
from gephyr.harness.report.playing import play, with_traffic_of
from gephyr.harness.report.summary import summary, violation_lines
from gephyr.harness.scenario import Scenario, load_scenario
from gephyr.harness.scenario.arrivals import LogError
from gephyr.harness.scenario.load import seconds
from gephyr_core.config import ConfigError

EXIT_VIOLATION = 1
EXIT_INTERRUPTED = 130
_STDOUT = "-"
_EXIT_STATUS = (
    "Exit status: 0 fine, 1 an invariant was violated or a bound under [expect] missed, 2 a file is wrong,"
    " 130 interrupted (what was measured so far is told)."
)
_STEPS = 200
"""Of the progress bar."""


def _duration(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Read seconds, or a number with a unit: ``90s``, ``5m``, ``6h``, ``1d``."""
    if text is None:
        return None
    found = seconds(text)
    if found is None:
        with contextlib.suppress(ValueError):
            found = float(text)
    if found is None or not 0.0 < found < math.inf:
        raise click.BadParameter(f"expected a time such as 90s, 5m or 6h, got {text!r}")
    return found


@attrs.frozen
class _Outputs:
    """Where what came of it goes."""

    html: Path | None
    as_json: str | None
    trace: Path | None
    quiet: bool


@click.command(epilog=_EXIT_STATUS)
@click.argument("scenario", type=click.Path(path_type=Path), required=False)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of everything left to chance.")
@click.option(
    "--until", callback=_duration, metavar="TIME", help="When to stop (90s, 5m, 6h); else as long as the scenario says."
)
@click.option("--against", type=click.Path(path_type=Path), metavar="SCENARIO", help="Compare with its configuration.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with plots.")
@click.option("--json", "as_json", metavar="FILE", help="Write the summary as JSON; - is standard output.")
@click.option("--trace", type=click.Path(path_type=Path), metavar="FILE", help="Write every event as a line of JSON.")
@click.option(
    "--swarm",
    "runs",
    type=click.IntRange(1),
    metavar="N",
    help="Instead of SCENARIO: N runs from --seed on, everything combined at random, on all cores.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes of --swarm; else one for each core.")
@click.option("--quiet", is_flag=True, help="Show no progress and no summary: only what is wrong.")
def simulate(
    scenario: Path | None,
    seed: int,
    until: float | None,
    against: Path | None,
    runs: int | None,
    jobs: int | None,
    **wanted: Any,
) -> None:
    """Play SCENARIO, simulated clients and providers around the real gateway, in virtual time.

    With --against, the traffic of SCENARIO (sessions, clients, duration) is played on the other file's gateway,
    providers, faults and changes as well, and what differs is told.
    """
    outputs = _Outputs(**wanted)
    if runs is not None:
        _refuse_beside_swarm(scenario, against, until)
        raise SystemExit(swarm(runs, seed, jobs, quiet=outputs.quiet))
    if scenario is None:
        raise click.UsageError("Missing argument 'SCENARIO' (or --swarm N)")
    paths = [scenario] if against is None else [scenario, against]
    with _trace(outputs.trace) as write:
        told = _played(paths, seed, until, write, quiet=outputs.quiet)
    whole = len(told) == 2 and not told[1].run.interrupted
    changes = compare(*(summary_data(one.run) for one in told)) if whole else []
    _write(told, changes, outputs.html, outputs.as_json)
    tell = _complain if outputs.quiet or outputs.as_json == _STDOUT else _show
    tell(told, changes)
    if any(one.run.violations for one in told):
        _say_how_to_repeat(scenario, seed, until, against)
    raise SystemExit(_exit_status(told))


def _refuse_beside_swarm(*given: object) -> None:
    if any(one is not None for one in given):
        raise click.UsageError("--swarm makes its own scenarios: no SCENARIO, --against or --until beside it")


# -- playing --------------------------------------------------------------------------------------------------------


def _played(
    paths: Sequence[Path], seed: int, until: float | None, write: Callable[[bytes], None] | None, *, quiet: bool
) -> list[Told]:
    """Play each scenario; the first one's events are written. Ends with one that was interrupted."""
    scenarios = _load(paths)
    told: list[Told] = []
    for one, title in zip(scenarios, _titles(scenarios, paths), strict=True):
        run = _play(one, seed, until, None if told else write, quiet=quiet)
        told.append(_told(title, one, run))
        if run.interrupted:
            break
    return told


def _load(paths: Sequence[Path]) -> list[Scenario]:
    scenarios = []
    failed = False
    for path in paths:
        try:
            scenarios.append(load_scenario(path))
        except ConfigError as error:
            failed = True
            if len(paths) > 1:
                click.echo(f"{path}:", err=True)
            report(error)
    if failed:
        raise SystemExit(EXIT_BAD_CONFIGURATION)
    return [scenarios[0], *(with_traffic_of(other, scenarios[0]) for other in scenarios[1:])]


def _play(
    scenario: Scenario, seed: int, until: float | None, write: Callable[[bytes], None] | None, *, quiet: bool
) -> Run:
    length = scenario.about.duration if until is None else until
    with _progress(scenario.name, length, quiet=quiet) as progress:
        try:
            return play(scenario, seed, until, trace=write, progress=progress)
        except LogError as error:
            _refuse(str(error))


@contextlib.contextmanager
def _progress(label: str, length: float, *, quiet: bool) -> Iterator[Callable[[float], None] | None]:
    """A bar on standard error, where somebody sees it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=_STEPS, label=label, file=sys.stderr) as bar:
        done = 0

        def progress(at: float) -> None:
            nonlocal done
            step = int(_STEPS * at / length)
            if step > done:
                bar.update(step - done)
                done = step

        yield progress


@contextlib.contextmanager
def _trace(path: Path | None) -> Iterator[Callable[[bytes], None] | None]:
    if path is None:
        yield None
        return
    try:
        with path.open("wb") as file:

            def write(line: bytes) -> None:
                file.write(line)

            yield write
    except OSError as error:
        _refuse(f"{path}: {error.strerror}")


def _titles(scenarios: Sequence[Scenario], paths: Sequence[Path]) -> list[str]:
    """Their names, if they differ; else the names of the files, if those do."""
    for titles in ([one.name for one in scenarios], [path.name for path in paths]):
        if len({*titles}) == len(titles):
            return titles
    return [str(path) for path in paths]


def _told(title: str, scenario: Scenario, run: Run) -> Told:
    # What was interrupted may not have come to its bounds yet.
    return Told(title, run, [] if run.interrupted else list(missed(scenario.expect, summary_data(run))))


# -- telling --------------------------------------------------------------------------------------------------------


def _write(told: Sequence[Told], changes: list[Change], html: Path | None, as_json: str | None) -> None:
    data = _data(told, changes) if as_json else {}
    try:
        if html is not None:
            write_whole(html, page(told, changes))
        if as_json not in (None, _STDOUT):
            write_whole(Path(as_json), json.dumps(data, indent=2) + "\n")
    except OSError as error:
        _refuse(f"{error.filename}: {error.strerror}")
    if as_json == _STDOUT:
        click.echo(json.dumps(data, indent=2))


def _data(told: Sequence[Told], changes: list[Change]) -> dict[str, Any]:
    """The first run's summary; of a second one, its own and the changes below."""
    data, *others = ({**summary_data(one.run), "missed": list(one.missed)} for one in told)
    return {**data, "against": others[0], "changes": comparison_data(changes)} if others else data


def _show(told: Sequence[Told], changes: list[Change]) -> None:
    for number, one in enumerate(told):
        if number:
            click.echo("")
        for line in summary(one.run, one.missed, one.title):
            click.echo(line)
    if changes:
        click.echo("")
        for line in comparison((told[0].title, told[1].title), changes):
            click.echo(line)


def _complain(told: Sequence[Told], _changes: list[Change]) -> None:
    """Say on standard error what is wrong, where no summary says it."""
    for one in told:
        for bound in one.missed:
            click.echo(f"missed: {bound}", err=True)
        for violation in one.run.violations:
            for line in violation_lines(violation):
                click.echo(line, err=True)


def _say_how_to_repeat(scenario: Path, seed: int, until: float | None, against: Path | None) -> None:
    command = ["gephyr", "simulate", str(scenario), "--seed", str(seed)]
    command += [] if until is None else ["--until", f"{until:g}s"]
    command += [] if against is None else ["--against", str(against)]
    click.echo(f"the same again: {shlex.join(command)}", err=True)


def _exit_status(told: Sequence[Told]) -> int:
    if told[-1].run.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_VIOLATION if any(one.run.violations or one.missed for one in told) else 0


def _refuse(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise SystemExit(EXIT_BAD_CONFIGURATION)
