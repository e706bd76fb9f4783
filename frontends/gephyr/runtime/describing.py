"""Asking providers what they say of their models: a small GET beside the exchanges."""

import asyncio
from collections.abc import Callable

from gephyr.runtime.faults import failure
from gephyr.runtime.ports import Feed, UpstreamCall, UpstreamPort
from gephyr_core.commands import CallUpstream, DescribeModel, TimeLimits
from gephyr_core.events import (
    Event,
    FrontEndFailed,
    ModelDescribed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)

TIMEOUT = 10.0
"""Seconds for one description, everything included."""
MOST_BYTES = 262144
"""Of a description's body. What is longer counts as no answer."""

_LIMITS = TimeLimits(connect=TIMEOUT, first_byte=TIMEOUT, idle=TIMEOUT, total=TIMEOUT)


class ModelDescriber:
    """Performs ``DescribeModel`` as calls to the provider, one at a time for each account and model."""

    def __init__(self, upstream: UpstreamPort, *, timeout: float = TIMEOUT) -> None:
        """*timeout*: seconds for one description."""
        self._upstream = upstream
        self._timeout = timeout
        self._open: dict[tuple[str, str], _Description] = {}
        self._number = 0

    @property
    def open_descriptions(self) -> int:
        """How many are under way."""
        return len(self._open)

    def describe(self, command: DescribeModel, feed: Feed) -> None:
        """Ask, unless the same is being asked; *feed* gets one ``ModelDescribed``."""
        key = (command.account, command.model)
        if key not in self._open:
            self._number += 1
            self._open[key] = _Description(command, feed, self._timeout, on_over=lambda: self._open.pop(key))
            self._open[key].start(self._upstream, self._number)

    def close(self) -> None:
        """Give up what is under way; it is answered with status 0."""
        for description in list(self._open.values()):
            description.end(0)


class _Description:
    """One call; what its events say is gathered here instead of going to the core."""

    def __init__(self, command: DescribeModel, feed: Feed, timeout: float, on_over: Callable[[], object]) -> None:
        self._command = command
        self._feed = feed
        self._on_over = on_over
        self._status = 0
        self._body = b""
        self._over = False
        self._call: UpstreamCall | None = None
        self._timer = asyncio.get_running_loop().call_later(timeout, self.end, 0)

    def start(self, upstream: UpstreamPort, number: int) -> None:
        """Call the provider. The exchange's *number* is negative: there is no client behind it."""
        asked = self._command
        call = CallUpstream(
            -number, 1, asked.account, "GET", asked.origin, asked.target, asked.headers, b"", asked.route, _LIMITS
        )
        try:
            self._call = upstream.call(call, self._take)
        except Exception as error:
            self._feed(failure(error, "DescribeModel"))
            self.end(0)

    def end(self, status: int) -> None:
        """Answer with *status*, once."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        if self._call is not None:
            self._call.cancel()
        self._on_over()
        # What a provider says of a failure may repeat the credential.
        body = self._body if 200 <= status < 300 else b""
        self._feed(ModelDescribed(self._command.account, self._command.model, status, body))

    def _take(self, event: Event) -> None:
        match event:
            case FrontEndFailed():
                self._feed(event)
            case _ if self._over:
                pass
            case UpstreamStarted():
                self._status = event.status
            case UpstreamBody():
                self._body += event.data
                if len(self._body) > MOST_BYTES:
                    self.end(0)
            case UpstreamEnded():
                self._call = None
                self.end(self._status)
            case UpstreamFailed():
                self._call = None
                self.end(0)
