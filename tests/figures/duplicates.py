"""Finds text that stands in two places: pairs of places with six and more lines that say the same.

Takes time linear in the size of the code and in the number of pairs: lines are numbered, windows of six are looked up.
"""

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

SHORTEST = 6
"""Lines that have to be the same."""
_MOST_PLACES = 40
"""Of one window: what stands in more places is a form (a table's rows), not a copy."""


@attrs.frozen
class Pair:
    """Two places that say the same."""

    path: Path
    line: int
    other: Path
    other_line: int
    length: int
    """Lines, without blanks, comments, docstrings and imports."""

    def __str__(self) -> str:
        return f"{self.length} lines: {self.path}:{self.line} and {self.other}:{self.other_line}"


def duplicates(sources: dict[Path, str], shortest: int = SHORTEST) -> list[Pair]:
    """Return the pairs, the longest first. A run of equal lines is one pair, however long it is."""
    numbers: dict[str, int] = {}
    lines = {path: list(normalised(text)) for path, text in sources.items()}
    coded = {path: [numbers.setdefault(text, len(numbers)) for _, text in told] for path, told in lines.items()}
    windows: dict[tuple[int, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, codes in coded.items():
        for at in range(len(codes) - shortest + 1):
            windows[tuple(codes[at : at + shortest])].append((path, at))
    pairs = []
    for places in windows.values():
        if 1 < len(places) <= _MOST_PLACES:
            for index, (path, at) in enumerate(places):
                for other, there in places[index + 1 :]:
                    length = _length(coded[path], at, coded[other], there, same=path == other)
                    if length >= shortest:
                        pairs.append(Pair(path, lines[path][at][0], other, lines[other][there][0], length))
    return sorted(pairs, key=lambda pair: (-pair.length, str(pair)))


def _length(one: Sequence[int], at: int, other: Sequence[int], there: int, *, same: bool) -> int:
    """How many lines are equal from two places on; 0 where the lines before them are equal too: it was counted there."""
    if at and there and one[at - 1] == other[there - 1]:
        return 0
    length = 0
    while at + length < len(one) and there + length < len(other) and one[at + length] == other[there + length]:
        if same and at + length >= there:
            break
        length += 1
    return length


def normalised(text: str) -> Iterator[tuple[int, str]]:
    """The lines that do something, each with its number: without indentation, comments, docstrings and imports."""
    silent = _silent(text)
    comments = _comments(text)
    for number, line in enumerate(text.splitlines(), 1):
        if number not in silent:
            bare = line[: comments.get(number, len(line))].strip()
            if bare:
                yield number, bare


def _silent(text: str) -> set[int]:
    """The lines of docstrings and imports."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        told = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if told or isinstance(node, ast.Import | ast.ImportFrom):
            assert isinstance(node, ast.stmt)
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _comments(text: str) -> dict[int, int]:
    """Where on which line a comment begins."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.start[1] for token in tokens if token.type == tokenize.COMMENT}
