"""One client's request to a gateway of its own, played to its end and written down as text.

Everything goes through the one public door, ``Gateway.receive``: what comes back is what a front end would perform. The
text has parts: what passes between client, gateway and providers, in order; what the client gets; what was observed; what
was saved. They are apart because the order between them is nobody's business.
"""

import hashlib
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from gephyr_core import commands
from gephyr_core.commands import CallUpstream, Command, Compute, Observe, Save, SendBody
from gephyr_core.computing import answer
from gephyr_core.config import Config
from gephyr_core.errors import Fault
from gephyr_core.events import (
    ClientGone,
    Event,
    Loaded,
    MetricsCollected,
    ModelDescribed,
    RequestBody,
    RequestEnded,
    RequestStarted,
    StateRestored,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
    UrlFetched,
)
from gephyr_core.gateway import Gateway
from gephyr_core.http import Header
from gephyr_core.records import Fact, Pin, Saved, StoredObject

START = 1_800_000_000.0
"""When each request comes, seconds since the epoch."""
SEED = 7
"""Of the gateway's chance: the ids that it makes up are the same every time."""
_MOST_WAKINGS = 400
"""After which time is said to lead nowhere."""
_PICTURE = b"\x89PNG\r\n\x1a\nwhat stands at every address"
Step = tuple[float, Event]
"""Seconds to wait, and what happens then."""


@attrs.frozen
class Asked:
    """A request as a client sends it."""

    method: str
    target: str
    headers: tuple[Header, ...]
    body: bytes


@attrs.frozen
class Answer:
    """A provider's reply, cut into pieces."""

    status: int
    headers: tuple[Header, ...]
    pieces: Sequence[bytes]
    pauses: Sequence[float] = ()
    """Seconds before each piece; none before those that have none here."""
    breaks: bool = False
    """The connection breaks after the last piece."""
    client_leaves: bool = False
    """The client closes its connection after the last piece."""


R = TypeVar("R", Fact, Saved)
Answering = Callable[[CallUpstream], Answer | None]
"""What a call meets; None: the client leaves at once."""


