"""``gephyr simulate --swarm``: looks for a broken invariant in many short runs with everything combined at random."""

import sys
from pathlib import Path

import click

from gephyr.harness.report.summary import violation_lines
from gephyr.harness.swarm import search, written

EXIT_VIOLATION = 1


def swarm(count: int, seed: int, jobs: int | None, *, quiet: bool) -> int:
    """Play the scenarios of *count* seeds from *seed* on, on all cores or as many as *jobs*. Return the exit status.

    What is found is shrunk, told, and written to a scenario file that shows it again.
    """
    seeds = range(seed, seed + count)
    if quiet or not sys.stderr.isatty():
        found = search(seeds, jobs=jobs)
    else:
        with click.progressbar(length=count, label="swarm", file=sys.stderr) as bar:
            found = search(seeds, jobs=jobs, progress=lambda _done: bar.update(1))
    if found is None:
        if not quiet:
            click.echo(f"{count} runs, no violation (seeds {seeds[0]} to {seeds[-1]})")
        return 0
    for line in violation_lines(found.violation):
        click.echo(line, err=True)
    path = Path(f"swarm-{found.seed}.toml")
    try:
        path.write_text(written(found.scenario), encoding="utf-8")
    except OSError as error:
        click.echo(f"error: {path}: {error.strerror}", err=True)
        click.echo(written(found.scenario))
    else:
        click.echo(f"the same again: gephyr simulate {path} --seed {found.seed}", err=True)
    return EXIT_VIOLATION
