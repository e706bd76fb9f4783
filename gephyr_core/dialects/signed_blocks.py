"""Finding signed blocks in a request's body, and leaving them out."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from gephyr_core.conversation.parts import Origin
from gephyr_core.conversation.signatures import SEAL, unseal
from gephyr_core.conversation.signed_blocks import SignedBlock
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


def marked(envelope: Envelope, field: str, marks: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the elements of a body's array that hold one of *marks*, each with its index."""
    raw = envelope.fields.get(field)
    values = None if raw is None else decode(_VALUES, bytes(raw))
    for index, value in enumerate(values or ()):
        data = bytes(value)
        if any(mark in data for mark in marks):
            yield index, data


def holds(body: bytes, marks: Iterable[bytes]) -> bool:
    """Whether *body* holds one of *marks*."""
    return any(mark in body for mark in marks)


def edits_of(blocks: Sequence[SignedBlock], *, fills: bool = False) -> dict[Path, bytes | None]:
    """Return the changes of a body that leave *blocks* out. *fills*: the model demands a signature where they stood."""
    edits: dict[Path, bytes | None] = {}
    left: dict[Path, int] = {}
    for block in blocks:
        if fills and block.filler is not None:
            edits[block.path] = block.filler
        elif block.instead is not None:
            edits[block.path] = block.instead
        elif not block.siblings:
            edits[block.holder or block.path] = None
        else:
            gone = (block.path, *block.bound)
            edits.update(dict.fromkeys(gone))
            left[block.holder] = left.get(block.holder, 0) + len(gone)
            if left[block.holder] == block.siblings:
                edits[block.holder] = None
    return edits
