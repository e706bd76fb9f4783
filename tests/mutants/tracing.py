"""A pytest plugin that writes down which lines of the product each test executes.

``python -m pytest -p tests.mutants.tracing`` leaves a file of coverage.py, whose contexts are the tests' ids, at
``$GEPHYR_TRACE``, and beside it how long each test took.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

from tests.mutants.places import ROOT, SOURCES

_TARGET = Path(os.environ["GEPHYR_TRACE"])
_seconds: dict[str, float] = {}
_coverage = coverage.Coverage(
    data_file=str(_TARGET), include=[f"{ROOT / source}/*" for source in SOURCES], config_file=False, messages=False
)
_coverage.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have what a test executes, its fixtures included, carry its id."""
    _coverage.switch_context(item.nodeid)
    begun = time.perf_counter()
    try:
        return (yield)
    finally:
        _seconds[item.nodeid] = time.perf_counter() - begun
        _coverage.switch_context("")


def pytest_sessionfinish() -> None:
    """Leave the files."""
    _coverage.stop()
    _coverage.save()
    _TARGET.with_suffix(".json").write_text(json.dumps(_seconds), encoding="utf-8")
