"""What a provider sends: its head, a whole reply, a stream before the commit point, and a stream after it."""

from gephyr_core.content_coding import (
    CodingError,
    CutShortError,
    ExpansionError,
    UnknownCodingError,
    as_utf8,
    reply_decoder,
)
from gephyr_core.dialects.base import EventClass
from gephyr_core.errors import Fault
from gephyr_core.events import UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.exchange.attempts import (
    TRANSIENT,
    Attempt,
    is_json,
    looks_like_json,
    of_full_memory,
    of_reply,
    of_stream_error,
)
from gephyr_core.exchange.delivering import Delivering
from gephyr_core.exchange.state import State
from gephyr_core.forwarding import to_client
from gephyr_core.http import media_type, without_charset
from gephyr_core.providers import classify_reply
from gephyr_core.scheduling import SUCCESS
from gephyr_core.translation.dialects import TRANSLATORS

_BOM = b"\xef\xbb\xbf"
"""May open a stream (WHATWG HTML, section 9.2.5). Clients that do not know it lose the first line."""
_LARGEST_PRELUDE = 256 * 1024
"""Bytes of contentless events that are held; beyond, the stream is committed as it is."""
_DELETIONS = ("responses.delete", "conversations.delete")
"""Operations after which an object is no more."""
_LARGEST_ERROR = 1024 * 1024
"""Bytes of an error reply that are read."""


