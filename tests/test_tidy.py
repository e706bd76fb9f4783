"""The rules of the house that a tool can check."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.figures.table import measured

ROOT = Path(__file__).parents[1]
SOURCES = ("gephyr_core", "frontends")
FOLDERS = (*SOURCES, "tests", "benchmarks", "docs", "examples", ".ci")
"""Of the repository; what else lies about in a checkout (environments, build folders) is not looked at."""
PYTHON = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PRODUCT = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in SOURCES]
TEXT = (".py", ".md", ".toml", ".ini", ".cfg", ".yml", ".yaml", ".sh", ".txt", ".conf", ".lua", ".c", ".svg")

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MOST_ASSERTIONS_OF_AN_EXCHANGE = 5


def shown(path: Path) -> str:
    """A file's name in a test's name."""
    return path.relative_to(ROOT).as_posix()


def every_text_file() -> list[Path]:
    """The files of the repository that people read, scripts without a suffix included."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return sorted(
        path
        for path in (*ROOT.glob("*"), *below)
        if path.is_file() and (path.suffix in TEXT or not path.suffix) and not is_hidden(path)
    )


def is_hidden(path: Path) -> bool:
    """Whether a file is a tool's own (``.hypothesis``, ``.gitignore``)."""
    return any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts)


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def public_definitions(
    nodes: list[ast.stmt], inside: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The public classes, functions and methods among *nodes*, and in public classes; overloads are left out."""
    for node in nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        yield inside + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body, f"{inside}{node.name}.")


@pytest.mark.parametrize("path", PYTHON, ids=shown)
def test_a_file_is_one_thought(path: Path) -> None:
    """Past 400 lines, it is two files."""
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_FILE, f"{shown(path)} has {lines} lines"


@pytest.mark.parametrize("path", PRODUCT, ids=shown)
def test_a_function_fits_on_a_page(path: Path) -> None:
    """Decorators count; a function that needs a scroll is two functions."""
    too_long = [
        f"{shown(path)}:{node.lineno}: {node.name} has {length} lines"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := (node.end_lineno or 0) - min([node.lineno, *(d.lineno for d in node.decorator_list)]) + 1)
        > LONGEST_FUNCTION
    ]
    assert too_long == []


def test_the_states_of_an_exchange_hold_what_is_needed_in_them() -> None:
    """So that few assertions are needed of what must be there: 5 today, of 88 while every exchange had every field."""
    trees = {path: parsed(path) for path in PRODUCT if path.parent == ROOT / "gephyr_core" / "exchange"}
    found = [
        f"{shown(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert len(found) <= MOST_ASSERTIONS_OF_AN_EXCHANGE, found


def test_no_part_of_an_exchange_waits_to_be_overridden() -> None:
    """Its functions call those of the files they import, and are given what to go on with where that is not enough."""
    stubs = [
        shown(path)
        for path in PRODUCT
        if path.parent == ROOT / "gephyr_core" / "exchange" and "NotImplementedError" in path.read_text("utf-8")
    ]
    assert stubs == []
    exchange = parsed(ROOT / "gephyr_core" / "exchange" / "exchange.py")
    (bases,) = [node.bases for node in exchange.body if isinstance(node, ast.ClassDef) and node.name == "Exchange"]
    assert bases == []


@pytest.mark.parametrize("path", PRODUCT, ids=shown)
def test_what_is_public_says_what_it_is(path: Path) -> None:
    """Modules, classes, functions and methods; what a method overrides was said where it was named first."""
    tree = parsed(path)
    missing = [f"{shown(path)}: the module"] if tree.body and ast.get_docstring(tree) is None else []
    missing += [
        f"{shown(path)}:{node.lineno}: {name}"
        for name, node in public_definitions(tree.body)
        if ast.get_docstring(node) is None and not said_elsewhere(node, name)
    ]
    assert missing == []


def said_elsewhere(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
    """Whether a method fulfils a protocol, or overrides what a base class documents: it then says the same again."""
    return "." in name and node.name in documented_methods()


def documented_methods() -> dict[str, None]:
    """The names of methods that a class of ours documents, or that a library's base class does."""
    if not _documented:
        _documented.update(dict.fromkeys(ASYNCIO_CALLBACKS))
        for path in PRODUCT:
            for name, node in public_definitions(parsed(path).body):
                if "." in name and ast.get_docstring(node) is not None:
                    _documented[node.name] = None
    return _documented


_documented: dict[str, None] = {}
ASYNCIO_CALLBACKS = (
    *("connection_made", "connection_lost", "data_received", "eof_received", "pause_writing", "resume_writing"),
    *("buffer_updated", "get_buffer"),
)
"""``asyncio.Protocol`` documents these."""


@pytest.mark.parametrize("module", ["events", "commands"])
def test_the_vocabulary_is_documented(module: str) -> None:
    """Each class says what it is, and is a value: frozen, or a frozen struct where one is made for every chunk."""
    for node in parsed(ROOT / "gephyr_core" / f"{module}.py").body:
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node), node.name
            options = [f"{option.arg}={ast.unparse(option.value)}" for option in node.keywords]
            made_by = [ast.unparse(maker) for maker in (*node.decorator_list, *node.bases)]
            assert made_by == ["attrs.frozen"] or (made_by == ["msgspec.Struct"] and "frozen=True" in options), (
                node.name
            )


@pytest.mark.parametrize("path", every_text_file(), ids=shown)
def test_nothing_is_left_for_later(path: Path) -> None:
    """What is not done is an issue, not a comment."""
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    assert marks.findall(path.read_text(encoding="utf-8", errors="replace")) == []


@pytest.mark.parametrize("path", every_text_file(), ids=shown)
def test_no_file_knows_the_machine_it_was_written_on(path: Path) -> None:
    """A path of one machine means nothing on the next. Tests may name a temporary folder."""
    folders = ["/wo" + "rk/", "/ro" + "ot/"]
    if path.relative_to(ROOT).parts[0] != "tests":
        folders += ["/t" + "mp/", "/home/"]
    named = re.compile(r"(?<![\w.:}])(" + "|".join(folders) + ")")
    assert named.findall(path.read_text(encoding="utf-8", errors="replace")) == []


HELD = {
    "circles": 0,
    "calls": 114,
    "files": 35,
    "translated": 341,
    "translating": 68,
    "branches": 110,
    "names": 74,
    "knowing": 21,
}
"""Figures of the code's form (``python -m tests.figures`` tells what each is) that may go down and not up: who lowers
one lowers it here too."""


@pytest.mark.parametrize("key", HELD)
def test_the_form_of_the_core_gets_no_worse(key: str) -> None:
    assert measured(key).count <= HELD[key]
