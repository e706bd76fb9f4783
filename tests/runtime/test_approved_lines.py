"""What an operator is told of what happened: every line and count, in a table that was read and approved."""

import io
import re
from collections.abc import Iterator

import attrs
import pytest
import structlog

from gephyr.runtime.observers import Metrics, RequestLog, configure_logging
from gephyr.runtime.observers.events import OperationsLog
from gephyr_core.records import (
    AccountEvent,
    AttemptRecord,
    Entry,
    Fate,
    InternalError,
    ProxyEvent,
    RequestRecord,
    Usage,
)
from tests.approved import check_table


def records() -> Iterator[RequestRecord]:
    """Records that differ in what is left out of them."""
    well = AttemptRecord(1, "a", "m", "ok", 200, "", 1.8e9, 0.1, decision="dec_1", rule="bound", waited=0.0)
    usual = RequestRecord(
        "req_1",
        "chat.completions",
        "openai-chat",
        "POST",
        "asked",
        "served",
        "a",
        True,
        200,
        "ok",
        None,
        (well,),
        10,
        20,
        Usage(input=5, cached=2, cache_write=1, output=3, reasoning=1),
        1.8e9,
        0.02,
        0.25,
        "s",
    )
    yield usual
    yield attrs.evolve(usual, usage=None, first_byte=None, keepalives=3, session=None, stream=False)
    yield attrs.evolve(usual, usage=Usage(), model_asked=None, model_served=None, account=None, attempts=(), status=0)
    yield attrs.evolve(usual, outcome="failed", error="rate_limit", status=429, bytes_in=0, bytes_out=0)
    yield attrs.evolve(usual, outcome="failed", error="server", status=500, fault="TypeError at gephyr_core/a.py:7")
    waited = attrs.evolve(well, waited=0.0004), attrs.evolve(well, waited=0.0005), attrs.evolve(well, waited=1.23456)
    yield from (attrs.evolve(usual, attempts=(one,)) for one in waited)
    refused = AttemptRecord(
        1, "b", "m", "status", 429, "slow", 1.8e9, 0.1, stale=True, dialect="anthropic", route="proxy:b"
    )
    yield attrs.evolve(usual, attempts=(refused,), status=700)
    yield attrs.evolve(usual, attempts=(attrs.evolve(refused, status=777), refused, well))
    yield attrs.evolve(usual, attempts=(attrs.evolve(well, outcome="reset", detail="x" * 300),))
    entries = tuple(Entry(fate, f"p{number}", "why") for number, fate in enumerate([*Fate, *Fate]))
    yield attrs.evolve(usual, translation=entries, model_asked="m" * 300, method="P\x1b[31m\nT")


_NOW = re.compile(r'"timestamp":"[^"]*"')
"""When a message of the process's own was written."""
EVENTS = (
    *(
        AccountEvent("a", what, 1.8e9)
        for what in ("recovered", "disabled", "enabled", "added", "removed", "token_refreshed", "odd")
    ),
    *(AccountEvent("a", "cooldown", 1.8e9, "m" * 300, "rate_limit", 1.8e9 + 60, stated) for stated in (True, False)),
    AccountEvent("a", "cooldown", 1.8e9, "", "x" * 300, float("inf"), True),
    AccountEvent("a", "token_refresh_failed", 1.8e9, reason="http_503: try later", until=253402300799.0),
    ProxyEvent("p", healthy=False, at=1.8e9, reason="a call through it failed"),
    ProxyEvent("p", healthy=True, at=1.8e9),
    InternalError("TypeError", "gephyr_core/exchange/plan.py", 7, "RequestEnded", 1.8e9, ("f.py:7 go",), "req_1"),
    InternalError("OSError", "gephyr/runtime/driver.py", 9, "Save", 1.8e9),
)


@pytest.fixture
def _own_logging() -> Iterator[None]:
    import logging

    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers


@pytest.mark.usefixtures("_own_logging")
def test_each_line_and_count_is_as_was_approved() -> None:
    file, metrics = io.BytesIO(), Metrics()
    for log_format in ("json", "console"):
        log = RequestLog(file, log_format=log_format)
        for record in records():
            log.write(record)
    for record in records():
        metrics.count(record)
    metrics.add_gauge("gephyr_open_exchanges", "Requests under way.", lambda: 3.0)
    configure_logging("info", "json", file=file)
    operations = OperationsLog(metrics.registry)
    for event in EVENTS:
        operations.write(event)
    lines = file.getvalue().decode().splitlines()
    told = [_NOW.sub('"timestamp":"now"', line) if '"event":"request"' not in line else line for line in lines]
    page = metrics.page()[1].decode().splitlines()
    counts = [
        line
        for line in page
        if not line.startswith(("process_", "# HELP process", "# TYPE process")) and "_created" not in line
    ]
    check_table("runtime-observers", [*told, *(line for line in counts if "gephyr_build" not in line)])
