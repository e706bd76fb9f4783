"""What providers say: replies, streams and errors of each dialect, and the ways in which a call breaks."""

from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import Text, ToolCall
from gephyr_core.conversation.reply import Reply, Stop, StopReason
from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.errors import ErrorKind, Fault, Problem, Sent
from gephyr_core.http import Header
from gephyr_core.records import Usage

Script = list[Any]
"""What a provider does: a head, bytes, an end, a fault; or what the client and the clock do."""
JSON, SSE = [(b"content-type", b"application/json")], [(b"content-type", b"text/event-stream")]
_CONTEXT = ReplyContext(key="p1", created=1_800_000_000, model="served")
_USAGE = Usage(input=10, output=6)
_END = Stop(StopReason.END)


def whole(dialect: str, *parts: Any, stop: Stop = _END) -> bytes:
    """A whole reply of a provider."""
    return TRANSLATORS[dialect].write_reply(Reply("r_1", "served", parts or (Text("Hi"),), stop, _USAGE), _CONTEXT)


def events(dialect: str, *parts: Any) -> list[bytes]:
    """The events of a provider's stream."""
    writer = TRANSLATORS[dialect].delta_writer(_CONTEXT)
    reply = Reply("r_1", "served", parts or (Text("Hi there"),), _END, _USAGE)
    data = b"".join([writer.write(delta) for delta in deltas_of(reply)])
    return [event + b"\n\n" for event in data.split(b"\n\n") if event]


def error(dialect: str, kind: ErrorKind) -> bytes:
    """A provider's error as a whole body."""
    return DIALECTS[dialect].render_error(Problem(kind, "told why"), "req_p").body


def error_event(dialect: str, kind: ErrorKind) -> bytes:
    """A provider's error as an event of its stream."""
    return DIALECTS[dialect].stream_reader(max_line=1 << 20).failure(Problem(kind, "told why"), 0.0)


def head(status: int = 200, *more: Header, stream: bool = False) -> tuple[int, list[Header]]:
    return status, [*(SSE if stream else JSON), *more]


def answered(body: bytes, status: int = 200, *more: Header) -> Script:
    return [head(status, *more), body, "end"]


def failures(dialect: str) -> Iterator[tuple[str, Script]]:
    """Replies that are errors, and calls that break."""
    for status, kind in (
        *((400, ErrorKind.BAD_REQUEST), (401, ErrorKind.CREDENTIAL), (402, ErrorKind.MONEY)),
        *((403, ErrorKind.PERMISSION), (404, ErrorKind.MODEL_NOT_FOUND), (404, ErrorKind.NOT_FOUND)),
        *((408, ErrorKind.CLIENT_TIMEOUT), (413, ErrorKind.TOO_LARGE), (422, ErrorKind.UNPROCESSABLE)),
        *((429, ErrorKind.RATE_LIMIT), (500, ErrorKind.SERVER), (503, ErrorKind.UNAVAILABLE)),
        *((529, ErrorKind.OVERLOADED), (302, ErrorKind.SERVER)),
    ):
        yield f"{status} {kind.value}", answered(error(dialect, kind), status)
    limited = error(dialect, ErrorKind.RATE_LIMIT)
    for seconds in (b"0", b"1", b"2", b"3", b"30", b"90"):
        yield f"429, retry after {seconds.decode()}", answered(limited, 429, (b"retry-after", seconds))
    yield "500 as a page", [(500, [(b"content-type", b"text/html")]), b"<html>", "end"]
    yield "429 as a page", [(429, [(b"content-type", b"text/html")]), b"<html>", "end"]
    yield "500 without a body", [head(500), "end"]
    yield "503, cut", [head(503), b'{"er', (Fault.RESET, Sent.ALL, False)]
    for fault in Fault:
        for sent in Sent:
            yield f"{fault.value}, sent {sent.name}", [(fault, sent, False)]
    yield "reset of a kept connection", [(Fault.RESET, Sent.ALL, True)]
    yield "timeout of a kept connection", [(Fault.TIMEOUT, Sent.ALL, True)]
    yield "silence", ["deadline"] * 60
    yield "the client leaves", ["the client leaves"]
    yield "the gateway stops", ["the gateway stops", "deadline"]


