"""The rules of the house for tests: each says what holds, and none depends on how fast the machine is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_tidy import PRODUCT, PYTHON, ROOT, parsed, public_definitions, shown

TESTS = [path for path in PYTHON if path.relative_to(ROOT).parts[0] == "tests" and path.parent.name != "mutants"]
"""Of the product; ``tests/mutants`` is a tool that times its trials."""
CASES = [path for path in TESTS if path.name.startswith("test_")]
Function = ast.FunctionDef | ast.AsyncFunctionDef

CLOCKS = re.compile(
    r"\b(?:asyncio|anyio|time)\.sleep\((?!0\))|\btime\.(?:time|monotonic|perf_counter|process_time|clock_gettime)\b"
    r"|\bdatetime\.(?:now|utcnow)\b|\bdate\.today\b"
)
"""A sleep, other than one that only lets the loop turn, or a look at a clock."""
MAY_LOOK = {
    "tests/waiting.py": "it is how all the others wait",
    "tests/nets/catching.py": "a tool that tells for how long it has been at work",
    "tests/stub_upstream.py": "a provider that sends at its own pace",
    "tests/runtime/test_clock.py": "the clock is what it tests",
    "tests/runtime/real_proxies.py": "a server of somebody else's comes up in its own time",
    "tests/test_purity.py": "it names what the core may not call",
    "tests/test_claims.py": "it names what a test may not call",
}
LIMITS = ("timeout", "wait_for", "fail_after", "move_on_after", "communicate")
"""What takes a limit of time."""
CLAIMS = ("raises", "warns", "fail", "timeout", "wait_for")
"""Calls that fail where something does not hold, or does not come."""


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_no_test_sleeps_or_looks_at_a_clock(path: Path) -> None:
    """What is waited for is an event (``tests/waiting.py``); programs in strings are looked at too."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [f"{shown(path)}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if CLOCKS.search(line)]
    assert found == [] or shown(path) in MAY_LOOK


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_a_limit_of_a_wait_only_ends_what_hangs(path: Path) -> None:
    """It is ``WAIT``: a number of a test's own would say how fast the machine has to be."""
    own = [
        f"{shown(path)}:{call.lineno}: {ast.unparse(call)}"
        for call in calls(parsed(path))
        if called(call) in LIMITS
        for given in (*call.args, *(word.value for word in call.keywords))
        if isinstance(given, ast.Constant) and isinstance(given.value, int | float)
    ]
    assert own == []


@pytest.mark.parametrize("path", CASES, ids=shown)
def test_a_test_says_what_holds(path: Path) -> None:
    """With an ``assert`` or ``raises``, by itself or by a helper: that nothing raises is no claim."""
    silent = [
        f"{shown(path)}:{test.lineno}: {test.name}"
        for test in functions(parsed(path))
        if test.name.startswith("test_") and not claims(test, checkers())
    ]
    assert silent == []


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in *node*."""
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def called(call: ast.Call) -> str:
    """The name that is called, without what it is called on."""
    return {ast.Attribute: "attr", ast.Name: "id"}.get(type(call.func), "") and ast.unparse(call.func).split(".")[-1]


def functions(node: ast.AST) -> Iterator[Function]:
    """The functions and methods in *node*."""
    return (one for one in ast.walk(node) if isinstance(one, Function))


def claims(function: Function, helpers: frozenset[str]) -> bool:
    """Whether a function fails where something does not hold: by itself, or by one of the *helpers*."""
    known = {*CLAIMS, *helpers}
    return any(isinstance(node, ast.Assert) for node in ast.walk(function)) or any(
        called(call) in known or checks_a_program(call) for call in calls(function)
    )


def checks_a_program(call: ast.Call) -> bool:
    """Whether it is a ``subprocess.run(..., check=True)``, which fails where the program does."""
    return called(call) == "run" and any(ast.unparse(word) == "check=True" for word in call.keywords)


def checkers() -> frozenset[str]:
    """The names of the tests' own helpers that claim something; those that the product has too do not count."""
    if not _checkers:
        product = {name.rpartition(".")[2] for path in PRODUCT for name, _ in public_definitions(parsed(path).body)}
        helpers = [one for path in TESTS for one in functions(parsed(path)) if one.name not in product]
        found: set[str] = set()
        while more := {one.name for one in helpers if one.name not in found and claims(one, frozenset(found))}:
            found |= more
        _checkers.append(frozenset(found))
    return _checkers[0]


_checkers: list[frozenset[str]] = []
