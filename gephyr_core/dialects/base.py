"""What the gateway asks of a dialect: to render its errors, and to know its streams well enough to relay them.

Passthrough never rewrites an event; it has to know where events end, which of them are content (the commit point),
whether the stream's terminal event was seen, and what usage and which stored objects a reply tells of.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
import msgspec

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.signed_blocks import LeftOut, SignedBlock
from gephyr_core.envelope import Envelope
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
    """Content, or why the reply ended: the commit point."""
    END = "end"
    """The end of a stream that told neither content nor why it ended: there is no reply."""
    ERROR = "error"
    """The provider's own error event."""


class Heard(enum.Enum):
    """What bytes of a stream say to somebody who waits for the reply."""

    SILENCE = "silence"
    """What no client dispatches: comments, blank lines, fields without data (WHATWG HTML, section 9.2.6)."""
    SIGN = "sign"
    """A sign of life that says nothing of the reply: a ping, or an event that is unfinished."""
    EVENT = "event"


@attrs.frozen
class StreamError:
    """An error event of a provider, understood."""

    kind: ErrorKind
    message: str
    code: str | None
    """The provider's own code or type."""
    status: int | None = None
    """The status that the dialect has for it, where that is not its kind's."""
    told: Any = attrs.field(default=None, eq=False, repr=False)
    """The error as the provider wrote it: an object with a status, or a time to come back at, in places of its own."""


class WholeReply(msgspec.Struct, frozen=True):
    """What a whole reply with a status of success is, read once."""

    usage: Usage | None = None
    objects: list[str] = []
    """Ids of objects stored at the provider, and digests of encrypted items, that it tells of."""
    error: StreamError | None = None
    """It tells of a failure in place of what was asked for."""
    is_error_body: bool = False
    """That is all it tells: an SDK of the dialect reads it as an error where the status is one."""
    lack: str = ""
    """Why it is not what was asked for, though it names no error; empty where it is."""


@attrs.frozen
class RenderedError:
    """A whole error reply in a dialect."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


class StreamReader(Protocol):
    """Reads one attempt's stream. State is a few fields, whatever the length of the stream."""

    finished: bool
    """The reply is whole but for what the dialect lets follow its last content: usage, the terminal event."""
    terminal_seen: bool
    """The dialect's terminal event (or the provider's error event) has been read. The reply is over: what follows is
    not read, and :meth:`cut` does not return it."""
    error: StreamError | None
    """Set when an error event was classified or watched."""
    parting: bytes
    """That event, as it ends the client's stream: to be sent behind all else, by itself. :meth:`cut` and :meth:`rest`
    return what came before it, and what comes after it means nothing."""
    objects: list[str]
    """Ids of stored objects and digests of encrypted items seen so far and not yet taken; the caller empties it."""

    @property
    def begun(self) -> bool:
        """Whether content was classified, or why the reply ended."""

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

    def heard(self, block: bytes) -> Heard:
        """Say what the bytes that were added last amount to, of which *block* was returned."""

    def closing(self) -> bytes:
        """What ends the client's stream where the provider does not, though the reply is *finished*."""

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

    def stream_reader(
        self, *, max_line: int, array: bool = False, reframed: bool = False, choices: int = 1, signed: bool = True
    ) -> StreamReader:
        """Return a reader for one attempt's stream. *max_line*: bytes of an unfinished event that are held.
        *array*: Gemini's JSON array form instead of SSE. *reframed*: the provider sends the other of the two.
        *choices*: how many the reply has, each with its own end. *signed*: the provider may sign reasoning in a dialect
        that has no place of its own for that."""

    def choices(self, fields: Mapping[str, msgspec.Raw]) -> int:
        """How many choices a request asks for, at least 1. *fields*: its body's top level, each raw."""

    def render_error(self, problem: Problem, request_id: str) -> RenderedError:
        """Render a whole error reply: the shape that the dialect's SDK parses into the right exception class."""

    def read_whole(self, body: bytes, *, generates: bool) -> WholeReply:
        """Read a whole reply whose status tells of success. *generates*: a model's answer was asked for.

        Where one was, it has content or says why it ended, or it is none. Whatever was asked for, it is a JSON object.
        """

    def signed_blocks(self, envelope: Envelope) -> tuple[SignedBlock, ...]:
        """Find the signed and encrypted blocks of a request's body, the oldest first. Costs next to nothing where there
        is none."""

    def without(self, envelope: Envelope, blocks: Sequence[SignedBlock], capabilities: Capabilities) -> LeftOut:
        """Return the changes of a body that leave *blocks*, of :meth:`signed_blocks`, out, and what is bound to them.
        *capabilities*: of the model that is asked."""

    def assembly(self) -> "Assembly":
        """Return what makes a whole reply of a stream's events."""

    def events_of(self, body: bytes) -> bytes:
        """Return the SSE stream that a whole reply, which :meth:`read_whole` found to be one, would have been."""


class Assembly(Protocol):
    """Makes a whole reply of a stream of the same dialect. Members that it does not know are kept where it can tell
    how: a text that grows, a list of indexed elements, a value that a later event replaces."""

    @property
    def complete(self) -> bool:
        """Whether it has been told why the reply ended."""

    def add(self, event: dict[str, Any]) -> None:
        """Take in the data of one event."""

    def reply(self) -> dict[str, Any]:
        """The whole reply, as far as it came."""
