"""Whatever happens, in whatever order, the laws hold."""

import math
import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from laws import LawBook
from play import JSON, OPEN, SSE, account

from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelUpstream,
    Command,
    Compute,
    DetachUpstream,
    EndResponse,
    Observe,
    ReadBody,
)
from gephyr_core.computing import answer
from gephyr_core.config import Config, SchedulingConfig, ServerConfig, UpstreamConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    DrainRequested,
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)
from gephyr_core.exchange.whole import Judging, WritingCollected
from gephyr_core.faults import raise_again
from gephyr_core.gateway import Gateway
from gephyr_core.records import RequestRecord

TARGETS: dict[str, tuple[bytes, ...]] = {
    "/v1/chat/completions": (
        b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n',
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
        b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n',
        b"data: [DONE]\n\n",
    ),
    "/v1/messages": (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{}}\n\n',
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"o"}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
}
TARGETS["/v1/responses"] = tuple(
    f'event: {name}\ndata: {{"type":"{name}","sequence_number":{number},{more}}}\n\n'.encode()
    for number, (name, more) in enumerate(
        (
            ("response.created", '"response":{"id":"r","object":"response"}'),
            ("response.output_text.delta", '"delta":"x"'),
            ("error", '"code":"server_error","message":"oops"'),
            ("response.completed", '"response":{"id":"r","object":"response"}'),
        )
    )
)
STATUSES = (200, 200, 200, 400, 401, 404, 429, 500, 503, 529, 307)


