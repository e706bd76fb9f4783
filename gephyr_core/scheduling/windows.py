"""Sliding windows: what was begun in the last minute, exactly.

Of any sixty seconds, wherever they begin, no more than the limit falls into them: a request is let in only once the one
that many places before it is a full minute old.
"""

from collections import deque

import msgspec

SPAN = 60.0
"""Seconds."""


class RequestWindow:
    """Counts requests. Memory: one float a request of the last minute, at most *limit* of them."""

    __slots__ = ("_starts", "limit")

    def __init__(self, limit: int) -> None:
        """*limit*: requests in any minute."""
        self.limit = limit
        self._starts: deque[float] = deque(maxlen=limit)

    def opens_at(self) -> float:
        """When one more may begin, seconds since the epoch; 0 where there is room already."""
        starts = self._starts
        return starts[0] + SPAN if len(starts) == self.limit else 0.0

    def add(self, now: float) -> None:
        """One begins."""
        self._starts.append(now)

    def take_over(self, older: "RequestWindow") -> None:
        """Go on where another window with another limit ends."""
        self._starts.extend(older._starts)

    def used(self, now: float) -> int:
        """How many began in the minute before *now*."""
        return len([start for start in self._starts if start + SPAN > now])


class Spent(msgspec.Struct, eq=False, gc=False):
    """The tokens of one request in a window: estimated when it begins, settled when it is known."""

    at: float
    tokens: int
    counted: bool = True
    """It is within the last minute, as far as anybody has looked."""


class TokenWindow:
    """Counts tokens. What one request spends beyond its estimate can go over the limit, and is counted all the same."""

    __slots__ = ("_entries", "_total", "limit")

    def __init__(self, limit: int) -> None:
        """*limit*: tokens in any minute."""
        self.limit = limit
        self._entries: deque[Spent] = deque()
        self._total = 0

    def opens_at(self, tokens: int, now: float) -> float:
        """When *tokens* more fit, seconds since the epoch; 0 where they fit now. What is more than the whole limit
        fits when nothing else is in the window: it could never be served otherwise."""
        entries = self._entries
        while entries and entries[0].at + SPAN <= now:
            oldest = entries.popleft()
            oldest.counted = False
            self._total -= oldest.tokens
        excess = self._total + min(tokens, self.limit) - self.limit
        if excess <= 0:
            return 0.0
        for entry in entries:
            excess -= entry.tokens
            if excess <= 0:
                return entry.at + SPAN
        return 0.0

    def add(self, tokens: int, now: float) -> Spent:
        """A request begins that may spend *tokens*."""
        entry = Spent(now, tokens)
        self._entries.append(entry)
        self._total += tokens
        return entry

    def take_over(self, older: "TokenWindow") -> None:
        """Go on where another window with another limit ends."""
        self._entries, self._total = older._entries, older._total

    def settle(self, entry: Spent, tokens: int) -> None:
        """The request of *entry* has spent *tokens*."""
        if entry.counted:
            self._total += tokens - entry.tokens
        entry.tokens = tokens
