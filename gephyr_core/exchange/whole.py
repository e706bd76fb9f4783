"""A whole reply, read and written for its client: a job, see :mod:`gephyr_core.computing`."""

from collections.abc import Mapping

import attrs

from gephyr_core.content_coding import as_utf8
from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.reply import Reply, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.base import Dialect, EventClass, WholeReply
from gephyr_core.dialects.translator import ClientTranslator, ReplyContext, Translator
from gephyr_core.exchange.attempts import is_json
from gephyr_core.translation.array_form import ArrayForm
from gephyr_core.translation.collecting import NativeCollector, ReplyCollector
from gephyr_core.translation.memory import Remembered, memorable
from gephyr_core.translation.restoring import Restores, restored
from gephyr_core.translation.showing import Presenter


@attrs.frozen
class Delivery:
    """A translated reply, as the client gets it."""

    reply: Reply
    body: bytes
    """Empty where the model called a tool in a way that its provider could not read."""
    report: Report
    """What was lost."""
    found: Mapping[str, Remembered]
    """What there is to remember of it, by its place."""


@attrs.frozen
class Writing:
    """How a translated reply is written for its client: whole, or as the stream that it asked for."""

    client: ClientTranslator
    context: ReplyContext
    dialect: Dialect
    presenter: Presenter | None
    """Keeps back what the client is not shown; None where it is shown everything."""
    streams: bool
    array: bool
    """The stream's form is Gemini's JSON array."""
    released: Mapping[str, int]
    """Opening events that the client has seen already."""
    said: str
    """A digest of what the user said last."""

    def delivery(self, reply: Reply, report: Report) -> Delivery:
        """Write a reply; what the client's dialect has no place for is added to *report*."""
        return Delivery(reply, self._write(reply, report), report, memorable(reply.parts, self.said))

    def _write(self, reply: Reply, report: Report) -> bytes:
        if reply.stop.reason is StopReason.BAD_TOOL_CALL:
            return b""
        if self.presenter is not None:
            reply = attrs.evolve(reply, parts=self.presenter.parts(reply.parts))
        context = attrs.evolve(self.context, report=report)
        if not self.streams:
            return self.client.write_reply(reply, context)
        events = self.client.delta_writer(context)
        writer = ArrayForm(events) if self.array else events
        return self._unreleased(b"".join([writer.write(delta) for delta in deltas_of(reply)]))

    def _unreleased(self, data: bytes) -> bytes:
        if not self.released:
            return data
        reader = self.dialect.stream_reader(max_line=len(data) + 1, array=self.array)
        kept = []
        for event in reader.split(data):
            opening = reader.classify(event) is EventClass.OPENING
            if not (opening and reader.opening_name(event) in self.released):
                kept.append(event)
        return b"".join([*kept, reader.rest()])


@attrs.frozen
class WritingCollected:
    """The job: write a reply that was collected from a stream."""

    collector: ReplyCollector
    writing: Writing

    def __call__(self) -> Delivery:
        """Do it."""
        return self.writing.delivery(self.collector.reply(), Report())


@attrs.frozen
class Translating:
    """How a whole reply in another dialect is translated."""

    translator: Translator
    restorer: Restores
    writing: Writing


@attrs.define  # not frozen: one is made for each request, at a third of the cost
class Judged:
    """What a whole reply is."""

    body: bytes
    """As UTF-8."""
    recoded: bool = False
    """It was not UTF-8 before."""
    cut: bool = False
    """It ends before its end, by a content coding that was cut short."""
    whole: WholeReply | None = None
    """None where the body is empty, or cut."""
    delivery: Delivery | None = None
    """Where it is translated, and could be."""
    unreadable: str = ""
    """Why it could not."""
    events: bytes = b""
    """The stream that it would have been, where the client asked for one in the same dialect."""


@attrs.define  # not frozen: one is made for each request, at a third of the cost
class Judging:
    """The job: put a reply together, tell it from an error and from what is none, and translate it."""

    pieces: list[bytes]
    """Let go of when they are put together: a large reply is in memory once, not twice."""
    collector: NativeCollector | None
    """Where it was collected from a stream instead."""
    source: Dialect
    generates: bool
    """A model's answer was asked for."""
    may_be_cut: bool
    translating: Translating | None
    streams: bool
    """The client asked for a stream in the same dialect."""

    def __call__(self) -> Judged:
        """Do it."""
        if self.collector is not None:
            body = self.collector.reply()
        else:
            body = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
            self.pieces.clear()
        text = as_utf8(body)
        recoded = text is not body
        if not text.strip():
            return Judged(text, recoded)
        if self.may_be_cut and not is_json(text):
            return Judged(text, recoded, cut=True)
        return self._judge(text, recoded=recoded)

    def _judge(self, text: bytes, *, recoded: bool) -> Judged:
        whole = self.source.read_whole(text, generates=self.generates)
        if whole.error is not None or whole.lack:
            return Judged(text, recoded, whole=whole)
        if self.translating is not None:
            try:
                return Judged(text, recoded, whole=whole, delivery=_translated(text, self.translating))
            except ValueError as error:
                return Judged(text, recoded, whole=whole, unreadable=str(error) or "it is no reply")
        events = self.source.events_of(text) if self.streams else b""
        return Judged(text, recoded, whole=whole, events=events)


def _translated(body: bytes, how: Translating) -> Delivery:
    report = Report()
    reply = restored(how.translator.read_reply(body, report), how.restorer)
    return how.writing.delivery(reply, report)
