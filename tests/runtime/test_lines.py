"""Lines on their way to standard error: nobody waits for who reads them, and none is lost or broken without a word."""

import io
import itertools
import json
import os
import sys
import threading
import warnings
from pathlib import Path

import click
import pytest

from gephyr.runtime.observers import LineWriter, Observers, RequestLog, background_output, configure_logging
from tests.runtime.test_observers import FACT, _restored_logging, samples  # noqa: F401 (a fixture)
from tests.waiting import WAIT, block_until

LINES = [b"line %d\n" % number for number in range(1000)]


def pipe():
    """A pipe of the system's size, as two files without buffers."""
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)


def fill(file):
    """Write until the pipe takes no more, and return how much it took."""
    os.set_blocking(file.fileno(), False)
    size = 0
    try:
        while True:
            size += os.write(file.fileno(), b"." * 4096)
    except BlockingIOError:
        os.set_blocking(file.fileno(), True)
        return size


def test_lines_come_out_whole_and_in_order():
    """Of one thread; what another writes comes between them, and in none."""
    file = io.BytesIO()
    lines = LineWriter(file)
    other = threading.Thread(target=lambda: [lines.write(b"other\n") for _ in range(1000)])
    other.start()
    for line in LINES:
        lines.write(line)
    other.join()
    lines.finish(WAIT)
    written = file.getvalue().splitlines(keepends=True)
    assert [line for line in written if line != b"other\n"] == LINES
    assert len(written) == 2000
    assert lines.dropped == 0


def test_nobody_waits_for_a_pipe_that_is_full_and_the_gap_is_told_where_it_is():
    """A container's log driver that hangs for a while must not take the gateway with it."""
    reader, writer = pipe()
    already = fill(writer)
    lines = LineWriter(writer, most_lines=10)
    lines.notice = lambda dropped: b"%d dropped\n" % dropped
    for line in LINES:
        lines.write(line)
    dropped = lines.dropped
    assert len(LINES) - 20 <= dropped <= len(LINES) - 10  # as many may be under way as wait
    assert len(reader.read(already)) == already
    text = b""
    while b"dropped\n" not in text:
        text += reader.read(4096)
    lines.write(b"the next\n")
    lines.finish(WAIT)
    writer.close()
    *kept, gap, following = (text + reader.read()).splitlines(keepends=True)
    assert kept == LINES[: len(kept)]
    assert gap == b"%d dropped\n" % dropped
    assert following == b"the next\n"
    assert len(kept) + dropped == len(LINES)
    reader.close()


def test_long_lines_are_bounded_together():
    """Memory is bounded, whatever the lines hold."""
    reader, writer = pipe()
    fill(writer)
    lines = LineWriter(writer, most_bytes=1000)
    for _ in range(100):
        lines.write(b"x" * 99 + b"\n")
    assert lines.dropped >= 100 - 20
    lines.write(b"y" * 2000 + b"\n")
    assert lines.dropped >= 100 - 20 + 1
    reader.close()  # which lets the writer's thread go
    lines.finish(WAIT)
    writer.close()


def test_what_was_written_takes_no_room():
    """The bound is on what waits: a process that runs for long may say as much as it likes."""
    file = io.BytesIO()
    lines = LineWriter(file, most_lines=2, most_bytes=100)
    for count in range(1, 6):
        lines.write(b"x" * 99 + b"\n")
        block_until(lambda count=count: len(file.getvalue()) == 100 * count)
    lines.finish(WAIT)
    assert lines.dropped == 0


def test_the_end_does_not_wait_for_who_does_not_read():
    """The writer's thread is stuck in the pipe for good, and is left behind."""
    reader, writer = pipe()
    fill(writer)
    lines = LineWriter(writer)
    lines.write(b"never read\n")
    lines.finish(timeout=0.01)
    lines.write(b"too late\n")
    assert lines.dropped == 1
    reader.close()  # which lets the writer's thread go
    lines.finish(WAIT)
    writer.close()


def test_a_reader_who_never_reads_cannot_keep_the_process_from_ending():
    """A thread that is no daemon is waited for at the end."""
    before = set(threading.enumerate())
    lines = LineWriter(io.BytesIO())
    assert set(threading.enumerate()) == before
    lines.write(b"a\n")
    lines.write(b"b\n")
    started = set(threading.enumerate()) - before
    assert [(thread.name, thread.daemon) for thread in started] == [("gephyr-lines", True)]
    lines.finish(WAIT)


def test_a_reader_that_is_gone_costs_the_lines_and_nothing_else():
    """Every line counts as dropped."""
    reader, writer = pipe()
    reader.close()
    lines = LineWriter(writer)
    for line in LINES:
        lines.write(line)
    lines.finish(WAIT)
    assert lines.dropped == len(LINES)
    writer.close()


def test_a_closed_file_costs_the_lines_and_nothing_else(tmp_path: Path):
    """Also one that has no descriptor."""
    file, memory = (tmp_path / "log").open("wb"), io.BytesIO()
    for closed in (file, memory):
        closed.close()
        lines = LineWriter(closed)
        lines.write(b"nowhere\n")
        lines.finish(WAIT)
        assert lines.dropped == 1


