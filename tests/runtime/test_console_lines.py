"""What an operator reads on a terminal; and the gauges of connections."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime

from gephyr.runtime.observers.logs import _ConsoleLine
from gephyr.runtime.service import _show_connections


def test_a_traceback_on_a_terminal_shows_no_values_of_variables() -> None:
    try:
        secret = "sk-MARKED"
        raise ValueError("odd" if secret else "")
    except ValueError:
        event = {"event": "broke", "b": 1, "a": 2, "exc_info": sys.exc_info()}
    line = _ConsoleLine(colors=False)(None, "error", event).decode()
    assert line.startswith("broke b=1 a=2\nTraceback (most recent call last):\n")
    assert line.rstrip().endswith("ValueError: odd")
    assert "MARKED" not in line.replace('secret = "sk-MARKED"', "")
    assert "\x1b" not in line


def test_a_time_on_a_terminal_has_milliseconds_and_odd_text_is_written_all_the_same() -> None:
    at = datetime(2027, 1, 15, 8, 0, 0, 123456, tzinfo=UTC)
    line = _ConsoleLine(colors=False)(None, "info", {"event": "e\udcff", "timestamp": at})
    assert line == b"2027-01-15T08:00:00.123+00:00 e\\udcff"


def test_connections_are_gauges_of_what_is_open_and_what_waits() -> None:
    class Upstream:
        open_connections, idle_connections = 5, 3

    class Observers:
        def __init__(self) -> None:
            self.gauges: dict[str, tuple[str, float]] = {}

        def add_gauge(self, name: str, told: str, value: Callable[[], float]) -> None:
            self.gauges[name] = told, value()

    observers = Observers()
    _show_connections(observers, Upstream())  # type: ignore[arg-type]
    assert observers.gauges == {
        "gephyr_upstream_connections": ("Open connections to providers.", 5.0),
        "gephyr_upstream_connections_idle": ("Connections to providers that wait for a call.", 3.0),
    }
