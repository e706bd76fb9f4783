"""Events: everything that happens to the gateway, in the past tense. Front ends make them, the core reads them.

An event that concerns one client request carries its ``exchange``, a number the front end chose and never reuses.
Events about a call to a provider carry its ``attempt`` too; news of an attempt that is over is ignored.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from gephyr_core.config import AccountConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.http import Headers
from gephyr_core.records import (
    AccountState,
    Binding,
    Cooldown,
    InternalError,
    Pin,
    RememberedReasoning,
    StoredObject,
    TokenState,
)


@attrs.frozen
class RequestStarted:
    """A client's request head was read. Nothing of its body is read before the ``ReadBody`` command."""

    exchange: int
    method: str
    target: str
    """Path and query as sent (RFC 9112 origin-form), without credentials (``key=``)."""
    headers: Headers
    """Lower-case names; credential headers are taken out (``gephyr.runtime.credentials.strip_credentials``)."""
    credentials: tuple[str, ...]
    """SHA-256 hex digests of the client keys that were presented, in the order they were found."""
    peer: str
    """The peer's address, without port; empty for a local socket."""
    scheme: str = "http"
    caller: str = ""
    """Digest of who the host of an application says is asking; empty where it does not say."""
    ownerless: bool = False
    """Nothing tells this client from others, so that no stored object can be its own."""
    key_names: tuple[str, ...] = ()
    """The headers and parameters that the client keys stood in (``authorization``, ``x-goog-api-key``, ``key``):
    which API's client it is, may show there alone."""


@attrs.frozen
class RequestBody:
    """Bytes of the request's body, without transfer coding."""

    exchange: int
    data: bytes


@attrs.frozen
class RequestEnded:
    """The request is complete; trailers are ignored."""

    exchange: int


@attrs.frozen
class ClientGone:
    """The client closed, half-closed or reset its connection before the response ended."""

    exchange: int


@attrs.frozen
class FrontEndFailed:
    """An exception that nobody foresaw was raised in a front end or in the runtime: a fault of our own.

    It ends the exchange that it happened to as one in the core does: with an error in the client's dialect.
    """

    exchange: int
    """0: it concerns no exchange."""
    fault: InternalError


@attrs.frozen
class ClientBlocked:
    """The client reads more slowly than the provider sends; the front end stopped reading the provider."""

    exchange: int


@attrs.frozen
class ClientReady:
    """The client has caught up; the front end reads the provider again."""

    exchange: int


@attrs.frozen
class UpstreamStarted:
    """The provider's response head was read (never a 1xx)."""

    exchange: int
    attempt: int
    status: int
    headers: Headers


class UpstreamBody(msgspec.Struct, frozen=True, gc=False):
    """Bytes of the provider's response, without transfer coding, all of one socket read together.

    Made for every chunk, and so a struct, which costs a third of what a frozen attrs class does.
    """

    exchange: int
    attempt: int
    data: bytes


@attrs.frozen
class UpstreamEnded:
    """The provider's response is complete by its framing."""

    exchange: int
    attempt: int


@attrs.frozen
class UpstreamFailed:
    """The call broke: no connection, or the connection ended before the response was complete."""

    exchange: int
    attempt: int
    fault: Fault
    detail: str
    """For logs and error messages; one line, no secret."""
    reused: bool = False
    """The connection was a kept one, and no byte of a response was read from it for this request."""
    sent: Sent = Sent.ALL


@attrs.frozen
class TimePassed:
    """``Gateway.deadline`` was reached."""


@attrs.frozen
class DrainRequested:
    """The gateway is to stop: nothing new is accepted, what runs may finish within ``server.drain_timeout``."""


@attrs.frozen
class MetricsCollected:
    """The answer to ``CollectMetrics``."""

    exchange: int
    content_type: str
    data: bytes


@attrs.frozen
class UrlFetched:
    """The answer to ``FetchUrl``: what stands there, whole."""

    exchange: int
    question: int
    media_type: str
    """Without parameters, lower case: the server's, else what the first bytes say; empty where neither does."""
    data: bytes


