"""What the code and the documents cite is in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DECISIONS = ROOT / "docs" / "decisions"
_PLACES = ("gephyr_core", "frontends", "tests", "benchmarks", "docs", "examples")
_SUFFIXES = (".py", ".md", ".toml")
_NUMBERS = re.compile(r"\bdecisions?\s+(\d+)(?:\s+and\s+(\d+))?\b", re.IGNORECASE)
_DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")
_OF_OTHERS = ("AGENTS.md", "CLAUDE.md", "GEMINI.md")
"""Files that coding agents read in their users' repositories."""


def _texts() -> Iterator[Path]:
    yield from (ROOT / "README.md", ROOT / "CHANGELOG.md")
    for place in _PLACES:
        for path in sorted((ROOT / place).rglob("*")):
            if path.suffix in _SUFFIXES and path != Path(__file__):
                yield path


def _cited_numbers(text: str) -> set[int]:
    return {int(number) for pair in _NUMBERS.findall(text) for number in pair if number}


def test_every_decision_that_is_cited_has_a_page() -> None:
    """A reader who meets "decision 13" finds what it says."""
    pages = {int(page.name.partition("-")[0]) for page in DECISIONS.glob("[0-9]*.md")}
    cited = {(path, number) for path in _texts() for number in _cited_numbers(path.read_text(encoding="utf-8"))}
    assert {number for _, number in cited} >= {1, 13}, "the pattern finds nothing"
    missing = [f"{path.relative_to(ROOT)}: decision {number}" for path, number in cited if number not in pages]
    assert sorted(missing) == []


def test_every_document_that_is_cited_is_there() -> None:
    """No text sends a reader to a document that only its writer had."""
    missing = []
    for path in _texts():
        for name in _DOCUMENT.findall(path.read_text(encoding="utf-8")):
            places = (ROOT / name, ROOT / "docs" / name, path.parent / name)
            if name not in _OF_OTHERS and not any(place.is_file() for place in places):
                missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_a_page_tells_context_decision_and_consequence(page: Path) -> None:
    """Each is short, is listed, and has its number in its name and its title."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert text.startswith(f"# {int(page.name.partition('-')[0])}. ")
    assert f"({page.name})" in (DECISIONS / "index.md").read_text(encoding="utf-8")
    assert len(text.split()) < 250
