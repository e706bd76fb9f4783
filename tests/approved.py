"""Tables that somebody has read and approved: what is sent and said for many cases, a line each, kept as text.

A test makes its table anew and compares. Where a line changes, the test shows the lines that do; if they are right,
``GEPHYR_APPROVE=1 python -m pytest ...`` writes the table anew, and the change is reviewed as the diff of a text file.
"""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

_FOLDER = Path(__file__).with_name("approved_tables")


def check_table(name: str, lines: Iterable[str]) -> None:
    """Compare *lines* with the approved ones of this name."""
    path, made = _FOLDER / f"{name}.txt", [line.rstrip() for text in lines for line in text.split("\n")]
    if os.environ.get("GEPHYR_APPROVE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(made) + "\n", encoding="utf-8")
    approved = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    changed = "\n".join(difflib.unified_diff(approved, made, "approved", "made", lineterm="", n=1))
    assert made == approved, f"{path.name} differs:\n{changed[:20_000]}"