@attrs.frozen
class UrlFetchFailed:
    """The answer to ``FetchUrl`` where nothing could or may be fetched."""

    exchange: int
    question: int
    reason: str
    """For the client: one line, which names no address that the client did not write."""
    ours: bool = False
    """This machine has run out of what it takes: the client's address may be as good as any."""


@attrs.frozen
class Loaded:
    """The answer to ``Load``."""

    exchange: int
    question: int
    record: StoredObject | None
    """None where the owner has no such object, or it has expired, or the store failed."""
    failed: bool = False
    """The store could not be read: whether there is such an object is not known."""


@attrs.frozen
class Computed:
    """The answer to ``Compute``."""

    exchange: int
    question: int
    result: object = attrs.field(default=None, repr=False)
    error: Exception | None = None
    """What the job raised in place of a result."""

    def take(self) -> Any:
        """Return the result. Raises what the job raised."""
        if self.error is not None:
            raise self.error
        return self.result


@attrs.frozen
class ModelDescribed:
    """The answer to ``DescribeModel``. Concerns no exchange."""

    account: str
    model: str
    status: int
    """The provider's; 0 where it could not be reached, or said more than 256 KiB."""
    body: bytes
    """Empty unless the status is 2xx."""


@attrs.frozen
class TokenRefreshed:
    """The answer to ``RefreshToken``: the account has a new access token, and it is on the disk."""

    account: str
    expires_at: float
    """Seconds since the epoch: receipt plus ``expires_in`` (RFC 6749 section 5.1)."""


@attrs.frozen
class TokenRefreshFailed:
    """The answer to ``RefreshToken`` where there is no new token."""

    account: str
    code: str
    """The token endpoint's ``error`` (RFC 6749 section 5.2), else ``http_STATUS``, ``connect``, ``timeout``, ..."""
    detail: str = ""
    """For the operator; one line, no secret."""
    permanent: bool = False
    """Only the operator can mend it (``invalid_grant``, ``invalid_client``, ``unauthorized_client``)."""
    retry_after: float | None = None
    """Seconds, as the token endpoint stated them."""


@attrs.frozen
class ProxyChecked:
    """The answer to ``CheckProxy``."""

    proxy: str
    """Id of one of ``proxy_pool.proxies``."""
    healthy: bool | None
    """None where it could not be checked, by a fault of our own: then nothing was learned of the proxy."""
    detail: str = ""
    """For the operator; one line, no secret."""


@attrs.frozen
class AdminChanged:
    """The operator changed accounts by command. Says what is now, not what changed: it may be told twice."""

    accounts: Sequence[AccountConfig]
    """Every account: those of the configuration, and those added by command."""
    states: Sequence[AccountState] = ()
    """Of the accounts that the operator or a fault took out of service; one that is missing here is in service. One
    that is not disabled was put back into service by the operator, at that time: what was said against it before does
    not hold."""
    tokens: Sequence[TokenState] = ()
    """Of accounts that have signed in: what is on the disk now."""
    renewed: Sequence[str] = ()
    """Accounts whose credential is another one than it was: that the old one was refused says nothing any more."""


@attrs.frozen
class StateRestored:
    """What the store held at start. Comes once, before the first request."""

    pins: Sequence[Pin] = ()
    bindings: Sequence[Binding] = ()
    """The longest unused first."""
    states: Sequence[AccountState] = ()
    cooldowns: Sequence[Cooldown] = ()
    tokens: Sequence[TokenState] = ()
    reasoning: Sequence[RememberedReasoning] = ()
    """The oldest first."""


ExchangeEvent = (
    RequestStarted
    | RequestBody
    | RequestEnded
    | ClientGone
    | FrontEndFailed
    | ClientBlocked
    | ClientReady
    | UpstreamStarted
    | UpstreamBody
    | UpstreamEnded
    | UpstreamFailed
    | MetricsCollected
    | UrlFetched
    | UrlFetchFailed
    | Loaded
    | Computed
)
"""The events that concern one exchange."""

Event = (
    ExchangeEvent
    | TimePassed
    | DrainRequested
    | ModelDescribed
    | TokenRefreshed
    | TokenRefreshFailed
    | ProxyChecked
    | AdminChanged
    | StateRestored
)
"""Everything ``Gateway.receive`` takes."""
