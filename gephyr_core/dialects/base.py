"""What the gateway asks of a dialect: to render its errors, and to know its streams well enough to relay them.

Passthrough never rewrites an event; it has to know where events end, which of them are content (the commit point),
whether the stream's terminal event was seen, and what usage and which stored objects a reply tells of.
"""

import enum
from typing import Protocol

import attrs

from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.http import Header
from gephyr_core.records import Usage


class EventClass(enum.Enum):
    """How an event of a provider's stream stands to the commit point."""

    OPENING = "opening"
    """Opens the reply and may be released with a keep-alive (``message_start``, ``response.created``, a role chunk)."""
    HELD = "held"
    """Before content, but held until content comes: a block or item start, a ping, a comment."""
    CONTENT = "content"
    """Content, a finish reason, or the end of the stream: the commit point."""
    ERROR = "error"
    """The provider's own error event."""


@attrs.frozen
class StreamError:
    """An error event of a provider, understood."""

    kind: ErrorKind
    message: str
    code: str | None
    """The provider's own code or type."""


@attrs.frozen
class RenderedError:
    """A whole error reply in a dialect."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


class StreamReader(Protocol):
    """Reads one attempt's stream. State is a few fields, whatever the length of the stream."""

    terminal_seen: bool
    """The dialect's terminal event (or the provider's error event) has been read."""
    error: StreamError | None
    """Set when an error event was classified or watched."""
    objects: list[str]
    """Ids of stored objects and digests of encrypted items seen so far and not yet taken; the caller empties it."""

    @property
    def reply_id(self) -> str | None:
        """The reply's id as the provider gave it, known once an opening event was classified."""

    @property
    def usage(self) -> Usage | None:
        """The latest usage the stream told of. May decode: ask at the end of a stream, not for each chunk."""

    def split(self, data: bytes) -> list[bytes]:
        """Add *data* and return the events that are now whole, each with its terminator. For before the commit point.

        Raises ``ValueError`` when an unfinished event exceeds the line limit.
        """

    def cut(self, data: bytes) -> bytes:
        """Add *data* and return all whole events as one piece, watched (usage, terminal, objects). The hot path.

        Raises ``ValueError`` when an unfinished event exceeds the line limit.
        """

    def rest(self) -> bytes:
        """Take the unfinished tail: to be relayed after a clean end, dropped after a failure."""

    def classify(self, event: bytes) -> EventClass:
        """Say what one whole event from :meth:`split` is; reads ids, usage, errors and terminals on the way."""

    def opening_name(self, event: bytes) -> str:
        """The name under which an ``OPENING`` event is swallowed if an earlier attempt's was already released."""

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:
        """The one terminal event that ends the client's stream after a failure, as bytes to send at a boundary.

        *now*: seconds since the epoch, for the dialects whose terminal event has a time of creation.
        """


class Dialect(Protocol):
    """One wire format. Stateless; one instance each."""

    name: str
    keepalive: bytes
    """What may be sent at an event boundary of a stream to show life, and every client of the dialect survives."""
    terminal_required: bool
    """A clean end without a terminal event is a failure (Anthropic, Responses); else it is left as it came."""

    def stream_reader(self, *, max_line: int, array: bool = False) -> StreamReader:
        """Return a reader for one attempt's stream. *max_line*: bytes of an unfinished event that are held.
        *array*: Gemini's JSON array form instead of SSE."""

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:
        """Render a whole error reply: the shape that the dialect's SDK parses into the right exception class."""

    def usage_of(self, reply: bytes) -> Usage | None:
        """Read the usage of a whole reply; None when there is none or the reply is no JSON object."""

    def objects_of(self, reply: bytes) -> list[str]:
        """Ids of objects stored at the provider, and digests of encrypted items, that a whole reply tells of."""
