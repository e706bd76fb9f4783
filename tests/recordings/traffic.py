"""The one door to recorded traffic: the whole corpus where it lies beside the repository, else the selection in it.

The selection is a part of the corpus, so a test that reads all records of a dialect reads those of the selection in
either case. ``GEPHYR_RECORDINGS=selection`` reads the selection even where the whole corpus is.
"""

import functools
import json
import lzma
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "dev"
"""The whole corpus, one JSON object a line, one file a dialect; it is not part of the repository."""
SELECTION = Path(__file__).with_name("selection.jsonl.xz")
"""The lines of the corpus that were chosen, in its order."""

IS_WHOLE = CORPUS.is_dir() and os.environ.get("GEPHYR_RECORDINGS") != "selection"
"""Whether tests read the whole corpus."""


def records(*dialects: str) -> Iterator[dict[str, Any]]:
    """The records of some dialects, or of all, decoded anew: a test may change what it gets.

    Raises ``KeyError`` for a dialect of which nothing was recorded.
    """
    lines = corpus_lines() if IS_WHOLE else selected_lines()
    for dialect in dialects or sorted(lines):
        yield from map(json.loads, lines[dialect])


@functools.cache
def corpus_lines() -> dict[str, list[bytes]]:
    """The corpus, as it is written, by dialect."""
    return {file.stem: file.read_bytes().splitlines() for file in sorted(CORPUS.glob("*.jsonl"))}


@functools.cache
def selected_lines() -> dict[str, list[bytes]]:
    """The selection, as it is written, by dialect."""
    found: dict[str, list[bytes]] = {}
    for line in lzma.decompress(SELECTION.read_bytes()).splitlines():
        found.setdefault(json.loads(line)["dialect"], []).append(line)
    return found


@functools.cache
def selected_ids() -> frozenset[str]:
    """The ids of the selected records."""
    return frozenset(json.loads(line)["id"] for lines in selected_lines().values() for line in lines)


def counted(*, whole: int, selected: int) -> int:
    """The number that a test expects, of the set that it reads."""
    return whole if IS_WHOLE else selected
