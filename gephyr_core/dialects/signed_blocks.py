"""Finding signed blocks in a request's body, and leaving them out."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from gephyr_core.conversation.parts import Origin
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import SEAL, unseal
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.dialects.decoding import decode, digest
from gephyr_core.envelope import Envelope
from gephyr_core.raw_json import Path

_VALUES = msgspec.json.Decoder(list[msgspec.Raw])


def made(value: str, dialect: str) -> tuple[str, Origin | None, bool]:
    """Say whose an opaque field of a request in *dialect* is: the name of a raw one, the origin of a sealed one, and
    whether it is a proof."""
    if value.startswith(SEAL):
        signature = unseal(value, dialect)
        return "", signature.origin, bool(signature.value)
    return digest(value) if value else "", None, bool(value)


def elements(envelope: Envelope, field: str) -> list[msgspec.Raw]:
    """Return the elements of a body's array, each raw; none where it is no array."""
    raw = envelope.fields.get(field)
    return (None if raw is None else decode(_VALUES, bytes(raw))) or []


def marked(envelope: Envelope, field: str, marks: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the elements of a body's array that hold one of *marks*, each with its index."""
    for index, value in enumerate(elements(envelope, field)):
        data = bytes(value)
        if holds(data, marks):
            yield index, data


def holds(body: bytes, marks: Iterable[bytes]) -> bool:
    """Whether *body* holds one of *marks*. Searched for from the end, which takes half the time."""
    for mark in marks:  # noqa: SIM110  (a generator would take as long as a search)
        if body.rfind(mark) >= 0:
            return True
    return False


def left_out(blocks: Sequence[SignedBlock], *, fills: bool = False) -> LeftOut:
    """Return the changes of a body that leave *blocks* out. *fills*: the model demands a signature where they stood."""
    edits: dict[Path, bytes | None] = {}
    report = Report()
    left: dict[Path, int] = {}
    for block in blocks:
        if fills and block.filler is not None:
            edits[block.path] = block.filler
            report.emulated(block.place, "the model wants a signature: Google's filler for others' calls stands in")
        elif block.instead is not None:
            edits[block.path] = block.instead
            report.changed(block.place, "what another provider's own tool did is told as text")
        elif not block.is_lacking:
            report.dropped(block.place, "another organisation made it, and only that one takes it")
            gone = (block.path, *block.bound) if block.siblings else (block.holder or block.path,)
            edits.update(dict.fromkeys(gone))
            left[block.holder] = left.get(block.holder, 0) + len(gone)
            if left[block.holder] == block.siblings:
                edits[block.holder] = None
    return LeftOut(edits, report)
