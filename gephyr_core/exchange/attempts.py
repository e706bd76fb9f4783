"""One call to a provider, and what is left of it when it failed."""

import math
from collections.abc import Sequence

import attrs
import msgspec

from gephyr_core.commands import TimeLimits
from gephyr_core.content_coding import Decoder
from gephyr_core.dialects.base import Heard, StreamError
from gephyr_core.errors import ErrorKind, Fault, Problem, Sent
from gephyr_core.http import Headers
from gephyr_core.providers import Verdict, classify_error, classify_reply
from gephyr_core.records import AttemptRecord
from gephyr_core.routing import Target
from gephyr_core.scheduling import NEUTRAL, Lease, Outcome, Says
from gephyr_core.shared import Leg
from gephyr_core.surrogates import readable

_RANK = {429: 0, 529: 1, 503: 2}
_UNTIL_ROOM = 1.0
"""Seconds: connections end all the time, and each leaves room for another."""
_SHOWN_AS_GATEWAY_FAULT = (ErrorKind.CREDENTIAL, ErrorKind.MONEY)


UNLIMITED = TimeLimits(connect=math.inf, first_byte=math.inf, idle=math.inf, total=math.inf)


@attrs.define
class Attempt:
    """A call under way."""

    number: int
    lease: Lease
    leg: Leg
    limits: TimeLimits
    called_at: float
    heard_at: float
    """When the provider gave its last sign of life."""
    event_due: float = math.inf
    """When the first event of a stream has to be there. Until it is, any byte is a sign of life, but none puts this
    off."""
    fresh: bool = False
    ended: bool = False
    """The call has ended or failed by itself."""
    route: str = ""
    """Id of the outbound route."""
    status: int = 0
    headers: Headers = ()
    decoder: Decoder | None = None
    cut_short: bool = False
    """The body ended before its content coding did."""
    made: list[str] = attrs.field(factory=list)
    """Names of the signatures that a translated reply holds in the client's own dialect."""

    def hear(self, heard: Heard, now: float) -> None:
        """Take note of what bytes of a stream amount to."""
        if heard is Heard.EVENT:
            self.event_due = math.inf
        if heard is not Heard.SILENCE or self.event_due < math.inf:
            self.heard_at = now

    @property
    def target(self) -> Target:
        """The model, and maybe the provider, that is asked."""
        return self.leg.target

    def record(self, outcome: str, detail: str, now: float, *, stale: bool = False) -> AttemptRecord:
        """Return the record of the attempt as it ends."""
        return AttemptRecord(
            attempt=self.number,
            account=self.lease.account.id,
            model=self.target.model or None,
            outcome=outcome,
            status=self.status or None,
            detail=detail,
            started_at=self.called_at,
            duration=now - self.called_at,
            stale=stale,
            dialect=self.leg.dialect or None,
            decision=self.lease.decision,
            rule=self.lease.rule.value,
            route=self.route,
            waited=self.lease.waited,
        )


@attrs.frozen
class Failure:
    """Why an attempt did not serve the client, and what it may be told if no other does."""

    verdict: Verdict
    """What it means, read once: the provider's error, or the call that broke."""
    outcome: Outcome
    """What it says about the account."""
    label: str
    """For the attempt's record: ``status``, ``stream_error`` or a fault's name."""
    status: int | None = None
    """The provider's status, where its reply may be relayed."""
    headers: Headers = ()
    body: bytes = b""
    detail: str = ""
    """What only the operator is told: it may name hosts and proxies."""
    record: AttemptRecord | None = None
    """The attempt that failed."""
    translated: bool = False
    """The provider's reply is in another dialect than the client's."""
    retry_after: float | None = None
    """Seconds until trying again can help, where that does not depend on the accounts."""

    @property
    def kind(self) -> ErrorKind:
        """What kind of error it is."""
        return self.verdict.kind

    @property
    def message(self) -> str:
        """What the client may be told of it."""
        return self.verdict.message

    @property
    def fail_over(self) -> bool:
        """Whether another account may serve the request."""
        return self.verdict.fail_over

    @property
    def next_target(self) -> bool:
        """Whether the next target of the route may serve it, and no other account of this one."""
        return self.verdict.next_target

    @property
    def relayable(self) -> bool:
        """Whether the client may see the provider's own reply.

        Not where it speaks of the operator's credential, and not the page that something before the provider made: no
        SDK reads HTML.
        """
        if self.status is None or self.status < 400 or self.kind in _SHOWN_AS_GATEWAY_FAULT or self.translated:
            return False
        return self.status < 500 or not self.body.strip() or looks_like_json(self.body)

    @property
    def problem(self) -> Problem:
        """The failure in Gephyr's own words."""
        if self.kind in _SHOWN_AS_GATEWAY_FAULT:
            message = "the provider accepts none of the accounts that serve this model (credential, plan or balance)"
            return Problem(ErrorKind.BAD_GATEWAY, message)
        return Problem(self.kind, self.message, retry_after=self.retry_after)


