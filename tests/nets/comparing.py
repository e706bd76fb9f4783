"""Compares rows made now with recorded ones, and tells in words what differs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import attrs

from tests.nets.store import Caught, Store

SHOWN = 3
"""Rows of a net that are shown, the first that differ."""
_LINES = 8
"""Lines of a row that are shown."""
_AROUND = 90
"""Characters of a line on each side of where it differs."""


@attrs.define
class Comparison:
    """What came of a comparison."""

    differing: Counter[str] = attrs.field(factory=Counter)
    """By net: rows that are not as they were."""
    equal: Counter[str] = attrs.field(factory=Counter)
    traces: list[str] = attrs.field(factory=list)
    """Scenarios of which the trace differs."""
    scenarios: set[str] = attrs.field(factory=set)
    """Scenarios in which something that can be seen from outside differs."""

    def is_equal(self, *, traces_may_differ: bool = False) -> bool:
        """Nothing differs."""
        return not self.differing and (traces_may_differ or not self.traces)

    def verdict(self) -> Iterator[str]:
        """What is to be said at the end."""
        for net in sorted({*self.equal, *self.differing}):
            yield f"{net}: {self.equal[net]} rows are as they were, {self.differing[net]} differ"
        for name in self.traces:
            if name in self.scenarios:
                yield f"{name}: the trace differs, and so do calls, accounts, replies or times"
            else:
                yield f"{name}: trace differs, but calls, accounts, replies and times are equal"


def compare(
    store: Store, made: Iterable[Caught], wanted: Callable[[str], bool], say: Callable[[str], None]
) -> Comparison:
    """Compare *made* with what *store* holds. *wanted*: which of its rows have to be there. Every row that differs is
    counted, the first of each net are shown."""
    found = Comparison()
    seen: dict[str, None] = {}
    for row in made:
        seen[row.name] = None
        old = store.find(row.name)
        if old is not None and old.digest == row.digest:
            found.equal[row.net] += 1
        elif row.net == "traces" and old is not None:
            found.traces.append(row.name.partition("/")[2])
        else:
            _differs(found, row.name, _new(row) if old is None else differences(old, row), say)
    for name in store.names():
        if wanted(name) and name not in seen:
            _differs(found, name, ["it is not made any more"], say)
    return found


def _differs(found: Comparison, name: str, lines: Iterable[str], say: Callable[[str], None]) -> None:
    net, _, rest = name.partition("/")
    found.differing[net] += 1
    if net == "scenarios":
        found.scenarios.add(rest)
    if found.differing[net] <= SHOWN:
        say(f"\n{name} differs:")
        for line in lines:
            say(f"  {line}")
    elif found.differing[net] == SHOWN + 1:
        say(f"\nmore rows of {net} differ; they are counted")


def _new(row: Caught) -> list[str]:
    return ["it was not recorded", *(f"+ {_short(line)}" for line in row.text.split("\n")[:_LINES])]


def differences(old: Caught, new: Caught) -> list[str]:
    """The first lines in which two rows differ: what was, and what is. Takes time linear in their length."""
    before, after = old.text.split("\n"), new.text.split("\n")
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    gone, come = before[start : len(before) - end], after[start : len(after) - end]
    if not gone and not come:
        return [f"in what lies behind the {len(old.text)} characters that are kept"]
    section = next((line for line in reversed(before[:start]) if line.startswith("## ")), "")
    told = [f"from line {start + 1} on{' (' + section.removeprefix('## ') + ')' if section else ''}:"]
    if start and section != before[start - 1]:
        told.append(f"  {_short(before[start - 1])}")
    if len(gone) == len(come) == 1:
        at = _common(gone[0], come[0])
        return [*told, f"- {_short(gone[0], at)}", f"+ {_short(come[0], at)}"]
    told += [f"- {_short(line)}" for line in gone[:_LINES]]
    told += [f"  ... and {len(gone) - _LINES} lines more" for _ in range(len(gone) > _LINES)]
    told += [f"+ {_short(line)}" for line in come[:_LINES]]
    return told + [f"  ... and {len(come) - _LINES} lines more" for _ in range(len(come) > _LINES)]


def _common(one: list[str] | str, other: list[str] | str) -> int:
    """How many items both begin with."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def _short(line: str, at: int = 0) -> str:
    """A long line's part around a place."""
    start, end = max(0, at - _AROUND), at + _AROUND
    if len(line) <= 2 * _AROUND:
        return line
    return f"{'...' if start else ''}{line[start:end]}{'...' if end < len(line) else ''}" + (
        f" (character {at})" if at else ""
    )
