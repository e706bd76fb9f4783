"""What a provider sends: its head, a whole reply, a stream before the commit point, and a stream after it."""

import math

from gephyr_core.content_coding import UnknownCodingError, reply_decoder
from gephyr_core.dialects.base import EventClass, Heard
from gephyr_core.errors import Fault
from gephyr_core.events import TimePassed, UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.exchange.attempts import Attempt, of_error
from gephyr_core.exchange.collecting import WholeReplies
from gephyr_core.exchange.states import (
    Answered,
    Calling,
    Collecting,
    Ending,
    Gathering,
    Prelude,
    Recognizing,
    Relaying,
)
from gephyr_core.http import media_type
from gephyr_core.reply_form import Form
from gephyr_core.translation.stream import TranslatingReader

_BOM = b"\xef\xbb\xbf"
"""May open a stream (WHATWG HTML, section 9.2.5). Clients that do not know it lose the first line."""
_LARGEST_PRELUDE = 256 * 1024
"""Bytes of contentless events that are held; beyond, the stream is committed as it is."""
_LARGEST_SILENCE = 16 * 1024
"""Bytes of a held prelude beyond which comments and blank lines are dropped: they do not commit it."""
_LONGEST_BEAT, _COLON = 32, b":"[0]
"""A longer block of events that begins with a letter holds an event; whether another does has to be looked at."""
_EMPTY = "the stream ended before any content"

Begun = tuple[Relaying, bytes]
"""A stream that has just been committed, and what is to be sent of it."""