class Talk:
    """One request."""

    def __init__(
        self,
        config: Config,
        answering: Answering,
        *,
        pins: Sequence[Pin] = (),
        kept: Mapping[str, StoredObject] | None = None,
        seed: int = SEED,
    ) -> None:
        """*pins* and *kept* are what an earlier process left: who made which object, and the objects."""
        self.calls: list[CallUpstream] = []
        self.saved: list[Saved] = []
        self.body = bytearray()
        self._facts: list[Fact] = []
        self._lines: list[str] = []
        self._sizes: list[str] = []
        self._answering = answering
        self._kept = kept or {}
        self._gateway = Gateway(config, random.Random(seed))
        self._now = START
        self._steps: deque[Step] = deque()
        self._asked = Asked("", "", (), b"")
        self._live = 0
        self._over = False
        self._feed(StateRestored(pins=tuple(pins)))

    def ask(self, asked: Asked) -> None:
        """Play the request to its end."""
        self._asked = asked
        self._feed(RequestStarted(1, asked.method, asked.target, list(asked.headers), (), "127.0.0.1"))
        for _ in range(_MOST_WAKINGS):
            while self._steps:
                self._step(*self._steps.popleft())
            if self._over:
                break
            if self._gateway.deadline == math.inf:
                self._lines.append("nothing is to come, and there is no end")
                break
            self._wake_until(self._gateway.deadline)
        else:
            self._lines.append("time leads nowhere")
        if self._gateway.open_exchanges or self._gateway.open_leases:
            self._lines.append(f"open: {self._gateway.open_exchanges} exchanges, {self._gateway.open_leases} leases")

    def parts(self, *, sizes: bool = False) -> dict[str, list[str]]:
        """What was written down. *sizes*: each piece that the client got, else their digest."""
        pieces = " ".join(self._sizes)
        got = [f"pieces: {pieces if sizes else hashlib.sha256(pieces.encode()).hexdigest()[:16]}"] if pieces else []
        return {
            "said": self._lines,
            "pieces": got,
            "body": [f"{len(self.body)} bytes:", *text_of(bytes(self.body)).split("\n")] if self.body else [],
            "observed": [line for fact in _by_kind(self._facts) for line in fields_of("observed", fact)],
            "saved": [line for record in _by_kind(self.saved) for line in fields_of("saved", record)],
        }

    def text(self) -> str:
        """What was written down, as one text."""
        return "\n".join(line for lines in self.parts().values() for line in lines)

    def _step(self, wait: float, event: Event) -> None:
        attempt = getattr(event, "attempt", self._live)
        if attempt != self._live or self._over:
            return
        if wait:
            self._wake_until(self._now + wait)
        if attempt == self._live and not self._over:
            if isinstance(event, UpstreamEnded | UpstreamFailed):
                self._live = 0
            self._feed(event)
            if isinstance(event, ClientGone):
                self._over = True

    def _wake_until(self, when: float) -> None:
        """Let time pass: the gateway is woken whenever it wants to be."""
        for _ in range(_MOST_WAKINGS):
            deadline = self._gateway.deadline
            if deadline > when or self._over:
                break
            self._now = max(self._now, deadline)
            self._feed(TimePassed())
        self._now = max(self._now, when)

    def _feed(self, event: Event) -> None:
        for command in self._gateway.receive(event, self._now):
            self._perform(command)

    def _tell(self, line: str) -> None:
        passed = self._now - START
        self._lines.append(f"after {passed:g} s: {line}" if passed else line)

    # -- performing -----------------------------------------------------------------------------------------------

    def _perform(self, command: Command) -> None:
        match command:
            case SendBody(data=data):
                passed = self._now - START
                self._sizes.append(f"{len(data)}@{passed:g}" if passed else f"{len(data)}")
                self.body += data
            case CallUpstream():
                self._call(command)
            case Observe(fact=fact):
                self._facts.append(fact)
            case Save(record=record):
                self.saved.append(record)
            case commands.ReadBody():
                self._tell("read the request's body")
                if self._asked.body:
                    self._steps.append((0.0, RequestBody(1, self._asked.body)))
                self._steps.append((0.0, RequestEnded(1)))
            case commands.StartResponse(status=status, headers=headers):
                self._tell(f"answer {status}")
                self._lines += _headers(headers)
            case commands.EndResponse():
                self._tell("end of the response")
                self._over = True
            case commands.AbortResponse(reason=reason):
                self._tell(f"abort of the response: {reason}")
                self._over = True
            case commands.CancelUpstream() | commands.DetachUpstream():
                self._tell(f"{type(command).__name__} of call {command.attempt}")
                self._live = 0
            case _:
                self._ask_beside(command)

    def _ask_beside(self, command: Command) -> None:
        """Answer what the gateway asks of its front end."""
        self._tell(_named(command))
        match command:
            case Compute():
                self._steps.append((0.0, answer(command)))
            case commands.Load(question=question, object_id=object_id):
                self._steps.append((0.0, Loaded(1, question, self._kept.get(object_id))))
            case commands.FetchUrl(question=question):
                self._steps.append((0.0, UrlFetched(1, question, "image/png", _PICTURE)))
            case commands.DescribeModel(account=account, model=model):
                self._steps.append((0.0, ModelDescribed(account, model, 0, b"")))
            case commands.CollectMetrics():
                self._steps.append((0.0, MetricsCollected(1, "text/plain", b"no metrics\n")))

    def _call(self, call: CallUpstream) -> None:
        self.calls.append(call)
        self._live = call.attempt
        fresh = ", on a fresh connection" if call.fresh else ""
        self._tell(f"call {call.attempt} of {call.account}: {call.method} {call.target}{fresh}")
        self._lines.append(f"  {call.origin}, route {call.route}, {call.limits}")
        self._lines += _headers(call.headers)
        if call.body == self._asked.body:
            self._lines.append(f"  the body as the client sent it, {len(call.body)} bytes")
        elif call.body:
            self._lines += [f"  a body of {len(call.body)} bytes:", text_of(call.body)]
        self._steps += self._reply(call, self._answering(call))

    @staticmethod
    def _reply(call: CallUpstream, reply: Answer | None) -> Iterator[Step]:
        attempt = call.attempt
        if reply is None:
            yield 0.0, ClientGone(1)
            return
        yield 0.0, UpstreamStarted(1, attempt, reply.status, list(reply.headers))
        for number, piece in enumerate(reply.pieces):
            wait = reply.pauses[number] if number < len(reply.pauses) else 0.0
            yield wait, UpstreamBody(1, attempt, piece)
        if reply.client_leaves:
            yield 0.0, ClientGone(1)
        elif reply.breaks:
            yield 0.0, UpstreamFailed(1, attempt, Fault.RESET, "connection reset")
        else:
            yield 0.0, UpstreamEnded(1, attempt)


def text_of(data: bytes) -> str:
    """Bytes as text, one to one."""
    return data.decode("utf-8", "backslashreplace")


def _by_kind(records: Sequence[R]) -> list[R]:
    """The records, those of a kind together, in their order."""
    return sorted(records, key=lambda one: type(one).__name__)


def fields_of(how: str, record: Fact | Saved) -> Iterator[str]:
    """A line for each field of a fact or a record."""
    kind = type(record).__name__
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if isinstance(value, bytes):
            yield f"{how} {kind}.{field.name}: {text_of(value)}"
        elif isinstance(value, tuple) and value:
            yield from (f"{how} {kind}.{field.name}[{index}]: {one!r}" for index, one in enumerate(value))
        else:
            yield f"{how} {kind}.{field.name}: {value!r}"


def _headers(headers: Iterable[Header]) -> list[str]:
    return [f"  {text_of(name)}: {text_of(value)}" for name, value in headers]


def _named(command: Any) -> str:
    """A question to the front end, in one line."""
    fields = {
        field.name: getattr(command, field.name) for field in attrs.fields(type(command)) if field.name != "exchange"
    }
    if isinstance(command, Compute):
        fields["job"] = type(command.job).__name__
    return f"{type(command).__name__} {fields}"
