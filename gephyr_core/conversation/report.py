"""What became of everything a translation could not carry as it is: returned by the translators, never only logged."""

import attrs

from gephyr_core.http import header_value
from gephyr_core.records import Entry, Fate

__all__ = ["LONGEST_DROPPED_HEADER", "MOST_ENTRIES", "Entry", "Fate", "Report", "UntranslatableError"]

MOST_ENTRIES = 1000
"""Entries that are kept of one request; the rest are only counted."""
LONGEST_DROPPED_HEADER = 1024
"""Bytes of ``x-gephyr-dropped`` (decision 14)."""


class UntranslatableError(Exception):
    """The request cannot be translated; becomes a 400 in the client's dialect, before any upstream call."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path


@attrs.define
class Report:
    """Collects the entries of one request and its reply. An entry that is there already is not added again."""

    entries: dict[Entry, None] = attrs.field(factory=dict)
    """In the order in which they were found."""
    omitted: int = 0
    """Entries beyond ``MOST_ENTRIES``."""

    def changed(self, path: str, reason: str) -> None:
        """Note that the field at *path* is carried with another value."""
        self._add(Entry(Fate.CHANGED, path, reason))

    def emulated(self, path: str, reason: str) -> None:
        """Note that the effect of the field at *path* is had by other means."""
        self._add(Entry(Fate.EMULATED, path, reason))

    def dropped(self, path: str, reason: str) -> None:
        """Note that the field at *path* is not carried."""
        self._add(Entry(Fate.DROPPED, path, reason))

    def refused(self, path: str, reason: str) -> UntranslatableError:
        """Note that the request is refused because of *path*, and return the exception to raise."""
        self._add(Entry(Fate.REFUSED, path, reason))
        return UntranslatableError(path, reason)

    def add(self, other: "Report") -> None:
        """Take in what another report found."""
        for entry in other.entries:
            self._add(entry)
        self.omitted += other.omitted

    def paths(self, fate: Fate) -> list[str]:
        """The paths that met *fate*, each once."""
        return list(dict.fromkeys(entry.path for entry in self.entries if entry.fate is fate))

    def dropped_header(self) -> bytes:
        """The value of ``x-gephyr-dropped``; empty when nothing was dropped."""
        paths = [header_value(path) for path in self.paths(Fate.DROPPED)]
        kept: list[bytes] = []
        room = LONGEST_DROPPED_HEADER - len(b", +99999")
        for path in paths:
            room -= len(path) + 2
            if room < 0:
                break
            kept.append(path)
        left = len(paths) - len(kept) + self.omitted
        return b", ".join([*kept, b"+%d" % left] if left else kept)

    def _add(self, entry: Entry) -> None:
        if entry in self.entries:
            return
        if len(self.entries) >= MOST_ENTRIES:
            self.omitted += 1
        else:
            self.entries[entry] = None
