"""The agenda: what is to happen, in the order of its time, and of its planning where times are equal."""

import heapq
import math
from collections.abc import Callable
from typing import Any

Action = Callable[[Any], None]


class Agenda:
    """One queue for the whole world, and its clock."""

    __slots__ = ("_heap", "_serial", "now")

    def __init__(self, now: float) -> None:
        """*now*: seconds since the epoch."""
        self.now = now
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._serial = 0

    def add(self, at: float, action: Action, subject: Any) -> None:
        """Have *action* called with *subject* at *at*, seconds since the epoch; a time that is past counts as now."""
        self._serial += 1
        heapq.heappush(self._heap, (max(self.now, at), self._serial, action, subject))

    @property
    def next_at(self) -> float:
        """When the next thing happens; ``math.inf`` where nothing is planned."""
        return self._heap[0][0] if self._heap else math.inf

    def step(self) -> None:
        """Let the next thing happen. Raises ``IndexError`` where nothing is planned."""
        self.now, _, action, subject = heapq.heappop(self._heap)
        action(subject)