def of_reply(status: int, headers: Headers, body: bytes, verdict: Verdict, *, side: bool, translated: bool) -> Failure:
    """The failure that an error reply is. A *side* route's says nothing about the account."""
    says = Says.REFUSED if verdict.fail_over and not side else Says.NOTHING
    if not verdict.message:
        verdict = attrs.evolve(verdict, message=f"the provider answered with status {status}")
    return Failure(
        verdict,
        Outcome(says, verdict, status),
        "status",
        status=status,
        headers=headers,
        body=body,
        translated=translated,
    )


def of_cut_reply(status: int, headers: Headers, detail: str, now: float, *, side: bool) -> Failure:
    """The failure that an error reply is whose body cannot be had: status and headers still say what it means."""
    failure = of_reply(status, headers, b"", classify_reply(status, headers, b"", now), side=side, translated=False)
    return attrs.evolve(failure, status=None, headers=(), detail=f"status {status}: {detail}")


def words_for(fault: Fault) -> str:
    """What a client is told of a broken call; the runtime's own words may name hosts and proxies."""
    return f"{_WORDS[fault]} ({fault.value})"


_WORDS = {
    Fault.CONNECT: "the provider could not be reached",
    Fault.TLS: "no secure connection to the provider could be made",
    Fault.PROXY: "the way to the provider is blocked",
    Fault.TIMEOUT: "the provider did not answer in time",
    Fault.RESET: "the provider closed the connection",
    Fault.PROTOCOL: "the provider's answer could not be read",
    Fault.TOO_LARGE: "the provider's answer is too large",
    Fault.LOCAL: "the gateway has no room for another connection",
    Fault.GATEWAY: "the gateway itself failed",
}

_NO_CONNECTION = "no connection to the provider could be made in time (timeout)"
_SAID_BY_FAULT = {
    Fault.CONNECT: Says.UNREACHABLE,
    Fault.TLS: Says.UNREACHABLE,
    Fault.PROXY: Says.NOTHING,
    Fault.TIMEOUT: Says.FAILED,
    Fault.RESET: Says.FAILED,
    Fault.PROTOCOL: Says.FAILED,
    Fault.TOO_LARGE: Says.NOTHING,
    Fault.LOCAL: Says.NOTHING,
    Fault.GATEWAY: Says.NOTHING,
}
"""What a broken call says about the account, before the commit point and after it. A reply that is too large is too
large for our own limit. Faults of our own blame nobody."""
_SAID_BY_ERROR = {
    ErrorKind.CREDENTIAL: Says.REFUSED,
    ErrorKind.MONEY: Says.REFUSED,
    ErrorKind.RATE_LIMIT: Says.REFUSED,
    ErrorKind.OVERLOADED: Says.REFUSED,
    ErrorKind.CLIENT_TIMEOUT: Says.FAILED,
    ErrorKind.SERVER: Says.FAILED,
    ErrorKind.BAD_GATEWAY: Says.FAILED,
    ErrorKind.UNAVAILABLE: Says.FAILED,
    ErrorKind.GATEWAY_TIMEOUT: Says.FAILED,
}
"""What an error inside a 200 says about the account, by its kind, whole or streamed, before the commit point and after
it. The kinds that are not here are the request's own fault."""
STREAM_ERROR = "stream_error"
REPLY_ERROR = "reply_error"
"""Labels of attempts that ended by an error with a status of success, in a stream and as a whole."""


def outcome_of_fault(fault: Fault, *, side: bool, sent: Sent = Sent.ALL) -> Outcome:
    """What a broken call says about the account. A *side* route's says nothing, but that its host is out of reach."""
    says = _SAID_BY_FAULT[fault]
    if fault is Fault.TIMEOUT and sent is Sent.NONE:
        says = Says.UNREACHABLE  # the time for making the connection was over
    if says is Says.NOTHING or (side and says is not Says.UNREACHABLE):
        return NEUTRAL
    return Outcome(says, fault=fault.value)


