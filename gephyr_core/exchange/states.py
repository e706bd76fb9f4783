"""The states of an exchange. Each holds what is needed in it, and knows until when it may last.

What is done in a state is in the table (``ROWS``, :mod:`gephyr_core.exchange.machine`): the functions there get the
state that the exchange is in, so that none has to ask whether something is there. A state that has a deadline has a row
for ``TimePassed``, the function that acts on it; a test holds the two to each other.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from gephyr_core.conversation.parts import Inline
from gephyr_core.dialects.base import EventClass, StreamReader
from gephyr_core.exchange.attempts import Attempt
from gephyr_core.exchange.body import Body
from gephyr_core.reply_form import FormSeeker
from gephyr_core.scheduling import Search
from gephyr_core.translation.collecting import Collector

LONGEST_JOB = 120.0
"""Seconds in which a job has to be done, others before it included."""
GRACE = 1.0
"""Seconds in which something may follow a reply's last content: usage, or the terminal event."""


class State:
    """Where an exchange stands."""

    __slots__ = ()

    name: ClassVar[str]
    answers: ClassVar[bool] = True
    """The client has said all, and waits for the answer: silence is bridged, and it has to read what it gets."""

    @property
    def attempt(self) -> Attempt | None:
        """The call under way."""
        return None

    @property
    def deadline(self) -> float:
        """When something has to be done though nothing came; seconds since the epoch."""
        return math.inf

    @property
    def deadline_unread(self) -> float:
        """The same while the client leaves unread what it was sent, and nothing more is asked of the provider."""
        return self.deadline

    @property
    def is_over(self) -> bool:
        """Whether all was told that the client was to get, though the call may go on."""
        return False


@attrs.define
class Reading(State):
    """The client's body comes."""

    name: ClassVar[str] = "reading"
    answers: ClassVar[bool] = False

    read_at: float
    """When its latest piece came."""
    idle: float
    """Seconds that it may make a pause."""
    pieces: list[bytes] = attrs.field(factory=list)

    @property
    def deadline(self) -> float:
        """The client has stopped sending."""
        return self.read_at + self.idle


@attrs.define
class Asking(State):
    """The front end collects its metrics."""

    name: ClassVar[str] = "asking"
    answers: ClassVar[bool] = False

    until: float

    @property
    def deadline(self) -> float:
        """The metrics are not waited for any more."""
        return self.until


@attrs.define
class Loading(State):
    """The store looks for the object that a request refers to."""

    name: ClassVar[str] = "loading"
    answers: ClassVar[bool] = False

    body: Body
    """The request's."""
    field: str
    """What refers to the object; ``id`` for the path."""
    until: float

    @property
    def deadline(self) -> float:
        """The store is not waited for any more."""
        return self.until


@attrs.define
class Fetching(State):
    """The front end fetches what stands at addresses."""

    name: ClassVar[str] = "fetching"

    until: float
    go_on: Callable[[float], None]
    """What is done when nothing is missing any more."""
    missing: dict[int, str]
    """Addresses of which nothing was heard yet, by the number of the question."""
    media: dict[str, Inline] = attrs.field(factory=dict)
    """What came, by its address."""

    @property
    def deadline(self) -> float:
        """What is missing is not waited for any more."""
        return self.until


@attrs.define
class Waiting(State):
    """No account is being called: one is looked for, or waited for."""

    name: ClassVar[str] = "waiting"

    search: Search

    @property
    def deadline(self) -> float:
        """The wait is over."""
        return self.search.until


@attrs.define
class Calling(State):
    """A provider is called, and has not answered."""

    name: ClassVar[str] = "calling"

    attempt: Attempt

    @property
    def deadline(self) -> float:
        """The head of the reply does not come."""
        limits = self.attempt.limits
        return self.attempt.called_at + min(limits.total, limits.first_byte)


