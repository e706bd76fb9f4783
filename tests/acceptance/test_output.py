"""What becomes of ``gephyr serve`` when nobody reads what it writes, and when signals come that no server should die of."""

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import Client, connected
from tests.acceptance.gateway import configuration, serving

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="pipes and signals of Unix")]

_REQUESTS = 1000
"""Their log lines take ten times what the pipe holds."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Its two ends, which a test may close."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


async def _asked(client: Client, times: int) -> set[int]:
    """Send so many bad requests, in batches; return the statuses."""
    statuses = set()
    for _ in range(0, times, 10):
        for _ in range(10):
            client.send("POST", "/v1/chat/completions", b"{")
        statuses |= {(await client.response()).status for _ in range(10)}
    return statuses


async def _dropped(client: Client) -> float:
    page = (await client.ask("GET", "/metrics")).body.decode()
    match = re.search(r"^gephyr_log_lines_dropped_total (\S+)$", page, re.MULTILINE)
    assert match is not None
    return float(match[1])


async def test_it_serves_and_ends_although_nobody_reads_its_standard_error(
    tmp_path: Path, pipe: tuple[int, int]
) -> None:
    """Each request writes a line, and after some 150 the pipe is full."""
    async with serving(tmp_path, configuration([]), stderr=pipe[1]) as process, connected(process.port) as client:
        assert await _asked(client, _REQUESTS) == {400}
        assert (await client.ask("GET", "/health")).status == 200
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0
    os.close(pipe[1])
    with os.fdopen(os.dup(pipe[0]), "rb") as unread:
        lines = unread.read().splitlines()
    assert len(lines) < _REQUESTS
    assert all(json.loads(line) for line in lines[:-1])  # the last was under way when the process ended


async def test_it_serves_and_ends_when_the_reader_of_its_standard_error_is_gone(
    tmp_path: Path, pipe: tuple[int, int]
) -> None:
    """The lines are counted as dropped."""
    os.close(pipe[0])
    async with serving(tmp_path, configuration([]), stderr=pipe[1]) as process, connected(process.port) as client:
        assert await _asked(client, 20) == {400}
        while await _dropped(client) < 20:  # once the writer's thread has tried
            pass
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0


async def test_it_serves_and_ends_with_its_standard_error_closed(tmp_path: Path) -> None:
    """As ``gephyr serve 2>&-`` starts it. Nothing else gets that descriptor: SQLite's file, for instance."""
    async with (
        serving(tmp_path, configuration([]), through=["sh", "-c", 'exec "$@" 2>&-', "sh"]) as process,
        connected(process.port) as client,
    ):
        assert await _asked(client, 20) == {400}
        if sys.platform == "linux":
            assert os.readlink(f"/proc/{process.pid}/fd/2") == os.devnull
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0


@pytest.mark.parametrize("number", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"])
async def test_a_signal_that_asks_for_no_end_cuts_nothing(tmp_path: Path, number: str) -> None:
    """A terminal that goes away, log rotation, a reload: the connection stays, and what is ignored is said."""
    async with serving(tmp_path, configuration([])) as process, connected(process.port) as client:
        assert (await client.ask("GET", "/health")).status == 200
        process.signal(getattr(signal, number))
        if number != "SIGPIPE":
            assert json.loads(await process.logged(b"a signal is ignored"))["signal"] == number
        assert (await client.ask("GET", "/health")).status == 200
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0
