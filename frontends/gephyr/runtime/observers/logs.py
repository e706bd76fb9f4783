"""Logs: one line for each request, and the process's own messages in the same form. No body and no secret.

What a client chose (a model's name) is bounded in length and cannot break a line or reach a terminal as a control
sequence. Lines go to standard error; standard output belongs to the command that runs. What serves gives a
:class:`~gephyr.runtime.observers.lines.LineWriter`, so that nobody waits for who reads them.
"""

import logging
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO, Literal

import msgspec
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor, WrappedLogger

from gephyr.runtime.observers.lines import LineWriter, binary
from gephyr_core.records import AttemptRecord, RequestRecord

LogFormat = Literal["auto", "json", "console"]
"""``auto`` writes for people when standard error is a terminal, JSON otherwise."""

_LONGEST_TEXT = 200
"""Characters kept of a value that a client or a provider chose."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_encode = msgspec.json.Encoder(enc_hook=repr).encode


LogFile = BinaryIO | LineWriter
"""Where lines go. The caller waits for a file, and not for a writer."""


def configure_logging(level: str = "info", log_format: LogFormat = "auto", *, file: LogFile) -> None:
    """Send the process's messages to *file*, those of libraries that use :mod:`logging` from warnings on.

    *level* is ``debug``, ``info``, ``warning`` or ``error``; ``ValueError`` for another. Where *file* is a writer, it
    is taught to tell how many lines it dropped.
    """
    threshold = _threshold(level)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if _for_people(log_format, file):
        render: Processor = _ConsoleLine(colors=file.isatty())
    else:
        render = _json_line
        processors.append(structlog.processors.format_exc_info)
    processors.append(render)
    if isinstance(file, LineWriter):
        file.notice = _notice(render)
    write = _line_writing(file)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_names: _LineLogger(write),
        cache_logger_on_first_use=False,
    )
    _adopt_library_messages(max(threshold, logging.WARNING))


_WORTH_TELLING = 0.0005
"""Seconds of waiting for an account that a line mentions."""


class RequestLog:
    """Writes one line for each request; costs the caller about 6 microseconds where a thread writes the line."""

    def __init__(self, file: LogFile | None = None, *, level: str = "info", log_format: LogFormat = "auto") -> None:
        """*file* is standard error where none is given. Raises ``ValueError`` for an unknown *level*."""
        file = binary(sys.stderr) if file is None else file
        self._threshold = _threshold(level)
        self._write = _line_writing(file)
        self._render = _ConsoleLine(colors=file.isatty()) if _for_people(log_format, file) else _json_line
        if isinstance(file, LineWriter):
            file.notice = _notice(self._render)

    def write(self, fact: RequestRecord) -> None:
        """Write the line of *fact*: a warning when the request failed.

        Rendered directly: a bound logger's way to the same line costs half as much again.
        """
        level = "warning" if fact.outcome == "failed" else "info"
        if _LEVELS[level] >= self._threshold:
            self._write(self._render(None, level, {"level": level, **_fields(fact), "event": "request"}))


def _fields(fact: RequestRecord) -> dict[str, object]:
    """What a line says, in the order a reader wants it. What does not apply is left out."""
    fields: dict[str, object] = {
        "timestamp": datetime.fromtimestamp(fact.started_at + fact.duration, UTC),
        "id": _safe(fact.request_id),
        "dialect": fact.dialect,
        "operation": fact.operation,
        "method": _safe(fact.method),
        "status": fact.status,
        "outcome": fact.outcome,
    }
    fields.update(_error(fact))
    if fact.model_asked is not None:
        fields["model"] = _safe(fact.model_asked)
    if fact.model_served is not None:
        fields["model_served"] = _safe(fact.model_served)
    if fact.account is not None:
        fields["account"] = fact.account
    fields["stream"] = fact.stream
    attempts = fact.attempts
    fields["attempts"] = len(attempts)
    fields.update(_decision(fact))
    fields.update(_translation(fact))
    if len(attempts) > 1 or (attempts and attempts[0].outcome != "ok"):
        fields["tries"] = [_try(attempt) for attempt in attempts]
    fields["bytes_in"] = fact.bytes_in
    fields["bytes_out"] = fact.bytes_out
    usage = fact.usage
    if usage is not None:
        if usage.input is not None:
            fields["tokens_in"] = usage.input
        if usage.cached:
            fields["tokens_cached"] = usage.cached
        if usage.output is not None:
            fields["tokens_out"] = usage.output
    if fact.first_byte is not None:
        fields["ttfb_ms"] = round(fact.first_byte * 1000, 2)
    fields["duration_ms"] = round(fact.duration * 1000, 2)
    if fact.keepalives:
        fields["keepalives"] = fact.keepalives
    return fields


def _error(fact: RequestRecord) -> dict[str, object]:
    """What was told to the client, and where our own code failed, if it did."""
    told: dict[str, object] = {} if fact.error is None else {"error": fact.error}
    return told | {"fault": fact.fault} if fact.fault else told


def _decision(fact: RequestRecord) -> dict[str, object]:
    """Which rule chose the account, and how long it was waited for."""
    told: dict[str, object] = {} if fact.session is None else {"session": fact.session}
    if fact.attempts and fact.attempts[-1].decision:
        told |= {"rule": fact.attempts[-1].rule, "decision": fact.attempts[-1].decision}
    waited = sum(attempt.waited for attempt in fact.attempts)
    if waited >= _WORTH_TELLING:
        told["waited_ms"] = round(waited * 1000, 1)
    return told


def _translation(fact: RequestRecord) -> dict[str, object]:
    """Into which dialect a request was translated, and how many of its fields met which fate."""
    if not fact.attempts or fact.attempts[-1].dialect is None:
        return {}
    return {"translated_to": fact.attempts[-1].dialect, **Counter(entry.fate.value for entry in fact.translation)}


def _try(attempt: AttemptRecord) -> dict[str, object]:
    told: dict[str, object] = {"account": attempt.account, "outcome": attempt.outcome}
    if attempt.status is not None:
        told["status"] = attempt.status
    if attempt.detail:
        told["detail"] = _safe(attempt.detail)
    return told


def _safe(text: str) -> str:
    """Bound *text* and escape what is not printable: line breaks, terminal control, lone surrogates."""
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "..."
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


# -- rendering ------------------------------------------------------------------------------------------------


def _threshold(level: str) -> int:
    try:
        return _LEVELS[level.lower()]
    except KeyError:
        raise ValueError(f"expected a log level of debug, info, warning or error, got {level!r}") from None


def _for_people(log_format: LogFormat, file: LogFile) -> bool:
    return log_format == "console" or (log_format == "auto" and file.isatty())


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    try:
        return _encode(event)
    except UnicodeEncodeError:  # a lone surrogate, from a file's name for instance
        return _encode({key: _safe(str(value)) for key, value in event.items()})


class _ConsoleLine:
    """Renders for people."""

    def __init__(self, *, colors: bool) -> None:
        # The traceback is plain on purpose: other forms show the values of local variables.
        self._render = ConsoleRenderer(
            colors=colors, exception_formatter=plain_traceback, sort_keys=False, pad_event_to=0
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        if isinstance(stamp := event.get("timestamp"), datetime):
            event["timestamp"] = stamp.isoformat(timespec="milliseconds")
        return self._render(logger, method, event).encode("utf-8", "backslashreplace")


def _notice(render: Processor) -> Callable[[int], bytes]:
    """What makes the line that tells of a gap."""

    def make(dropped: int) -> bytes:
        stamp = datetime.now(UTC)
        event = {"timestamp": stamp, "level": "warning", "dropped": dropped, "event": "log lines were dropped"}
        line = render(None, "warning", event)
        assert isinstance(line, bytes)
        return line + b"\n"

    return make


def _line_writing(file: LogFile) -> Callable[[bytes], None]:
    """Return what writes one line, given without its end, whole."""
    if not isinstance(file, LineWriter):
        return structlog.BytesLogger(file).msg
    put = file.write

    def write(line: bytes) -> None:
        put(line + b"\n")

    return write


class _LineLogger:
    """What structlog hands its rendered lines to, by the name of their level."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.msg = self.log = self.debug = self.info = self.warning = self.error = self.critical = write
        self.exception = self.fatal = self.warn = self.err = self.failure = write


def _adopt_library_messages(threshold: int) -> None:
    """Let what libraries log (asyncio's "exception was never retrieved") come out in the same form."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _LibraryMessages):
            root.removeHandler(handler)
    root.addHandler(_LibraryMessages(threshold))


class _LibraryMessages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                record.levelno, _safe(record.getMessage()), logger=record.name, exc_info=record.exc_info
            )
        except Exception:
            self.handleError(record)
