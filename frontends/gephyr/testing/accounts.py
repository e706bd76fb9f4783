"""Accounts of simulated providers, and the troubles a test can give them."""

import enum
import threading
from collections.abc import Sequence
from itertools import chain

import attrs

from gephyr.harness.in_process import Provider
from gephyr.harness.providers import SimulatedReply
from gephyr_core.commands import CallUpstream
from gephyr_core.http import Header

_ERRORS = {
    "openai": b'{"error":{"message":"%s","type":"%s","param":null,"code":"%s"}}',
    "anthropic": b'{"type":"error","error":{"type":"%s","message":"%s"},"request_id":"req_simulated"}',
    "gemini": b'{"error":{"code":%d,"message":"%s","status":"%s"}}',
}
_WORDS = {
    400: ("the request is odd", "invalid_request_error", "INVALID_ARGUMENT"),
    401: ("the key is not valid", "authentication_error", "UNAUTHENTICATED"),
    403: ("not allowed", "permission_error", "PERMISSION_DENIED"),
    429: ("slow down", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    503: ("overloaded", "overloaded_error", "UNAVAILABLE"),
    529: ("overloaded", "overloaded_error", "UNAVAILABLE"),
}
_OTHER = ("an internal error", "api_error", "INTERNAL")


class Kind(enum.Enum):
    """What goes wrong."""

    STATUS = "status"
    OUTAGE = "outage"
    RESET = "reset"
    STALL = "stall"


@attrs.frozen
class Trouble:
    """Something that goes wrong with the next requests."""

    kind: Kind
    status: int = 0
    headers: tuple[Header, ...] = ()


@attrs.frozen
class SeenRequest:
    """A request as the provider got it."""

    method: str
    target: str
    """Path and query."""
    body: bytes


class SimulatedAccount:
    """One account, and its provider's moods. Any thread may call its methods."""

    def __init__(self, name: str, provider: str, simulated: Provider) -> None:
        """*provider*: ``openai``, ``anthropic`` or ``gemini``."""
        self.name = name
        self.provider = provider
        self._simulated = simulated
        self._lock = threading.Lock()
        self._troubles: list[tuple[Trouble, int | None]] = []
        self._requests: list[SeenRequest] = []

    # -- for tests ----------------------------------------------------------------------------------------------

    def limit(self, retry_after: float | None = None, *, times: int | None = None) -> None:
        """Answer 429, with ``retry-after`` in seconds where one is given: the next *times* requests, or until
        :meth:`recover`."""
        headers = () if retry_after is None else ((b"retry-after", b"%g" % retry_after),)
        self._add(Trouble(Kind.STATUS, 429, headers), times)

    def fail(self, status: int = 500, *, times: int | None = None, headers: Sequence[Header] = ()) -> None:
        """Answer with an error status, in the provider's own words."""
        self._add(Trouble(Kind.STATUS, status, tuple(headers)), times)

    def go_down(self, *, times: int | None = None) -> None:
        """Cannot be reached at all."""
        self._add(Trouble(Kind.OUTAGE), times)

    def break_off(self, *, times: int | None = None) -> None:
        """Replies break off after their first piece."""
        self._add(Trouble(Kind.RESET), times)

    def stall(self, *, times: int | None = None) -> None:
        """Replies begin and never go on."""
        self._add(Trouble(Kind.STALL), times)

    def recover(self) -> None:
        """All is well again."""
        with self._lock:
            self._troubles.clear()

    @property
    def requests(self) -> list[SeenRequest]:
        """What the provider was asked, in order."""
        with self._lock:
            return list(self._requests)

    # -- for the gateway ----------------------------------------------------------------------------------------

    def next_trouble(self, call: CallUpstream) -> Trouble | None:
        """Note the call, and say what goes wrong with it."""
        with self._lock:
            self._requests.append(SeenRequest(call.method, call.target, call.body))
            if not self._troubles:
                return None
            trouble, left = self._troubles[0]
            if left is not None:
                self._troubles[0] = (trouble, left - 1)
                if left <= 1:
                    self._troubles.pop(0)
            return trouble

    def reply(self, call: CallUpstream, trouble: Trouble | None, now: float) -> SimulatedReply:
        """Answer a call."""
        if trouble is not None and trouble.kind is Kind.STATUS:
            body = self._error(trouble.status)
            headers = ((b"content-type", b"application/json"), *trouble.headers)
            return SimulatedReply(trouble.status, headers, [(0.0, body)])
        reply = self._simulated.respond(call.method, call.target, call.headers, call.body, now)
        if trouble is None:
            return reply
        pieces = iter(reply.pieces)
        delay, first = next(pieces, (0.0, b""))
        held = chain([(delay, first[: max(1, len(first) // 2)])])
        headers = tuple(pair for pair in reply.headers if pair[0] != b"content-length")
        return attrs.evolve(reply, headers=headers, pieces=held)

    def _error(self, status: int) -> bytes:
        message, kind, name = _WORDS.get(status, _OTHER)
        if self.provider == "gemini":
            return _ERRORS["gemini"] % (status, message.encode(), name.encode())
        if self.provider == "anthropic":
            return _ERRORS["anthropic"] % (kind.encode(), message.encode())
        return _ERRORS["openai"] % (message.encode(), kind.encode(), kind.encode())

    def _add(self, trouble: Trouble, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError(f"expected times of 1 or more, got {times}")
        with self._lock:
            if times is None:
                self._troubles.clear()
            self._troubles.append((trouble, times))
