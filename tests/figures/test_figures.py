"""The figures count what they say: each detector on code in which somebody can count by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.figures import source
from tests.figures.calls import PASSTHROUGH, TRANSLATED, calls_of
from tests.figures.duplicates import duplicates, normalised
from tests.figures.table import FIGURES, measured
from tests.waiting import WAIT

HERE, THERE = Path("gephyr_core/a.py"), Path("gephyr_core/b.py")
SIX = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nf = 6\n"


def test_a_copy_is_one_pair_however_long_it_is() -> None:
    longer = SIX + "g = 7\nh = 8\n"
    (pair,) = duplicates({HERE: "x = 0\n" + longer, THERE: longer + "y = 0\n"})
    assert (pair.path, pair.line, pair.other, pair.other_line, pair.length) == (HERE, 2, THERE, 1, 8)
    assert len(duplicates({HERE: "x = 0\n" + longer, THERE: longer + "y = 0\n", Path("c.py"): longer})) == 3


def test_five_equal_lines_are_no_copy() -> None:
    assert duplicates({HERE: SIX, THERE: SIX.replace("f = 6", "f = 7")}) == []


def test_a_copy_may_stand_in_the_same_file() -> None:
    (pair,) = duplicates({HERE: f"{SIX}x = 0\n{SIX}"})
    assert (pair.line, pair.other_line, pair.length) == (1, 8, 6)


def test_what_does_nothing_is_not_compared() -> None:
    """Comments, blank lines, docstrings, imports and indentation do not make a copy, nor hide one."""
    text = f'"""Says what."""\nimport re\n\n\ndef f():\n    {SIX.strip().replace(chr(10), chr(10) + "    # why" + chr(10) + "    ")}\n'
    assert [line for _, line in normalised(text)] == ["def f():", *SIX.splitlines()]
    (pair,) = duplicates({HERE: SIX, THERE: text})
    assert pair.length == 6


def test_asserts_and_any_are_counted_where_they_stand() -> None:
    text = "from typing import Any\n\n\ndef f(a: Any, b: dict[str, Any]) -> None:\n    assert a\n    assert b\n"
    assert source.asserts({HERE: text}) == ["gephyr_core/a.py:0005", "gephyr_core/a.py:0006"]
    assert source.anys({HERE: text}) == ["gephyr_core/a.py:0004", "gephyr_core/a.py:0004"]
    assert source.lines({HERE: text, THERE: "a\n"}) == 7


def test_a_dialect_that_is_named_outside_the_dialects_is_counted() -> None:
    text = 'TABLE = {"gemini": 1, "gemini-pro": 2}\n"""Asks anthropic."""\n'
    inside = Path("gephyr_core/dialects/gemini/dialect.py")
    assert source.literal_dialects({HERE: text, inside: text}) == ["gephyr_core/a.py:0001"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("prompt.dialect == NAME", 1),
        ('dialect != "gemini"', 1),
        ("self.dialect.name in FORGETFUL", 1),
        ('self.source(attempt).name == "gemini"', 1),
        ("operation.name in DELETIONS", 0),
        ('operation.dialect in {"openai-chat", "openai-completions"}', 1),
        ("part.source.dialect not in _OWN_FILES", 1),
        ("account.dialect in other.dialects", 0),
        ("dialect == other", 0),
        ("status == OK", 0),
    ],
)
def test_a_comparison_with_a_named_dialect_is_a_branch(text: str, count: int) -> None:
    assert len(source.dialect_branches({HERE: f"x = {text}\n"})) == count


def test_a_circle_counts_although_it_is_for_types_only() -> None:
    one = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gephyr_core.b import B\n"
    third = {Path("gephyr_core/c.py"): "import gephyr_core.a\n"}
    assert source.circles({HERE: one, THERE: "from gephyr_core import a\n", **third}) == [
        ["gephyr_core.a", "gephyr_core.b"]
    ]
    assert source.circles({HERE: one, THERE: "import re\n", **third}) == []


def test_two_circles_that_share_a_module_are_one_knot() -> None:
    files = {"a": "b", "b": "c", "c": "a", "d": "b e", "e": "d"}
    sources = {
        Path(f"gephyr_core/{name}.py"): "".join(f"import gephyr_core.{one}\n" for one in needs.split())
        for name, needs in files.items()
    }
    assert sorted(source.circles(sources)) == [
        ["gephyr_core.a", "gephyr_core.b", "gephyr_core.c"],
        ["gephyr_core.d", "gephyr_core.e"],
    ]


def test_the_calls_of_a_request_are_the_same_every_time() -> None:
    """And a translation calls more than passing on does."""
    first, again, translated = calls_of(PASSTHROUGH), calls_of(PASSTHROUGH), calls_of(TRANSLATED)
    assert first == again
    assert "gateway.py:receive" in first.by_function
    assert 10 < first.files < first.count < translated.count


def test_the_table_has_every_figure_with_a_value() -> None:
    """The command prints a line for each."""
    shown = subprocess.run(
        [sys.executable, "-m", "tests.figures", "--list", "circles"],
        cwd=source.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    told = shown.stdout.splitlines()
    assert [line.split()[0] for line in told[: len(FIGURES)]] == [figure.key for figure in FIGURES]
    assert len(told) == len(FIGURES) + measured("circles").count