@attrs.define
class Answered(State):
    """A provider's reply comes: what its states have in common."""

    attempt: Attempt

    @property
    def deadline(self) -> float:
        """The provider has fallen silent, or takes too long."""
        attempt = self.attempt
        total = attempt.called_at + attempt.limits.total
        return min(total, attempt.heard_at + attempt.limits.idle, attempt.event_due)

    @property
    def deadline_unread(self) -> float:
        """The provider takes too long; that it is silent is the client's doing."""
        return self.attempt.called_at + self.attempt.limits.total


@attrs.define
class Recognizing(Answered):
    """Nothing is known yet of the form that the reply has."""

    name: ClassVar[str] = "recognizing"

    seeker: FormSeeker = attrs.field(factory=FormSeeker)
    pieces: list[bytes] = attrs.field(factory=list)
    """What came."""
    size: int = 0
    """Its bytes."""


@attrs.define
class Prelude(Answered):
    """A stream before the commit point."""

    name: ClassVar[str] = "prelude"

    reader: StreamReader
    held: list[tuple[EventClass, bytes]] = attrs.field(factory=list)
    """Events that were not released yet."""
    size: int = 0
    """Their bytes."""
    begun: bool = False
    """A byte of the stream was read."""

    @property
    def is_over(self) -> bool:
        """Whether the reader saw the end."""
        return self.reader.finished


@attrs.define
class Collecting(Answered):
    """A whole reply comes."""

    name: ClassVar[str] = "collecting"

    pieces: list[bytes] = attrs.field(factory=list)
    size: int = 0
    """Their bytes."""


@attrs.define
class Gathering(Answered):
    """A stream comes where the client asked for a whole reply."""

    name: ClassVar[str] = "gathering"

    collector: Collector
    size: int = 0
    """Bytes that came."""

    @property
    def is_over(self) -> bool:
        """Whether the stream saw its end."""
        return self.collector.finished


@attrs.define
class Relaying(Answered):
    """A stream after the commit point."""

    name: ClassVar[str] = "relaying"

    reader: StreamReader

    @property
    def is_over(self) -> bool:
        """Whether the reader saw the end."""
        return self.reader.finished


@attrs.define
class Ending(State):
    """A reply has its last content; usage or a terminal event may follow."""

    name: ClassVar[str] = "ending"

    of: Relaying | Gathering
    """What the reply is."""
    since: float

    @property
    def attempt(self) -> Attempt:
        """The call under way."""
        return self.of.attempt

    @property
    def deadline(self) -> float:
        """Nothing follows."""
        return min(self.deadline_unread, self.since + GRACE)

    @property
    def deadline_unread(self) -> float:
        """The provider takes too long."""
        return self.of.deadline_unread

    @property
    def is_over(self) -> bool:
        """All content was told."""
        return self.of.is_over


@attrs.define
class Computing(State):
    """The front end does a job."""

    name: ClassVar[str] = "computing"

    question: int
    came_from: State
    """The state in which it goes on."""
    since: float
    take: Callable[[Callable[[], Any], float], None]
    """Takes what the job came to: a function that returns it, or raises what the job raised."""
    go_on: Callable[[float], None]

    @property
    def attempt(self) -> Attempt | None:
        """The call whose reply the job is about."""
        return self.came_from.attempt

    @property
    def deadline(self) -> float:
        """The job is not waited for any more."""
        return self.since + LONGEST_JOB

    @property
    def is_over(self) -> bool:
        """Whether the reply was over before."""
        return self.came_from.is_over


@attrs.define
class Done(State):
    """The response has ended, and the record was written."""

    name: ClassVar[str] = "done"
    answers: ClassVar[bool] = False


DONE = Done()
STATES: tuple[type[State], ...] = (
    Reading,
    Asking,
    Loading,
    Fetching,
    Computing,
    Waiting,
    Calling,
    Recognizing,
    Prelude,
    Collecting,
    Gathering,
    Relaying,
    Ending,
    Done,
)
"""In the order in which a request may go through them."""
