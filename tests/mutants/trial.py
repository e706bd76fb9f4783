"""Whether the tests notice a mutant. Everything happens in a scratch copy of the repository, in processes of its own."""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.mutants.evidence import Candidate
from tests.mutants.mutants import Mutant
from tests.mutants.places import ROOT

LONGEST_TRIAL = 90.0
"""Seconds after which a mutant counts as one that hangs, which is noticed. Later rounds have as many more as they are
longer."""
_MOST_SECONDS = (4.0, 9.0, 60.0)
"""What the tests of each round may take together, by their own times. Few mutants come to the third one."""
_MOST_TESTS = (80, 600, 4000)
_MOST_FILES = (5, 1000, 1000)
"""Each has to be imported first."""
_COPIED = (
    "gephyr_core",
    "frontends",
    "tests",
    "examples",
    "docs",
    "benchmarks",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
)
_PRELOADED = (
    *("pytest", "hypothesis", "hypothesis.stateful", "attrs", "cattrs", "msgspec", "h11", "click", "anyio", "httpcore"),
    *("structlog", "prometheus_client", "cryptography.fernet", "trustme", "wsproto", "socksio", "zstandard"),
    *("anthropic", "openai", "google.genai", "uvicorn", "httpx"),
)
"""Libraries that a trial need not import again."""
NO_TESTS = 5
"""pytest's exit status where nothing was collected."""


@attrs.frozen
class Verdict:
    """What came of a mutant."""

    noticed: bool
    by: str = ""
    """The test that failed; ``hangs`` where none came to an end."""
    tests: int = 0
    """How many ran at most."""
    seconds: float = 0.0


class Choice:
    """A pytest plugin: of what is collected, the named tests in their order; and the first that fails is written down."""

    def __init__(self, tests: Sequence[str], failed: Path) -> None:
        self._place = {name: at for at, name in enumerate(tests)}
        self._failed = failed

    def pytest_collection_modifyitems(self, items: list) -> None:  # type: ignore[type-arg]
        """Leave out the others."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place), key=lambda item: self._place[item.nodeid]
        )

    def pytest_runtest_logreport(self, report) -> None:  # type: ignore[no-untyped-def]
        """Remember who failed."""
        if report.failed:
            with self._failed.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


class Scratch:
    """A copy of the repository in which mutants live, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / ROOT.name
        self._failed = folder / "failed"
        self._output = folder / "output"
        self._clock = 1_000_000_000
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self._root / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
            elif source.exists():
                self._root.mkdir(exist_ok=True)
                shutil.copy2(source, self._root / name)
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (folder / "shared").symlink_to(shared)

    def try_mutant(self, mutant: Mutant, tests: Sequence[Candidate]) -> Verdict:
        """Run *tests*, those first that are likely to notice, until one fails."""
        started = time.monotonic()
        target = self._root / mutant.path
        ran = 0
        try:
            self._write(target, mutant.mutated)
            for number, chosen in enumerate(rounds(tests)):
                ran += len(chosen)
                limit = LONGEST_TRIAL * (1 + number**2)
                status = self.run([test.name for test in chosen], limit=limit)
                if status not in {0, NO_TESTS}:
                    by = "hangs" if status is None else self.failed()[0] if self.failed() else "cannot be imported"
                    return Verdict(True, by, ran, time.monotonic() - started)
        finally:
            self._write(target, mutant.text)
        return Verdict(False, "", ran, time.monotonic() - started)

    def _write(self, target: Path, text: str) -> None:
        """Write a file with a time of its own, so that no compiled version of another text is taken for it."""
        target.write_text(text, encoding="utf-8")
        self._clock += 10
        os.utime(target, (self._clock, self._clock))

    def failed(self) -> list[str]:
        """Return the tests that failed in the latest run."""
        return self._failed.read_text(encoding="utf-8").split("\n")[:-1] if self._failed.exists() else []

    def run(self, tests: Sequence[str], *, all_of_them: bool = False, limit: float = LONGEST_TRIAL) -> int | None:
        """Run tests in a process of their own. Return pytest's exit status; None where they do not come to an end."""
        self._failed.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            self._be_pytest(tests, all_of_them)
        ends = time.monotonic() + limit
        try:
            while time.monotonic() < ends:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    child = 0
                    return os.waitstatus_to_exitcode(status)
                time.sleep(0.02)
            return None
        finally:
            if child:
                _kill(child)

    def _be_pytest(self, tests: Sequence[str], all_of_them: bool) -> None:
        """Never returns."""
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            output = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(self._root)
            own = [str(self._root), str(self._root / "frontends")]
            sys.path[:] = own + [path for path in sys.path if not _is_ours(path)]
            os.environ["PYTHONPATH"] = os.pathsep.join(own)
            os.environ["HYPOTHESIS_PROFILE"] = os.environ.get("HYPOTHESIS_PROFILE", "mutants")
            for name in [name for name in sys.modules if name.partition(".")[0] in {"tests", "gephyr", "gephyr_core"}]:
                del sys.modules[name]
            import pytest

            files = list(dict.fromkeys(name.partition("::")[0] for name in tests))
            files = [name for name in files if (self._root / name).exists()]
            options = ["-q", "--tb=line", "--assert=plain", "-p", "no:cacheprovider", *(() if all_of_them else ("-x",))]
            status = int(pytest.main([*options, *files], plugins=[Choice(tests, self._failed)])) if files else NO_TESTS
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 99
        sys.stdout.flush()
        os._exit(status)


def _is_ours(path: str) -> bool:
    return not path or Path(path) in {ROOT, ROOT / "frontends", Path.cwd()}


def _kill(child: int) -> None:
    """End a trial with all that it has started."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def rounds(tests: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return the tests in rounds, each within a time: the narrow and quick ones first, one of each test function
    before the second of any."""
    seen: dict[str, int] = {}
    turns: list[tuple[int, int, float, Candidate]] = []
    for test in sorted(tests, key=lambda test: (test.breadth * (0.05 + test.seconds), test.name)):
        function = test.name.partition("[")[0]
        seen[function] = turn = seen.get(function, -1) + 1
        turns.append((turn, len(turns), test.seconds, test))
    found: list[list[Candidate]] = []
    left = [test for *_, test in sorted(turns, key=lambda one: one[:2])]
    for most_seconds, most_tests, most_files in zip(_MOST_SECONDS, _MOST_TESTS, _MOST_FILES, strict=True):
        chosen: list[Candidate] = []
        allowed = list(dict.fromkeys(test.file for test in left))[:most_files]
        seconds = 0.0
        rest: list[Candidate] = []
        for test in left:
            if test.file in allowed and len(chosen) < most_tests and seconds + test.seconds <= most_seconds:
                chosen.append(test)
                seconds += test.seconds
            else:
                rest.append(test)
        # Tests of one file stand together, so that what a file's tests share is made once.
        files = {name: at for at, name in reversed(list(enumerate(test.file for test in chosen)))}
        if chosen:
            found.append(sorted(chosen, key=lambda test: files[test.file]))
        left = rest
    return found


def preload() -> None:
    """Import what every trial needs, before the first one is forked."""
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)
