"""The simulated clients: sessions that ask turn by turn, with a conversation that grows, and retry as SDKs do."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import attrs
import msgspec

from gephyr.harness.world.queue import Agenda
from gephyr.harness.world.settings import ClientSettings
from gephyr_core.config import AuthConfig
from gephyr_core.events import ClientGone, Event, RequestBody, RequestEnded, RequestStarted
from gephyr_core.http import Header, Headers, header

_MOST_REAL_TURNS = 16
"""Turns after which the real conversation grows no more; the tokens that are told do."""
_LONGEST_BACKOFF = 8.0
_TARGETS = {"openai-chat": "/v1/chat/completions", "anthropic": "/v1/messages", "openai-responses": "/v1/responses"}
_RETRIED = frozenset({408, 409, 429})


class PlannedTurn(Protocol):
    """One request of a session."""

    @property
    def think(self) -> float:
        """Seconds after the reply before it; unused for the first."""

    @property
    def input_tokens(self) -> int:
        """All of the conversation."""

    @property
    def output_tokens(self) -> int:
        """Of the reply."""

    @property
    def stream(self) -> bool:
        """Whether a stream is asked for."""

    @property
    def leaves_after(self) -> float | None:
        """Seconds after which the client hangs up if it has no whole reply by then."""


class PlannedSession(Protocol):
    """One conversation, as the workload plans it."""

    @property
    def start(self) -> float:
        """Seconds of the scenario."""

    @property
    def session(self) -> str:
        """Its name, unlike any other's."""

    @property
    def key(self) -> int:
        """Number of the client key."""

    @property
    def dialect(self) -> str:
        """The dialect the client speaks."""

    @property
    def model(self) -> str:
        """The model asked for."""

    @property
    def turns(self) -> Sequence[PlannedTurn]:
        """The requests, in order; at least one."""

    @property
    def sends_id(self) -> bool:
        """Whether the client sends the session's name; else it shows in the conversation's beginning alone."""


class Session:
    """A session being played."""

    __slots__ = ("beginning", "credential", "headers", "plan", "said", "tries", "turn")

    def __init__(self, plan: PlannedSession, credential: str) -> None:
        self.plan = plan
        self.credential = credential
        self.turn = 0
        self.tries = 0
        self.said = b""
        """The messages of earlier turns, with the comma after each."""
        self.beginning = msgspec.json.encode(f"You are a helpful assistant. This is conversation {plan.session}.")
        self.headers: list[Header] = [(b"content-type", b"application/json")]
        if plan.dialect == "anthropic":
            self.headers.append((b"anthropic-version", b"2023-06-01"))
        if plan.sends_id:
            self.headers.append((b"x-session-id", plan.session.encode()))


@attrs.define(eq=False)
class Request:
    """One client request, until it is over. What the gateway says of it is written here."""

    exchange: int
    session: Session
    turn: PlannedTurn
    since: float
    """Seconds since the epoch."""
    is_read: bool = False
    """The gateway asked for the body at once, as it mostly does."""
    asked: bool = False
    """The body was sent."""
    status: int = 0
    headers: Headers = ()


