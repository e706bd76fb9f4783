"""The limits of simulated providers: buckets that fill evenly, as the real ones do."""


class Bucket:
    """Holds up to a minute's worth, and fills evenly."""

    __slots__ = ("_at", "_level", "limit")

    def __init__(self, limit: int) -> None:
        """*limit*: what may be taken in a minute; the bucket is full at first."""
        self.limit = limit
        self._level = float(limit)
        self._at = 0.0

    def level(self, now: float) -> float:
        """What is in it."""
        self._level = min(float(self.limit), self._level + (now - self._at) * self.limit / 60.0)
        self._at = now
        return self._level

    def wait(self, amount: float, now: float) -> float:
        """Seconds until *amount* can be taken; 0 where it can now."""
        missing = min(amount, float(self.limit)) - self.level(now)
        return missing * 60.0 / self.limit if missing > 0.0 else 0.0

    def take(self, amount: float, now: float) -> None:
        """Take *amount*; the level may fall below zero by what was not known beforehand."""
        self._level = self.level(now) - amount

    def full_in(self, now: float) -> float:
        """Seconds until it is full."""
        return (self.limit - self.level(now)) * 60.0 / self.limit
