"""What one client request is, as far as it is known."""

import attrs

from gephyr_core.envelope import Envelope
from gephyr_core.exchange.admission import NOT_ROUTED, Head
from gephyr_core.exchange.signers import Made
from gephyr_core.http import Header
from gephyr_core.routing import Endpoint

_BYTES_PER_TOKEN = 4
"""Of JSON with text in it, about."""


@attrs.frozen
class Request:
    """A request: its head, then whose it is, at last what its body says. Each step makes a new value."""

    head: Head
    endpoint: Endpoint
    owner: str = ""
    """Digest of the client key, of the caller, or of both; empty for an anonymous client."""
    owns: bool = True
    """Objects can be kept for it: nobody else has its owner's name."""
    body: bytes = b""
    """Decoded."""
    envelope: Envelope | None = None
    """The body's top level; None where there is no body."""
    model: str | None = None
    """The model's name as the client wrote it; None for an operation without one."""
    stream: bool = False
    array: bool = False
    """The stream's form is Gemini's JSON array."""
    repeatable: bool = False
    """Asking twice leaves nothing behind."""
    session: str | None = None
    headers: list[Header] = attrs.field(factory=list)
    """Those that travel on."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Ids that the client has seen, each with the provider's own."""
    made: tuple[Made, ...] = ()
    """Its blocks that only their makers take."""

    @property
    def tokens(self) -> int:
        """What the request may spend, for limits on tokens: a rough estimate, settled when the provider has counted."""
        return len(self.body) // _BYTES_PER_TOKEN

    @property
    def is_side(self) -> bool:
        """Whether it is a side route's, which says nothing about the account's health."""
        return self.endpoint.operation.side

    @property
    def generates(self) -> bool:
        """Whether a model's answer is asked for: it has content or a reason to have none."""
        operation = self.endpoint.operation
        return operation.translates and not operation.counts


def begun(head: Head) -> Request:
    """Return a request of which only the head was read."""
    return Request(head, head.found if isinstance(head.found, Endpoint) else Endpoint(NOT_ROUTED, head.path))
