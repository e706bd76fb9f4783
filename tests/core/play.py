"""A dialogue with the core: feed an event, expect exactly these commands."""

import math
import random
from collections.abc import Sequence
from typing import Any

import attrs
from laws import records_come_before_last_bytes

from gephyr_core.commands import CallUpstream, Command, Observe, Save
from gephyr_core.config import AccountConfig, AuthConfig, Config, SchedulingConfig
from gephyr_core.events import (
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamStarted,
)
from gephyr_core.faults import raise_again
from gephyr_core.gateway import Gateway
from gephyr_core.records import (
    AccountEvent,
    AccountState,
    Binding,
    Cooldown,
    OriginEvent,
    RememberedReasoning,
    RequestRecord,
    Saved,
)

KEY = "0" * 64
OPEN = AuthConfig(mode="off")
ROTATING = SchedulingConfig(last_used_lock_seconds=0)
"""Two requests of no session go to two accounts."""
SSE = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json")]


def account(name: str = "a", provider: str = "openai", **more: Any) -> AccountConfig:
    """An account of the configuration."""
    more.setdefault("base_url", f"https://{name}.test")
    return AccountConfig(id=name, provider=provider, api_key=f"account:{name}", **more)


BESIDE = (Binding, AccountState, Cooldown, RememberedReasoning)
"""What is kept without being a part of the dialogue."""


def _is_beside(command: Command) -> bool:
    """Whether a command is no part of the dialogue: facts, and what is kept besides."""
    return isinstance(command, Observe) or (isinstance(command, Save) and isinstance(command.record, BESIDE))


@attrs.frozen
class Refusal:
    """An answer of Gephyr's own."""

    status: int
    body: bytes


class Play:
    """One gateway, and what it was told and asked. As strict as a script: nothing unclaimed may stay behind."""

    def __init__(self, *accounts: AccountConfig, now: float = 1000.0, heavy: float = math.inf, **sections: Any) -> None:
        """*heavy*: bytes from which on there are jobs to be done."""
        sections.setdefault("auth", OPEN)
        sections.setdefault("scheduling", ROTATING)
        self.config = Config(accounts=accounts, **sections)
        self.gateway = Gateway(self.config, random.Random(7), heavy=heavy, on_fault=raise_again)
        self.now = now
        self.exchange = 0
        self.records: list[RequestRecord] = []
        self.events: list[AccountEvent] = []
        self.hosts: list[OriginEvent] = []
        self.saved: list[Saved] = []
        """What is to be kept beside."""
        self.unclaimed: list[Command] = []

    def feed(self, event: Event, at: float | None = None) -> list[Command]:
        """Feed an event at a time (seconds); refuses while commands are unclaimed."""
        assert not self.unclaimed, f"unclaimed: {self.unclaimed}"
        self.now = self.now if at is None else at
        commands = list(self.gateway.receive(event, self.now))
        records_come_before_last_bytes(commands)
        facts = [command.fact for command in commands if isinstance(command, Observe)]
        self.records += [fact for fact in facts if isinstance(fact, RequestRecord)]
        self.events += [fact for fact in facts if isinstance(fact, AccountEvent)]
        self.hosts += [fact for fact in facts if isinstance(fact, OriginEvent)]
        saved = [command.record for command in commands if isinstance(command, Save)]
        self.saved += [record for record in saved if isinstance(record, BESIDE)]
        self.unclaimed = [command for command in commands if not _is_beside(command)]
        return self.unclaimed

    def expect(self, *kinds: type) -> Any:
        """Claim the commands of the last event; they must be of these kinds. Returns them (one alone bare)."""
        claimed, self.unclaimed = self.unclaimed, []
        assert [type(command) for command in claimed] == list(kinds), claimed
        return claimed[0] if len(claimed) == 1 else claimed

    def start(
        self,
        target: str = "/v1/chat/completions",
        *,
        method: str = "POST",
        headers: Sequence[tuple[bytes, bytes]] = (),
        credentials: tuple[str, ...] = (),
        peer: str = "127.0.0.1",
        key_names: tuple[str, ...] = (),
    ) -> list[Command]:
        """Feed a request's head."""
        self.exchange += 1
        head = RequestStarted(self.exchange, method, target, list(headers), credentials, peer, key_names=key_names)
        return self.feed(head)

    def request(
        self, body: bytes = b'{"model":"m","messages":[]}', target: str = "/v1/chat/completions", **more: Any
    ) -> CallUpstream:
        """Feed a whole request and return the call it leads to."""
        from gephyr_core.commands import ReadBody

        self.start(target, **more)
        self.expect(ReadBody)
        if body:
            self.feed(RequestBody(self.exchange, body))
            self.expect()
        self.feed(RequestEnded(self.exchange))
        call = self.expect(CallUpstream)
        assert isinstance(call, CallUpstream)
        return call

    def refused(self, body: bytes, target: str = "/v1/chat/completions", **more: Any) -> "Refusal":
        """Feed a whole request that is answered without a call, and return the answer."""
        start, sent, _ = self.refusal_of(body, target, **more)
        return Refusal(start.status, sent.data)

    def refusal_of(self, body: bytes, target: str, **more: Any) -> Any:
        """As :meth:`refused`, but return the commands."""
        from gephyr_core.commands import EndResponse, ReadBody, SendBody, StartResponse

        self.start(target, **more)
        self.expect(ReadBody)
        self.feed(RequestBody(self.exchange, body))
        self.expect()
        self.feed(RequestEnded(self.exchange))
        return self.expect(StartResponse, SendBody, EndResponse)

    def stream_request(self, target: str = "/v1/chat/completions", **more: Any) -> CallUpstream:
        """Feed a request for a stream."""
        return self.request(b'{"model":"m","stream":true,"messages":[]}', target, **more)

    def head(
        self, call: CallUpstream, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = JSON
    ) -> list[Command]:
        """Feed the provider's response head."""
        return self.feed(UpstreamStarted(call.exchange, call.attempt, status, list(headers)))

    def body(self, call: CallUpstream, data: bytes) -> list[Command]:
        """Feed bytes of the provider's response."""
        return self.feed(UpstreamBody(call.exchange, call.attempt, data))

    def end(self, call: CallUpstream) -> list[Command]:
        """Feed the end of the provider's response."""
        return self.feed(UpstreamEnded(call.exchange, call.attempt))

    def answer(
        self, call: CallUpstream, body: bytes, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = JSON
    ) -> list[Command]:
        """Feed a provider's whole reply."""
        self.head(call, status, headers)
        self.expect()
        self.body(call, body)
        self.expect()
        return self.end(call)

    def wait(self) -> list[Command]:
        """Let time pass until the gateway's deadline."""
        return self.feed(TimePassed(), at=max(self.now, self.gateway.deadline))

    def finish(self) -> None:
        """Nothing is unclaimed, no exchange is open, no lease is out."""
        assert not self.unclaimed, self.unclaimed
        assert self.gateway.open_exchanges == 0
        assert self.gateway.open_leases == 0