class Failing(io.BytesIO):
    """A file without a descriptor, whose disk is full at every second write."""

    def __init__(self):
        super().__init__()
        self.turns = itertools.cycle([True, False])

    def write(self, data, /):
        if next(self.turns):
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_what_a_full_disk_took_from_the_log_is_told_when_there_is_room_again():
    """As when a queue was full."""
    file = Failing()
    lines = LineWriter(file)
    told = threading.Event()

    def notice(dropped: int) -> bytes:
        told.set()
        return b"%d dropped\n" % dropped

    lines.notice = notice
    lines.write(b"lost\n")
    while not told.is_set():
        lines.write(b"more\n")
    lines.finish(WAIT)
    written = file.getvalue().splitlines()
    assert written[0].endswith(b" dropped")
    assert lines.dropped >= 1


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
def test_a_line_that_was_broken_off_is_ended_before_the_next(tmp_path: Path):
    """A reader of JSON lines loses one line, not two."""
    import resource
    import signal

    path = tmp_path / "log"
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with path.open("wb", buffering=0) as file:
        lines = LineWriter(file)
        lines.notice = lambda dropped: b"%d dropped\n" % dropped
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (25, before[1]))
            lines.write(b"whole line\n")
            lines.write(b"a line that is too long\n")
            block_until(lambda: lines.dropped)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        lines.write(b"the next\n")
        lines.finish(WAIT)
    assert path.read_bytes() == b"whole line\na line that is\n1 dropped\nthe next\n"


def test_a_destructor_that_logs_inside_of_a_write_does_no_harm():
    """The garbage collector runs destructors anywhere: asyncio's tell of exceptions that nobody fetched."""
    file = io.BytesIO()
    lines = LineWriter(file)

    class Line(bytes):
        def __len__(self):  # where write() holds its lock
            lines.write(b"inner\n")
            return super().__len__()

    lines.write(Line(b"outer\n"))
    lines.finish(WAIT)
    assert sorted(set(file.getvalue().splitlines())) == [b"inner", b"outer"]


def test_a_dropped_line_is_counted_on_the_metrics_page_and_told_in_the_logs_own_form():
    """Whoever reads the log by a program reads of the gap too."""
    reader, writer = pipe()
    already = fill(writer)
    lines = LineWriter(writer, most_lines=2)
    observers = Observers(request_log=RequestLog(lines, log_format="json"), lines=lines)
    for _ in range(50):
        observers.observe(FACT)
    dropped = samples(observers.metrics()[1])["gephyr_log_lines_dropped_total", ()]
    assert dropped == lines.dropped > 0
    reader.read(already)
    text = b""
    while b"log lines were dropped" not in text:
        text += reader.read(65536)
    lines.finish(WAIT)
    told = [json.loads(line) for line in text.splitlines()]
    assert told[-1].pop("timestamp")
    assert told[-1] == {"level": "warning", "dropped": dropped, "event": "log lines were dropped"}
    reader.close()
    writer.close()


def test_everything_that_a_process_says_goes_through_the_writer(monkeypatch: pytest.MonkeyPatch):
    """In the order it was said: log lines, prints, warnings, tracebacks; also what was not ended."""
    errors, output = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stderr", errors)
    monkeypatch.setattr(sys, "stdout", output)
    with background_output() as lines:
        configure_logging("info", "json", file=lines)
        sys.stdout.write("listening\n")
        click.echo("the key is \u2026", err=True)
        RequestLog(lines, log_format="json").write(FACT)
        sys.__excepthook__(ValueError, ValueError("lost"), None)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_more: click.echo(str(message), err=True)
            warnings.warn("old", stacklevel=1)
        sys.stderr.write("no end")
    assert (sys.stderr, sys.stdout) == (errors, output)
    assert output.buffer.getvalue() == b"listening\n"  # type: ignore[attr-defined]
    key, request, lost, old, unended = errors.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]
    assert (key, lost, old, unended) == ("the key is \u2026", "ValueError: lost", "old", "no end")
    assert json.loads(request)["id"] == "req_1"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_an_output_that_nobody_reads_any_more_stops_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """``gephyr serve | head -1`` goes on after its first line, or before it."""
    reader, writer = pipe()
    reader.close()
    text = io.TextIOWrapper(writer)
    monkeypatch.setattr(sys, name, text)
    with background_output():
        click.echo("gephyr listening", err=name == "stderr")
    assert getattr(sys, name) is text
    text.close()


def test_a_fault_that_ends_the_process_is_told_by_the_writer_too(monkeypatch: pytest.MonkeyPatch):
    """The interpreter would write the traceback to a pipe that may be full, and never end."""
    errors = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stderr", errors)
    with pytest.raises(SystemExit) as ended, background_output():
        raise RuntimeError("broke")
    assert ended.value.code == 1
    assert b"RuntimeError: broke" in errors.buffer.getvalue()  # type: ignore[attr-defined]
