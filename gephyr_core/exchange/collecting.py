"""Whole replies: taken in until they are complete, judged, and given to the client in the form it asked for.

What a whole reply is, and what an error with a status of success looks like, is said by each dialect's ``read_whole``;
the same holds where the reply is passed on as it came and where it is translated.
"""

from collections.abc import Callable
from functools import partial

from gephyr_core.computing import LIGHTER
from gephyr_core.content_coding import CodingError, CutShortError, ExpansionError, as_utf8
from gephyr_core.dialects.base import StreamError, WholeReply
from gephyr_core.errors import Fault, quoted
from gephyr_core.events import UpstreamBody, UpstreamEnded
from gephyr_core.exchange.attempts import REPLY_ERROR, Attempt, is_json, of_error, of_full_memory, of_reply
from gephyr_core.exchange.computing import stay
from gephyr_core.exchange.delivering import NO_CONTENT
from gephyr_core.exchange.states import Collecting, Ending, Gathering
from gephyr_core.exchange.whole import Judged, Judging, WritingCollected
from gephyr_core.exchange.winding_up import WindingUp
from gephyr_core.http import without_charset
from gephyr_core.providers import classify_reply
from gephyr_core.scheduling import SUCCESS
from gephyr_core.translation.collecting import NativeCollector, ReplyCollector

_DELETIONS = ("responses.delete", "conversations.delete")
"""Operations after which an object is no more."""
_LARGEST_ERROR = 1024 * 1024
"""Bytes of an error reply that are read."""


