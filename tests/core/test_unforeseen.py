"""An exception that nobody foresaw ends its own exchange, in the client's dialect, and nobody else notices.

The faults here are real ones, at every place where the core calls a function of its own: a profiling hook raises.
"""

import inspect
import json
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest
from laws import LawBook
from play import SSE, account

from gephyr_core.commands import CallUpstream, Command, Observe, ReadBody, SendBody, StartResponse
from gephyr_core.config import AuthConfig, Config, SchedulingConfig
from gephyr_core.errors import LocalProtocolError
from gephyr_core.events import (
    AdminChanged,
    ClientGone,
    DrainRequested,
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    StateRestored,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamStarted,
)
from gephyr_core.gateway import Gateway
from gephyr_core.records import InternalError, RequestRecord

SECRET = "a client's words"
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


OURS = ("gephyr_core.exchange", "gephyr_core.dialects", "gephyr_core.translation", "gephyr_core.scheduling")
DOORS = ("Exchange.handle", "Exchange._cell", "ExchangeState.enter")
"""Where nothing can fail: they set fields and look in a table, before anything else is done."""
MORE = ("gephyr_core.conversation", "gephyr_core.providers", "gephyr_core.routing", "gephyr_core.outbound")


@contextmanager
def fault_at_call(number: int, modules: tuple[str, ...] = OURS + MORE) -> Iterator[list[str]]:
    """Raise at the call with this number of a function of *modules*, once; what is yielded tells where it was."""
    hit: list[str] = []
    left = number

    def look(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal left
        code = frame.f_code
        if what != "call" or code.co_flags & inspect.CO_GENERATOR or code.co_qualname in DOORS:
            return
        module = frame.f_globals.get("__name__", "")
        if module.startswith(modules) and not module.endswith(".collapse"):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                hit.append(f"{module}.{frame.f_code.co_name}")
                raise ZeroDivisionError(SECRET)

    sys.setprofile(look)
    try:
        yield hit
    finally:
        sys.setprofile(None)


def streams() -> Table:
    """Two streams and a translated one side by side on one account, whose places are few: a fourth waits."""
    table = Table(a={"max_concurrency": 3})
    for dialect in ("openai-chat", "anthropic", "openai-responses", "gemini"):
        table.ask(dialect, stream=True)
    table.answer_all()
    return table


def wholes() -> Table:
    """Whole replies, collected from streams."""
    table = Table(a={"max_concurrency": 3})
    for dialect in ("openai-responses", "openai-chat", "anthropic", "gemini"):
        table.ask(dialect)
    table.answer_all()
    return table


def failing() -> Table:
    """A provider's errors, its silence, and an account that the operator takes away."""
    table = Table(a={}, b={})
    table.feed(StateRestored())
    table.ask("anthropic", stream=True)
    table.ask(stream=True)
    for call in table.take_calls():
        if call.exchange == 1:
            table.feed_live(call, UpstreamStarted(call.exchange, call.attempt, 500, []))
            table.feed_live(call, UpstreamBody(call.exchange, call.attempt, b"{}"))
            table.feed_live(call, UpstreamEnded(call.exchange, call.attempt))
        else:
            table.begin(call)
    table.feed(AdminChanged(table.accounts[:1]))
    table.now += 1000.0
    table.feed(TimePassed())
    return table


def leaving() -> Table:
    """One client leaves its stream; the gateway is drained while others run, and its time is over."""
    table = Table()
    left, _ = table.ask(stream=True), table.ask("anthropic", stream=True)
    for call in table.take_calls():
        table.begin(call)
    if left not in table.laws.ended:
        table.feed(ClientGone(left))
    table.feed(DrainRequested())
    table.now += 1000.0
    table.feed(TimePassed())
    return table


PLAYS: dict[str, Callable[[], Table]] = {one.__name__: one for one in (streams, wholes, failing, leaving)}


STEP = 97
"""Every how manieth call fails in the test. A prime: the calls of one kind stand at regular distances."""


@pytest.mark.parametrize("play", PLAYS)
def test_a_fault_anywhere_ends_its_own_exchange_alone(play: str) -> None:
    """At one call of the core's own functions after another: every law holds, all is given back, and at most one of
    the clients hears of it. The others get what they would have got."""
    well = _served(PLAYS[play]())
    number = 1
    while True:
        table = None
        with fault_at_call(number) as hit, suppress(ZeroDivisionError):  # raised where the table is laid
            table = PLAYS[play]()
        if not hit:
            break
        number += STEP
        if table is None:
            continue
        table.finish(serves=play != "leaving")
        assert len(table.faults) == 1, hit
        failed = [record for record in table.records if record.fault]
        assert [(record.outcome, record.error) for record in failed] == [("failed", "server")] * len(failed)
        assert len(failed) <= 1, hit
        assert _served(table) >= well - len(failed), hit
        assert SECRET not in repr(table.faults)
    assert number > 3 * STEP


def _served(table: Table) -> int:
    return sum(record.outcome == "ok" for record in table.records)


class Unlucky(random.Random):
    """Chance that raises where it is told to: at the draw with this number."""

    def __init__(self, bad_draw: int) -> None:
        super().__init__(3)
        self.left = bad_draw

    def getrandbits(self, count: int) -> int:
        self.left -= 1
        if self.left == 0:
            raise ArithmeticError(SECRET)
        return super().getrandbits(count)


@pytest.mark.parametrize("dialect", TARGETS)
def test_a_request_whose_head_is_too_much_is_answered_in_its_dialect(dialect: str) -> None:
    """There is no exchange for it yet, and still it is a 500 with a record and a place."""
    table = Table(Unlucky(BEFORE_FIRST_REQUEST + 1))
    number = table.ask(dialect)
    assert table.heads[number].status == 500
    error = json.loads(table.sent[number])["error"]
    assert "the gateway failed on this request" in error["message"]
    (fault,), (record,) = table.faults, table.records
    assert (fault.error, fault.during) == ("ArithmeticError", "RequestStarted")
    assert fault.file.startswith("gephyr_core/")
    assert record.fault == f"ArithmeticError at {fault.file}:{fault.line}"
    assert (record.dialect, record.outcome, record.status) == (dialect, "failed", 500)
    assert record.request_id == fault.request_id
    table.finish()


def _draws_before_the_first_request() -> int:
    chance = Unlucky(-1)
    before = chance.left
    Table(chance)
    return before - chance.left


BEFORE_FIRST_REQUEST = _draws_before_the_first_request()


@pytest.mark.parametrize("dialect", TARGETS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_is_told_in_the_clients_dialect(dialect: str, stream: bool) -> None:
    """Before the head as a 500, behind it as the stream's one terminal event, in a form that the dialect's SDK reads
    as an error. Nothing of the exception's own words leaves."""
    table = Table()
    number = table.ask(dialect, stream=stream)
    (call,) = table.take_calls()
    if stream:
        table.begin(call)
    with fault_at_call(1, ("gephyr_core.exchange.receiving",)):
        if stream:
            table.feed(UpstreamBody(call.exchange, call.attempt, CHUNKS[1]))
        else:
            table.head(call)
    end = table.sent[number]
    if stream:
        assert table.heads[number].status == 200
        end = end.strip().splitlines()[-1].removeprefix(b"data: ")
    else:
        assert table.heads[number].status == 500
    told = json.loads(end)
    error = told["response"]["error"] if "response" in told else told.get("error", told)
    assert "the gateway failed on this request" in error["message"]
    assert SECRET.encode() not in table.sent[number]
    (record,) = table.records
    assert [attempt.outcome for attempt in record.attempts] == ["gateway"]
    assert record.fault.startswith("ZeroDivisionError at gephyr_core/exchange/")
    table.finish()


def test_a_fault_blames_no_account() -> None:
    """However often it comes, the account serves the next request."""
    table = Table()
    for _ in range(10):
        table.ask()
        (call,) = table.take_calls()
        with fault_at_call(1, ("gephyr_core.exchange.receiving",)):
            table.head(call)
    table.finish()
    assert len(table.faults) == 10


def test_a_fault_beside_all_exchanges_is_told_and_time_goes_on() -> None:
    """What was to be done for the time's sake is tried again after a second, not at once and for ever."""
    table = Table()
    with fault_at_call(1, ("gephyr_core.operations",)):
        table.feed(StateRestored())
    (fault,) = table.faults
    assert (fault.during, fault.request_id) == ("StateRestored", "")
    table.finish()


def test_misuse_is_still_the_callers() -> None:
    table = Table()
    table.ask()
    with pytest.raises(LocalProtocolError):
        table.gateway.receive(RequestEnded(1), table.now)
    table.finish()
    assert not table.faults