def outcome_of_error(verdict: Verdict, status: int, *, side: bool) -> Outcome:
    """What an error inside a 200 says about the account. A *side* route's says nothing.

    An error that tells when to come back was told in the provider's own words.
    """
    says = _SAID_BY_ERROR.get(verdict.kind, Says.NOTHING)
    if side or says is Says.NOTHING:
        return NEUTRAL
    return Outcome(Says.REFUSED if verdict.retry_after else says, verdict, status, STREAM_ERROR)


def of_fault(fault: Fault, detail: str, sent: Sent, *, repeatable: bool, side: bool) -> Failure:
    """The failure that a broken call is. What must not be done twice fails over only if nothing was sent."""
    outcome = outcome_of_fault(fault, side=side, sent=sent)
    late = fault is Fault.TIMEOUT and outcome.says is Says.UNREACHABLE
    fail_over = fault.retryable and (repeatable or sent is Sent.NONE)
    verdict = Verdict(fault.error_kind, _NO_CONNECTION if late else words_for(fault), fail_over)
    retry_after = _UNTIL_ROOM if fault is Fault.LOCAL else None
    return Failure(verdict, outcome, fault.value, detail=detail, retry_after=retry_after)


def of_full_memory() -> Failure:
    """The reply does not fit beside all that is held: nobody's fault, and no other account's would fit."""
    message = "the provider's answer is too large to hold beside the others (server.max_buffered_bytes)"
    return Failure(Verdict(ErrorKind.BAD_GATEWAY, message, fail_over=False), NEUTRAL, Fault.TOO_LARGE.value)


def of_closed_route() -> Failure:
    """No proxy is left, and accounts are not to be asked without one."""
    message = "no outbound proxy is available, and the configuration demands one"
    return Failure(Verdict(ErrorKind.UNAVAILABLE, message, fail_over=True), NEUTRAL, Fault.PROXY.value)


def of_error(
    error: StreamError,
    headers: Headers,
    now: float,
    *,
    side: bool,
    repeatable: bool,
    body: bytes = b"",
    label: str = STREAM_ERROR,
) -> Failure:
    """The failure that an error inside a 200 is: what it would be with the status that it tells of.

    *headers*: the reply's, where they were written with the error in mind: not those of a stream, whose head was sent
    before. *body*: the reply, where it is nothing but the error as the client's dialect has it. A request that is not
    *repeatable* does not fail over: the status said that it was accepted.
    """
    status, verdict = classify_error(error.told, error.kind, error.status, headers, now)
    verdict = attrs.evolve(
        verdict,
        message=error.message,
        fail_over=verdict.fail_over and repeatable,
        next_target=verdict.next_target and repeatable,
    )
    return Failure(
        verdict,
        outcome_of_error(verdict, status, side=side),
        label,
        status=status,
        headers=[*(pair for pair in headers if pair[0] != b"content-type"), (b"content-type", b"application/json")],
        body=body,
        translated=not body,
    )


def outcome_of_told(error: StreamError, now: float, *, side: bool) -> Outcome:
    """What an error event of a stream says about the account, with the time that it asks to be left alone."""
    status, verdict = classify_error(error.told, error.kind, error.status, (), now)
    return outcome_of_error(verdict, status, side=side)


def of_bad_call(message: str) -> Failure:
    """The model called a tool in a way that cannot be read: no fault of the account's."""
    return Failure(Verdict(ErrorKind.BAD_GATEWAY, message, fail_over=True), NEUTRAL, STREAM_ERROR)


def most_useful(failures: Sequence[Failure]) -> Failure:
    """The failure a client is told of: a limit before an overload before the rest, the latest among equals.

    One that speaks of the operator's credential or balance (OpenAI's is a 429 too) comes last: it is told only if all
    of them do.
    """
    return min(reversed(failures), key=_rank)


def _rank(failure: Failure) -> tuple[int, bool]:
    """Among equals, one that can be told in the provider's own words comes first."""
    if failure.kind in _SHOWN_AS_GATEWAY_FAULT:
        return len(_RANK) + 1, failure.translated
    status = failure.status or {ErrorKind.RATE_LIMIT: 429, ErrorKind.OVERLOADED: 529}.get(failure.kind, 0)
    return _RANK.get(status, len(_RANK)), failure.translated


def looks_like_json(body: bytes) -> bool:
    """Whether a body that should be JSON begins and ends like it: an HTML page or half a reply does not."""
    text = body.strip()
    return text[:1] + text[-1:] in {b"{}", b"[]"}


def is_json(body: bytes) -> bool:
    """Whether a body is one whole JSON text."""
    try:
        msgspec.json.decode(readable(body) or body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    return True
