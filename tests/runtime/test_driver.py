"""The driver performs everything, in order, whatever its ports do."""

import asyncio
import random
from collections.abc import Callable

import pytest

from gephyr.runtime.driver import Driver
from gephyr.runtime.errands import Errands
from gephyr.runtime.ports import Feed
from gephyr_core.commands import CallUpstream
from gephyr_core.config import AccountConfig, AuthConfig, Config
from gephyr_core.errors import Fault
from gephyr_core.events import (
    DrainRequested,
    RequestBody,
    RequestEnded,
    RequestStarted,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)
from gephyr_core.gateway import Gateway
from gephyr_core.http import Headers
from gephyr_core.records import Fact, InternalError, Pin, RequestRecord, StoredObject
from tests.server.world import NoQuestions

REPLY = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}]}'


SESSION = [(b"x-session-id", b"s")]
"""It is bound to its account, and that is saved."""


class Client:
    """A client port that notes what it is asked, and raises where it is told to."""

    def __init__(self, world: "World", fails: str = "") -> None:
        self.world = world
        self.fails = fails
        self.asked: list[str] = []
        self.sent = b""
        self.number = world.driver.open(self)

    def note(self, what: str) -> None:
        self.asked.append(what)
        if what == self.fails:
            raise RuntimeError(f"{what} broke")

    def read_body(self) -> None:
        self.note("read_body")
        self.world.driver.feed(self.world.body(self.number))
        self.world.driver.feed(RequestEnded(self.number))

    def start_response(self, status: int, headers: Headers) -> None:
        del headers
        self.note(f"start {status}")

    def send_body(self, data: bytes) -> None:
        self.sent += data
        self.note("send")

    def end_response(self) -> None:
        self.note("end")

    def abort_response(self, reason: str) -> None:
        del reason
        self.note("abort")

    def request(self, target: str = "/v1/chat/completions", method: str = "POST") -> "Client":
        self.world.driver.feed(RequestStarted(self.number, method, target, SESSION, (), "127.0.0.1"))
        return self


