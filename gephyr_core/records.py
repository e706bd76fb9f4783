"""Records: what happened, as values. Logs, metrics, the store and the admin API are made of them."""

import enum
from typing import Literal

import attrs


@attrs.frozen
class Usage:
    """Tokens of one reply. *input* counts all input, cached and written to the cache included; *output* counts
    reasoning too. None where the provider did not say."""

    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_write_long: int | None = None
    """The part of *cache_write* that is kept for longer than the shortest time (Anthropic's 1 h, OpenAI's 12 h)."""
    audio_input: int | None = None
    audio_output: int | None = None
    tool_input: int | None = None
    """The part of *input* that came from the provider's own tools (Gemini's ``toolUsePromptTokenCount``)."""
    web_searches: int | None = None
    """How often the provider searched the web."""


class Fate(enum.Enum):
    """What happened to a field."""

    CHANGED = "changed"
    """Carried with another value: clamped, renamed, a schema cleaned."""
    EMULATED = "emulated"
    """Its effect is had by other means: a forced tool call in place of structured output."""
    DROPPED = "dropped"
    """Not carried. It only tuned the request; what would change its meaning is refused."""
    REFUSED = "refused"
    """The request is answered with 400."""


@attrs.frozen
class Entry:
    """One field's fate."""

    fate: Fate
    path: str
    """Where the client wrote it: ``messages[2].content[0].image_url``."""
    reason: str


@attrs.frozen
class AttemptRecord:
    """One call to a provider, from command to outcome."""

    attempt: int
    account: str
    model: str | None
    """The model asked of the provider."""
    outcome: str
    """``ok``, ``cancelled``, ``status`` or the value of a :class:`~gephyr_core.errors.Fault`."""
    status: int | None
    detail: str
    started_at: float
    duration: float
    """Seconds."""
    stale: bool = False
    """A kept connection turned out closed; the next attempt repeats this one on a fresh connection."""
    dialect: str | None = None
    """The dialect the provider was asked in, where the request was translated."""
    decision: str = ""
    """Id of the decision that chose the account."""
    rule: str = ""
    """The rule that chose it: ``preferred``, ``bound``, ``last_used``, ``best_of_two``, ..."""
    route: str = ""
    """Id of the outbound route."""
    waited: float = 0.0
    """Seconds that the account was waited for."""


@attrs.frozen
class RequestRecord:
    """One client request, complete. Holds no body, no header value of a client's choice and no secret."""

    request_id: str
    operation: str
    """Name of the operation (``chat.completions``, ``messages``, ...), or ``none`` for an unknown path."""
    dialect: str
    method: str
    model_asked: str | None
    model_served: str | None
    account: str | None
    """The account whose answer the client got, whole or in part; None when Gephyr answered itself."""
    stream: bool
    status: int
    """The status sent to the client; 0 when it left before one was sent, 499 is never used."""
    outcome: str
    """``ok``, ``refused`` (by Gephyr), ``provider_error``, ``failed`` (after the commit point, with no account
    left, or by a fault of our own), ``client_gone``, ``aborted`` (shutdown)."""
    error: str | None
    """The error kind's name, where there was one."""
    attempts: tuple[AttemptRecord, ...]
    bytes_in: int
    """Bytes of the request's body, as sent."""
    bytes_out: int
    """Bytes of the response's body, before transfer coding."""
    usage: Usage | None
    started_at: float
    """Seconds since the epoch."""
    first_byte: float | None
    """Seconds from the request's head to the first byte of the response's body."""
    duration: float
    """Seconds."""
    session: str | None = None
    """Digest of the session's identity, where the client gave one."""
    keepalives: int = 0
    """Keep-alives of Gephyr's own that were sent while the provider was silent."""
    translation: tuple[Entry, ...] = ()
    """What became of the fields that a translation could not carry as they are: of the attempt that served the client,
    or of the last one that was tried. Bounded; see :mod:`gephyr_core.conversation.report`."""
    fault: str = ""
    """Where the gateway's own code failed, if that is what ended the request: as :attr:`InternalError.place`."""


@attrs.frozen
class Pin:
    """One object made at a provider (a stored response, a conversation, an encrypted reasoning item)."""

    owner: str
    """Digest of the client key that made it; empty where auth is off."""
    object_id: str
    """The id the client knows it by, or the SHA-256 hex digest of an encrypted item."""
    account: str
    """Id of the account that made it."""
    organization: str
    """The account's organisation; the account's own id where none is configured."""
    expires_at: float
    """Seconds since the epoch."""
    upstream_id: str | None = None
    """The provider's id, where a fail-over after the first released event made it differ from the client's."""


