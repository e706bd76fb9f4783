"""Replies on their way back through a translation: streams, whole replies, and one in place of the other."""

from collections.abc import Callable, Mapping

import attrs

from gephyr_core.commands import Save
from gephyr_core.conversation.assembly import Assembler
from gephyr_core.conversation.parts import Origin
from gephyr_core.conversation.reply import Reply, StopReason
from gephyr_core.conversation.signatures import organization_digest
from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import Dialect, StreamReader
from gephyr_core.dialects.translator import DeltaWriter, Written
from gephyr_core.exchange.attempting import Attempting
from gephyr_core.exchange.attempts import Attempt, of_bad_call
from gephyr_core.exchange.whole import Delivery, Translating, Writing
from gephyr_core.forwarding import to_client, translated_to_client
from gephyr_core.http import Header, media_type
from gephyr_core.json_array import ArrayAsEvents
from gephyr_core.reply_form import Form
from gephyr_core.scheduling import SUCCESS
from gephyr_core.sse import SseFramer
from gephyr_core.translation.array_form import ArrayForm
from gephyr_core.translation.calls_of_text import CallingRestorer, CallOfText
from gephyr_core.translation.carrying import CLIENT as CARRIED
from gephyr_core.translation.carrying import CarryingPresenter
from gephyr_core.translation.collecting import Collector, NativeCollector, ReplyCollector
from gephyr_core.translation.dialects import CLIENTS, TRANSLATORS
from gephyr_core.translation.memory import ReasoningAssembler, Remembered, memorable
from gephyr_core.translation.restoring import Restorer, Restores
from gephyr_core.translation.showing import Presenter, note_lost
from gephyr_core.translation.stream import TranslatingReader

NO_CONTENT = (204, 205)
"""Statuses of replies that have no body (RFC 9110, sections 15.3.5 and 15.3.6)."""
UNREADABLE_CALL = "the model called a tool in a way that the provider could not read"