class Life(RuleBasedStateMachine):
    """Clients and providers that do anything their side of the contract allows."""

    @initialize(seed=st.integers(0, 10), busy=st.booleans(), heavy=st.sampled_from([0.0, math.inf]))
    def open(self, seed: int, busy: bool, heavy: float) -> None:
        limit = 1 if busy else None
        config = Config(
            accounts=(
                account("a", max_concurrency=limit),
                account("b", max_concurrency=limit, models=("*",)),
                account("c", "anthropic"),
                account("d", "anthropic", models=("*",)),
            ),
            auth=OPEN,
            server=ServerConfig(max_buffered_bytes=200),
            upstream=UpstreamConfig(first_byte_timeout=15, idle_timeout=12, total_timeout=40, max_reply_size=500),
            scheduling=SchedulingConfig(acquire_timeout=3),
        )
        self.gateway = Gateway(config, random.Random(seed), heavy=heavy, on_fault=raise_again)
        self.jobs: dict[int, Compute] = {}
        self.laws = LawBook()
        self.now = 0.0
        self.newest = 0
        self.reading: dict[int, str] = {}
        self.answering: dict[int, tuple[int, str, bool]] = {}
        """Exchange to attempt, target, and whether its head came."""
        self.targets: dict[int, str] = {}
        self.open_clients: dict[int, None] = {}
        self.records = 0

    def feed(self, event: Event) -> None:
        commands: list[Command] = list(self.gateway.receive(event, self.now))
        self.laws.watch(event, commands)
        for command in commands:
            match command:
                case ReadBody(exchange=exchange):
                    self.reading[exchange] = self.targets[exchange]
                case Compute(exchange=exchange):
                    self.jobs[exchange] = command
                case CallUpstream(exchange=exchange, attempt=attempt, target=target):
                    self.answering[exchange] = (attempt, target, False)
                case CancelUpstream(exchange=exchange) | DetachUpstream(exchange=exchange):
                    self.answering.pop(exchange, None)
                case Observe(fact=RequestRecord()):
                    self.records += 1
                case EndResponse(exchange=exchange) | AbortResponse(exchange=exchange):
                    self.open_clients.pop(exchange, None)
                    self.reading.pop(exchange, None)
                    self.jobs.pop(exchange, None)

    @rule(path=st.sampled_from(list(TARGETS)))
    def request(self, path: str) -> None:
        self.newest += 1
        self.targets[self.newest] = path
        self.open_clients[self.newest] = None
        self.feed(RequestStarted(self.newest, "POST", path, [], (), "127.0.0.1"))

    @precondition(lambda self: self.reading)
    @rule(data=st.data(), stream=st.booleans(), whole=st.booleans())
    def send_body(self, data: st.DataObject, stream: bool, whole: bool) -> None:
        exchange = data.draw(st.sampled_from(list(self.reading)))
        body = b'{"model":"m","stream":true}' if stream else b'{"model":"m"}'
        self.feed(RequestBody(exchange, body))
        if exchange in self.reading and whole:
            del self.reading[exchange]
            self.feed(RequestEnded(exchange))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def do_job(self, data: st.DataObject) -> None:
        self.feed(answer(self.jobs.pop(data.draw(st.sampled_from(list(self.jobs))))))

    @precondition(lambda self: self.answering)
    @rule(data=st.data(), status=st.sampled_from(STATUSES), sse=st.booleans())
    def head(self, data: st.DataObject, status: int, sse: bool) -> None:
        exchange = data.draw(st.sampled_from(list(self.answering)))
        attempt, target, started = self.answering[exchange]
        if not started:
            self.answering[exchange] = (attempt, target, True)
            wait = [(b"retry-after", b"7")] if status in {429, 503} else []
            self.feed(UpstreamStarted(exchange, attempt, status, [*(SSE if sse else JSON), *wait]))

    @precondition(lambda self: self.answering)
    @rule(data=st.data(), choice=st.integers(0, 3), cut=st.integers(1, 40))
    def provider_body(self, data: st.DataObject, choice: int, cut: int) -> None:
        exchange = data.draw(st.sampled_from(list(self.answering)))
        attempt, target, started = self.answering[exchange]
        if started:
            event = TARGETS[target][choice]
            self.feed(UpstreamBody(exchange, attempt, event[: -1 - cut] if cut < 20 else event))

    @precondition(lambda self: self.answering)
    @rule(data=st.data())
    def provider_end(self, data: st.DataObject) -> None:
        exchange = data.draw(st.sampled_from(list(self.answering)))
        attempt, _, started = self.answering[exchange]
        if started:
            del self.answering[exchange]
            self.feed(UpstreamEnded(exchange, attempt))

    @precondition(lambda self: self.answering)
    @rule(data=st.data(), fault=st.sampled_from(list(Fault)), reused=st.booleans(), sent=st.sampled_from(list(Sent)))
    def provider_failure(self, data: st.DataObject, fault: Fault, reused: bool, sent: Sent) -> None:
        exchange = data.draw(st.sampled_from(list(self.answering)))
        attempt, _, started = self.answering.pop(exchange)
        self.feed(UpstreamFailed(exchange, attempt, fault, "broke", reused and not started, sent))

    @precondition(lambda self: self.open_clients)
    @rule(data=st.data(), what=st.sampled_from([ClientGone, ClientBlocked, ClientReady]))
    def client(self, data: st.DataObject, what: type) -> None:
        exchange = data.draw(st.sampled_from(list(self.open_clients)))
        if what is ClientGone:
            del self.open_clients[exchange]
            self.reading.pop(exchange, None)
            self.jobs.pop(exchange, None)
        self.feed(what(exchange))

    @rule(seconds=st.floats(0, 20))
    def time(self, seconds: float) -> None:
        self.now += seconds
        if self.gateway.deadline <= self.now:
            self.feed(TimePassed())

    @rule()
    def stale_news(self) -> None:
        if self.newest:
            self.feed(UpstreamBody(self.newest, 0, b"late"))

    @invariant()
    def leases_match_attempts(self) -> None:
        """A lease is out while a call lasts, and while it is found out what came of it."""
        if hasattr(self, "gateway"):
            judged = [
                exchange for exchange, one in self.jobs.items() if isinstance(one.job, Judging | WritingCollected)
            ]
            ended = [exchange for exchange in judged if exchange not in self.laws.live]
            assert self.gateway.open_leases == len(self.laws.live) + len(ended)

    def teardown(self) -> None:
        """Time alone ends everything, and nothing is held afterwards."""
        if not hasattr(self, "gateway"):
            return
        self.feed(DrainRequested())
        for _ in range(2000):
            if self.gateway.deadline == math.inf:
                break
            self.now = max(self.now, self.gateway.deadline)
            self.feed(TimePassed())
        assert self.gateway.open_exchanges == 0
        assert self.gateway.open_leases == 0
        assert self.gateway.deadline == math.inf
        assert self.gateway.buffered_bytes == 0
        assert not self.gateway.scheduler.queue.places
        assert self.records == self.newest, "one record for each"
        self.laws.close(range(1, self.newest + 1))


Life.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase
