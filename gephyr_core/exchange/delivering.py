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
from gephyr_core.exchange.attempting import fail
from gephyr_core.exchange.attempts import Attempt, of_bad_call
from gephyr_core.exchange.endings import finish, pin_objects
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.translating import context_of, translated_call
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


def reader_of(exchange: Exchange, attempt: Attempt, form: Form, now: float) -> StreamReader:
    """Return what reads a provider's stream, which came in *form*, as the client is to get it."""
    if attempt.leg.dialect:
        return _translating_reader(exchange, attempt, form, now)
    array, max_line = exchange.request.array, exchange.shared.config.upstream.max_sse_line
    return exchange.dialect.stream_reader(
        max_line=max_line,
        array=array,
        reframed=form is not (Form.ARRAY if array else Form.EVENTS),
        choices=_choices(exchange),
        signed=attempt.lease.account.signs,
    )


def _choices(exchange: Exchange) -> int:
    """How many choices the client asked for."""
    envelope = exchange.request.envelope
    return 1 if envelope is None else exchange.dialect.choices(envelope.fields)


def _translating_reader(exchange: Exchange, attempt: Attempt, form: Form, now: float) -> TranslatingReader:
    """Return what reads a provider's stream as if it came in the client's dialect."""
    max_line = exchange.shared.config.upstream.max_sse_line
    return TranslatingReader(
        _framer(exchange, form),
        _source_reader(exchange, attempt),
        TRANSLATORS[attempt.leg.dialect].delta_reader(exchange.translation.losses()),
        _restorer(exchange, attempt),
        _presenter(exchange, attempt),
        _writer(exchange, now),
        exchange.dialect.stream_reader(max_line=max_line, array=exchange.request.array),
        _assembler(exchange, attempt),
        objects=attempt.made,
    )


def collector_of(exchange: Exchange, attempt: Attempt, form: Form) -> Collector:
    """Return what collects a provider's stream, which came in *form*."""
    framer, max_line = _framer(exchange, form), exchange.shared.config.upstream.max_sse_line
    if not attempt.leg.dialect:
        source = exchange.dialect.stream_reader(max_line=max_line, choices=_choices(exchange), signed=False)
        return NativeCollector(framer, source, exchange.dialect.assembly())
    source = _source_reader(exchange, attempt)
    reader = TRANSLATORS[attempt.leg.dialect].delta_reader(exchange.translation.losses())
    return ReplyCollector(framer, source, reader, _restorer(exchange, attempt))


def source_of(exchange: Exchange, attempt: Attempt) -> Dialect:
    """The dialect that the attempt's provider is asked in."""
    return DIALECTS[attempt.leg.dialect] if attempt.leg.dialect else exchange.dialect


def _source_reader(exchange: Exchange, attempt: Attempt) -> StreamReader:
    return source_of(exchange, attempt).stream_reader(max_line=exchange.shared.config.upstream.max_sse_line)


def _framer(exchange: Exchange, form: Form) -> SseFramer | ArrayAsEvents:
    max_line = exchange.shared.config.upstream.max_sse_line
    return ArrayAsEvents(max_line) if form is Form.ARRAY else SseFramer(max_line)


def translating_of(exchange: Exchange, attempt: Attempt, now: float) -> Translating:
    """Return how a whole reply of the attempt is translated."""
    return Translating(
        TRANSLATORS[attempt.leg.dialect], _restorer(exchange, attempt), writing_of(exchange, attempt, now)
    )


def writing_of(exchange: Exchange, attempt: Attempt, now: float) -> Writing:
    """Return how a translated reply of the attempt is written."""
    client, released = CLIENTS[exchange.dialect.name], dict(exchange.released)
    context, presenter, request = context_of(exchange, now), _presenter(exchange, attempt), exchange.request
    stream, array, said = request.stream, request.array, exchange.translation.said
    return Writing(client, context, exchange.dialect, presenter, stream, array, released, said)


def deliver(exchange: Exchange, attempt: Attempt, read: Callable[[], Delivery], now: float) -> None:
    """Give the client a translated reply that is complete, in the form it asked for."""
    delivery = read()
    reply = delivery.reply
    exchange.translation.losses().add(delivery.report)
    if reply.stop.reason is StopReason.BAD_TOOL_CALL:
        fail(exchange, attempt, of_bad_call(UNREADABLE_CALL), now)
        return
    exchange.usage = reply.usage
    pin_objects(exchange, attempt, attempt.made, now)
    remember(exchange, attempt, reply, delivery.found, now)
    if not exchange.reply.status:
        exchange.reply.dropped = exchange.translation.losses().dropped_header()
    headers = translated_headers(exchange, attempt)
    account = attempt.lease.account.id
    if exchange.request.stream and not exchange.reply.status:
        exchange.reply.start(200, headers, account)
    _end_well(exchange, attempt, now)
    if exchange.request.stream:
        exchange.reply.end(delivery.body, now)
    else:
        exchange.reply.whole(200, headers, delivery.body, now, account)
    finish(exchange, "ok", now)