class WholeReplies(WindingUp):
    """Takes a reply that the client gets at once, or that came at once."""

    def collect(self, state: Collecting, event: UpstreamBody, now: float) -> None:
        """Hold a piece of a reply that is not complete yet."""
        data = self.decoded(state.attempt, event.data, now)
        if data is not None:
            self.take_piece(state, data, now)

    def take_piece(self, state: Collecting, data: bytes, now: float) -> None:
        """Hold a piece of a reply, decoded, within the limits."""
        if self._has_room_for(state, data, now):
            state.attempt.heard_at = now
            state.pieces.append(data)

    def _has_room_for(self, state: Collecting | Gathering, data: bytes, now: float) -> bool:
        """Count a piece of a reply. False: it exceeds the limits, and that was dealt with."""
        attempt = state.attempt
        state.size += len(data)
        limit = self.shared.config.upstream.max_reply_size
        if attempt.status >= 300:
            limit = min(limit, _LARGEST_ERROR)
        if state.size > limit:
            self.spoiled(attempt, Fault.TOO_LARGE, f"the reply exceeds {limit} bytes", now)
        elif self.hold_reply(state.size):
            return True
        else:
            self._let_go_of_reply(attempt, now)
        return False

    def _let_go_of_reply(self, attempt: Attempt, now: float) -> None:
        """There is no room for the reply. One that is an error is known by its status and its headers."""
        if attempt.status >= 300:
            self.fault(attempt, Fault.TOO_LARGE, "there is no room to hold the reply", now)
        else:
            self.fail(attempt, of_full_memory(), now)

    def collected(self, state: Collecting, _event: UpstreamEnded, now: float) -> None:
        """The reply is complete: relay it, or find out what its error means."""
        attempt = state.attempt
        last = self.last_decoded(attempt, now)
        if last is None:
            return
        state.pieces.append(last)
        if attempt.status >= 300:
            body = self._error_body(state, now)
            if body is None:
                return
            verdict = classify_reply(attempt.status, attempt.headers, body, now)
            translated, side = bool(attempt.leg.dialect), self.request.is_side
            failure = of_reply(attempt.status, attempt.headers, body, verdict, side=side, translated=translated)
            self.fail(attempt, failure, now)
        else:
            self.judge(state, None, now)

    def _error_body(self, state: Collecting, now: float) -> bytes | None:
        """Return the body of an error, decoded; None when that failed, and the attempt with it."""
        attempt, body = state.attempt, b"".join(state.pieces)
        text = as_utf8(body)
        if text is not body:
            attempt.headers = without_charset(attempt.headers)
        if attempt.cut_short and text.strip() and not is_json(text):
            self.fault(attempt, Fault.PROTOCOL, "the compressed body is cut short", now)
            return None
        return text

    def judge(self, state: Collecting | Gathering, collector: NativeCollector | None, now: float) -> None:
        """Tell a reply with a status of success from an error and from what is no reply, and go on with it."""
        attempt, pieces = state.attempt, []
        if isinstance(state, Collecting):
            pieces, state.pieces = state.pieces, pieces
        translated = bool(attempt.leg.dialect) and self.request.generates
        job = Judging(
            pieces,
            collector,
            self.source(attempt),
            self.request.generates,
            attempt.cut_short and collector is None,
            self.translating(attempt, now) if translated else None,
            not attempt.leg.dialect and self._is_streamed,
        )
        size = state.size if translated or collector is not None or job.streams else state.size / LIGHTER
        self.compute(job, partial(self.judged, attempt), stay, size, now)

    @property
    def _is_streamed(self) -> bool:
        """Whether the client gets a stream: it asked for one, or a keep-alive has begun one."""
        return self.request.stream and (self.request.generates or bool(self.reply.status))

    def judged(self, attempt: Attempt, read: Callable[[], Judged], now: float) -> None:
        """It is known what the reply is."""
        judged = read()
        whole = judged.whole
        if judged.recoded:
            attempt.headers = without_charset(attempt.headers)
        if judged.cut:
            self.fault(attempt, Fault.PROTOCOL, "the compressed body is cut short", now)
        elif whole is None and (attempt.status in NO_CONTENT or self.request.endpoint.operation.pinned):
            self._relay_whole(attempt, judged.body, WholeReply(), now)
        elif whole is None:
            self.fault(
                attempt,
                Fault.PROTOCOL,
                self.source(attempt).read_whole(b"", generates=self.request.generates).lack,
                now,
            )
        elif whole.error is not None:
            self._fail_by(attempt, whole.error, whole, judged.body, now)
        elif whole.lack:
            self.fault(attempt, Fault.PROTOCOL, whole.lack, now)
        elif attempt.leg.dialect:
            self._deliver_translated(attempt, judged, now)
        elif judged.events or self._is_streamed:
            self.stream_whole(attempt, judged.events or self.dialect.events_of(judged.body), now)
        else:
            self._relay_whole(attempt, judged.body, whole, now)

    def _fail_by(self, attempt: Attempt, error: StreamError, whole: WholeReply, body: bytes, now: float) -> None:
        """The reply tells of an error. What must not be done twice is not asked of another account: a status of
        success says that the request was accepted, and an object that failed may have been stored all the same. The
        client gets that object then."""
        own = whole.is_error_body and not attempt.leg.dialect
        failure = of_error(
            error,
            attempt.headers,
            now,
            side=self.request.is_side,
            repeatable=self.request.repeatable,
            body=body if own else b"",
            label=REPLY_ERROR,
        )
        if whole.objects and not (self.request.repeatable or self.request.stream or attempt.leg.dialect):
            self.pin(attempt, whole.objects, now)
            self.usage = whole.usage
            account = attempt.lease.account.id
            self.end_attempt(attempt, failure.label, failure.outcome, now, detail=failure.message)
            self.served = self.records[-1]
            self.reply.whole(attempt.status, self.whole_headers(attempt), self.renamed(body), now, account)
            self.finish("provider_error", now, failure.kind)
        else:
            self.fail(attempt, failure, now)

    def _deliver_translated(self, attempt: Attempt, judged: Judged, now: float) -> None:
        """A whole reply in another dialect than the client's."""
        delivery = judged.delivery
        if delivery is not None:
            self.deliver(attempt, lambda: delivery, now)
        elif judged.unreadable:
            self.fault(attempt, Fault.PROTOCOL, f"the reply cannot be read: {quoted(judged.unreadable)}", now)
        else:
            try:
                self.deliver_count(attempt, judged.body, now)
            except ValueError as error:
                self.fault(attempt, Fault.PROTOCOL, f"the reply cannot be read: {quoted(str(error))}", now)

    def _relay_whole(self, attempt: Attempt, body: bytes, whole: WholeReply, now: float) -> None:
        self.usage = whole.usage
        if self.request.endpoint.operation.name in _DELETIONS:
            self.unpin(now)
        else:
            self.pin(attempt, whole.objects, now)
        account = attempt.lease.account.id
        self.end_attempt(attempt, "ok", SUCCESS, now)
        self.served = self.records[-1]
        self.reply.whole(attempt.status, self.whole_headers(attempt), self.renamed(body), now, account)
        self.finish("ok", now)

    # -- a stream where a whole reply was asked for -----------------------------------------------------------------

    def gather(self, state: Gathering, event: UpstreamBody, now: float) -> None:
        """Read a piece of a stream whose reply the client gets whole."""
        data = self.decoded(state.attempt, event.data, now)
        if data is not None:
            self.take_events(state, data, now)

    def take_events(self, state: Gathering, data: bytes, now: float) -> None:
        """Read a piece of such a stream, decoded."""
        if not self._has_room_for(state, data, now):
            return
        try:
            state.attempt.hear(state.collector.feed(data), now)
        except ValueError as error:
            self.spoiled(state.attempt, Fault.PROTOCOL, str(error), now)
            return
        if state.collector.over:  # whatever the provider does with its connection
            self.deliver_gathered(state, now)
        elif state.collector.finished and not isinstance(self.state, Ending):
            self.enter(Ending(state, now))

    def gathered(self, state: Gathering, _event: UpstreamEnded, now: float) -> None:
        """The stream is complete by its framing."""
        last = self.last_decoded(state.attempt, now)
        if last is None:
            return
        try:
            state.collector.feed(last)
        except ValueError as error:
            self.fault(state.attempt, Fault.PROTOCOL, str(error), now)
            return
        state.collector.finish()
        self.deliver_gathered(state, now)

    def deliver_gathered(self, state: Gathering, now: float) -> None:
        """The stream is over: its reply is a whole one like any other."""
        attempt, collector = state.attempt, state.collector
        if collector.error is not None:
            self._fail_by(attempt, collector.error, WholeReply(), b"", now)
        elif isinstance(collector, NativeCollector):
            if collector.complete:
                self.judge(state, collector, now)
            else:
                self.fault(attempt, Fault.PROTOCOL, "the stream ended before the reply did", now)
        elif isinstance(collector, ReplyCollector):
            job = WritingCollected(collector, self.writing(attempt, now))
            self.compute(job, partial(self.deliver, attempt), stay, state.size, now)

    # -- shared -----------------------------------------------------------------------------------------------------

    def stream_whole(self, attempt: Attempt, events: bytes, now: float) -> None:
        """Give a client that asked for a stream *events*, which a whole reply would have been."""
        raise NotImplementedError

    def decoded(self, attempt: Attempt, data: bytes, now: float) -> bytes | None:
        """Undo a content coding; None when that failed, and the attempt with it."""
        if attempt.decoder is None:
            return data
        try:
            return attempt.decoder.feed(data)
        except ExpansionError:
            detail = "the reply expands too far"
        except CodingError as error:
            detail = str(error)
        self.spoiled(attempt, Fault.PROTOCOL, detail, now)
        return None

    def last_decoded(self, attempt: Attempt, now: float) -> bytes | None:
        """Return what a content coding held back until the end; None when it is broken, and the attempt with it."""
        decoder, attempt.decoder = attempt.decoder, None
        if decoder is None:
            return b""
        try:
            return decoder.finish()
        except CutShortError:
            attempt.cut_short = True  # the SDKs do not look for the end of the coding, but for that of the JSON
            return b""
        except (CodingError, ExpansionError) as error:
            self.fault(attempt, Fault.PROTOCOL, f"{error or 'the reply expands too far'}", now)
            return None
