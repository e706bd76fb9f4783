"""Faults at a place of the test's choice: a profiling hook raises where a function is called."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECRET = "a client's words"
"""What the exceptions say, and nobody may repeat."""
CORE = (
    *("gephyr_core.exchange", "gephyr_core.dialects", "gephyr_core.translation", "gephyr_core.scheduling"),
    *("gephyr_core.conversation", "gephyr_core.providers", "gephyr_core.routing", "gephyr_core.outbound"),
)
NOT_RUN_WHEN_CALLED = inspect.CO_GENERATOR | inspect.CO_COROUTINE
DOORS = (
    *("Exchange.handle", "Exchange._cell", "Exchange.enter"),
    *("Connection.__init__", "RequestReader.__init__"),
    *("Connection.connection_made", "Connection.connection_lost", "Connection.failed", "guarded.<locals>.call"),
)
"""Where nothing can fail: they set fields or look in a table, before anything else is done."""


@contextmanager
def fault_at_call(number: int, modules: tuple[str, ...] = CORE) -> Iterator[list[str]]:
    """Raise at the call with this number of a function of *modules*, once; what is yielded tells where it was."""
    hit: list[str] = []
    left = number

    def look(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal left
        code = frame.f_code
        if what != "call" or code.co_flags & NOT_RUN_WHEN_CALLED or code.co_qualname in DOORS:
            return
        module = frame.f_globals.get("__name__", "")
        if module.startswith(modules) and not module.endswith(".collapse"):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                hit.append(f"{module}.{frame.f_code.co_name}")
                raise ZeroDivisionError(SECRET)

    sys.setprofile(look)
    try:
        yield hit
    finally:
        sys.setprofile(None)
