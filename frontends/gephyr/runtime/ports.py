"""The seams of the runtime: what the driver needs of a client's connection and of the way to the providers."""

from collections.abc import Callable
from typing import Protocol

from gephyr_core.commands import CallUpstream, CheckProxy, Compute, DescribeModel, FetchUrl, Load, RefreshToken
from gephyr_core.events import Event
from gephyr_core.http import Headers

Feed = Callable[[Event], None]
"""``Driver.feed``: hands an event to the core. Never re-enters it, so it may be called from anywhere on the loop."""


class ClientPort(Protocol):
    """One exchange's way back to its client. Methods return at once; a transport that fails calls the driver's
    ``client_gone``."""

    def read_body(self) -> None:
        """Send 100-continue if the client awaits it, and deliver the body as events."""

    def start_response(self, status: int, headers: Headers) -> None:
        """Send the head, at the latest with the first byte of the body."""

    def send_body(self, data: bytes) -> None:
        """Send bytes of the body; ``Driver.client_blocked`` is called when the transport's buffer is full."""

    def end_response(self) -> None:
        """Finish the response; the exchange is over for the driver."""

    def abort_response(self, reason: str) -> None:
        """Cut the connection; the exchange is over for the driver."""


class UpstreamCall(Protocol):
    """One call to a provider under way."""

    def cancel(self) -> None:
        """Close the connection; feed nothing more about this call. Harmless when the call is over."""

    def detach(self) -> None:
        """Feed nothing more about this call, and keep its connection if the response ends soon; see
        :class:`gephyr_core.commands.DetachUpstream`. Harmless when the call is over."""

    def pause(self) -> None:
        """Stop reading the provider (the client is slow)."""

    def resume(self) -> None:
        """Read the provider again."""


class UpstreamPort(Protocol):
    """The way to the providers: real sockets, or a provider in this process."""

    def call(self, command: CallUpstream, feed: Feed) -> UpstreamCall:
        """Start the call and return at once. Feeds ``UpstreamStarted``, ``UpstreamBody``..., ``UpstreamEnded``, or
        ``UpstreamFailed``: exactly one of the last two unless cancelled. What is fed while this method runs waits in
        the driver's queue."""

    async def aclose(self) -> None:
        """Close every connection."""


class QuestionPort(Protocol):
    """Who answers the core's questions. Methods return at once; each answer is fed as one event."""

    def fetch(self, command: FetchUrl, feed: Feed) -> None:
        """Feed ``UrlFetched`` or ``UrlFetchFailed``."""

    def load(self, command: Load, feed: Feed) -> None:
        """Feed ``Loaded``."""

    def compute(self, command: Compute, feed: Feed) -> None:
        """Feed ``Computed``."""

    def describe(self, command: DescribeModel, feed: Feed) -> None:
        """Feed ``ModelDescribed``, once for all who ask for the same at the same time."""

    def cancel(self, exchange: int) -> None:
        """Feed nothing more about the open questions of *exchange*. Harmless where there are none."""

    async def aclose(self) -> None:
        """Answer what is open by failure, and let go of everything."""


class ErrandPort(Protocol):
    """Who does what no exchange waits for by itself. Methods return at once; each answer is fed as one event."""

    def refresh_token(self, command: RefreshToken, feed: Feed) -> None:
        """Feed ``TokenRefreshed`` or ``TokenRefreshFailed``."""

    def check_proxy(self, command: CheckProxy, feed: Feed) -> None:
        """Feed ``ProxyChecked``."""

    async def aclose(self) -> None:
        """Give up what is under way; nothing is fed any more."""
