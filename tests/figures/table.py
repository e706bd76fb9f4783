"""Which figures there are, what each is to come to, and how each is measured."""

import functools
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.figures import source
from tests.figures.calls import PASSTHROUGH, TRANSLATED, calls_of
from tests.figures.duplicates import SHORTEST, duplicates


@attrs.frozen
class Value:
    """A figure's value today."""

    count: int
    places: tuple[str, ...] = ()
    """What was counted, for whoever wants to lower it."""


@attrs.frozen
class Figure:
    """One figure."""

    key: str
    what: str
    target: int | None
    measure: Callable[[], Value]


@functools.cache
def _core() -> dict[Path, str]:
    return source.python_files(source.CORE)


def measured(key: str) -> Value:
    """Measure one of the figures now."""
    (figure,) = (figure for figure in FIGURES if figure.key == key)
    return figure.measure()


def _of(places: list[str]) -> Value:
    return Value(len(places), tuple(places))


def _by_file(sources: dict[Path, str]) -> tuple[str, ...]:
    counts = sorted(((text.count("\n"), path.as_posix()) for path, text in sources.items()), reverse=True)
    return tuple(f"{count} {name}" for count, name in counts)


def _copies() -> Value:
    pairs = duplicates(source.python_files(source.CORE, source.FRONTENDS))
    return Value(sum(pair.length - SHORTEST + 1 for pair in pairs), tuple(map(str, pairs)))


def _calls(way: tuple[str, str], *, files: bool) -> Value:
    calls = calls_of(way)
    functions = tuple(f"{count} {name}" for name, count in calls.by_function.most_common())
    return Value(calls.files if files else calls.count, functions)


def _literal_files() -> Value:
    return _of(sorted({place.rpartition(":")[0] for place in source.literal_dialects(_core())}))


FIGURES = (
    Figure("lines", "lines of the core", 30_300, lambda: Value(source.lines(_core()), _by_file(_core()))),
    Figure(
        "dialects",
        "files in gephyr_core/dialects",
        50,
        lambda: _of([path.as_posix() for path in source.below(_core(), "gephyr_core/dialects")]),
    ),
    Figure(
        "asserts",
        "asserts in gephyr_core/exchange",
        9,
        lambda: _of(source.asserts(source.below(_core(), "gephyr_core/exchange"))),
    ),
    Figure("any", "`Any` in the core", 249, lambda: _of(source.anys(_core()))),
    Figure("copies", "pairs of six equal lines, core and front ends", 79, _copies),
    Figure("calls", "calls from RequestEnded to CallUpstream, passed on", 59, lambda: _calls(PASSTHROUGH, files=False)),
    Figure("files", "files of these calls", 14, lambda: _calls(PASSTHROUGH, files=True)),
    Figure("translated", "the same calls, translated", 149, lambda: _calls(TRANSLATED, files=False)),
    Figure("translating", "files of these calls", 24, lambda: _calls(TRANSLATED, files=True)),
    Figure(
        "branches", "comparisons with a named dialect in the core", 19, lambda: _of(source.dialect_branches(_core()))
    ),
    Figure(
        "circles",
        "circles of imports in the core, for types too",
        0,
        lambda: _of([" <-> ".join(group) for group in source.circles(_core())]),
    ),
    Figure(
        "names",
        "dialects' names as texts outside gephyr_core/dialects",
        0,
        lambda: _of(source.literal_dialects(_core())),
    ),
    Figure("knowing", "files that these stand in", 0, _literal_files),
)
"""The targets are those of the reshape of the core: 10 % fewer lines than before it, and so on."""
