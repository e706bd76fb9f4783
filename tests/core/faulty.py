"""A gateway with clients and providers who do their part whatever it says, for tests in which its own code fails."""

import json
import random
from typing import Any

from laws import LawBook
from play import SSE, account

from gephyr_core.commands import AbortResponse, CallUpstream, Command, Observe, ReadBody, SendBody, StartResponse
from gephyr_core.config import AuthConfig, Config, SchedulingConfig
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
from gephyr_core.gateway import Gateway
from gephyr_core.records import InternalError, RequestRecord
from tests.faulting import SECRET

TARGETS = {
    "openai-chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": SECRET}]}),
    "openai-responses": ("/v1/responses", {"input": SECRET}),
    "anthropic": ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": SECRET}]}),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": SECRET}]}]}),
}
STREAMED = dict(TARGETS, gemini=("/v1beta/models/m:streamGenerateContent?alt=sse", TARGETS["gemini"][1]))
CHUNKS = [
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}\n\n',
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"lo"}}]}\n\n',
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]


class Table:
    """A gateway, and clients and providers who do their part whatever it says. Every law is watched."""

    def __init__(self, rng: random.Random | None = None, **accounts: dict[str, Any]) -> None:
        configured = tuple(
            account(name, "deepseek", models=("m",), **more) for name, more in (accounts or {"a": {}}).items()
        )
        scheduling = SchedulingConfig(acquire_timeout=600.0)
        config = Config(accounts=configured, auth=AuthConfig(mode="off"), scheduling=scheduling)
        self.accounts = configured
        self.gateway = Gateway(config, rng or random.Random(3))
        self.laws = LawBook()
        self.now = 1000.0
        self.exchanges = 0
        self.bodies: dict[int, bytes] = {}
        self.calls: list[CallUpstream] = []
        self.heads: dict[int, StartResponse] = {}
        self.sent: dict[int, bytes] = {}
        self.faults: list[InternalError] = []
        self.records: list[RequestRecord] = []
        self.aborted: list[int] = []

    def feed(self, event: Event) -> list[Command]:
        commands = list(self.gateway.receive(event, self.now))
        self.laws.watch(event, commands)
        for command in commands:
            match command:
                case CallUpstream():
                    self.calls.append(command)
                case StartResponse(exchange=number):
                    self.heads[number], self.sent[number] = command, b""
                case SendBody(exchange=number, data=data):
                    self.sent[number] += data
                case AbortResponse(exchange=number):
                    self.aborted.append(number)
                case Observe(fact=InternalError() as fact):
                    self.faults.append(fact)
                case Observe(fact=RequestRecord() as fact):
                    self.records.append(fact)
        for command in commands:
            if isinstance(command, ReadBody):
                self.feed(RequestBody(command.exchange, self.bodies[command.exchange]))
                if command.exchange not in self.laws.ended:
                    self.feed(RequestEnded(command.exchange))
        return commands

    def ask(self, dialect: str = "openai-chat", *, stream: bool = False) -> int:
        target, body = (STREAMED if stream else TARGETS)[dialect]
        if dialect != "gemini":
            body = {"model": "m", "stream": stream, **body}
        self.exchanges += 1
        self.bodies[self.exchanges] = json.dumps(body).encode()
        self.feed(RequestStarted(self.exchanges, "POST", target, [], (), "127.0.0.1"))
        return self.exchanges

    def head(self, call: CallUpstream) -> None:
        self.feed_live(call, UpstreamStarted(call.exchange, call.attempt, 200, SSE))

    def feed_live(self, call: CallUpstream, event: Event) -> None:
        """A provider whose call was given up says nothing more."""
        if self.laws.live.get(call.exchange) == call.attempt:
            self.feed(event)

    def begin(self, call: CallUpstream) -> None:
        """A provider answers, and stops in the middle."""
        self.head(call)
        self.feed_live(call, UpstreamBody(call.exchange, call.attempt, CHUNKS[0]))

    def take_calls(self) -> list[CallUpstream]:
        calls, self.calls = self.calls, []
        return calls

    def answer_all(self) -> None:
        """Every provider streams its reply, turn about."""
        while self.calls:
            calls = self.take_calls()
            for call in calls:
                self.head(call)
            for chunk in CHUNKS:
                for call in calls:
                    self.feed_live(call, UpstreamBody(call.exchange, call.attempt, chunk))
            for call in calls:
                self.feed_live(call, UpstreamEnded(call.exchange, call.attempt))

    def finish(self, *, serves: bool = True) -> None:
        """Everything was answered, everything was given back, and the next request is served."""
        self.answer_all()
        for _ in range(100):
            if self.gateway.open_exchanges == 0:
                break
            self.now = max(self.now, self.gateway.deadline)
            self.feed(TimePassed())
            self.answer_all()
        self.laws.close(range(1, self.exchanges + 1))
        assert self.gateway.open_exchanges == self.gateway.open_leases == self.gateway.buffered_bytes == 0
        assert self.gateway.deadline > self.now
        if serves:
            number = self.ask()
            self.answer_all()
            assert self.records[-1].outcome == "ok"
            assert self.heads[number].status == 200
