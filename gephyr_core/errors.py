"""The error taxonomy: what can go wrong, as values. Dialects render it, providers classify into it."""

import enum
from typing import assert_never

import attrs

LONGEST_QUOTE = 200
"""Characters of what a client or a provider has written, where a message or a record repeats it."""


def quoted(text: str) -> str:
    """Return as much of *text* as may be repeated."""
    return text[:LONGEST_QUOTE]


class LocalProtocolError(Exception):
    """The caller broke the core's contract: an event for an unknown exchange, a second entry of ``receive``."""


class BrokenLawError(Exception):
    """The core was about to break a law of its own: a second head or end of a response, a lease given back twice."""


class Blame(enum.Enum):
    """Who has to change something for the request to succeed."""

    CLIENT = "client"
    GATEWAY = "gateway"
    UPSTREAM = "upstream"


class ErrorKind(enum.Enum):
    """What kind of error a client is told about, whatever its dialect."""

    BAD_REQUEST = "bad_request"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_POLICY = "content_policy"
    CREDENTIAL = "credential"
    MONEY = "money"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    MODEL_NOT_FOUND = "model_not_found"
    METHOD = "method"
    CLIENT_TIMEOUT = "client_timeout"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    UNPROCESSABLE = "unprocessable"
    UPGRADE_REQUIRED = "upgrade_required"
    HEAD_TOO_LARGE = "head_too_large"
    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    OVERLOADED = "overloaded"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    GATEWAY_TIMEOUT = "gateway_timeout"

    @property
    def http_status(self) -> int:
        """The status told to OpenAI and Gemini clients; Anthropic differs for ``OVERLOADED`` only (529)."""
        return _STATUS[self]


_STATUS = {
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.CONTEXT_TOO_LONG: 400,
    ErrorKind.CONTENT_POLICY: 400,
    ErrorKind.CREDENTIAL: 401,
    ErrorKind.MONEY: 402,
    ErrorKind.PERMISSION: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.MODEL_NOT_FOUND: 404,
    ErrorKind.METHOD: 405,
    ErrorKind.CLIENT_TIMEOUT: 408,
    ErrorKind.CONFLICT: 409,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNSUPPORTED_ENCODING: 415,
    ErrorKind.UNPROCESSABLE: 422,
    ErrorKind.UPGRADE_REQUIRED: 426,
    ErrorKind.HEAD_TOO_LARGE: 431,
    ErrorKind.RATE_LIMIT: 429,
    ErrorKind.SERVER: 500,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.BAD_GATEWAY: 502,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.GATEWAY_TIMEOUT: 504,
}


_KIND_OF_STATUS = {
    401: ErrorKind.CREDENTIAL,
    402: ErrorKind.MONEY,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.METHOD,
    408: ErrorKind.CLIENT_TIMEOUT,
    409: ErrorKind.CONFLICT,
    413: ErrorKind.TOO_LARGE,
    422: ErrorKind.UNPROCESSABLE,
    429: ErrorKind.RATE_LIMIT,
    502: ErrorKind.BAD_GATEWAY,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.GATEWAY_TIMEOUT,
    529: ErrorKind.OVERLOADED,
}


def kind_of_status(status: object) -> ErrorKind:
    """Return the kind that a provider's error with this HTTP status (a number, or its digits) is.

    Another 4xx is ``BAD_REQUEST``, everything else ``SERVER``.
    """
    if isinstance(status, str) and status.isdecimal():
        status = int(status[:3])
    if not isinstance(status, int):
        return ErrorKind.SERVER
    return _KIND_OF_STATUS.get(status) or (ErrorKind.BAD_REQUEST if 400 <= status < 500 else ErrorKind.SERVER)


class Fault(enum.Enum):
    """How a call to a provider broke without an answer of the provider's own."""

    CONNECT = "connect"
    TLS = "tls"
    PROXY = "proxy"
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    LOCAL = "local"
    """This machine has run out of descriptors, memory or ports."""
    GATEWAY = "gateway"
    """The gateway's own code failed."""

    @property
    def error_kind(self) -> ErrorKind:
        """What a client is told when no other account could serve the request either."""
        match self:
            case Fault.TIMEOUT:
                return ErrorKind.GATEWAY_TIMEOUT
            case Fault.CONNECT | Fault.TLS | Fault.PROXY | Fault.RESET | Fault.PROTOCOL | Fault.TOO_LARGE:
                return ErrorKind.BAD_GATEWAY
            case Fault.LOCAL:
                return ErrorKind.UNAVAILABLE
            case Fault.GATEWAY:
                return ErrorKind.SERVER
            case _:
                assert_never(self)

    @property
    def http_status(self) -> int:
        """The status of :attr:`error_kind`: 504 for a timeout, 503 and 500 for faults of our own, 502 for the rest."""
        return self.error_kind.http_status

    @property
    def retryable(self) -> bool:
        """Whether another account may be asked. A reply that is too large would be so again, and what this machine
        lacks it lacks for every account."""
        return self not in {Fault.TOO_LARGE, Fault.LOCAL}

    @property
    def blame(self) -> Blame:
        """Who is at fault: proxies, this machine and this code are ours; the rest is the provider or the way to it."""
        return Blame.GATEWAY if self in {Fault.PROXY, Fault.LOCAL, Fault.GATEWAY} else Blame.UPSTREAM


class Sent(enum.Enum):
    """How much of a request had left this machine when its call failed."""

    NONE = "none"
    PARTIAL = "partial"
    ALL = "all"


@attrs.frozen
class Problem:
    """One error as a client is told about it. ``message`` names the field at fault and never holds a secret."""

    kind: ErrorKind
    message: str
    param: str | None = None
    """The field of the request at fault (``model``, ``messages``), for the dialects that have a place for it."""
    code: str | None = None
    """The dialect-independent code, where the kind alone does not give it."""
    retry_after: float | None = None
    """Seconds until trying again can help."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Further response headers (``allow``, ``upgrade``)."""
