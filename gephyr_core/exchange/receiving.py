"""What a provider sends: its head, a whole reply, a stream before the commit point, and a stream after it."""

import math

from gephyr_core.content_coding import UnknownCodingError, reply_decoder
from gephyr_core.dialects.base import EventClass, Heard
from gephyr_core.errors import Fault
from gephyr_core.events import UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.exchange.attempts import Attempt, of_error
from gephyr_core.exchange.collecting import Collecting
from gephyr_core.exchange.state import State
from gephyr_core.http import media_type
from gephyr_core.reply_form import Form, FormSeeker
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


class Receiving(Collecting):
    """Takes the events of the attempt under way."""

    def reply_started(self, event: UpstreamStarted, now: float) -> None:
        """The provider's head: a stream to be relayed, or a reply to be collected."""
        attempt = self.live
        attempt.status, attempt.headers, attempt.heard_at = event.status, event.headers, now
        self.shared.route_works(attempt.route, attempt.called_at, now)
        if self.shared.origins.dead:
            self.shared.origin_answered(attempt.lease.account.origin, attempt.route, now)
        if event.status < 300:
            self.shared.scheduler.learning.heard(attempt.lease, event.headers, now - attempt.called_at, now)
        if not self._decodes(attempt, now):
            return
        known = event.status >= 300 or not (self.request.stream or self.request.generates)
        if not known:
            attempt.event_due = now + attempt.limits.first_byte
        self.enter(State.COLLECTING if known else State.RECOGNIZING)

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
                    self.enter(State.COLLECTING)
                    self.fault(Fault.PROTOCOL, f"unknown content-encoding {str(error)[:40]!r}", now)
                    return False
        return True

    # -- which form it has --------------------------------------------------------------------------------------

    def recognize(self, event: UpstreamBody, now: float) -> None:
        """The first bytes of a body: they tell whether it is a stream, whatever was asked for and the head says."""
        attempt = self.live
        attempt.heard_at = now
        data = self.decoded(attempt, event.data, now)
        if data is None:
            return
        if attempt.form is None and data.startswith(b"{"):  # nearly all whole replies
            attempt.event_due = math.inf
            self.enter(State.COLLECTING)
            self.take_piece(attempt, data, now)
            return
        block = self._look(attempt, data, now)
        if block is not None:
            self.pass_on(attempt, block, now)

    def recognized_nothing(self, event: UpstreamEnded, now: float) -> None:
        """The body ended before it was known what it is: it is next to empty, or a coding held it back."""
        attempt = self.live
        last = self.last_decoded(attempt, now)
        if last is None:
            return
        block = self._look(attempt, last, now)
        if self.state is State.RECOGNIZING:
            block = self._take(attempt, Form.OTHER, now)
        if block is not None:
            self._ended(attempt, block, now)
        elif self.attempt is attempt:
            self.row[UpstreamEnded](self, event, now)

    def _look(self, attempt: Attempt, data: bytes, now: float) -> bytes | None:
        """Look for the form of the body in its next bytes. What is returned begins the client's stream."""
        if attempt.form is None:
            attempt.form = FormSeeker()
        attempt.pieces.append(data)
        attempt.size += len(data)
        form = attempt.form.look(data)
        if form is None and attempt.size > _LARGEST_PRELUDE:
            form = Form.OTHER
        return None if form is None else self._take(attempt, form, now)

    def _take(self, attempt: Attempt, form: Form, now: float) -> bytes | None:
        """Take the body for what it is: a stream to be relayed, one to be collected, or a whole reply.

        Where its bytes do not tell, its head is believed. An array is a stream for those who speak Gemini's dialect.
        """
        assert attempt.form is not None
        seeker, attempt.form = attempt.form, None
        data = attempt.pieces[0] if len(attempt.pieces) == 1 else b"".join(attempt.pieces)
        attempt.pieces.clear()
        attempt.size = 0
        if form is Form.OTHER and media_type(attempt.headers) == b"text/event-stream":
            form = Form.EVENTS
        if form is not Form.EVENTS and not (form is Form.ARRAY and self.source(attempt).name == "gemini"):
            attempt.event_due = math.inf
            self.enter(State.COLLECTING)
            self.take_piece(attempt, data[seeker.offset :] if seeker.commented else data, now)
        elif self.request.stream:
            attempt.reader = self.reader(attempt, form, now)
            self.enter(State.PRELUDE)
            return self._take_events(attempt, data, now)
        else:
            attempt.collector = self.collector(attempt, form)
            self.enter(State.COLLECTING)
            self.take_piece(attempt, data, now)
        return None

    # -- a stream before the commit point -----------------------------------------------------------------------

    def prelude_body(self, event: UpstreamBody, now: float) -> None:
        """Hold events until the first with content, which commits."""
        attempt = self.live
        data = self.decoded(attempt, event.data, now)
        block = None if data is None else self._take_events(attempt, data, now)
        if block is not None:
            self.pass_on(attempt, block, now)

    def _take_events(self, attempt: Attempt, data: bytes, now: float) -> bytes | None:
        """Hold the events that are whole now; fail with an error or an end before content, commit with content.

        Returns what is to be sent then; None before.
        """
        reader = attempt.reader
        assert reader is not None
        if not attempt.begun:
            attempt.begun, data = True, data.removeprefix(_BOM)
        try:
            events = reader.split(data)
        except ValueError as error:
            self.fault(Fault.PROTOCOL, str(error), now)
            return None
        attempt.hear(reader.heard(b"".join(events)), now)
        for index, one in enumerate(events):
            kind = reader.classify(one)
            if kind is EventClass.CONTENT:
                return self._commit(attempt, events[index:])
            if kind is EventClass.END:
                self.fault(Fault.PROTOCOL, _EMPTY, now)
                return None
            if kind is EventClass.ERROR:
                break
            self._hold(attempt, kind, one)
        if reader.error is not None:
            return None if self._fails_over_in_stream(attempt, now) else self._commit(attempt, [])
        if attempt.size > _LARGEST_PRELUDE or not self._has_room(attempt):
            return self._commit(attempt, [])
        return None

    def _has_room(self, attempt: Attempt) -> bool:
        """Count what is held of the reply: its prelude, and what is kept of reasoning that the client is not shown."""
        reader = attempt.reader
        if not isinstance(reader, TranslatingReader) or not reader.assembled:
            return self.hold_reply(attempt.size)
        if self.hold_reply(attempt.size + reader.assembled):
            return True
        if self.keeps_reply:
            return False
        reader.forget_reply()
        return self.hold_reply(attempt.size)

    def prelude_ended(self, _event: UpstreamEnded, now: float) -> None:
        """The stream ended without content: that is no reply, whatever its dialect says of an end without a word."""
        attempt = self.live
        assert attempt.reader is not None
        rest = attempt.reader.rest()
        if self._fails_over_in_stream(attempt, now):
            return
        whole = attempt.reader.terminal_seen or (attempt.reader.begun and not self.dialect.terminal_required)
        if attempt.reader.error is None and not (whole and attempt.reader.begun):
            self.fault(Fault.PROTOCOL, _EMPTY, now)
            return
        self.end_stream(attempt, self._commit(attempt, [rest] if rest else []), now)

    def stream_whole(self, events: bytes, now: float) -> None:
        """Give a client that asked for a stream *events*, which a whole reply would have been."""
        attempt = self.live
        attempt.reader = self.reader(attempt, Form.EVENTS, now)
        attempt.size = 0
        self.enter(State.PRELUDE)
        block = self._take_events(attempt, events, now)
        if block is not None:
            self._ended(attempt, block, now)

    def _hold(self, attempt: Attempt, kind: EventClass, event: bytes) -> None:
        assert attempt.reader is not None
        if kind is EventClass.OPENING:
            first = self.released.get(attempt.reader.opening_name(event), attempt.number)
            if first != attempt.number:
                return
        if attempt.size > _LARGEST_SILENCE and (not event.strip() or attempt.reader.heard(event) is Heard.SILENCE):
            return
        attempt.held.append((kind, event))
        attempt.size += len(event)

    def _fails_over_in_stream(self, attempt: Attempt, now: float) -> bool:
        """An error event before any content is a failure like any other, unless it blames the request.

        A stored response that failed ends its stream so, whenever it is asked for.
        """
        assert attempt.reader is not None
        error = attempt.reader.error
        if error is None or self.request.endpoint.operation.pinned:
            return False
        failure = of_error(error, (), now, side=self.request.is_side, repeatable=self.request.repeatable)
        if not failure.fail_over and not failure.next_target:
            return False
        self.fail(failure, now)
        return True

    def _commit(self, attempt: Attempt, events: list[bytes]) -> bytes:
        """Begin the client's stream, and return what was held and what has come: there is no way back any more."""
        assert attempt.reader is not None
        for number, later in enumerate(events[1:], start=1):
            over = attempt.reader.terminal_seen and not attempt.leg.dialect  # what is translated ends there by itself
            if over or attempt.reader.classify(later) is EventClass.ERROR:
                events = events[:number]
                break
        if not self.reply.status:
            self.reply.start(attempt.status, self.stream_headers(attempt), attempt.lease.account.id)
        self.last_reader = attempt.reader
        self.let_go_of_body()
        self.keep_first_id(attempt)
        data = b"".join([*(event for _, event in attempt.held), *events])
        attempt.held.clear()
        self.hold_reply(0)
        self.enter(State.RELAYING)
        return data

    # -- a stream after it --------------------------------------------------------------------------------------

    def relay(self, event: UpstreamBody, now: float) -> None:
        """Pass on all whole events of a socket read. The hot path."""
        attempt = self.attempt
        assert attempt is not None
        data = event.data
        if attempt.decoder is not None:
            decoded = self.decoded(attempt, data, now)
            if decoded is None:
                return
            data = decoded
        reader = attempt.reader
        assert reader is not None
        try:
            block = reader.cut(data)
        except ValueError as error:
            self.spoiled(Fault.PROTOCOL, str(error), now)
            return
        if (len(block) > _LONGEST_BEAT and block[0] > _COLON) or reader.heard(block) is not Heard.SILENCE:
            attempt.heard_at = now
        if reader.finished:  # the rest is pass_on(), in place: a call less for every event
            self.wind_down(attempt, block, now)
        elif block:
            self.reply.send(self.renamed(block) if self.renaming else block, now)
            if reader.objects:
                self.pin(attempt, reader.objects, now)
            if attempt.leg.dialect:
                self.hold_assembled(attempt, now)

    def rest_of_reply(self, event: UpstreamBody, now: float) -> None:
        """What follows the last content of a reply: usage, or the terminal event."""
        attempt = self.live
        if attempt.collector is None:
            self.relay(event, now)
        else:
            self.collect(event, now)

    def rest_ended(self, event: UpstreamEnded, now: float) -> None:
        """The call ended after the last content of its reply."""
        attempt = self.live
        if attempt.collector is None:
            self.relay_ended(event, now)
        else:
            self.collected(event, now)

    def rest_broken(self, _event: UpstreamFailed, now: float) -> None:
        """The call broke after the last content of its reply: nothing is lost but what may have followed."""
        self.wind_up(now)

    def relay_ended(self, _event: UpstreamEnded, now: float) -> None:
        """The stream is complete by its framing; whether it is by its dialect decides how it ends."""
        attempt = self.live
        self._ended(attempt, b"", now)

    def _ended(self, attempt: Attempt, block: bytes, now: float) -> None:
        """The stream has no more to come than *block* and an unfinished tail, which is dropped if that is a failure."""
        reader = attempt.reader
        assert reader is not None
        rest = reader.rest()
        if reader.terminal_seen or not self.dialect.terminal_required:
            self.end_stream(attempt, block + rest, now)
            return
        if block:
            self.pass_on(attempt, block, now)
        self.break_off(Fault.PROTOCOL, "it ended without its last event", now)

    def relay_broken(self, event: UpstreamFailed, now: float) -> None:
        """The stream broke after the commit point: nothing can be hidden any more."""
        self.break_off(event.fault, event.detail, now)