class Receiving(Delivering):
    """Takes the events of the attempt under way."""

    def reply_started(self, event: UpstreamStarted, now: float) -> None:
        """The provider's head: a stream to be relayed, or a reply to be collected."""
        attempt, plan = self.live
        attempt.status, attempt.headers, attempt.heard_at = event.status, event.headers, now
        upstream = self.shared.config.upstream
        self.shared.route_works(attempt.route, attempt.called_at, now)
        if event.status < 300:
            self.shared.scheduler.heard(attempt.lease, event.headers, now - attempt.called_at, now)
        content_type = media_type(event.headers)
        streamed = event.status < 300 and content_type == b"text/event-stream"
        if not self._decodes(attempt, streamed=streamed, now=now):
            return
        if streamed and not plan.stream and self.asks_for_stream(attempt.leg):
            attempt.collector = self.collector(attempt)
            self.enter(State.COLLECTING)
        elif streamed and attempt.leg.dialect:
            attempt.reader = self.translating_reader(attempt, now)
            self.enter(State.PRELUDE)
        elif streamed or (event.status < 300 and plan.stream and plan.array and not attempt.leg.dialect):
            array = plan.array and content_type != b"text/event-stream"
            attempt.reader = self.dialect.stream_reader(max_line=upstream.max_sse_line, array=array)
            self.enter(State.PRELUDE)
        else:
            self.enter(State.COLLECTING)

    def _decodes(self, attempt: Attempt, *, streamed: bool, now: float) -> bool:
        """Prepare to undo the reply's content coding; False when that cannot be done, and the attempt has failed.

        A whole reply is given a chance: its bytes show whether the head was right.
        """
        codings = [value for name, value in attempt.headers if name == b"content-encoding"]
        if codings:
            try:
                attempt.decoder = reply_decoder(codings, limit=self.shared.config.upstream.max_reply_size)
            except UnknownCodingError as error:
                if streamed or attempt.status >= 300:
                    self.enter(State.COLLECTING)
                    self.fault(Fault.PROTOCOL, f"unknown content-encoding {str(error)[:40]!r}", now)
                    return False
        return True

    # -- a whole reply ------------------------------------------------------------------------------------------

    def collect(self, event: UpstreamBody, now: float) -> None:
        """Hold a piece of a reply that is not complete yet."""
        attempt, _ = self.live
        attempt.heard_at = now
        data = self._decoded(attempt, event.data, now)
        if data is None:
            return
        attempt.size += len(data)
        limit = self.shared.config.upstream.max_reply_size
        if attempt.status >= 300:
            limit = min(limit, _LARGEST_ERROR)
        if attempt.size > limit:
            self.fault(Fault.TOO_LARGE, f"the reply exceeds {limit} bytes", now)
        elif not self.hold_reply(attempt.size):
            self._let_go_of_reply(attempt, now)
        elif attempt.collector is None:
            attempt.pieces.append(data)
        else:
            try:
                attempt.collector.feed(data)
            except ValueError as error:
                self.fault(Fault.PROTOCOL, str(error), now)

    def _let_go_of_reply(self, attempt: Attempt, now: float) -> None:
        """There is no room for the reply. One that is an error is known by its status and its headers."""
        if attempt.status >= 300:
            self.fault(Fault.TOO_LARGE, "there is no room to hold the reply", now)
        else:
            self.fail(of_full_memory(), now)

    def collected(self, _event: UpstreamEnded, now: float) -> None:
        """The reply is complete: relay it, or find out what its error means."""
        attempt, plan = self.live
        body = self._whole_body(attempt, now)
        if body is None:
            return
        if attempt.status >= 300:
            verdict = classify_reply(attempt.status, attempt.headers, body, now)
            side = plan.endpoint.operation.side
            translated = bool(attempt.leg.dialect)
            self.fail(of_reply(attempt.status, attempt.headers, body, verdict, side=side, translated=translated), now)
        elif attempt.collector is not None:
            attempt.collector.feed(body)
            self.deliver(attempt.collector.finish(), now)
        elif attempt.leg.dialect or (plan.stream and self.dialect.name in TRANSLATORS):
            self._translate_whole(body, now)
        elif self.reply.status:  # a keep-alive has begun a stream
            self.fault(Fault.PROTOCOL, "a whole reply came where a stream was asked for", now)
        elif body.strip() and not looks_like_json(body):
            self.fault(Fault.PROTOCOL, "the reply is no JSON", now)
        else:
            self._relay_whole(body, now)

    def _whole_body(self, attempt: Attempt, now: float) -> bytes | None:
        """Return the reply's body, decoded; None when that failed, and the attempt with it."""
        cut_short: CutShortError | None = None
        if attempt.decoder is not None:
            try:
                attempt.pieces.append(attempt.decoder.finish())
            except CutShortError as error:
                cut_short = error  # the SDKs do not look for the end of the coding, but for that of the JSON
            except (CodingError, ExpansionError) as error:
                self.fault(Fault.PROTOCOL, f"{error or 'the reply expands too far'}", now)
                return None
        body = attempt.pieces[0] if len(attempt.pieces) == 1 else b"".join(attempt.pieces)
        attempt.pieces.clear()  # a large reply is in memory once, not twice
        text = as_utf8(body)
        if text is not body:
            attempt.headers = without_charset(attempt.headers)
        if cut_short is not None and attempt.collector is None and text.strip() and not is_json(text):
            self.fault(Fault.PROTOCOL, str(cut_short), now)
            return None
        return text

    def _translate_whole(self, body: bytes, now: float) -> None:
        """A whole reply in another dialect than the client's, or for a client that wants a stream."""
        attempt, plan = self.live
        try:
            if plan.endpoint.operation.counts:
                self.deliver_count(body, now)
            else:
                self.deliver(self.read_reply(body), now)
        except ValueError as error:
            if attempt.leg.dialect or self.reply.status or not looks_like_json(body):
                self.fault(Fault.PROTOCOL, f"the reply cannot be read: {error}"[:200], now)
            else:
                self._relay_whole(body, now)

    def _relay_whole(self, body: bytes, now: float) -> None:
        attempt, plan = self.live
        self.usage = self.dialect.usage_of(body)
        if plan.endpoint.operation.name in _DELETIONS:
            self.unpin(now)
        else:
            self.pin(attempt, self.dialect.objects_of(body), now)
        account = attempt.lease.account.id
        self.end_attempt("ok", SUCCESS, now)
        self.served = self.records[-1]
        self.reply.whole(attempt.status, to_client(attempt.headers), self.renamed(body), now, account)
        self.finish("ok", now)

    # -- a stream before the commit point -----------------------------------------------------------------------

    def prelude_body(self, event: UpstreamBody, now: float) -> None:
        """Hold events until the first with content, which commits."""
        attempt, _ = self.live
        assert attempt.reader is not None
        attempt.heard_at = now
        data = self._decoded(attempt, event.data, now)
        if data is None:
            return
        if not attempt.begun:
            attempt.begun, data = True, data.removeprefix(_BOM)
        try:
            events = attempt.reader.split(data)
        except ValueError as error:
            self.fault(Fault.PROTOCOL, str(error), now)
            return
        for index, one in enumerate(events):
            kind = attempt.reader.classify(one)
            if kind is EventClass.ERROR and self._fails_over_in_stream(attempt, now):
                return
            if kind in {EventClass.CONTENT, EventClass.ERROR}:
                self._send(attempt, self._commit(attempt, events[index:]), now)
                return
            self._hold(attempt, kind, one)
        if attempt.size > _LARGEST_PRELUDE or not self.hold_reply(attempt.size):
            self._send(attempt, self._commit(attempt, []), now)

    def prelude_ended(self, _event: UpstreamEnded, now: float) -> None:
        """The stream ended without content: a failure where the dialect demands a terminal event, or nothing came."""
        attempt, _ = self.live
        assert attempt.reader is not None
        rest = attempt.reader.rest()
        if self._fails_over_in_stream(attempt, now):
            return
        if not attempt.reader.terminal_seen and (self.dialect.terminal_required or not (attempt.held or rest.strip())):
            self.fault(Fault.PROTOCOL, "the stream ended before any content", now)
            return
        self._end_stream(attempt, self._commit(attempt, [rest] if rest else []), now)

    def _hold(self, attempt: Attempt, kind: EventClass, event: bytes) -> None:
        assert attempt.reader is not None
        if kind is EventClass.OPENING:
            first = self.released.get(attempt.reader.opening_name(event), attempt.number)
            if first != attempt.number:
                return
        attempt.held.append((kind, event))
        attempt.size += len(event)

    def _fails_over_in_stream(self, attempt: Attempt, now: float) -> bool:
        """An error event before any content is a failure like any other, unless it blames the request."""
        assert attempt.reader is not None
        assert self.plan is not None
        error = attempt.reader.error
        if error is None or error.kind not in TRANSIENT or not self.plan.repeatable:
            return False
        side = self.plan.endpoint.operation.side
        self.fail(of_stream_error(error.kind, error.message, side=side), now)
        return True

    def _commit(self, attempt: Attempt, events: list[bytes]) -> bytes:
        """Begin the client's stream, and return what was held and what has come: there is no way back any more."""
        assert attempt.reader is not None
        for later in events[1:]:
            attempt.reader.classify(later)
        if not self.reply.status:
            headers = self.translated_headers(attempt) if attempt.leg.dialect else to_client(attempt.headers)
            self.reply.start(attempt.status, headers, attempt.lease.account.id)
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
        attempt.heard_at = now
        data = event.data
        if attempt.decoder is not None:
            decoded = self._decoded(attempt, data, now)
            if decoded is None:
                return
            data = decoded
        reader = attempt.reader
        assert reader is not None
        try:
            block = reader.cut(data)
        except ValueError as error:
            self.break_off(Fault.PROTOCOL, str(error), now)
            return
        if block:
            self._send(attempt, block, now)

    def _send(self, attempt: Attempt, block: bytes, now: float) -> None:
        """Pass on whole events."""
        reader = attempt.reader
        assert reader is not None
        if block:
            self.reply.send(self.renamed(block) if self.renaming else block, now)
        if reader.objects:
            self.pin(attempt, reader.objects, now)
        if attempt.leg.dialect and reader.terminal_seen:
            self.told_all(attempt, now)

    def _end_stream(self, attempt: Attempt, rest: bytes, now: float) -> None:
        """The stream has come to its end, and *rest* is the last of it."""
        assert attempt.reader is not None
        if attempt.reader.objects:
            self.pin(attempt, attempt.reader.objects, now)
        if attempt.leg.dialect:
            self.told_all(attempt, now)
        self.complete(now, self.renamed(rest))

    def relay_ended(self, _event: UpstreamEnded, now: float) -> None:
        """The stream is complete by its framing; whether it is by its dialect decides how it ends."""
        attempt, _ = self.live
        assert attempt.reader is not None
        rest = attempt.reader.rest()
        if self.dialect.terminal_required and not attempt.reader.terminal_seen:
            self.break_off(Fault.PROTOCOL, "it ended without its last event", now)
            return
        self._end_stream(attempt, rest, now)

    def relay_broken(self, event: UpstreamFailed, now: float) -> None:
        """The stream broke after the commit point: nothing can be hidden any more."""
        self.break_off(event.fault, event.detail, now)

    # -- shared -------------------------------------------------------------------------------------------------

    def _decoded(self, attempt: Attempt, data: bytes, now: float) -> bytes | None:
        """Undo a content coding; None when that failed, and the attempt with it."""
        if attempt.decoder is None:
            return data
        try:
            return attempt.decoder.feed(data)
        except ExpansionError:
            detail = "the reply expands too far"
        except CodingError as error:
            detail = str(error)
        if self.state is State.RELAYING:
            self.break_off(Fault.PROTOCOL, detail, now)
        else:
            self.fault(Fault.PROTOCOL, detail, now)
        return None