class Receiving(WholeReplies):
    """Takes the events of the attempt under way."""

    def reply_started(self, state: Calling, event: UpstreamStarted, now: float) -> None:
        """The provider's head: a stream to be relayed, or a reply to be collected."""
        attempt, request = state.attempt, self.request
        attempt.status, attempt.headers, attempt.heard_at = event.status, event.headers, now
        self.shared.route_works(attempt.route, attempt.called_at, now)
        if self.shared.origins.dead:
            self.shared.origin_answered(attempt.lease.account.origin, attempt.route, now)
        if event.status < 300:
            self.shared.scheduler.learning.heard(attempt.lease, event.headers, now - attempt.called_at, now)
        if not self._decodes(attempt, now):
            return
        known = event.status >= 300 or not (request.stream or request.generates)
        if not known:
            attempt.event_due = now + attempt.limits.first_byte
        self.enter(Collecting(attempt) if known else Recognizing(attempt))

    def _decodes(self, attempt: Attempt, now: float) -> bool:
        """Prepare to undo the reply's content coding; False when that cannot be done, and the attempt has failed.

        A whole reply is given a chance: its bytes show whether the head was right.
        """
        codings = [value for name, value in attempt.headers if name == b"content-encoding"]
        if codings:
            try:
                attempt.decoder = reply_decoder(codings, limit=self.shared.config.upstream.max_reply_size)
            except UnknownCodingError as error:
                if attempt.status >= 300 or media_type(attempt.headers) == b"text/event-stream":
                    self.enter(Collecting(attempt))
                    self.fault(attempt, Fault.PROTOCOL, f"unknown content-encoding {str(error)[:40]!r}", now)
                    return False
        return True

    # -- which form it has --------------------------------------------------------------------------------------

    def recognize(self, state: Recognizing, event: UpstreamBody, now: float) -> None:
        """The first bytes of a body: they tell whether it is a stream, whatever was asked for and the head says."""
        attempt = state.attempt
        attempt.heard_at = now
        data = self.decoded(attempt, event.data, now)
        if data is None:
            return
        if not state.pieces and data.startswith(b"{"):  # nearly all whole replies
            self._take_whole(attempt, data, now)
            return
        begun = self._look(state, data, now)
        if begun is not None:
            self.pass_on(*begun, now)

    def recognized_nothing(self, state: Recognizing, event: UpstreamEnded, now: float) -> None:
        """The body ended before it was known what it is: it is next to empty, or a coding held it back."""
        last = self.last_decoded(state.attempt, now)
        if last is None:
            return
        begun = self._look(state, last, now)
        if self.state is state:
            begun = self._take(state, Form.OTHER, now)
        if begun is not None:
            self._ended(*begun, now)
        elif self.attempt is state.attempt:
            self.row[UpstreamEnded](self, self.state, event, now)

    def _look(self, state: Recognizing, data: bytes, now: float) -> Begun | None:
        """Look for the form of the body in its next bytes."""
        state.pieces.append(data)
        state.size += len(data)
        form = state.seeker.look(data)
        if form is None and state.size > _LARGEST_PRELUDE:
            form = Form.OTHER
        return None if form is None else self._take(state, form, now)

    def _take(self, state: Recognizing, form: Form, now: float) -> Begun | None:
        """Take the body for what it is: a stream to be relayed, one to be gathered, or a whole reply.

        Where its bytes do not tell, its head is believed. An array is a stream for those who speak Gemini's dialect.
        """
        attempt, seeker = state.attempt, state.seeker
        data = state.pieces[0] if len(state.pieces) == 1 else b"".join(state.pieces)
        if form is Form.OTHER and media_type(attempt.headers) == b"text/event-stream":
            form = Form.EVENTS
        if form is not Form.EVENTS and not (form is Form.ARRAY and self.source(attempt).name == "gemini"):
            self._take_whole(attempt, data[seeker.offset :] if seeker.commented else data, now)
        elif self.request.stream:
            prelude = Prelude(attempt, self.reader(attempt, form, now))
            self.enter(prelude)
            return self._take_events(prelude, data, now)
        else:
            gathering = Gathering(attempt, self.collector(attempt, form))
            self.enter(gathering)
            self.take_events(gathering, data, now)
        return None

    def _take_whole(self, attempt: Attempt, data: bytes, now: float) -> None:
        attempt.event_due = math.inf
        collecting = Collecting(attempt)
        self.enter(collecting)
        self.take_piece(collecting, data, now)

    # -- a stream before the commit point -----------------------------------------------------------------------

    def prelude_body(self, state: Prelude, event: UpstreamBody, now: float) -> None:
        """Hold events until the first with content, which commits."""
        data = self.decoded(state.attempt, event.data, now)
        begun = None if data is None else self._take_events(state, data, now)
        if begun is not None:
            self.pass_on(*begun, now)

    def _take_events(self, state: Prelude, data: bytes, now: float) -> Begun | None:
        """Hold the events that are whole now; fail with an error or an end before content, commit with content."""
        attempt, reader = state.attempt, state.reader
        if not state.begun:
            state.begun, data = True, data.removeprefix(_BOM)
        try:
            events = reader.split(data)
        except ValueError as error:
            self.fault(attempt, Fault.PROTOCOL, str(error), now)
            return None
        attempt.hear(reader.heard(b"".join(events)), now)
        for index, one in enumerate(events):
            kind = reader.classify(one)
            if kind is EventClass.CONTENT:
                return self._commit(state, events[index:])
            if kind is EventClass.END:
                self.fault(attempt, Fault.PROTOCOL, _EMPTY, now)
                return None
            if kind is EventClass.ERROR:
                break
            self._hold(state, kind, one)
        if reader.error is not None:
            return None if self._fails_over_in_stream(state, now) else self._commit(state, [])
        if state.size > _LARGEST_PRELUDE or not self._has_room(state):
            return self._commit(state, [])
        return None

    def _has_room(self, state: Prelude) -> bool:
        """Count what is held of the reply: its prelude, and what is kept of reasoning that the client is not shown."""
        reader = state.reader
        if not isinstance(reader, TranslatingReader) or not reader.assembled:
            return self.hold_reply(state.size)
        if self.hold_reply(state.size + reader.assembled):
            return True
        if self.kept.keeps_reply:
            return False
        reader.forget_reply()
        return self.hold_reply(state.size)

    def prelude_ended(self, state: Prelude, _event: UpstreamEnded, now: float) -> None:
        """The stream ended without content: that is no reply, whatever its dialect says of an end without a word."""
        reader = state.reader
        rest = reader.rest()
        if self._fails_over_in_stream(state, now):
            return
        whole = reader.terminal_seen or (reader.begun and not self.dialect.terminal_required)
        if reader.error is None and not (whole and reader.begun):
            self.fault(state.attempt, Fault.PROTOCOL, _EMPTY, now)
            return
        self.end_stream(*self._commit(state, [rest] if rest else []), now)

    def stream_whole(self, attempt: Attempt, events: bytes, now: float) -> None:
        """Give a client that asked for a stream *events*, which a whole reply would have been."""
        prelude = Prelude(attempt, self.reader(attempt, Form.EVENTS, now))
        self.enter(prelude)
        begun = self._take_events(prelude, events, now)
        if begun is not None:
            self._ended(*begun, now)

    def _hold(self, state: Prelude, kind: EventClass, event: bytes) -> None:
        reader, number = state.reader, state.attempt.number
        if kind is EventClass.OPENING and self.released.get(reader.opening_name(event), number) != number:
            return
        if state.size > _LARGEST_SILENCE and (not event.strip() or reader.heard(event) is Heard.SILENCE):
            return
        state.held.append((kind, event))
        state.size += len(event)

    def _fails_over_in_stream(self, state: Prelude, now: float) -> bool:
        """An error event before any content is a failure like any other, unless it blames the request.

        A stored response that failed ends its stream so, whenever it is asked for.
        """
        error, request = state.reader.error, self.request
        if error is None or request.endpoint.operation.pinned:
            return False
        failure = of_error(error, (), now, side=request.is_side, repeatable=request.repeatable)
        if not failure.fail_over and not failure.next_target:
            return False
        self.fail(state.attempt, failure, now)
        return True

    def _commit(self, state: Prelude, events: list[bytes]) -> Begun:
        """Begin the client's stream: there is no way back any more."""
        attempt, reader = state.attempt, state.reader
        for number, later in enumerate(events[1:], start=1):
            over = reader.terminal_seen and not attempt.leg.dialect  # what is translated ends there by itself
            if over or reader.classify(later) is EventClass.ERROR:
                events = events[:number]
                break
        if not self.reply.status:
            self.reply.start(attempt.status, self.stream_headers(attempt), attempt.lease.account.id)
        self.last_reader = reader
        self.let_go_of_body()
        self.keep_first_id(reader)
        data = b"".join([*(event for _, event in state.held), *events])
        self.hold_reply(0)
        relaying = Relaying(attempt, reader)
        self.enter(relaying)
        return relaying, data

    # -- a stream after it --------------------------------------------------------------------------------------

    def relay(self, state: Relaying, event: UpstreamBody, now: float) -> None:
        """Pass on all whole events of a socket read. The hot path."""
        attempt, reader, data = state.attempt, state.reader, event.data
        if attempt.decoder is not None:
            decoded = self.decoded(attempt, data, now)
            if decoded is None:
                return
            data = decoded
        try:
            block = reader.cut(data)
        except ValueError as error:
            self.spoiled(attempt, Fault.PROTOCOL, str(error), now)
            return
        if (len(block) > _LONGEST_BEAT and block[0] > _COLON) or reader.heard(block) is not Heard.SILENCE:
            attempt.heard_at = now
        if reader.finished:  # the rest is pass_on(), in place: a call less for every event
            self.wind_down(state, block, now)
        elif block:
            self.reply.send(self.renamed(block) if self.renaming else block, now)
            if reader.objects:
                self.pin_streamed(attempt, reader, now)
            if isinstance(reader, TranslatingReader):
                self.hold_assembled(attempt, reader, now)

    def rest_of_reply(self, state: Ending, event: UpstreamBody, now: float) -> None:
        """What follows the last content of a reply: usage, or the terminal event."""
        if isinstance(state.of, Relaying):
            self.relay(state.of, event, now)
        else:
            self.gather(state.of, event, now)

    def rest_ended(self, state: Ending, event: UpstreamEnded, now: float) -> None:
        """The call ended after the last content of its reply."""
        if isinstance(state.of, Relaying):
            self.relay_ended(state.of, event, now)
        else:
            self.gathered(state.of, event, now)

    def relay_ended(self, state: Relaying, _event: UpstreamEnded, now: float) -> None:
        """The stream is complete by its framing; whether it is by its dialect decides how it ends."""
        self._ended(state, b"", now)

    def _ended(self, state: Relaying, block: bytes, now: float) -> None:
        """The stream has no more to come than *block* and an unfinished tail, which is dropped if that is a failure."""
        reader = state.reader
        rest = reader.rest()
        if reader.terminal_seen or not self.dialect.terminal_required:
            self.end_stream(state, block + rest, now)
            return
        if block:
            self.pass_on(state, block, now)
        self.break_off(state, Fault.PROTOCOL, "it ended without its last event", now)

    def relay_broken(self, state: Relaying, event: UpstreamFailed, now: float) -> None:
        """The stream broke after the commit point: nothing can be hidden any more."""
        self.break_off(state, event.fault, event.detail, now)

    # -- time ---------------------------------------------------------------------------------------------------

    def call_took_too_long(self, state: Calling, _event: TimePassed, now: float) -> None:
        """The head of the reply has not come."""
        attempt = state.attempt
        self.spoiled(attempt, Fault.TIMEOUT, _no_answer(now - attempt.called_at), now)

    def reply_took_too_long(self, state: Answered, _event: TimePassed, now: float) -> None:
        """The provider has fallen silent, or its reply takes too long."""
        attempt = state.attempt
        since = attempt.called_at if now >= attempt.event_due else attempt.heard_at
        self.spoiled(attempt, Fault.TIMEOUT, _no_answer(now - since), now)


def _no_answer(silence: float) -> str:
    return f"no answer for {silence:.1f} s"
