"""Mutants: one change each, drawn by a seed, and told apart from the equivalent ones."""

import ast
import difflib
import functools
import random
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.mutants.operators import KINDS, Change, changes_of
from tests.mutants.places import ROOT, area_of, product_files

EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@attrs.frozen
class Mutant:
    """A file of the product with one change."""

    path: str
    """From the repository's root."""
    text: str
    """What the file says without the change."""
    change: Change

    @property
    def area(self) -> str:
        """The area whose figure it counts in."""
        return area_of(self.path)

    @property
    def mutated(self) -> str:
        """What the file says with it."""
        data = self.text.encode()
        return (data[: self.change.start] + self.change.instead.encode() + data[self.change.end :]).decode()

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line of what is changed."""
        data = self.text.encode()
        return data[: self.change.start].count(b"\n") + 1, data[: self.change.end].count(b"\n") + 1

    @property
    def function(self) -> str:
        """The function or class that it is in, with those around it; empty for a module's own lines."""
        first, last = self.lines
        return ".".join(name for name, start, end in _scopes(self.text) if start <= first <= last <= end)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same while lines above it come and go: file, function, the lines that change, and their change."""
        first, last = self.lines
        before, after = self.text.splitlines(), self.mutated.splitlines()
        was = before[first - 1 : last]
        becomes = after[first - 1 : len(after) - (len(before) - last)]
        return self.path, self.function, _words(was), _words(becomes)

    @property
    def diff(self) -> str:
        """The change for a reader."""
        before, after = self.text.splitlines(), self.mutated.splitlines()
        head = f"{self.path} ({self.function or 'module'}, {self.change.kind})"
        return "\n".join(difflib.unified_diff(before, after, head, head, lineterm="", n=2))


@functools.lru_cache(maxsize=16)
def _scopes(text: str) -> tuple[tuple[str, int, int], ...]:
    """The functions and classes of a file, the outer ones first, each with its first and last line."""
    return tuple(
        (node.name, node.lineno, node.end_lineno or 0)
        for node in ast.walk(ast.parse(text))  # breadth first
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


def _words(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())


def mutants_of(path: str) -> list[Mutant]:
    """Return every mutant of a file."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return [Mutant(path, text, change) for change in changes_of(text)]


def sample(seed: int, count: int, areas: Sequence[str], below: str = "") -> list[Mutant]:
    """Draw *count* mutants, evenly from the *areas*, and in each evenly from the kinds of change; of files whose names
    begin with *below*. The same seed draws the same ones of the same text."""
    rng = random.Random(seed)
    drawn: list[Mutant] = []
    for number, area in enumerate(areas):
        share = count // len(areas) + (number < count % len(areas))
        by_kind: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
        for path in product_files():
            if area_of(path) == area and path.startswith(below):
                for mutant in mutants_of(path):
                    by_kind[mutant.change.kind].append(mutant)
        drawn += _evenly(rng, [one for one in by_kind.values() if one], share)
    return drawn


def _evenly(rng: random.Random, groups: list[list[Mutant]], count: int) -> list[Mutant]:
    drawn: list[Mutant] = []
    while groups and len(drawn) < count:
        group = rng.choice(groups)
        drawn.append(group.pop(rng.randrange(len(group))))
        groups = [one for one in groups if one]
    return drawn


def equivalent(path: Path = EQUIVALENT) -> dict[tuple[str, str, str, str], str]:
    """Return the reviewed list of mutants that change nothing anybody could notice, each with the reason."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    return {(row["file"], row["function"], row["was"], row["becomes"]): row["why"] for row in rows}


def listed(survivors: Path) -> list[Mutant]:
    """Return the mutants that a list of survivors names, as far as they still exist."""
    text = survivors.read_text(encoding="utf-8")
    rows = tomllib.loads(
        "\n".join(re.findall(r"^(?:\[\[mutant\]\]|(?:file|function|was|becomes|why) = .*)$", text, re.MULTILINE))
    )
    keys = {(row["file"], row["function"], row["was"], row["becomes"]): None for row in rows.get("mutant", [])}
    paths = [path for path in dict.fromkeys(key[0] for key in keys) if (ROOT / path).exists()]
    found = (mutant for path in paths for mutant in mutants_of(path))
    return [mutant for mutant in found if mutant.key in keys]


def as_row(mutant: Mutant) -> str:
    """Return the entry of that list for a mutant, its reason left open."""
    path, function, was, becomes = mutant.key
    fields = {"file": path, "function": function, "was": was, "becomes": becomes, "why": ""}
    return "\n".join(["[[mutant]]", *(f"{name} = {_quoted(value)}" for name, value in fields.items())])


def _quoted(value: str) -> str:
    return f"'{value}'" if "'" not in value else f"'''{value}'''"
