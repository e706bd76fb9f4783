"""Do the tests notice when the code changes? ``python -m tests.mutants --seed 1 --count 100 [--area scheduling]``

Draws changes of the product's code by a seed, runs the tests that execute the changed lines, and tells for each area
how many of the changes a test noticed. Ends with 1 if that is less than 92 % in any area. What nobody noticed is
written to ``.mutants/survivors-SEED.diff``, each with its row for ``equivalent.toml``.
"""

import argparse
import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.mutants.evidence import Candidate, Evidence
from tests.mutants.mutants import Mutant, as_row, equivalent, listed, sample
from tests.mutants.places import AREAS, ROOT
from tests.mutants.trial import NO_TESTS, Scratch, Verdict, preload

FLOOR = 92.0
"""Percent of the mutants that are not equivalent."""
FOLDER = ROOT / ".mutants"
_SOUND = "tests/core/test_leases.py::test_tokens_of_a_call_that_is_sent_again_count_once"
"""A test that passes wherever any can."""


def main() -> int:
    """Run the command. Return its exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is begun is ended on the way out
    areas = [options.area] if options.area else list(AREAS)
    survived = options.folder / f"survivors-{options.seed}.diff"
    drawn = listed(survived) if options.again else sample(options.seed, options.count, areas, options.below)
    areas = [area for area in areas if any(mutant.area == area for mutant in drawn)]
    reviewed = equivalent()
    alive = [mutant for mutant in drawn if mutant.key not in reviewed]
    evidence = Evidence(options.folder / "evidence.db")
    if not options.no_refresh:
        evidence.refresh(options.tests)
    verdicts: dict[Mutant, Verdict] = {}
    with contextlib.suppress(KeyboardInterrupt):
        for mutant, verdict in _trials(alive, evidence, options.workers):
            verdicts[mutant] = verdict
            first, _ = mutant.lines
            how = f"noticed by {verdict.by}" if verdict.noticed else f"SURVIVED {verdict.tests} tests"
            _say(
                f"{len(verdicts)}/{len(alive)} {mutant.path}:{first} {mutant.change.kind}: {how} ({verdict.seconds:.1f} s)"
            )
    survivors = [mutant for mutant, verdict in verdicts.items() if not verdict.noticed]
    _write(survivors, survived)
    return _report(drawn, verdicts, areas)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100, help="how many mutants, over all areas")
    parser.add_argument("--area", choices=list(AREAS), help="only this one")
    parser.add_argument("--below", default="", help="only files whose names begin so (gephyr_core/scheduling/pool)")
    parser.add_argument("--again", action="store_true", help="only those of the seed that survived the last time")
    parser.add_argument("--tests", nargs="*", default=[], help="only tests whose files begin so (default: all)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where what was found out is kept")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-refresh", action="store_true", help="take the known tests, although some have changed")
    return parser.parse_args()


def _trials(mutants: Sequence[Mutant], evidence: Evidence, workers: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Yield each mutant with what came of it. A verdict by a test that fails without a mutant too is not taken."""
    left = list(mutants)
    unreliable: dict[str, None] = {}
    while left:
        with _workers(min(workers, len(left))) as pipes:
            if _failing(pipes[0], [_SOUND]):
                raise SystemExit(f"{_SOUND} fails without a mutant: see that the tests can run at all")
            verdicts = list(_dispatch(left, pipes, evidence, unreliable))
            wrong = _failing(pipes[0], list(dict.fromkeys(one.by for _, one in verdicts if "::" in one.by)))
        for name in wrong:
            _say(f"  fails without a mutant too: {name}")
        unreliable |= dict.fromkeys(wrong)
        left = [mutant for mutant, one in verdicts if one.by in wrong]
        yield from ((mutant, one) for mutant, one in verdicts if one.by not in wrong)


def _failing(pipe: Connection, tests: Sequence[str]) -> list[str]:
    """Return those of the tests that fail without a mutant, all of them if they cannot be run."""
    pipe.send(list(tests))
    status, failed = pipe.recv()
    return failed if status in {0, 1, NO_TESTS} else list(tests)


def _dispatch(
    mutants: Sequence[Mutant], pipes: Sequence[Connection], evidence: Evidence, unreliable: dict[str, None]
) -> Iterator[tuple[Mutant, Verdict]]:
    """Give each worker a mutant, and the next one when it is done."""
    waiting = list(reversed(mutants))
    busy: dict[Connection, Mutant] = {}
    idle = list(pipes)
    while waiting or busy:
        while idle and waiting:
            mutant, pipe = waiting.pop(), idle.pop()
            tests = evidence.tests_of(mutant.path, mutant.text, *mutant.lines)
            pipe.send((mutant, [test for test in tests if test.name not in unreliable]))
            busy[pipe] = mutant
        for pipe in wait(list(busy)):
            assert isinstance(pipe, Connection)
            verdict: Verdict = pipe.recv()
            _say(
                f"  {busy[pipe].path}:{busy[pipe].lines[0]} {'-' if verdict.noticed else 'SURVIVED'} {verdict.seconds:.1f}"
            )
            yield busy.pop(pipe), verdict
            idle.append(pipe)


@contextlib.contextmanager
def _workers(count: int) -> Iterator[list[Connection]]:
    """Processes with a scratch copy each, and the pipes to them. All are gone at the end, whatever happens."""
    pipes, processes = [], []
    context = multiprocessing.get_context("fork")
    preload()
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,))
            process.start()
            pipes.append(ours)
            processes.append(process)
        yield pipes
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(pipe: Connection) -> None:
    """Try what comes: a mutant with its tests, or names of tests, which are run without one."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, contextlib.suppress(KeyboardInterrupt, EOFError):
        scratch = Scratch(Path(folder))
        while True:
            asked: tuple[Mutant, list[Candidate]] | list[str] = pipe.recv()
            if isinstance(asked, tuple):
                pipe.send(scratch.try_mutant(*asked))
            else:
                pipe.send((scratch.run(asked, all_of_them=True, limit=600.0), scratch.failed()))


def _write(survivors: Sequence[Mutant], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(f"{mutant.diff}\n\n{as_row(mutant)}" for mutant in survivors), encoding="utf-8")


def _report(drawn: Sequence[Mutant], verdicts: dict[Mutant, Verdict], areas: Sequence[str]) -> int:
    """Print the figures. Return the exit status."""
    status = 0
    reviewed = equivalent()
    for area in areas:
        mine = [mutant for mutant in drawn if mutant.area == area]
        judged = [verdicts[mutant] for mutant in mine if mutant in verdicts]
        same = sum(mutant.key in reviewed for mutant in mine)
        noticed = sum(verdict.noticed for verdict in judged)
        share = 100.0 * noticed / len(judged) if judged else 100.0
        _say(f"{area}: {noticed} noticed, {len(judged) - noticed} survived, {same} equivalent: {share:.1f} %")
        status |= share < FLOOR
    return int(status)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