@attrs.frozen
class StoredObject:
    """An object of the Responses API that Gephyr keeps itself, since the provider that answered has no such thing."""

    owner: str
    """Digest of the client key that made it; empty where auth is off."""
    object_id: str
    kind: Literal["response", "conversation"]
    data: bytes = attrs.field(repr=False)
    """What the core makes of it; holds the conversation in clear."""
    created_at: float
    """Seconds since the epoch."""
    expires_at: float
    """Seconds since the epoch."""


@attrs.frozen
class RememberedReasoning:
    """What a reply held of reasoning that does not come back through its client; its provider will want it back."""

    owner: str
    """Digest of the client key that was answered."""
    key: str
    """Where it belongs: at a tool call, or at a text, of which there is a digest here."""
    data: bytes = attrs.field(repr=False)
    """What the core makes of it; holds reasoning in clear."""
    expires_at: float
    """Seconds since the epoch."""


@attrs.frozen
class Binding:
    """A session keeps its account, so that the provider's prompt cache serves it."""

    session: str
    """Digest of the session's identity, with the kinds of account it was bound among."""
    account: str
    bound_at: float
    """Seconds since the epoch."""
    used_at: float
    """Seconds since the epoch. Saved at most once a minute."""
    expires_at: float
    """Seconds since the epoch; in the past: the binding is no more."""


@attrs.frozen
class AccountState:
    """An account that was taken out of service, or put back into it."""

    account: str
    disabled: str
    """Why: ``operator``, or what a token endpoint or a provider said (``invalid_grant``); empty: it is in service."""
    since: float
    """Seconds since the epoch."""


@attrs.frozen
class Cooldown:
    """A provider said when to come back, for an account or all of an organisation's, for a model or for all."""

    scope: str
    """The account's id, or ``PROVIDER:ORGANIZATION`` where the accounts of one share it."""
    model: str
    """The model asked of the provider; empty: every one."""
    kind: str
    """The value of an :class:`~gephyr_core.errors.ErrorKind`."""
    until: float
    """Seconds since the epoch; in the past: the cooldown is no more."""


@attrs.frozen
class TokenState:
    """What is known of an OAuth account's access token. Not the token: that is in the runtime's vault."""

    account: str
    expires_at: float
    """Seconds since the epoch; 0 where there is a way to get a token, but none yet."""


@attrs.frozen
class AccountEvent:
    """Something happened to an account that an operator wants to know of."""

    account: str
    what: str
    """``cooldown``, ``recovered``, ``disabled``, ``enabled``, ``token_refreshed``, ``token_refresh_failed``."""
    at: float
    """Seconds since the epoch."""
    model: str = ""
    """The model it concerns; empty: every one."""
    reason: str = ""
    until: float | None = None
    """Seconds since the epoch, for a cooldown."""
    stated: bool = False
    """The provider said so; else it is Gephyr's estimate, or the operator's rule."""


@attrs.frozen
class ProxyEvent:
    """A proxy of the pool went out of use, or came back into it."""

    proxy: str
    healthy: bool
    at: float
    """Seconds since the epoch."""
    reason: str = ""


@attrs.frozen
class OriginEvent:
    """A provider's host cannot be reached by an outbound route, or can be again."""

    origin: str
    """``https://HOST``, with the port where it is not the scheme's own."""
    route: str
    """Id of the outbound route."""
    reachable: bool
    at: float
    """Seconds since the epoch."""
    reason: str = ""
    until: float | None = None
    """When it is tried again, seconds since the epoch."""


@attrs.frozen
class InternalError:
    """The gateway's own code raised an exception that nobody foresaw. Holds no value and no message: they may hold a
    client's content or a secret."""

    error: str
    """The exception's type."""
    file: str
    """Where in Gephyr's code it was raised, or came from: ``gephyr_core/exchange/plan.py``."""
    line: int
    during: str
    """The event, command or piece of work that was under way."""
    at: float
    """Seconds since the epoch."""
    trace: tuple[str, ...] = ()
    """``FILE:LINE FUNCTION`` of the innermost frames, the innermost first."""
    request_id: str = ""
    """The request that it ended; empty where it concerned none."""

    @property
    def place(self) -> str:
        """Type and place in one text."""
        return f"{self.error} at {self.file}:{self.line}"


Fact = RequestRecord | AccountEvent | ProxyEvent | OriginEvent | InternalError
"""What is observed: for logs, metrics and traces."""
Saved = Pin | StoredObject | RememberedReasoning | Binding | AccountState | Cooldown
"""What is kept on the disk. Access tokens are the runtime's to keep."""
