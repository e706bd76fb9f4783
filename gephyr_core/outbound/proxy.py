"""One proxy, of the pool or of an account: what calls through it and health checks have shown."""

import math

import attrs

from gephyr_core.config.schema_providers import ProxyConfig

PAUSES = (5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds that a proxy is left alone after its first, second, ... failure in a row; the last one repeats."""
FORGET_AFTER = PAUSES[-1]
"""Seconds of health after which earlier failures count no more. A proxy that lets checks through but no calls would
otherwise be trusted again every few seconds."""


@attrs.define(eq=False)
class Proxy:
    """A proxy's state. Calls and checks judge apart, for they may see different things: a check's address may be down
    while calls go through, and a proxy may let everything through but one provider."""

    config: ProxyConfig
    rank: int
    """Its place when the highest priority comes first, and what comes first in the file among equals."""
    pooled: bool = True
    """One of the pool's; else an account's own, which nobody else gets and no check asks."""
    accounts: int = 0
    """How many accounts have it for their own."""
    call_failed: bool = False
    check_failed: bool = False
    reason: str = ""
    """Why it is not healthy."""
    failures: int = 0
    """In a row."""
    failed_at: float = -math.inf
    """When it failed last; this and the times below in seconds since the epoch."""
    recovered_at: float = -math.inf
    retry_at: float = 0.0
    """When it is tried again."""
    on_trial: bool = False
    """A call is under way that shows whether it is back."""
    in_flight: int = 0
    """Calls that go through it now."""
    used: int = 0
    """The number of the last call that went through it."""
    check_at: float = math.inf
    """When it is checked next; ``math.inf`` while it is being, or where there are no checks."""
    check_began: float = -math.inf

    @property
    def route(self) -> str:
        """Its outbound route."""
        return self.config.url

    @property
    def healthy(self) -> bool:
        """Whether neither a call nor a check has failed since it was last seen to work."""
        return not (self.call_failed or self.check_failed)

    @property
    def pause(self) -> float:
        """Seconds that it is left alone after its last failure."""
        return PAUSES[min(max(self.failures, 1), len(PAUSES)) - 1]

    def fail(self, reason: str, now: float) -> None:
        """Note a failure, and leave the proxy alone for longer than after the one before."""
        if now - self.recovered_at > FORGET_AFTER and self.healthy:
            self.failures = 0
        self.failures, self.failed_at, self.reason, self.on_trial = self.failures + 1, now, reason, False
        self.retry_at = now + self.pause
