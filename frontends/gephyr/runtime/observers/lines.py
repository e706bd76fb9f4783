"""Lines on their way to standard error or standard output, written by a thread of their own.

Whoever reads them may be slow, stuck or gone: a pipe that nobody reads holds 64 KiB and then stops the thread that
writes. Here that is never the event loop's: what does not fit into a bounded queue is dropped and counted.
"""

import contextlib
import io
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO

import attrs

MOST_LINES = 10_000
"""Lines that wait to be written."""
MOST_BYTES = 8 * 1024 * 1024
"""Of lines that wait to be written; as many may be under way."""
FLUSH_SECONDS = 1.0
"""How long the end of the process waits for its last lines to be read."""
EXIT_FAULT = 1
_COLLECT_SECONDS = 0.02
"""How long lines are collected before they are written together."""
_MOST_AT_ONCE = 65536
"""Bytes of one write. As many fit into an empty pipe of Linux."""
_RETRY_SECONDS = 0.02
"""Between two tries at a file that does not block and is full: its flags are shared with other processes."""

Notice = Callable[[int], bytes]
"""Makes the line that says how many were dropped."""


class LineWriter:
    """Writes lines to a file, in order; :meth:`write` never waits and never raises, whatever became of the file."""

    def __init__(self, file: BinaryIO, *, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        """*file* belongs to the writer until :meth:`finish`. At most *most_lines* and *most_bytes* wait."""
        self.notice: Notice | None = None
        """Makes the line that follows a gap; without it nothing is said of gaps."""
        self._output = _Output(file)
        self._terminal = _isatty(file)
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        # Destructors that the garbage collector runs may log, inside of write(): so a lock that its holder may
        # take again, and a queue whose put() may be interrupted by another.
        self._lock = threading.RLock()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._awake = False
        self._lines: list[bytes] = []
        self._bytes = 0
        self._overflowed = 0
        self._dropped = 0
        self._untold = 0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were given up: there was no room for them, or the file took none."""
        return self._dropped

    def isatty(self) -> bool:
        """Whether people read the lines on a terminal."""
        return self._terminal

    def write(self, line: bytes) -> None:
        """Queue *line*, which ends with a line feed, or drop it. From any thread."""
        with self._lock:
            full = len(self._lines) >= self._most_lines or self._bytes + len(line) > self._most_bytes
            if full or self._closing.is_set():
                self._overflowed += 1
                self._dropped += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
            if self._awake:
                return
            self._awake = True
            if self._thread is None:
                # A daemon, so that a reader who never reads cannot keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="gephyr-lines", daemon=True)
                self._thread.start()
        self._wake.put(None)

    def finish(self, timeout: float = FLUSH_SECONDS) -> None:
        """Write what is queued, for at most *timeout* seconds; what comes later is dropped."""
        self._closing.set()
        self._wake.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    # -- the writer's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.get()
            self._closing.wait(_COLLECT_SECONDS)
            closing = self._closing.is_set()
            with self._lock:
                self._awake = False
                lines, self._lines = self._lines, []
                overflowed, self._overflowed = self._overflowed, 0
                self._bytes = 0
            self._put_out(lines, overflowed)
            if closing:
                return

    def _put_out(self, lines: list[bytes], overflowed: int) -> None:
        """Write *lines*, behind which *overflowed* others are missing."""
        lost = len(lines)
        if self._tell():
            lost -= self._output.write(lines)
        with self._lock:
            self._dropped += lost
        self._untold += lost + overflowed
        if not lost:
            self._tell()

    def _tell(self) -> bool:
        """Write of a gap, if there is one; return whether the file takes lines, as far as that is known."""
        if self._untold and self.notice is not None:
            if not self._output.write([self.notice(self._untold)]):
                return False
            self._untold = 0
        return True


@attrs.define
class _Output:
    """A file that may fail at any moment, and that has whole lines only, but for the last."""

    file: BinaryIO
    descriptor: int | None = attrs.field(init=False)
    mid_line: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        try:
            self.descriptor = self.file.fileno()
        except (OSError, ValueError, AttributeError):
            self.descriptor = None

    def write(self, lines: list[bytes]) -> int:
        """Write *lines*, many at once, and return how many of them the file took. Never raises."""
        taken = 0
        while taken < len(lines):
            end, size = taken + 1, len(lines[taken])
            while end < len(lines) and size + len(lines[end]) <= _MOST_AT_ONCE:
                size += len(lines[end])
                end += 1
            written = self._write(b"".join(lines[taken:end]))
            while taken < end and written >= len(lines[taken]):
                written -= len(lines[taken])
                taken += 1
            if taken < end:
                self.mid_line = self.mid_line or written > 0
                break
        return taken

    def _write(self, data: bytes) -> int:
        """Write *data* and return how much of it was taken. A line that was broken off before is ended first."""
        ended = len(data)
        if self.mid_line:
            data = b"\n" + data
        left = memoryview(data)
        try:
            while left:
                left = left[self._write_some(left) :]
                self.mid_line = False
        except (OSError, ValueError):  # its reader is gone, its disk is full, it is closed
            return max(0, ended - len(left))
        return ended

    def _write_some(self, data: memoryview) -> int:
        # Past the file's own buffer: its lock, held by a thread that is stuck, would abort the interpreter at its end.
        if self.descriptor is None:
            self.file.write(data)
            self.file.flush()
            return len(data)
        while True:
            try:
                return os.write(self.descriptor, data)
            except BlockingIOError:
                time.sleep(_RETRY_SECONDS)


class _Text(io.RawIOBase):
    """What is printed, warned of or raised, a line at a time to a :class:`LineWriter`."""

    def __init__(self, lines: LineWriter, file: BinaryIO) -> None:
        self._lines = lines
        self._file = file
        self._tail = b""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._lines.isatty()

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: Any, /) -> int:
        *lines, tail = (self._tail + bytes(data)).split(b"\n")
        if len(tail) > _MOST_AT_ONCE:
            lines, tail = [*lines, tail], b""
        self._tail = tail
        for line in lines:
            self._lines.write(line + b"\n")
        return len(data)

    def end(self) -> None:
        """Pass on a line that was not ended."""
        if self._tail:
            self.write(b"\n")


def binary(stream: TextIO | None) -> BinaryIO:
    """Return the bytes' side of a standard stream; what is written to a closed one goes nowhere."""
    found: BinaryIO | None = getattr(stream, "buffer", None)
    return open(os.devnull, "wb") if found is None else found


@contextlib.contextmanager
def background_output() -> Iterator[LineWriter]:
    """Until the end of the block, let nothing that writes to standard error or output wait for who reads there.

    Returns standard error's writer. ``print``, warnings, tracebacks and libraries go through it too, and through one
    of standard output's. An exception that ends the block is told there, and becomes ``SystemExit``: the interpreter
    would tell of it on a file that may block. At the end at most ``FLUSH_SECONDS`` are spent on each.
    """
    with _in_background("stdout"), _in_background("stderr") as lines:
        try:
            yield lines
        except Exception:
            traceback.print_exc()
            raise SystemExit(EXIT_FAULT) from None


@contextlib.contextmanager
def _in_background(name: str) -> Iterator[LineWriter]:
    original: TextIO | None = getattr(sys, name)
    file = binary(original)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        original.flush()  # type: ignore[union-attr]
    lines = LineWriter(file)
    raw = _Text(lines, file)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", newline="\n", line_buffering=True
    )
    setattr(sys, name, text)
    try:
        yield lines
    finally:
        text.flush()
        raw.end()
        setattr(sys, name, original)
        lines.finish()


def _isatty(file: BinaryIO) -> bool:
    try:
        return file.isatty()
    except ValueError:  # it is closed
        return False