class Delivering(Attempting):
    """Gives the client a provider's reply in the client's dialect and form."""

    def reader(self, attempt: Attempt, form: Form, now: float) -> StreamReader:
        """Return what reads a provider's stream, which came in *form*, as the client is to get it."""
        if attempt.leg.dialect:
            return self._translating_reader(attempt, form, now)
        array, max_line = self.request.array, self.shared.config.upstream.max_sse_line
        return self.dialect.stream_reader(
            max_line=max_line,
            array=array,
            reframed=form is not (Form.ARRAY if array else Form.EVENTS),
            choices=self._choices(),
            signed=attempt.lease.account.signs,
        )

    def _choices(self) -> int:
        """How many choices the client asked for."""
        envelope = self.request.envelope
        return 1 if envelope is None else self.dialect.choices(envelope.fields)

    def _translating_reader(self, attempt: Attempt, form: Form, now: float) -> TranslatingReader:
        """Return what reads a provider's stream as if it came in the client's dialect."""
        max_line = self.shared.config.upstream.max_sse_line
        return TranslatingReader(
            self._framer(form),
            self._source_reader(attempt),
            TRANSLATORS[attempt.leg.dialect].delta_reader(self.translation.losses()),
            self._restorer(attempt),
            self._presenter(attempt),
            self._writer(now),
            self.dialect.stream_reader(max_line=max_line, array=self.request.array),
            self._assembler(attempt),
            objects=attempt.made,
        )

    def collector(self, attempt: Attempt, form: Form) -> Collector:
        """Return what collects a provider's stream, which came in *form*."""
        framer, max_line = self._framer(form), self.shared.config.upstream.max_sse_line
        if not attempt.leg.dialect:
            source = self.dialect.stream_reader(max_line=max_line, choices=self._choices(), signed=False)
            return NativeCollector(framer, source, self.dialect.assembly())
        source = self._source_reader(attempt)
        reader = TRANSLATORS[attempt.leg.dialect].delta_reader(self.translation.losses())
        return ReplyCollector(framer, source, reader, self._restorer(attempt))

    def source(self, attempt: Attempt) -> Dialect:
        """The dialect that the attempt's provider is asked in."""
        return DIALECTS[attempt.leg.dialect] if attempt.leg.dialect else self.dialect

    def _source_reader(self, attempt: Attempt) -> StreamReader:
        return self.source(attempt).stream_reader(max_line=self.shared.config.upstream.max_sse_line)

    def _framer(self, form: Form) -> SseFramer | ArrayAsEvents:
        max_line = self.shared.config.upstream.max_sse_line
        return ArrayAsEvents(max_line) if form is Form.ARRAY else SseFramer(max_line)

    def translating(self, attempt: Attempt, now: float) -> Translating:
        """Return how a whole reply of the attempt is translated."""
        return Translating(TRANSLATORS[attempt.leg.dialect], self._restorer(attempt), self.writing(attempt, now))

    def writing(self, attempt: Attempt, now: float) -> Writing:
        """Return how a translated reply of the attempt is written."""
        client, released = CLIENTS[self.dialect.name], dict(self.released)
        context, presenter, request = self.context(now), self._presenter(attempt), self.request
        stream, array, said = request.stream, request.array, self.translation.said
        return Writing(client, context, self.dialect, presenter, stream, array, released, said)

    def deliver(self, attempt: Attempt, read: Callable[[], Delivery], now: float) -> None:
        """Give the client a translated reply that is complete, in the form it asked for."""
        delivery = read()
        reply = delivery.reply
        self.translation.losses().add(delivery.report)
        if reply.stop.reason is StopReason.BAD_TOOL_CALL:
            self.fail(attempt, of_bad_call(UNREADABLE_CALL), now)
            return
        self.usage = reply.usage
        self.pin(attempt, attempt.made, now)
        self.remember(attempt, reply, delivery.found, now)
        if not self.reply.status:
            self.reply.dropped = self.translation.losses().dropped_header()
        headers = self.translated_headers(attempt)
        account = attempt.lease.account.id
        if self.request.stream and not self.reply.status:
            self.reply.start(200, headers, account)
        self._end_well(attempt, now)
        if self.request.stream:
            self.reply.end(delivery.body, now)
        else:
            self.reply.whole(200, headers, delivery.body, now, account)
        self.finish("ok", now)

    def deliver_count(self, attempt: Attempt, body: bytes, now: float) -> None:
        """Give the client a count of tokens. Raises ``ValueError`` when *body* is none."""
        tokens = TRANSLATORS[attempt.leg.dialect].read_count(body)
        headers, account = self.translated_headers(attempt), attempt.lease.account.id
        self._end_well(attempt, now)
        self.reply.whole(200, headers, CLIENTS[self.dialect.name].write_count_reply(tokens), now, account)
        self.finish("ok", now)

    def told_all(self, attempt: Attempt, reader: TranslatingReader, now: float) -> None:
        """A translated stream has come to its end, as far as the client is concerned: it may come back at once."""
        held = reader.take_assembler()
        if held is not None:
            reply, text = held.reply(), held.text if isinstance(held, ReasoningAssembler) else None
            self.remember(attempt, reply, memorable(reply.parts, self.translation.said, text), now)

    def translated_headers(self, attempt: Attempt) -> list[Header]:
        """The head of a translated reply."""
        return translated_to_client(
            attempt.headers, dialect=self.dialect.name, stream=self.request.stream, array=self.request.array
        )

    def stream_headers(self, attempt: Attempt) -> list[Header]:
        """The head of a stream, whatever the provider's said of what it is the head of."""
        if attempt.leg.dialect:
            return self.translated_headers(attempt)
        kind = b"application/json; charset=UTF-8" if self.request.array else b"text/event-stream; charset=utf-8"
        return _of_type(to_client(attempt.headers), kind)

    def whole_headers(self, attempt: Attempt) -> list[Header]:
        """The head of a reply that is passed on, or collected, whole."""
        headers = to_client(attempt.headers)
        return headers if attempt.status in NO_CONTENT else _of_type(headers, b"application/json")

    def _end_well(self, attempt: Attempt, now: float) -> None:
        self.end_attempt(attempt, "ok", SUCCESS, now)
        self.served = self.records[-1]

    def _writer(self, now: float) -> DeltaWriter:
        context = attrs.evolve(self.context(now), report=self.translation.losses())
        writer = CLIENTS[self.dialect.name].delta_writer(context)
        return ArrayForm(writer) if self.request.array else writer

    def _restorer(self, attempt: Attempt) -> Restores:
        account = attempt.lease.account
        call = self.translated_call(attempt.leg) if attempt.leg.dialect else None
        written = Written({}) if call is None else call.written
        same = self.dialect.name if attempt.leg.dialect == self.dialect.name else ""
        restorer = Restorer(written, organization_digest(account.organization), self.reply_key, same, made=attempt.made)
        return restorer if written.stand_in is None else CallingRestorer(restorer, CallOfText(written.stand_in))

    def _presenter(self, attempt: Attempt) -> Presenter | None:
        """Return what keeps back reasoning that the client did not ask for; None where nothing is kept back: what was
        made in the client's own dialect is what its clients expect."""
        if attempt.leg.dialect == self.dialect.name:
            return None
        if self.dialect.name == CARRIED:
            maker = Origin(attempt.leg.dialect, "", organization_digest(attempt.lease.account.organization))
            return CarryingPresenter(self.translation.shown, maker)
        return None if self.translation.shown.everything else Presenter(self.translation.shown)

    def _assembler(self, attempt: Attempt) -> Assembler | None:
        """Return what holds the reply until its end, to be kept; or what there is to be remembered of it."""
        if self.kept.keeps_reply:
            return Assembler()
        signs = attempt.leg.dialect != "openai-chat" or attempt.lease.account.signs
        return ReasoningAssembler() if signs else None

    def remember(self, attempt: Attempt, reply: Reply, found: Mapping[str, Remembered], now: float) -> None:
        """Keep what a later request of the client will need. *found*: what there is to remember of the reply."""
        if found and self.shared.memory is not None and self.request.owns:
            for record in self.shared.memory.learn(self.request.owner, found, now):
                self.shared.emit(Save(record))
        elif found:
            note_lost(reply.parts, self.dialect.name, self.translation.shown, self.translation.losses())
        if self.kept.keeps_reply:
            presenter = self._presenter(attempt)
            parts = reply.parts if presenter is None else presenter.parts(reply.parts)
            self._keep(attrs.evolve(reply, parts=parts), now)

    def _keep(self, reply: Reply, now: float) -> None:
        """Keep a reply, with what led to it."""
        response = CLIENTS[self.dialect.name].write_reply(reply, self.context(now))
        lifetime = self.shared.config.translation.stored_responses_ttl
        for record in self.kept.records(response, self.request.owner, self.reply_key, now, lifetime):
            self.shared.emit(Save(record))


def _of_type(headers: list[Header], content_type: bytes) -> list[Header]:
    """Have *headers* say what the body is, unless they do: providers send JSON as text, and streams as JSON."""
    if media_type(headers) == content_type.partition(b";")[0]:
        return headers
    return [*(pair for pair in headers if pair[0] != b"content-type"), (b"content-type", content_type)]
