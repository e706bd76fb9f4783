"""A client's request body, read as far as its route asks for: a job, see :mod:`gephyr_core.computing`."""

import attrs

from gephyr_core.content_coding import CodingError, ExpansionError, decode_whole
from gephyr_core.conversation.signed_blocks import SignedBlock
from gephyr_core.dialects import DIALECTS
from gephyr_core.envelope import Envelope, EnvelopeError, read_envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.guards.body_limit import too_large
from gephyr_core.pins import RequestRefused
from gephyr_core.records import StoredObject
from gephyr_core.routing.endpoints import Operation
from gephyr_core.translation.stored import spliced


@attrs.define  # not frozen: one is made for each request, at a third of the cost
class Body:
    """What a request's body says at its top level, and what is to be looked for in it for any route."""

    data: bytes
    """Decoded."""
    envelope: Envelope | None = None
    """None where it is empty, as it may be, or cannot be read."""
    error: EnvelopeError | None = None
    signed: tuple[SignedBlock, ...] = ()
    """Blocks that only their makers take, the oldest first."""

    def read(self) -> Envelope | None:
        """Return the envelope. Raises ``EnvelopeError``."""
        if self.error is not None:
            raise self.error
        return self.envelope


def read_body(data: bytes, operation: Operation) -> Body:
    """Read a body that came whole and decoded."""
    try:
        envelope = read_envelope(data) if operation.has_body or data.strip() else None
    except EnvelopeError as error:
        return Body(data, error=error)
    return Body(data, envelope, None, () if envelope is None else DIALECTS[operation.dialect].signed_blocks(envelope))


@attrs.define  # not frozen: one is made for each request, at a third of the cost
class ReadingBody:
    """The job: put together what came, undo its content coding, read it. Raises ``RequestRefused``."""

    pieces: list[bytes]
    """Let go of when they are put together: a large body is in memory once, not twice."""
    coding: bytes
    """Empty where there is none to undo."""
    limit: int
    """Bytes that the body may have."""
    operation: Operation

    def __call__(self) -> Body:
        """Do it."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        return read_body(self._decoded(data), self.operation)

    def _decoded(self, data: bytes) -> bytes:
        """Undo the client's content coding; the provider gets the body as it is."""
        if not self.coding:
            return data
        try:
            return decode_whole(self.coding, data, limit=self.limit)
        except ExpansionError:
            raise RequestRefused(too_large(self.limit)) from None
        except CodingError as error:
            message = f"the body cannot be decoded as its content-encoding says: {error}"
            raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message)) from error


@attrs.frozen
class Splicing:
    """The job: put the history of a kept object in front of a request's input. Raises ``EnvelopeError``."""

    envelope: Envelope
    record: StoredObject
    field: str
    """Which names the object."""
    operation: Operation

    def __call__(self) -> Body:
        """Do it."""
        return read_body(spliced(self.envelope, self.record, self.field), self.operation)