class Clients:
    """Everybody who asks the gateway."""

    def __init__(
        self,
        sessions: Iterator[PlannedSession],
        settings: ClientSettings,
        auth: AuthConfig,
        agenda: Agenda,
        feed: Callable[[Event], None],
        rng: random.Random,
    ) -> None:
        """*auth*: the keys that clients have, in turn; where there are none, each has one of its own."""
        self._sessions, self._settings, self._keys = sessions, settings, auth.api_keys
        self._agenda, self._feed, self._rng, self._begin = agenda, feed, rng, agenda.now
        self.open: dict[int, Request] = {}
        """Requests by exchange, the oldest first."""
        self.requests = 0
        self._asking: Request | None = None
        """The request whose head the gateway is being told."""
        self.closed = False
        """No more is asked."""
        self._expect_next()

    def _expect_next(self) -> None:
        """Plan the next session's beginning. One at a time: there may be millions."""
        plan = next(self._sessions, None)
        if plan is not None:
            self._agenda.add(self._begin + plan.start, self._arrive, plan)

    def _arrive(self, plan: PlannedSession) -> None:
        self._expect_next()
        self._ask(Session(plan, self._credential(plan.key)))

    def _credential(self, key: int) -> str:
        if self._keys:
            return self._keys[key % len(self._keys)]
        return hashlib.sha256(b"client key %d" % key).hexdigest()

    # -- asking -------------------------------------------------------------------------------------------------

    def _ask(self, session: Session) -> None:
        if self.closed:
            return
        self.requests += 1
        turn = session.plan.turns[session.turn]
        request = Request(self.requests, session, turn, self._agenda.now)
        self.open[request.exchange] = request
        if turn.leaves_after is not None:
            self._agenda.add(self._agenda.now + turn.leaves_after, self._leave, request)
        target, headers = _target(session.plan, turn), session.headers
        self._asking = request
        self._feed(RequestStarted(request.exchange, "POST", target, headers, (session.credential,), "127.0.0.1"))
        self._asking = None
        if request.is_read:
            self._send(request)

    def read_body(self, exchange: int) -> None:
        """The gateway wants the body. It gets it once it has done what it wants."""
        request = self.open[exchange]
        if request is self._asking:
            request.is_read = True
        else:
            self._agenda.add(self._agenda.now, self._send, request)

    def _send(self, request: Request) -> None:
        if request.exchange in self.open:
            self._feed(RequestBody(request.exchange, _body(request.session, request.turn)))
        if request.exchange in self.open:
            request.asked = True
            self._feed(RequestEnded(request.exchange))

    def _leave(self, request: Request) -> None:
        if self.open.pop(request.exchange, None) is not None:
            self._feed(ClientGone(request.exchange))
            self._next_turn(request.session)

    # -- what came of it ----------------------------------------------------------------------------------------

    def ended(self, exchange: int, *, cut_off: bool) -> None:
        """The response is over. *cut_off*: the connection was, before it was complete."""
        request = self.open.pop(exchange)
        if request.status == 200 and not cut_off:
            self._next_turn(request.session)
            return
        wait = self._wait(request)
        if wait is not None:
            request.session.tries += 1
            self._agenda.add(self._agenda.now + wait, self._ask, request.session)
        elif self._settings.after_failure == "go_on":
            self._next_turn(request.session)

    def _wait(self, request: Request) -> float | None:
        """Return the seconds until the client tries again; None: it gives up."""
        tries = request.session.tries
        retried = request.status in _RETRIED or request.status >= 500 or request.status == 0
        if not retried or tries >= self._settings.retries or header(request.headers, b"x-should-retry") == b"false":
            return None
        told = header(request.headers, b"retry-after")
        if told is not None and told.isdigit():
            return float(told) if int(told) <= self._settings.longest_retry_after else None
        backoff = min(self._settings.backoff * float(1 << min(tries, 16)), _LONGEST_BACKOFF)
        return backoff * (1.0 - 0.25 * self._rng.random())

    def _next_turn(self, session: Session) -> None:
        if session.turn < _MOST_REAL_TURNS:
            session.said += _turn_said(session.plan.dialect, session.turn)
        session.turn, session.tries = session.turn + 1, 0
        if session.turn < len(session.plan.turns):
            self._agenda.add(self._agenda.now + session.plan.turns[session.turn].think, self._ask, session)


def _target(plan: PlannedSession, turn: PlannedTurn) -> str:
    if plan.dialect == "gemini":
        return f"/v1beta/models/{plan.model}:" + ("streamGenerateContent?alt=sse" if turn.stream else "generateContent")
    return _TARGETS[plan.dialect]


def _question(dialect: str, number: int) -> bytes:
    if dialect == "gemini":
        return b'{"role":"user","parts":[{"text":"Question %d: what comes next?"}]}' % number
    return b'{"role":"user","content":"Question %d: what comes next?"}' % number


def _turn_said(dialect: str, number: int) -> bytes:
    """A turn that is over, as the later ones repeat it."""
    if dialect == "gemini":
        answer = b'{"role":"model","parts":[{"text":"The quick brown fox jumps over the lazy dog."}]}'
    else:
        answer = b'{"role":"assistant","content":"The quick brown fox jumps over the lazy dog."}'
    return b"%b,%b," % (_question(dialect, number), answer)


def _body(session: Session, turn: PlannedTurn) -> bytes:
    dialect, output = session.plan.dialect, max(1, turn.output_tokens)
    said = session.said + _question(dialect, session.turn)
    if dialect == "gemini":
        form = (
            b'{"systemInstruction":{"parts":[{"text":%b}]},"generationConfig":{"maxOutputTokens":%d},"contents":[%b]}'
        )
        return form % (session.beginning, output, said)
    stream = b"true" if turn.stream else b"false"
    return _FORMS[dialect] % (session.plan.model.encode(), stream, output, session.beginning, said)


_FORMS = {
    "openai-chat": (
        b'{"model":"%b","stream":%b,"max_completion_tokens":%d,"messages":[{"role":"system","content":%b},%b]}'
    ),
    "anthropic": b'{"model":"%b","stream":%b,"max_tokens":%d,"system":%b,"messages":[%b]}',
    "openai-responses": (
        b'{"model":"%b","stream":%b,"max_output_tokens":%d,"store":false,"instructions":%b,"input":[%b]}'
    ),
}