class Call:
    """A call to a provider, and what was asked of it."""

    def __init__(self, command: CallUpstream, feed: Feed) -> None:
        self.command, self.feed = command, feed
        self.asked: list[str] = []

    def cancel(self) -> None:
        self.asked.append("cancel")

    def detach(self) -> None:
        self.asked.append("detach")

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def begin(self) -> None:
        at = self.command.exchange, self.command.attempt
        self.feed(UpstreamStarted(*at, 200, [(b"content-type", b"text/event-stream")]))
        self.feed(UpstreamBody(*at, b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'))

    def answer(self) -> None:
        at = self.command.exchange, self.command.attempt
        self.feed(UpstreamStarted(*at, 200, [(b"content-type", b"application/json")]))
        self.feed(UpstreamBody(*at, REPLY))
        self.feed(UpstreamEnded(*at))


class World:
    """A driver over the real core; upstream, observer and store in one."""

    def __init__(self) -> None:
        accounts = (
            AccountConfig(id="a", provider="openai", api_key="account:a", base_url="https://a.test"),
            AccountConfig(id="b", provider="openai", api_key="account:b", base_url="https://b.test"),
        )
        self.gateway = Gateway(Config(accounts=accounts, auth=AuthConfig(mode="off")), random.Random(1))
        self.calls: list[Call] = []
        self.records: list[RequestRecord] = []
        self.fails: dict[str, None] = {}
        self.now = 1000.0
        self.stopped = 0
        self.faults: list[InternalError] = []
        self.last_words: list[str] = []
        """What the loop's exception handler was told."""
        self.stream = False
        asyncio.get_running_loop().set_exception_handler(lambda _, told: self.last_words.append(told["message"]))
        self.driver = Driver(
            self.gateway,
            upstream=self,
            observer=self,
            store=self,
            questions=NoQuestions(),
            errands=Errands(),
            clock=lambda: self.now,
            on_stop=self.stop,
        )

    def body(self, exchange: int) -> RequestBody:
        return RequestBody(exchange, b'{"model":"m","stream":true}' if self.stream else b'{"model":"m"}')

    def _maybe(self, what: str) -> None:
        if what in self.fails:
            raise RuntimeError(f"{what} broke")

    def stop(self) -> None:
        self.stopped += 1

    def call(self, command: CallUpstream, feed: Feed) -> Call:
        self._maybe("call")
        self.calls.append(Call(command, feed))
        return self.calls[-1]

    async def aclose(self) -> None:
        """Nothing is open."""

    def observe(self, fact: Fact) -> None:
        if isinstance(fact, RequestRecord):
            self.records.append(fact)
        if isinstance(fact, InternalError):
            self.faults.append(fact)
        self._maybe("observe")

    def metrics_for_clients(self) -> tuple[str, bytes]:
        self._maybe("metrics")
        return "text/plain", b"up 1\n"

    def save(self, record: Pin | StoredObject) -> None:
        del record
        self._maybe("save")

    def finish(self) -> None:
        """Nothing is held, and the next request is served as if nothing had been."""
        assert self.gateway.open_exchanges == self.gateway.open_leases == self.driver.open_exchanges == 0
        self.fails.clear()
        client = Client(self).request()
        self.calls[-1].answer()
        assert client.asked == ["read_body", "start 200", "send", "end"]
        assert not self.driver._queue
        self.driver.close()


def play(scene: Callable[[World], None]) -> None:
    """Play a scene on a loop."""

    async def run() -> None:
        scene(World())

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fails", ["start 200", "send"])
def test_a_client_port_that_raises_costs_its_own_exchange_only(fails: str, stream: bool) -> None:
    """It is cut off, its call is cancelled, its lease given back, and the log says where."""

    def scene(world: World) -> None:
        world.stream = stream
        client = Client(world, fails).request()
        call = world.calls[-1]
        call.begin() if stream else call.answer()
        assert client.asked[-2:] == [fails, "abort"]
        assert [(one.error, one.during) for one in world.faults] == [
            ("RuntimeError", "StartResponse" if fails == "start 200" else "SendBody")
        ]
        assert [one.outcome for one in world.records] == ["failed" if stream else "ok"]
        assert call.asked == (["cancel"] if stream else [])
        world.stream = False
        world.finish()

    play(scene)


def test_a_body_that_cannot_be_read_is_a_500() -> None:
    """The way back to the client is whole."""

    def scene(world: World) -> None:
        client = Client(world, "read_body").request()
        assert client.asked == ["read_body", "start 500", "send", "end"]
        assert b"the gateway failed on this request" in client.sent
        (fault,), (record,) = world.faults, world.records
        assert (fault.error, fault.during, fault.request_id) == ("RuntimeError", "ReadBody", record.request_id)
        assert fault.file == "gephyr/runtime/driver.py"
        assert "broke" not in repr(fault)
        assert (record.outcome, record.fault) == ("failed", fault.place)
        world.finish()

    play(scene)


def test_an_end_that_raises_cuts_the_connection() -> None:
    def scene(world: World) -> None:
        client = Client(world, "end").request()
        world.calls[-1].answer()
        assert client.asked[-2:] == ["end", "abort"]
        assert world.records[0].outcome == "ok"
        world.finish()

    play(scene)


@pytest.mark.parametrize("fails", ["observe", "save"])
def test_an_observer_or_store_that_raises_costs_nothing_but_the_fact(fails: str) -> None:
    def scene(world: World) -> None:
        world.fails[fails] = None
        client = Client(world).request()
        world.calls[-1].answer()
        assert client.asked[-1] == "end"
        assert world.faults
        assert bool(world.last_words) is (fails == "observe")
        assert not any("broke" in words for words in world.last_words)
        world.finish()

    play(scene)


def test_a_call_that_cannot_begin_is_a_failed_call() -> None:
    """The other account is asked, and then the client is told."""

    def scene(world: World) -> None:
        world.fails["call"] = None
        client = Client(world).request()
        assert client.asked == ["read_body", "start 500", "send", "end"]
        assert [attempt.outcome for attempt in world.records[0].attempts] == ["gateway", "gateway"]
        assert [fault.during for fault in world.faults] == ["CallUpstream"] * 2
        world.finish()

    play(scene)


def test_metrics_that_raise_are_a_500_for_the_one_who_asked() -> None:
    def scene(world: World) -> None:
        client = Client(world).request("/metrics", "GET")
        assert (client.asked, client.sent) == (["start 200", "send", "end"], b"up 1\n")
        world.fails["metrics"] = None
        client = Client(world).request("/metrics", "GET")
        assert client.asked == ["start 500", "send", "end"]
        assert [fault.during for fault in world.faults] == ["CollectMetrics"]
        world.finish()

    play(scene)


def test_an_event_that_breaks_the_contract_costs_its_own_exchange_only() -> None:
    def scene(world: World) -> None:
        client = Client(world).request()
        world.driver.feed(RequestEnded(client.number))  # it has ended already
        assert client.asked == ["read_body", "start 500", "send", "end"]
        assert world.calls[-1].asked == ["cancel"]
        assert [(fault.error, fault.during) for fault in world.faults] == [("LocalProtocolError", "RequestEnded")]
        world.finish()

    play(scene)


def test_a_request_that_the_core_will_not_hear_of_is_cut_off() -> None:
    """No exchange exists that could answer it."""

    def scene(world: World) -> None:
        first = Client(world).request()
        second = Client(world).request()
        world.calls[-1].answer()
        world.driver.feed(RequestStarted(first.number, "GET", "/v1/models", [], (), ""))
        assert first.asked[-1] == "abort"
        assert second.asked[-1] == "end"
        assert [fault.during for fault in world.faults] == ["RequestStarted"]
        world.finish()

    play(scene)


def test_a_client_that_leaves_in_the_middle_of_its_commands_gets_no_more() -> None:
    class Leaving(Client):
        def start_response(self, status: int, headers: Headers) -> None:
            super().start_response(status, headers)
            self.world.driver.client_gone(self.number)

    def scene(world: World) -> None:
        client = Leaving(world).request()
        world.calls[-1].answer()
        assert client.asked == ["read_body", "start 200"]
        assert not world.faults
        world.finish()

    play(scene)


def test_a_client_that_leaves_before_its_body_is_read() -> None:
    """Its head waits in the queue: nothing is asked of it."""

    def scene(world: World) -> None:
        class Reading(Client):
            def read_body(self) -> None:
                other.request()
                self.world.driver.client_gone(other.number)
                super().read_body()

        first, other = Reading(world), Client(world)
        first.request()
        world.calls[-1].answer()
        assert (first.asked[-1], other.asked) == ("end", [])
        world.finish()

    play(scene)


def test_a_call_that_begins_while_the_client_is_blocked_is_paused() -> None:
    """Fail-over goes on behind a keep-alive that the client has not read: the next provider must not flood it."""

    def scene(world: World) -> None:
        world.stream = True
        client = Client(world).request()
        first = world.calls[-1]
        world.driver.client_blocked(client.number)
        assert first.asked == ["pause"]
        world.driver.feed(UpstreamFailed(client.number, 1, Fault.RESET, "reset"))
        second = world.calls[-1]
        assert (second.command.attempt, second.asked) == (2, ["pause"])
        world.driver.client_ready(client.number)
        assert second.asked == ["pause", "resume"]
        world.driver.client_gone(client.number)
        assert second.asked[-1] == "cancel"
        assert not world.driver._blocked
        world.stream = False
        world.finish()

    play(scene)


def test_stopping_is_told_once() -> None:
    def scene(world: World) -> None:
        world.driver.feed(DrainRequested())
        world.driver.feed(DrainRequested())
        assert world.stopped == 1
        world.driver.close()

    play(scene)
