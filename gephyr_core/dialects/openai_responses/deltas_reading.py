"""A provider's Responses stream, read as deltas."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.reply import Delta, Ended, Failed, Started, TextAdded
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.openai_responses.output_reading import OutputReader
from gephyr_core.dialects.openai_responses.stops import read_stop
from gephyr_core.dialects.openai_responses.usage import read_usage
from gephyr_core.errors import ErrorKind
from gephyr_core.sse import parse

_TEXT_DELTA = b"event: response.output_text.delta\ndata: "
_DONE = "[DONE]"
_UNREADABLE = "the provider's stream holds what is no event of a response"
_UNFINISHED = "the provider's stream ended before the response did"
_NO_END = "the provider's response is {}, which is no reply yet"


class _TextDelta(msgspec.Struct, gc=False):
    delta: str
    output_index: int
    content_index: int


class Response(msgspec.Struct, gc=False):
    """A response, as far as it is the reply."""

    id: Any = None
    model: Any = None
    status: Any = None
    output: Any = None
    incomplete_details: Any = None
    error: Any = None
    usage: Any = None
    tool_usage: Any = None
    service_tier: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    response: Response | None = None
    item: Any = None
    part: Any = None
    annotation: Any = None
    output_index: Any = 0
    content_index: Any = 0
    summary_index: Any = 0
    delta: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_TEXT_DELTAS = msgspec.json.Decoder(_TextDelta)
_EVENTS = msgspec.json.Decoder(_Event)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


@attrs.define
class ResponsesDeltaReader:
    """See :class:`gephyr_core.dialects.translator.DeltaReader`."""

    _report: Report
    _output: OutputReader = attrs.field(factory=OutputReader)
    _started: bool = False
    _over: bool = False
    _do: dict[str, Callable[[_Event], Iterator[Delta]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._do = {
            "response.created": self._begin,
            "response.in_progress": self._begin,
            "response.queued": self._begin,
            "response.output_item.added": self._item_added,
            "response.output_item.done": self._item_done,
            "response.content_part.done": self._content_done,
            "response.output_text.delta": self._text,
            "response.output_text.annotation.added": self._annotation,
            "response.refusal.delta": self._refusal,
            "response.reasoning_summary_text.delta": self._summary,
            "response.reasoning_text.delta": self._thought,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._arguments,
            "response.completed": self._end,
            "response.incomplete": self._end,
            "response.failed": self._end,
            "response.cancelled": self._end,
            "error": self._error,
        }

    def read(self, event: bytes) -> list[Delta]:
        """Read one event."""
        if self._over:
            return []
        if event.startswith(_TEXT_DELTA) and event.find(b"\n", len(_TEXT_DELTA)) == len(event) - 2:
            told = decode(_TEXT_DELTAS, event[len(_TEXT_DELTA) :])
            if told is not None and told.delta:
                index = self._output.texts.get((told.output_index, told.content_index))
                if index is not None:
                    return [TextAdded(index, told.delta)]
        parsed = parse(event)
        data = parsed.data.strip()
        if not data:
            return []
        if data == _DONE:
            return self.finish()
        read = decode(_EVENTS, data)
        if read is None:
            return self._fail(ErrorKind.BAD_GATEWAY, _UNREADABLE)
        name = text(read.type) or ("error" if read.error else parsed.event)
        do = self._do.get(name)
        return [] if do is None else list(do(read))

    def finish(self) -> list[Delta]:
        """The stream ended cleanly; what is whole has told so itself."""
        return [] if self._over else self._fail(ErrorKind.BAD_GATEWAY, _UNFINISHED)

    def take(self, response: Response) -> list[Delta]:
        """Read a whole response."""
        return list(self._end(_Event(response=response)))

    def _fail(self, kind: ErrorKind, message: str, code: str | None = None) -> list[Delta]:
        self._over = True
        return [Failed(kind, message, code)]

    # -- the response -----------------------------------------------------------------------------------------------

    def _begin(self, event: _Event) -> Iterator[Delta]:
        if not self._started:
            self._started = True
            response = event.response or Response()
            yield Started(text(response.id) or "", text(response.model) or "")

    def _end(self, event: _Event) -> Iterator[Delta]:
        response = event.response or Response()
        status = text(response.status) or (text(event.type) or "").removeprefix("response.")
        if status == "failed" or response.error:
            error = stream_error(response.error)
            yield from self._fail(error.kind, error.message, error.code)
            return
        if status not in ("completed", "incomplete"):
            yield from self._fail(ErrorKind.BAD_GATEWAY, _NO_END.format(status or "without a status"))
            return
        yield from self._begin(event)
        yield from self._output.all_done(response.output)
        self._over = True
        reason = text((mapping(response.incomplete_details) or {}).get("reason")) or ""
        stop = read_stop(status, reason, called=self._output.called, refused=self._output.refused)
        yield Ended(stop, read_usage(response.usage, response.tool_usage))

    def _error(self, event: _Event) -> Iterator[Delta]:
        error = stream_error(event.error or {"code": event.code, "message": event.message})
        yield from self._fail(error.kind, error.message, error.code)

    # -- its items --------------------------------------------------------------------------------------------------

    def _item_added(self, event: _Event) -> Iterator[Delta]:
        yield from self._begin(event)
        yield from self._output.added(_number(event.output_index), mapping(event.item) or {})

    def _item_done(self, event: _Event) -> Iterator[Delta]:
        yield from self._begin(event)
        yield from self._output.done(_number(event.output_index), mapping(event.item) or {})

    def _content_done(self, event: _Event) -> Iterator[Delta]:
        part = mapping(event.part) or {}
        yield from self._begin(event)
        yield from self._output.content_done(_number(event.output_index), _number(event.content_index), part)

    def _text(self, event: _Event) -> Iterator[Delta]:
        yield from self._said(event, refusal=False)

    def _refusal(self, event: _Event) -> Iterator[Delta]:
        yield from self._said(event, refusal=True)

    def _said(self, event: _Event, *, refusal: bool) -> Iterator[Delta]:
        yield from self._begin(event)
        if told := text(event.delta):
            yield from self._output.said(
                _number(event.output_index), _number(event.content_index), told, refusal=refusal
            )

    def _annotation(self, event: _Event) -> Iterator[Delta]:
        yield from self._begin(event)
        place = _number(event.output_index), _number(event.content_index)
        yield from self._output.cited(*place, mapping(event.annotation))

    def _summary(self, event: _Event) -> Iterator[Delta]:
        yield from self._begin(event)
        if told := text(event.delta):
            yield from self._output.summary(_number(event.output_index), _number(event.summary_index), told)

    def _thought(self, event: _Event) -> Iterator[Delta]:
        yield from self._begin(event)
        if told := text(event.delta):
            yield from self._output.thought(_number(event.output_index), told)

    def _arguments(self, event: _Event) -> Iterator[Delta]:
        if told := text(event.delta):
            yield from self._output.arguments(_number(event.output_index), told)
