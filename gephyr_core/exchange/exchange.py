"""What one exchange remembers, whatever its state."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from gephyr_core.commands import CancelUpstream, DetachUpstream
from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import StreamReader
from gephyr_core.errors import LocalProtocolError, quoted
from gephyr_core.events import (
    ExchangeEvent,
    RequestStarted,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)
from gephyr_core.exchange.admission import read_head
from gephyr_core.exchange.attempts import Attempt, Failure
from gephyr_core.exchange.itinerary import Itinerary
from gephyr_core.exchange.kept import Kept
from gephyr_core.exchange.reply import Reply
from gephyr_core.exchange.request import begun
from gephyr_core.exchange.states import Ending, Reading, Relaying, State, Waiting
from gephyr_core.exchange.translated import Translation
from gephyr_core.http import header
from gephyr_core.records import AttemptRecord, Usage
from gephyr_core.scheduling import Outcome, Search
from gephyr_core.shared import Shared

_EXPLAIN = b"x-gephyr-explain"
"""A client that sends it is told the id of the decision that chose its account."""


Cell = Callable[[Any, Any, Any, float], None]
"""A function that takes the exchange, the state that it is in, the event, and the time."""
Row = Mapping[type, Cell]
"""The events a state takes, each with the function that takes it."""
UpstreamEvent = UpstreamStarted | UpstreamBody | UpstreamEnded | UpstreamFailed
UPSTREAM_EVENTS = (UpstreamStarted, UpstreamBody, UpstreamEnded, UpstreamFailed)


class Exchange:
    """One request being served: what outlasts its states, and the changes that this goes through together."""

    rows: ClassVar[Mapping[type[State], Row]]

    def __init__(self, shared: Shared, event: RequestStarted, now: float) -> None:
        self.shared = shared
        self.id = event.exchange
        self.started_at = now
        head = read_head(event)
        self.dialect = DIALECTS[head.dialect]
        self.request = begun(head)
        self.translation = Translation()
        self.kept = Kept()
        self.attempt_number = 0
        """Number of the latest call."""
        self.failures: list[Failure] = []
        self.records: list[AttemptRecord] = []
        """Of the attempts that are over."""
        self.question = 0
        """Number of the latest ``Compute``."""
        self.body_size = 0
        """Bytes of the request's body that came."""
        self.held = 0
        """Bytes of the request that count in ``shared.buffered``."""
        self.held_reply = 0
        """Bytes of replies that do: of the one that is coming, and of those that were failures."""
        self.reply = _reply(shared, event, now)
        self.blocked_at: float | None = None
        self.usage: Usage | None = None
        self.served: AttemptRecord | None = None
        """The attempt whose answer, whole or in part, the client got."""
        self.last_reader: StreamReader | None = None
        """The reader of the stream the client has seen the beginning of: it knows how to end it."""
        self.released: dict[str, int] = {}
        """Names of opening events that were released with a keep-alive, each with the attempt it came from."""
        self.released_id: str | None = None
        self.renaming: list[tuple[bytes, bytes]] = []
        """JSON strings to replace on the way to the client: the provider's ids by those the client has seen."""
        self.recorded = False
        """Its record was emitted."""
        self.failed_at = ""
        """Where our own code failed, if that is what ends it."""
        self.scheduled_at = math.inf
        """When the gateway's heap holds this exchange next."""
        self.itinerary = Itinerary(shared, Search(self.id, None, 0, now, math.inf))
        self.state: State = Reading(now, shared.config.server.idle_timeout)
        self.row = self.rows[Reading]

    def enter(self, state: State) -> None:
        """Change the state, and with it the row of the table."""
        self.state = state
        self.row = self.rows[type(state)]

    def handle(self, event: ExchangeEvent, now: float) -> None:
        """Take an event. Raises ``LocalProtocolError`` for one that is illegal in this state."""
        if isinstance(event, UPSTREAM_EVENTS):
            attempt = self.attempt
            if attempt is not None and event.attempt == attempt.number:
                attempt.ended = isinstance(event, UpstreamEnded | UpstreamFailed)
            self.handle_upstream(event, now)
        else:
            self._cell(event)(self, self.state, event, now)

    def handle_upstream(self, event: UpstreamEvent, now: float) -> None:
        """Take news of an attempt; what is said of one that is over is ignored."""
        state = self.state
        attempt = state.attempt
        if attempt is not None and event.attempt == attempt.number:
            cell = self.row.get(type(event)) or self._cell(event)
            cell(self, state, event, now)
        elif event.attempt > self.attempt_number:
            raise LocalProtocolError(f"exchange {self.id}: attempt {event.attempt} was never called")

    def _cell(self, event: ExchangeEvent) -> Cell:
        cell = self.row.get(type(event))
        if cell is None:
            raise LocalProtocolError(f"exchange {self.id}: {type(event).__name__} is illegal while {self.state.name}")
        return cell

    @property
    def reply_key(self) -> str:
        """What ids of Gephyr's own making are made of: the same for each attempt."""
        return self.reply.request_id.removeprefix("req_")

    @property
    def attempt(self) -> Attempt | None:
        """The call under way."""
        return self.state.attempt

    def hold(self, size: int) -> bool:
        """Count *size* bytes of the request as held; return whether all exchanges together are within the limit."""
        before, self.held = self.held, size
        return self.shared.recount(before, size)

    def hold_reply(self, size: int) -> bool:
        """Count *size* bytes of the attempt's reply as held, with the replies of failed attempts; return as above."""
        for failure in self.failures:
            size += len(failure.body)
        before, self.held_reply = self.held_reply, size
        return self.shared.recount(before, size)

    def hold_nothing(self) -> None:
        """The exchange is over: what it held is free."""
        self.shared.recount(self.held + self.held_reply, 0)
        self.held = self.held_reply = 0

    def let_go_of_body(self) -> None:
        """The request will not be sent again: a stream may run for long, and its body need not stay as long."""
        self.request = attrs.evolve(self.request, body=b"", envelope=None)
        self.translation.let_go()
        self.hold(self.kept.size)

    def renamed(self, data: bytes) -> bytes:
        """Write the provider's ids as those that the client has seen."""
        for theirs, seen in self.renaming:
            data = data.replace(theirs, seen)
        return data

    def end_attempt(
        self,
        attempt: Attempt,
        label: str,
        outcome: Outcome,
        now: float,
        *,
        detail: str = "",
        stale: bool = False,
    ) -> None:
        """Record the attempt under way, and give its lease back. A call that has not ended is given up."""
        state, after = self.state, Waiting(self.itinerary.search)
        if not attempt.ended:
            give_up = DetachUpstream if state.is_over else CancelUpstream
            self.shared.emit(give_up(self.id, attempt.number))
        self.enter(after)
        self.shared.proxies.closed(attempt.route)
        self.hold_reply(0)
        if self.shared.origins.dead:
            self.shared.origin_closed(attempt.lease.account.origin, attempt.route, self.id)
        record = attempt.record(label, quoted(detail), now, stale=stale)
        self.records.append(record)
        reply = state.of if isinstance(state, Ending) else state
        if isinstance(reply, Relaying):
            # However it ends, the client got a part of it, and the tokens are spent.
            self.served, self.usage = record, reply.reader.usage
        if not stale:
            spent = _spent(self.usage) if label == "ok" or self.served is record else None
            self.shared.scheduler.release(attempt.lease, outcome, now, spent)


def _reply(shared: Shared, event: RequestStarted, now: float) -> Reply:
    return Reply(
        shared,
        event.exchange,
        shared.request_id(),
        shared.cors.response_headers(event.headers),
        head_only=event.method == "HEAD",
        explains=header(event.headers, _EXPLAIN) is not None,
        now=now,
    )


def _spent(usage: Usage | None) -> int | None:
    """Tokens as providers count them against a limit: what was read and what was written."""
    return None if usage is None else (usage.input or 0) + (usage.output or 0)
