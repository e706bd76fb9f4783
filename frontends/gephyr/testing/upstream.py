"""The gateway's way to simulated accounts, troubles included."""

import asyncio
from collections.abc import Callable, Mapping

from gephyr.harness.in_process import InProcessUpstream
from gephyr.harness.providers import SimulatedReply
from gephyr.runtime.ports import Feed, UpstreamCall
from gephyr.testing.accounts import Kind, SimulatedAccount, Trouble
from gephyr_core.commands import CallUpstream
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import Event, UpstreamEnded, UpstreamFailed
from gephyr_core.http import Headers


class SimulatedUpstream:
    """Implements :class:`gephyr.runtime.ports.UpstreamPort`. Belongs to the running event loop."""

    def __init__(self, accounts: Mapping[str, SimulatedAccount], clock: Callable[[], float]) -> None:
        """*accounts* by id; *clock* gives seconds since the epoch."""
        self._accounts = accounts
        self._clock = clock

    def call(self, command: CallUpstream, feed: Feed) -> UpstreamCall:
        """Start the call."""
        account = self._accounts[command.account]
        trouble = account.next_trouble(command)
        if trouble is not None and trouble.kind is Kind.OUTAGE:
            return _Refused(command, feed)
        answering = _Answering(account, command, trouble)
        upstream = InProcessUpstream({command.account: answering}, self._clock)
        return upstream.call(command, _Breaking(trouble, feed) if trouble is not None else feed)

    async def aclose(self) -> None:
        """Do nothing: calls end with their exchanges."""


class _Answering:
    def __init__(self, account: SimulatedAccount, command: CallUpstream, trouble: Trouble | None) -> None:
        self._account, self._command, self._trouble = account, command, trouble

    def respond(self, method: str, target: str, headers: Headers, body: bytes, now: float) -> SimulatedReply:  # noqa: ARG002
        return self._account.reply(self._command, self._trouble, now)


class _Breaking:
    """Passes events on, but for the end of a reply that breaks off or stalls."""

    def __init__(self, trouble: Trouble, feed: Feed) -> None:
        self._trouble, self._feed = trouble, feed

    def __call__(self, event: Event) -> None:
        if not isinstance(event, UpstreamEnded) or self._trouble.kind is Kind.STATUS:
            self._feed(event)
        elif self._trouble.kind is Kind.RESET:
            self._feed(UpstreamFailed(event.exchange, event.attempt, Fault.RESET, "the provider closed the connection"))


class _Refused:
    """A call to a host that cannot be reached."""

    def __init__(self, command: CallUpstream, feed: Feed) -> None:
        failed = UpstreamFailed(command.exchange, command.attempt, Fault.CONNECT, "refused", sent=Sent.NONE)
        self._timer = asyncio.get_running_loop().call_soon(feed, failed)

    def cancel(self) -> None:
        """Feed nothing more."""
        self._timer.cancel()

    def detach(self) -> None:
        """Feed nothing more."""
        self._timer.cancel()

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""