def wholes(dialect: str) -> Iterator[tuple[str, Script]]:
    """Replies to a request that is to be answered whole."""
    good = whole(dialect)
    yield "well", answered(good)
    yield "in two pieces", [head(), good[:9], good[9:], "end"]
    yield "a call", answered(whole(dialect, ToolCall("c_1", "look", "{}"), stop=Stop(StopReason.TOOL_CALL)))
    yield "reset in the middle", [head(), good[:9], (Fault.RESET, Sent.ALL, False)]
    yield "silence in the middle", [head(), good[:9], *["deadline"] * 60]
    yield "a page", [(200, [(b"content-type", b"text/html")]), b"<html></html>", "end"]
    yield "cut JSON", answered(good[:-9])
    yield "another JSON", answered(b"{}")
    yield "a list", answered(b"[]")
    yield "nothing", [head(), "end"]
    yield "an unknown coding", answered(good, 200, (b"content-encoding", b"weird"))
    yield "a stream all the same", [head(stream=True), *events(dialect), "end"]
    yield "a BOM", answered(b"\xef\xbb\xbf" + good)
    yield "the client leaves in the middle", [head(), good[:9], "the client leaves"]
    for kind in (ErrorKind.RATE_LIMIT, ErrorKind.SERVER, ErrorKind.BAD_REQUEST):
        yield f"an error of status 200: {kind.value}", answered(error(dialect, kind))


def streams(dialect: str) -> Iterator[tuple[str, Script]]:
    """Replies to a request that is to be answered by a stream."""
    good = events(dialect)
    begun = head(stream=True)
    yield "well", [begun, *good, "end"]
    yield "at once", [begun, b"".join(good), "end"]
    yield "cut anywhere", [begun, *(b"".join(good)[at : at + 150] for at in range(0, len(b"".join(good)), 150)), "end"]
    yield "a BOM", [begun, b"\xef\xbb\xbf" + good[0], *good[1:], "end"]
    yield "a call", [begun, *events(dialect, ToolCall("c_1", "look", "{}")), "end"]
    for broken, how in (
        (("end"), "ends"),
        ((Fault.RESET, Sent.ALL, False), "is reset"),
        ((Fault.PROTOCOL, Sent.ALL, False), "breaks"),
    ):
        yield f"{how} at once", [begun, broken]
        yield f"{how} after the first event", [begun, good[0], broken]
        yield f"{how} after comments", [begun, b": hi\n\n", broken]
        yield f"{how} in the middle", [begun, *good[: len(good) // 2 + 1], broken]
        yield f"{how} within an event", [begun, *good[:-1], good[-1][:-4], broken]
        yield f"{how} before the last event", [begun, *good[:-1], broken]
    for kind in (
        ErrorKind.RATE_LIMIT,
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER,
        ErrorKind.BAD_REQUEST,
        ErrorKind.CREDENTIAL,
    ):
        told_error = error_event(dialect, kind)
        yield f"{kind.value} at once", [begun, told_error, "end"]
        yield f"{kind.value} after the first event", [begun, good[0], told_error, "end"]
        yield f"{kind.value} in the middle", [begun, *good[: len(good) // 2 + 1], told_error, "end"]
    yield "not an event", [begun, b"<html></html>\n\n", "end"]
    yield "JSON that is none", [begun, b"data: {\n\n", "end"]
    yield "an unknown coding", [head(200, (b"content-encoding", b"weird"), stream=True), *good, "end"]
    yield "a whole reply all the same", answered(whole(dialect))
    yield "a page", [(200, [(b"content-type", b"text/html")]), b"<html></html>", "end"]
    yield "silence at once", [begun, *["deadline"] * 60]
    yield "silence after the first event", [begun, good[0], *["deadline"] * 60]
    yield "silence in the middle", [begun, *good[: len(good) // 2 + 1], *["deadline"] * 60]
    yield "silence, then well", [begun, "deadline", "deadline", *good, "end"]
    yield "comments, then well", [begun, b": hi\n\n", *good, "end"]
    yield "more after the end", [begun, *good, good[0], "end"]
    middle = [begun, *good[: len(good) // 2 + 1]]
    yield "the client leaves before content", [begun, "the client leaves"]
    yield "the client leaves in the middle", [*middle, "the client leaves"]
    yield "the client is slow", [*middle, "the client is slow", "deadline", "deadline"]
    yield (
        "the client is slow and reads on",
        [*middle, "the client is slow", 10.0, "the client reads on", *good[len(good) // 2 + 1 :], "end"],
    )
    yield "the gateway stops in the middle", [*middle, "the gateway stops", "deadline"]
