"""Commands: everything the gateway wants done, in the imperative. The core makes them, front ends perform them.

Laws (checked by tests and by the simulator): attempt numbers of an exchange only grow; at most one of ``EndResponse``
and ``AbortResponse``, exactly one unless the client left, and nothing for that exchange after it; each ``CallUpstream``
meets exactly one of ended, failed, cancelled, detached; no ``CallUpstream`` after the commit point; each question
(``FetchUrl``, ``Load``, ``Compute``) is answered exactly once, unless the exchange gave its questions up or its client
left.
"""

from collections.abc import Callable

import attrs
import msgspec

from gephyr_core.http import Headers, Origin
from gephyr_core.records import Fact, Saved


@attrs.frozen
class ReadBody:
    """Read the request's body: send 100-continue if it is awaited, then deliver ``RequestBody``, ``RequestEnded``."""

    exchange: int


@attrs.frozen
class StartResponse:
    """Send the response's head. Framing (``content-length`` or chunked) follows from the headers given."""

    exchange: int
    status: int
    headers: Headers


class SendBody(msgspec.Struct, frozen=True, gc=False):
    """Send bytes of the response's body. A struct for the reason that ``UpstreamBody`` is one."""

    exchange: int
    data: bytes


@attrs.frozen
class EndResponse:
    """The response is complete."""

    exchange: int


@attrs.frozen
class AbortResponse:
    """Cut the client's connection so that it cannot take what it has for a whole response."""

    exchange: int
    reason: str


@attrs.frozen
class TimeLimits:
    """The limits of one call, seconds. The runtime keeps ``connect``; the core keeps the others itself."""

    connect: float
    """Until the connection stands: name lookup, TCP, proxy and TLS together."""
    first_byte: float
    """From the call until the response's head."""
    idle: float
    """Between two reads of the response's body."""
    total: float
    """From the call until the end of the response."""


@attrs.frozen
class CallUpstream:
    """Send a request to a provider, with the credential of *account* added by the runtime."""

    exchange: int
    attempt: int
    account: str
    """Account id; its credential goes on the wire only if *origin* is the account's own."""
    method: str
    origin: Origin
    target: str
    """Path and query, without credentials."""
    headers: Headers
    """Without ``host``, credentials and framing: the runtime adds those."""
    body: bytes
    route: str
    """Id of the outbound route: ``direct``, or a proxy's id."""
    limits: TimeLimits
    fresh: bool = False
    """Open a new connection although kept ones are idle."""


@attrs.frozen
class CancelUpstream:
    """Give the call up at once: close its connection. No news of it is wanted any more."""

    exchange: int
    attempt: int


@attrs.frozen
class DetachUpstream:
    """The reply is over though the call has not ended. No news of it is wanted any more.

    What is left of the response is read and dropped, for a second and within a bound of bytes: the connection is kept
    if the response's framing ends in that time, else closed.
    """

    exchange: int
    attempt: int


@attrs.frozen
class CollectMetrics:
    """Answer with ``MetricsCollected``."""

    exchange: int


@attrs.frozen
class FetchUrl:
    """Fetch what stands at an address that the client wrote, with nothing of the operator's or the client's on the way.

    Answered with ``UrlFetched`` or ``UrlFetchFailed``, exactly once unless ``CancelQuestions`` comes first.
    """

    exchange: int
    question: int
    """Number of the question, of the core's choice; the answer repeats it."""
    url: str
    """As the client wrote it. What it may lead to is the runtime's to judge."""
    max_bytes: int
    timeout: float
    """Seconds, everything included."""


@attrs.frozen
class Load:
    """Read a stored object: answered with ``Loaded``, exactly once unless ``CancelQuestions`` comes first."""

    exchange: int
    question: int
    owner: str
    object_id: str


@attrs.frozen
class Compute:
    """Do *job*, which may take long, beside everything else: answered with ``Computed``, exactly once unless
    ``CancelQuestions`` comes first. :func:`gephyr_core.computing.answer` makes the answer.

    The job calls nobody and knows nothing that may change meanwhile, so that any thread may do it.
    """

    exchange: int
    question: int
    job: Callable[[], object] = attrs.field(repr=lambda job: type(job).__name__)
    """Returns the result, or raises: what is wrong with a request or a reply, or by a fault of the gateway's own."""
    timeout: float
    """Seconds after which the answer is not waited for any more."""


@attrs.frozen
class CancelQuestions:
    """Give up every ``FetchUrl``, ``Load`` and ``Compute`` of the exchange that is open: no answer is wanted any
    more."""

    exchange: int


@attrs.frozen
class DescribeModel:
    """Ask a provider what it says of a model: a GET with the credential of *account*, answered with ``ModelDescribed``.

    While one is under way, another for the same account and model is not performed: one answer serves both.
    """

    account: str
    model: str
    """The model asked about, as the answer names it."""
    origin: Origin
    target: str
    """Path and query, without credentials."""
    headers: Headers
    route: str
    """Id of the outbound route, as in ``CallUpstream``."""


@attrs.frozen
class RefreshToken:
    """Get the account a new access token: answered with ``TokenRefreshed`` or ``TokenRefreshFailed``, exactly once.

    There is at most one open for an account. The answer is due in *timeout* seconds. A refresh token that the
    endpoint rotates is on the disk before the answer.
    """

    account: str
    route: str
    """Id of the outbound route, as in ``CallUpstream``."""
    timeout: float
    """Seconds, everything included."""


@attrs.frozen
class CheckProxy:
    """Ask for *url* through a proxy of the pool: answered with ``ProxyChecked``, exactly once.

    There is at most one open for a proxy. It is healthy if the answer's status is *expected_status*.
    """

    proxy: str
    """Id of one of ``proxy_pool.proxies``."""
    route: str
    """Its outbound route."""
    url: str
    expected_status: int
    timeout: float
    """Seconds, everything included."""


@attrs.frozen
class Save:
    """Persist a record; losing the last second's records in a crash is allowed.

    A record replaces the one with the same identity: owner and id of a pin or an object, the session of a binding, the
    account of a state, scope and model of a cooldown. One that expires in the past deletes it, as does a state that is
    not disabled.
    """

    record: Saved


@attrs.frozen
class Observe:
    """A fact for logs, metrics and traces."""

    fact: Fact


@attrs.frozen
class StopServing:
    """Draining is over: every exchange has ended, and the front end may close."""


Command = (
    ReadBody
    | StartResponse
    | SendBody
    | EndResponse
    | AbortResponse
    | CallUpstream
    | CancelUpstream
    | DetachUpstream
    | CollectMetrics
    | FetchUrl
    | Load
    | Compute
    | CancelQuestions
    | DescribeModel
    | RefreshToken
    | CheckProxy
    | Save
    | Observe
    | StopServing
)
