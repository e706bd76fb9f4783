"""Which tests execute a line: found by running them once, and kept until a test's file changes."""

import ast
import difflib
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
from coverage.numbits import numbits_to_nums

from tests.mutants.places import ROOT

NOT_RUN = ("tests/mutants/", "tests/test_purity.py", "tests/test_tidy.py")
"""Tests that look at text, or at this tool."""
_OF_TABLES = ("tests/test_docs.py",)
"""Tests of pages that are made of the product's tables, which a process of its own reads."""
_FEW = 40
"""Tests below which others are looked for."""
_SHORT = 4
"""Letters of a name that says too little."""
_TABLES = """
create table if not exists test_file (path text primary key, digest text);
create table if not exists test (id integer primary key, name text unique, file text, seconds real, breadth integer);
create table if not exists lines (test integer, path text, digest text, bits blob);
create index if not exists lines_of on lines (path, digest);
create index if not exists lines_by on lines (test);
create table if not exists source (digest text primary key, text text);
"""


@attrs.frozen
class Candidate:
    """One test, as the choice of tests sees it."""

    name: str
    """pytest's id of it."""
    file: str
    seconds: float
    breadth: int
    """How many lines it executes: the fewer, the more it says of each."""


class Evidence:
    """The database."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._folder = path.parent
        self._db = sqlite3.connect(path)
        self._db.executescript(_TABLES)

    # -- making it --------------------------------------------------------------------------------------------------

    def refresh(self, only: Sequence[str] = ()) -> None:
        """Run the tests of each file that is new or has changed since; of files below the folders *only*, if any."""
        known = dict(self._db.execute("select path, digest from test_file"))
        files = {path: _digest(ROOT / path) for path in _test_files(only)}
        for path in [path for path in known if not (ROOT / path).exists()]:
            self._forget(path)
        stale = [path for path, digest in files.items() if known.get(path) != digest]
        by_folder: dict[str, list[str]] = {}
        for path in stale:
            by_folder.setdefault(str(Path(path).parent), []).append(path)
        for folder, paths in by_folder.items():
            sys.stderr.write(f"tracing {len(paths)} files of {folder}\n")
            self._trace(paths)
            for path in paths:
                self._db.execute("insert or replace into test_file values (?, ?)", (path, files[path]))
            self._db.commit()

    def _forget(self, path: str) -> None:
        self._db.execute("delete from lines where test in (select id from test where file = ?)", (path,))
        self._db.execute("delete from test where file = ?", (path,))
        self._db.execute("delete from test_file where path = ?", (path,))

    def _trace(self, files: Sequence[str]) -> None:
        trace = self._folder / "trace"
        trace.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.tracing", *files]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"GEPHYR_TRACE": str(trace), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'frontends'}"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(f"{done.stdout[-2000:]}{done.stderr[-500:]}\n")
        for path in files:
            self._forget(path)
        if trace.exists():
            self._take(trace)

    def _take(self, trace: Path) -> None:
        """Take in what a run of pytest has left. The tables are coverage.py's (its documentation, "Database schema")."""
        seconds: dict[str, float] = json.loads(trace.with_suffix(".json").read_text(encoding="utf-8"))
        traced = sqlite3.connect(trace)
        sources: dict[int, tuple[str, str]] = {}
        for number, path in traced.execute("select id, path from file"):
            text = Path(path).read_text(encoding="utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            self._db.execute("insert or ignore into source values (?, ?)", (digest, text))
            sources[number] = (Path(path).relative_to(ROOT).as_posix(), digest)
        contexts = dict(traced.execute("select context, id from context where context <> ''"))
        for name, lasted in seconds.items():
            context = contexts.get(name, 0)
            rows = traced.execute("select file_id, numbits from line_bits where context_id = ?", (context,)).fetchall()
            breadth = sum(len(numbits_to_nums(bits)) for _, bits in rows)
            file = name.partition("::")[0]
            values = (name, file, lasted, breadth)
            number = self._db.execute(
                "insert into test (name, file, seconds, breadth) values (?, ?, ?, ?)", values
            ).lastrowid
            self._db.executemany(
                "insert into lines values (?, ?, ?, ?)", [(number, *sources[source], bits) for source, bits in rows]
            )
        traced.close()

    # -- asking it --------------------------------------------------------------------------------------------------

    def tests_of(self, path: str, text: str, first: int, last: int) -> list[Candidate]:
        """Return the tests that may notice a change between the lines *first* and *last* of a file that reads *text*.

        Of a function's lines, those tests that execute them: none, if none does. Other lines run when their module is
        imported: those tests count that execute a line which names what is defined there, or whose own file does.
        """
        found = self._executing(path, text, set(range(first, last + 1)))
        names, in_function = _defined(text, first, last)
        if not in_function:
            names = _resting_on(text, names)
        if in_function and not found and _called_at_import(text, names):
            in_function = False
        if not in_function and names:
            found |= self._executing(path, text, _mentioning(text, names))
            if len(found) < _FEW:
                for other in self._paths_mentioning(names, path):
                    other_text = (ROOT / other).read_text(encoding="utf-8")
                    found |= self._executing(other, other_text, _mentioning(other_text, names))
        if not found and not (in_function and path.startswith("gephyr_core/")):
            # The front ends run in processes of their own too, of which nothing is known.
            found = self._executing(path, text, set(range(1, text.count("\n") + 1)))
        naming = self._files_naming(names)
        rows = {number: row for number, *row in self._db.execute("select id, name, file, seconds, breadth from test")}
        if not in_function:
            found |= dict.fromkeys(number for number, (_, file, *_) in rows.items() if file in (*naming, *_OF_TABLES))
        tests = [Candidate(*rows[number]) for number in found]
        return [attrs.evolve(test, breadth=test.breadth // 20) if test.file in naming else test for test in tests]

    def _files_naming(self, names: Sequence[str]) -> list[str]:
        """Return the test files that name one of these: they are about it."""
        words = [re.compile(rf"\b{re.escape(name)}\b") for name in names if len(name) > _SHORT]
        files = [file for (file,) in self._db.execute("select path from test_file") if (ROOT / file).exists()]
        texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in files} if words else {}
        return [file for file, text in texts.items() if any(word.search(text) for word in words)]

    def _paths_mentioning(self, names: Sequence[str], apart_from: str) -> list[str]:
        paths = [path for (path,) in self._db.execute("select distinct path from lines order by path")]
        mentioning = []
        for path in paths:
            if path == apart_from or not (ROOT / path).exists():
                continue
            if _mentioning((ROOT / path).read_text(encoding="utf-8"), names):
                mentioning.append(path)
        return mentioning

    def _executing(self, path: str, text: str, lines: set[int]) -> dict[int, None]:
        found: dict[int, None] = {}
        digests = [row[0] for row in self._db.execute("select distinct digest from lines where path = ?", (path,))]
        for digest in digests:
            (older,) = self._db.execute("select text from source where digest = ?", (digest,)).fetchone()
            then = _lines_then(older, text, lines)
            query = self._db.execute("select test, bits from lines where path = ? and digest = ?", (path, digest))
            for test, bits in query:
                if any(line // 8 < len(bits) and bits[line // 8] >> line % 8 & 1 for line in then):
                    found[test] = None
        return found


def _lines_then(older: str, newer: str, lines: set[int]) -> set[int]:
    """Return where lines of a text stood in an older one; for those that are new, the nearest that stood there."""
    if older == newer:
        return lines
    matcher = difflib.SequenceMatcher(None, older.splitlines(), newer.splitlines(), autojunk=False)
    then: set[int] = set()
    for what, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        inside = [line for line in lines if new_start < line <= new_end]
        if inside and what == "equal":
            then |= {line - new_start + old_start for line in inside}
        elif inside:
            then |= set(range(old_start, old_end + 2))
    return then


def _defined(text: str, first: int, last: int) -> tuple[list[str], bool]:
    """Return the names that the statement at these lines defines, or else those of what it is in; and whether it is in
    a function's body."""
    names: list[str] = []
    in_function = False
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.stmt) or not node.lineno <= first <= last <= (node.end_lineno or 0):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
            in_function = not isinstance(node, ast.ClassDef) and first >= node.body[0].lineno
        elif not in_function:
            targets = [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
            names = targets or names
    return names, in_function


def _resting_on(text: str, names: Sequence[str]) -> list[str]:
    """Return *names* and those of the module's own values that are made of them: who reads a table reads its rows."""
    found = dict.fromkeys(names)
    values = [one for one in ast.parse(text).body if isinstance(one, ast.Assign | ast.AnnAssign)]
    for one in values:  # a value stands below those that it is made of
        nodes = [node for node in ast.walk(one) if isinstance(node, ast.Name)]
        if any(isinstance(node.ctx, ast.Load) and node.id in found for node in nodes):
            found |= dict.fromkeys(node.id for node in nodes if isinstance(node.ctx, ast.Store))
    return list(found)


def _called_at_import(text: str, names: Sequence[str]) -> bool:
    """Whether a module makes its tables with one of these functions: no test is seen to execute it."""
    outside = [node for node in ast.parse(text).body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    calls = [node.func for one in outside for node in ast.walk(one) if isinstance(node, ast.Call)]
    return any(isinstance(called, ast.Name) and called.id in names for called in calls)


def _mentioning(text: str, names: Sequence[str]) -> set[int]:
    """Return the lines that name one of these."""
    lines: set[int] = set()
    if not any(name in text for name in names):
        return lines
    for node in ast.walk(ast.parse(text)):
        name = {ast.Name: "id", ast.Attribute: "attr", ast.keyword: "arg"}.get(type(node))
        if name is not None and getattr(node, name) in names:
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _test_files(only: Sequence[str]) -> Iterator[str]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(NOT_RUN) and (not only or name.startswith(tuple(only))):
            yield name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
