"""How tests wait: for something to happen, never for a time. And the one way to let time pass: a loop whose clock moves.

No test may depend on how fast the machine is; ``tests/test_tidy.py`` keeps sleeps and clocks out of all other files.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

WAIT = 60.0
"""Seconds after which a test takes what it waits for to never come. No test waits that long when it passes."""
_TURNS = 100
_NAP = 0.002


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until *condition* holds; other processes too, if it takes longer."""
    turns = 0
    async with asyncio.timeout(WAIT):
        while not condition():
            turns += 1
            await asyncio.sleep(0 if turns < _TURNS else _NAP)


def block_until(condition: Callable[[], object]) -> None:
    """Let other threads and processes run until *condition* holds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(_NAP)


class MovableLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, with a clock that a test moves on: limits of minutes pass at once, and never by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = 0.0

    def time(self) -> float:
        return super().time() + self._moved

    def move(self, seconds: float) -> None:
        """Let *seconds* pass between two callbacks."""
        self._moved += seconds


MOVABLE: Any = ("asyncio", {"loop_factory": MovableLoop})
"""For ``anyio_backend``: a test on a loop whose clock it moves."""


def pass_time(seconds: float) -> None:
    """Let *seconds* pass on the running loop; what is due then happens in its next turn."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, MovableLoop), "parametrize anyio_backend with MOVABLE"
    loop.move(seconds)
