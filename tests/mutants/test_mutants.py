"""The tool that changes the code: it finds every change of a toy module, draws by a seed, and tells who notices."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.evidence import Candidate, Evidence
from tests.mutants.mutants import Mutant, as_row, equivalent, mutants_of, sample
from tests.mutants.operators import KINDS, changes_of
from tests.mutants.places import AREAS, ROOT, area_of, product_files
from tests.mutants.trial import rounds

TOY = '''\
"""A toy."""

from typing import Literal

STEPS = {"first": 1.5, "second": 2.5}
Size = Literal["small", "large"]


def grade(points: int, most: int = 10, *, kind: Size = "small") -> str:
    """Return "a sentence" nobody changes."""
    assert points >= 0
    if points > most or not points:
        raise ValueError("a sentence that is left alone")
    match kind:
        case "small" | "large":
            return "good" if points + 1 >= most else f"bad{points}"
    return min(kind, "x", key=len)
'''


def mutants(text: str = TOY) -> list[Mutant]:
    return [Mutant("toy.py", text, change) for change in changes_of(text)]


def changed(kind: str) -> list[str]:
    """What a kind of change makes of the toy, line by line."""
    return [one.key[3] for one in mutants() if one.change.kind == kind]


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        (
            "operand",
            [
                "if (not points):",
                "if (points > most):",
                "if points > most and not points:",
            ],
        ),
        (
            "comparison",
            [
                "if points >= most or not points:",
                "if points <= most or not points:",
                'return "good" if points + 1 > most else f"bad{points}"',
                'return "good" if points + 1 < most else f"bad{points}"',
                'return max(kind, "x", key=len)',
            ],
        ),
        ("arithmetic", ['return "good" if points - 1 >= most else f"bad{points}"']),
        ("entry", ['STEPS = {"first": 1.5}', 'STEPS = {"second": 2.5}', 'case ("large"):', 'case ("small"):']),
        ("argument", ['return min(kind, "x")']),
        ("statement", ["pass"]),
    ],
)
def test_each_kind_of_change_is_found_where_it_can_be_made(kind: str, becomes: list[str]) -> None:
    assert sorted(changed(kind)) == sorted(becomes)


def test_what_no_test_should_look_at_is_left_alone() -> None:
    """Annotations, docstrings, assertions, sentences and what stands in an f-string."""
    lines = {one.lines[0] for one in mutants()}
    text = TOY.splitlines()
    untouched = [line for number, line in enumerate(text, 1) if number not in lines and line.strip()]
    assert untouched == [text[at] for at in (0, 2, 5, 9, 10, 13)]
    assert not any("sentence" in one.change.instead for one in mutants())


def test_every_mutant_is_another_program() -> None:
    texts = [one.mutated for one in mutants()]
    assert {one.change.kind for one in mutants()} == set(KINDS) - {"flag"}
    assert all(ast.dump(ast.parse(text)) != ast.dump(ast.parse(TOY)) for text in texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("path", product_files()[::29])
def test_every_mutant_of_the_product_can_be_parsed(path: str) -> None:
    for mutant in mutants_of(path)[::17]:
        assert ast.parse(mutant.mutated)


def test_a_seed_draws_the_same_mutants_again_and_another_one_others() -> None:
    below = "gephyr_core/scheduling/"
    drawn = [sample(seed, 30, ["scheduling"], below) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 30
    assert {one.area for one in drawn[0]} == {"scheduling"}
    assert len({one.change.kind for one in drawn[0]}) > 5


def test_every_file_is_in_one_area_and_no_area_is_empty() -> None:
    areas = {area_of(path) for path in product_files()}
    assert areas == set(AREAS)


def test_a_mutant_is_known_again_when_lines_above_it_come_and_go(tmp_path: Path) -> None:
    (mutant,) = [one for one in mutants() if one.change.kind == "arithmetic"]
    (moved,) = [
        one for one in mutants(TOY.replace('"""A toy."""', '"""A toy.\n\nThat grew.\n"""')) if one.key == mutant.key
    ]
    assert moved.lines[0] == mutant.lines[0] + 3
    assert mutant.function == "grade"
    listed = tmp_path / "equivalent.toml"
    listed.write_text(as_row(mutant).replace("why = ''", "why = 'a reason'"), encoding="utf-8")
    assert equivalent(listed) == {mutant.key: "a reason"}


def test_every_equivalent_mutant_on_the_list_exists_and_has_a_reason() -> None:
    """A row whose code has changed is to be reviewed again."""
    listed = equivalent()
    keys = {mutant.key for path in {key[0] for key in listed} for mutant in mutants_of(path)}
    assert [key for key in listed if key not in keys] == []
    assert [key for key, why in listed.items() if len(why) < 10] == []


def test_tests_are_run_in_rounds_the_narrow_and_quick_ones_of_each_function_first() -> None:
    tests = [
        Candidate("a.py::wide", "a.py", 0.1, 9000),
        Candidate("a.py::narrow[1]", "a.py", 0.1, 10),
        Candidate("a.py::narrow[2]", "a.py", 0.1, 10),
        Candidate("b.py::slow", "b.py", 3.95, 10),
        Candidate("b.py::endless", "b.py", 1000.0, 1),
    ]
    first, second = rounds(tests)
    assert [test.name for test in first] == ["a.py::narrow[1]", "a.py::wide", "a.py::narrow[2]"] or len(first) == 3
    assert [test.name for test in second] == ["b.py::slow"]


TRACED = "tests/core/test_windows.py"
WINDOWS = "gephyr_core/scheduling/windows"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of one file of tests: traced once, in a process of its own."""
    where = tmp_path_factory.mktemp("mutants")
    Evidence(where / "evidence.db").refresh([TRACED])
    return where


def test_tests_are_chosen_by_the_lines_that_they_execute_wherever_those_have_gone(folder: Path) -> None:
    evidence = Evidence(folder / "evidence.db")
    text = (ROOT / f"{WINDOWS}.py").read_text(encoding="utf-8")
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines, 1) if "self._starts.append(now)" in line)
    chosen = evidence.tests_of(f"{WINDOWS}.py", text, at, at)
    assert chosen
    assert {test.file for test in chosen} == {TRACED}
    moved = evidence.tests_of(f"{WINDOWS}.py", f"# A comment\n\n{text}", at + 2, at + 2)
    assert {test.name for test in moved} == {test.name for test in chosen}


def test_a_mutant_is_noticed_or_survives_and_the_checkout_stays_as_it_is(folder: Path) -> None:
    """The whole command on one file: its exit status is that of its figure. What was traced is not traced again."""
    before = {path: (ROOT / path).read_bytes() for path in product_files()}
    options = ["--area", "scheduling", "--below", WINDOWS, "--tests", TRACED, "--folder", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants", *options, "--count", "2", "--workers", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "scheduling: " in done.stdout, done.stderr
    assert (done.returncode == 0) == (" 0 survived" in done.stdout)
    assert "tracing" not in done.stderr
    assert {path: (ROOT / path).read_bytes() for path in product_files()} == before
