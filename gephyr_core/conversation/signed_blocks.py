"""Signed and encrypted blocks of a request, as they stand in its body."""

import attrs

from gephyr_core.conversation.parts import Origin
from gephyr_core.conversation.report import Report
from gephyr_core.raw_json import Path


@attrs.frozen
class SignedBlock:
    """A block that only its maker's organisation takes."""

    path: Path
    """What is left out of the body for everybody else."""
    name: str = ""
    """The digest by which it is known from the reply that it came in; empty where it is sealed, or not signed."""
    origin: Origin | None = None
    """Of a sealed one: it was made in another dialect than the client's."""
    siblings: int = 0
    """How many values the list holds that it stands in; 0 where it stands in no list."""
    holder: Path = ()
    """What is left out where nothing else would be left in it: in place of all siblings, or of the block itself."""
    bound: tuple[Path, ...] = ()
    """What means nothing without it, and is left out with it."""
    instead: bytes | None = None
    """What stands in its place."""
    filler: bytes | None = None
    """What stands in its place where the model demands a signature there."""
    lacking: bool = False
    """The block itself is not there, and a model may demand it: another provider answered there, which makes none."""
    essential: bool = False
    """The conversation cannot go on without it: it can only be sent to its maker."""
    proven: bool = True
    """It holds a signature, and not only the mark of whose it is."""

    @property
    def is_unsigned(self) -> bool:
        """Whether nothing tells whose it is."""
        return not self.name and self.origin is None

    @property
    def is_bare(self) -> bool:
        """Whether it is reasoning that nobody signed."""
        return self.is_unsigned and not self.lacking

    @property
    def is_lacking(self) -> bool:
        """Whether there is nothing to be left out."""
        return self.is_unsigned and self.lacking

    @property
    def place(self) -> str:
        """The path as messages name it."""
        return place(self.path)


@attrs.frozen
class LeftOut:
    """What is changed of a request for accounts that do not take all of it."""

    edits: dict[Path, bytes | None]
    report: Report


def place(path: Path) -> str:
    """Write a path as messages name it: ``messages[3].content[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