def deliver_count(exchange: Exchange, attempt: Attempt, body: bytes, now: float) -> None:
    """Give the client a count of tokens. Raises ``ValueError`` when *body* is none."""
    tokens = TRANSLATORS[attempt.leg.dialect].read_count(body)
    headers, account = translated_headers(exchange, attempt), attempt.lease.account.id
    _end_well(exchange, attempt, now)
    exchange.reply.whole(200, headers, CLIENTS[exchange.dialect.name].write_count_reply(tokens), now, account)
    finish(exchange, "ok", now)


def told_all(exchange: Exchange, attempt: Attempt, reader: TranslatingReader, now: float) -> None:
    """A translated stream has come to its end, as far as the client is concerned: it may come back at once."""
    held = reader.take_assembler()
    if held is not None:
        reply, text = held.reply(), held.text if isinstance(held, ReasoningAssembler) else None
        remember(exchange, attempt, reply, memorable(reply.parts, exchange.translation.said, text), now)


def translated_headers(exchange: Exchange, attempt: Attempt) -> list[Header]:
    """The head of a translated reply."""
    return translated_to_client(
        attempt.headers, dialect=exchange.dialect.name, stream=exchange.request.stream, array=exchange.request.array
    )


def stream_headers(exchange: Exchange, attempt: Attempt) -> list[Header]:
    """The head of a stream, whatever the provider's said of what it is the head of."""
    if attempt.leg.dialect:
        return translated_headers(exchange, attempt)
    kind = b"application/json; charset=UTF-8" if exchange.request.array else b"text/event-stream; charset=utf-8"
    return _of_type(to_client(attempt.headers), kind)


def whole_headers(attempt: Attempt) -> list[Header]:
    """The head of a reply that is passed on, or collected, whole."""
    headers = to_client(attempt.headers)
    return headers if attempt.status in NO_CONTENT else _of_type(headers, b"application/json")


def _end_well(exchange: Exchange, attempt: Attempt, now: float) -> None:
    exchange.end_attempt(attempt, "ok", SUCCESS, now)
    exchange.served = exchange.records[-1]


def _writer(exchange: Exchange, now: float) -> DeltaWriter:
    context = attrs.evolve(context_of(exchange, now), report=exchange.translation.losses())
    writer = CLIENTS[exchange.dialect.name].delta_writer(context)
    return ArrayForm(writer) if exchange.request.array else writer


def _restorer(exchange: Exchange, attempt: Attempt) -> Restores:
    account = attempt.lease.account
    call = translated_call(exchange, attempt.leg) if attempt.leg.dialect else None
    written = Written({}) if call is None else call.written
    same = exchange.dialect.name if attempt.leg.dialect == exchange.dialect.name else ""
    restorer = Restorer(written, organization_digest(account.organization), exchange.reply_key, same, made=attempt.made)
    return restorer if written.stand_in is None else CallingRestorer(restorer, CallOfText(written.stand_in))


def _presenter(exchange: Exchange, attempt: Attempt) -> Presenter | None:
    """Return what keeps back reasoning that the client did not ask for; None where nothing is kept back: what was
    made in the client's own dialect is what its clients expect."""
    if attempt.leg.dialect == exchange.dialect.name:
        return None
    if exchange.dialect.name == CARRIED:
        maker = Origin(attempt.leg.dialect, "", organization_digest(attempt.lease.account.organization))
        return CarryingPresenter(exchange.translation.shown, maker)
    return None if exchange.translation.shown.everything else Presenter(exchange.translation.shown)


def _assembler(exchange: Exchange, attempt: Attempt) -> Assembler | None:
    """Return what holds the reply until its end, to be kept; or what there is to be remembered of it."""
    if exchange.kept.keeps_reply:
        return Assembler()
    signs = attempt.leg.dialect != "openai-chat" or attempt.lease.account.signs
    return ReasoningAssembler() if signs else None


def remember(exchange: Exchange, attempt: Attempt, reply: Reply, found: Mapping[str, Remembered], now: float) -> None:
    """Keep what a later request of the client will need. *found*: what there is to remember of the reply."""
    if found and exchange.shared.memory is not None and exchange.request.owns:
        for record in exchange.shared.memory.learn(exchange.request.owner, found, now):
            exchange.shared.emit(Save(record))
    elif found:
        note_lost(reply.parts, exchange.dialect.name, exchange.translation.shown, exchange.translation.losses())
    if exchange.kept.keeps_reply:
        presenter = _presenter(exchange, attempt)
        parts = reply.parts if presenter is None else presenter.parts(reply.parts)
        _keep(exchange, attrs.evolve(reply, parts=parts), now)


def _keep(exchange: Exchange, reply: Reply, now: float) -> None:
    """Keep a reply, with what led to it."""
    response = CLIENTS[exchange.dialect.name].write_reply(reply, context_of(exchange, now))
    lifetime = exchange.shared.config.translation.stored_responses_ttl
    for record in exchange.kept.records(response, exchange.request.owner, exchange.reply_key, now, lifetime):
        exchange.shared.emit(Save(record))


def _of_type(headers: list[Header], content_type: bytes) -> list[Header]:
    """Have *headers* say what the body is, unless they do: providers send JSON as text, and streams as JSON."""
    if media_type(headers) == content_type.partition(b";")[0]:
        return headers
    return [*(pair for pair in headers if pair[0] != b"content-type"), (b"content-type", content_type)]
