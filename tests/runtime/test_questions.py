"""Every question of the core is answered exactly once, unless it was given up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import structlog

from gephyr.harness.in_process import InProcessUrls
from gephyr.runtime.describing import MOST_BYTES, ModelDescriber
from gephyr.runtime.fetching import Fetched, FetchesNothing, SocketFetcher, UrlFetcher
from gephyr.runtime.ports import Feed
from gephyr.runtime.questions import MOST_FETCHES, Questions
from gephyr.runtime.store import MemoryStore
from gephyr.runtime.vetting import FetchError
from gephyr_core.commands import CallUpstream, DescribeModel, FetchUrl, Load
from gephyr_core.errors import Fault
from gephyr_core.events import (
    Event,
    FrontEndFailed,
    Loaded,
    ModelDescribed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
    UrlFetched,
    UrlFetchFailed,
)
from gephyr_core.http import Origin
from gephyr_core.records import StoredObject
from tests.runtime.upstream_world import Visitor, client, provider
from tests.waiting import MOVABLE, pass_time, until

pytestmark = pytest.mark.anyio

OBJECT = StoredObject("owner", "resp_1", "response", b"{}", 1.0, 4e9)
SECRET = "sk-planted-secret"


class Call:
    """A call to a provider that the test answers."""

    def __init__(self, command: CallUpstream, feed: Feed) -> None:
        self.command, self.feed = command, feed
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1

    def detach(self) -> None:
        raise NotImplementedError

    def pause(self) -> None:
        raise NotImplementedError

    def resume(self) -> None:
        raise NotImplementedError

    def answer(self, status: int, *pieces: bytes) -> None:
        at = self.command.exchange, self.command.attempt
        self.feed(UpstreamStarted(*at, status, []))
        for piece in pieces:
            self.feed(UpstreamBody(*at, piece))
        self.feed(UpstreamEnded(*at))

    def fail(self) -> None:
        self.feed(UpstreamFailed(self.command.exchange, self.command.attempt, Fault.CONNECT, "refused"))


class Upstream:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.broken = False

    def call(self, command: CallUpstream, feed: Feed) -> Call:
        if self.broken:
            raise RuntimeError("broken")
        self.calls.append(Call(command, feed))
        return self.calls[-1]

    async def aclose(self) -> None:
        """Nothing is open."""


class Fetching(FetchesNothing):
    """Does what the test says, and counts who is in it."""

    def __init__(self, act: Callable[[str], Awaitable[Fetched]]) -> None:
        self.act = act
        self.running = self.most = 0
        self.closed = False

    async def fetch(self, url: str, max_bytes: int) -> Fetched:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.act(url)
        finally:
            self.running -= 1

    async def aclose(self) -> None:
        self.closed = True


class World:
    def __init__(self, fetcher: UrlFetcher) -> None:
        self.events: list[Event] = []
        self.store = MemoryStore(clock=lambda: 2.0)
        self.upstream = Upstream()
        self.questions = Questions(fetcher, self.store, self.upstream)

    def fetch(self, url: str, exchange: int = 1, question: int = 0, *, timeout: float = 10.0) -> None:
        self.questions.fetch(FetchUrl(exchange, question, url, 100, timeout), self.events.append)

    def load(self, object_id: str, exchange: int = 1, question: int = 0) -> None:
        self.questions.load(Load(exchange, question, "owner", object_id), self.events.append)

    def describe(self, account: str = "a", model: str = "m") -> None:
        origin = Origin("http", "h.test", 80)
        command = DescribeModel(account, model, origin, f"/models/{model}", [(b"accept", b"x")], "direct")
        self.questions.describe(command, self.events.append)

    async def answers(self, count: int) -> list[Event]:
        await until(lambda: len(self.events) >= count)
        assert self.questions.open_questions == 0
        return self.events


@asynccontextmanager
async def asking(fetcher: UrlFetcher | None = None) -> AsyncIterator[World]:
    """Ask questions; at the end nothing is left over."""
    before = asyncio.all_tasks()
    world = World(fetcher or FetchesNothing())
    yield world
    await world.questions.aclose()
    assert world.questions.open_questions == 0
    assert asyncio.all_tasks() == before


async def never(_url: str) -> Fetched:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


# -- fetching --------------------------------------------------------------------------------------------------


async def test_a_fetch_is_answered_by_what_stands_there_or_by_a_reason() -> None:
    urls = InProcessUrls({"http://h/a": b"GIF89a", "http://h/large": bytes(101)})
    async with asking(urls) as world:
        for question, name in enumerate(("a", "b", "large")):
            world.fetch(f"http://h/{name}", question=question)
        assert await world.answers(3) == [
            UrlFetched(1, 0, "image/gif", b"GIF89a"),
            UrlFetchFailed(1, 1, "the server answered with status 404"),
            UrlFetchFailed(1, 2, "what the URL leads to is larger than 100 bytes"),
        ]


async def test_without_a_fetcher_nothing_is_fetched() -> None:
    async with asking() as world:
        world.fetch("http://h/a")
        assert await world.answers(1) == [UrlFetchFailed(1, 0, "nothing is fetched here")]


async def test_a_fetch_ends_at_its_time_limit() -> None:
    async with asking(Fetching(never)) as world:
        world.fetch("http://h/a", timeout=0.01)
        assert await world.answers(1) == [UrlFetchFailed(1, 0, "the URL could not be fetched within 0.01 s")]


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_a_server_that_drips_is_left_at_the_time_limit() -> None:
    """However lively it is: the limit is on the whole."""

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not visitor.writer.is_closing():
            await visitor.send(b"x")
            dripped.append(b"x")
            await asyncio.sleep(0)

    dripped: list[bytes] = []
    fetcher = SocketFetcher(allow=("127.0.0.1",))
    async with provider(script) as server, asking(fetcher) as world:
        world.questions.fetch(FetchUrl(1, 0, f"http://127.0.0.1:{server.port}/", 10**6, 20.0), world.events.append)
        await until(lambda: len(dripped) > 10)
        assert world.events == []
        pass_time(21)
        await world.answers(1)
        await until(server.visitors[0].gone.is_set)
    assert isinstance(world.events[0], UrlFetchFailed)
    assert world.events[0].reason.endswith("within 20 s")


async def test_only_so_many_urls_are_fetched_at_one_time_and_the_others_wait_within_their_limits() -> None:
    gate = asyncio.Event()

    async def act(url: str) -> Fetched:
        await gate.wait()
        return Fetched("", url.encode())

    async with asking(fetcher := Fetching(act)) as world:
        for exchange in range(1, MOST_FETCHES + 11):
            world.fetch(f"http://h/{exchange}", exchange)
        world.fetch("http://h/late", MOST_FETCHES + 11, timeout=0.01)
        await until(lambda: world.events)
        assert world.events == [UrlFetchFailed(MOST_FETCHES + 11, 0, "the URL could not be fetched within 0.01 s")]
        assert fetcher.running == MOST_FETCHES
        gate.set()
        assert len(await world.answers(MOST_FETCHES + 11)) == MOST_FETCHES + 11
        assert fetcher.most == MOST_FETCHES


async def test_a_fault_of_ours_is_an_answer_too_and_tells_nothing_of_what_was_asked() -> None:
    async def act(url: str) -> Fetched:
        raise RuntimeError(f"no way to {url}")

    async with asking(Fetching(act)) as world:
        world.fetch(f"http://h/?key={SECRET}")
        (event,) = await world.answers(1)
    assert isinstance(event, FrontEndFailed)
    assert (event.exchange, event.fault.error, event.fault.during) == (1, "RuntimeError", "UrlFetchFailed")
    assert event.fault.file == "gephyr/runtime/questions.py"
    assert SECRET not in str(world.events)


async def test_a_question_that_was_given_up_is_not_answered() -> None:
    """Not even one whose answer was on its way; other exchanges' questions are."""
    answers: dict[str, asyncio.Future[Fetched]] = {}

    async def act(url: str) -> Fetched:
        answers[url] = asyncio.get_running_loop().create_future()
        return await answers[url]

    async with asking(fetcher := Fetching(act)) as world:
        for exchange in (1, 2):
            world.fetch(f"http://h/{exchange}", exchange)
        world.fetch("http://h/unstarted", 3)
        world.questions.cancel(3)
        await until(lambda: len(answers) == 2)
        for answer in answers.values():
            answer.set_result(Fetched("", b"x"))
        world.questions.cancel(1)
        world.questions.cancel(1)
        assert await world.answers(1) == [UrlFetched(2, 0, "", b"x")]
        await until(lambda: not fetcher.running)
    assert len(world.events) == 1


async def test_a_fetcher_that_does_not_hear_of_the_end_is_not_heard_either() -> None:
    release = asyncio.Event()

    async def act(url: str) -> Fetched:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await release.wait()
        raise FetchError("too late")

    async with asking(fetcher := Fetching(act)) as world:
        world.fetch("http://h/")
        await until(lambda: fetcher.running)
        world.questions.cancel(1)
        release.set()
        await until(lambda: not fetcher.running)
    assert world.events == []


async def test_what_is_open_at_the_end_is_answered_by_failure_and_let_go_of() -> None:
    async with asking(fetcher := Fetching(never)) as world:
        world.fetch("http://h/1", 1)
        world.fetch("http://h/2", 1, 1)
        world.describe()
        await until(lambda: fetcher.running == 2)
        await world.questions.aclose()
        failed = "the gateway could not fetch the URL"
        answers = [ModelDescribed("a", "m", 0, b""), UrlFetchFailed(1, 0, failed), UrlFetchFailed(1, 1, failed)]
        assert world.events == answers
        assert world.upstream.calls[0].cancelled
        assert (fetcher.running, fetcher.closed) == (0, True)
        world.fetch("http://h/3", 2)
        world.load("resp_1", 2, 1)
        assert world.events[3:] == [UrlFetchFailed(2, 0, failed), Loaded(2, 1, None, failed=True)]


# -- loading ---------------------------------------------------------------------------------------------------


async def test_a_stored_object_is_loaded_or_there_is_none() -> None:
    async with asking() as world:
        world.store.save(OBJECT)
        world.load("resp_1")
        world.load("resp_2", question=1)
        assert await world.answers(2) == [Loaded(1, 0, OBJECT), Loaded(1, 1, None)]


async def test_a_store_that_fails_does_not_say_that_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def load(owner: str, object_id: str) -> None:
        raise OSError("the disk is gone")

    with structlog.testing.capture_logs() as logs:
        async with asking() as world:
            monkeypatch.setattr(world.store, "load", load)
            world.load("resp_1")
            assert await world.answers(1) == [Loaded(1, 0, None, failed=True)]
    assert [(entry["question"], entry["error"]) for entry in logs] == [("Loaded", "OSError")]


# -- describing ------------------------------------------------------------------------------------------------


async def test_a_model_is_described_by_one_call_for_all_who_ask_meanwhile() -> None:
    async with asking() as world:
        for account in ("a", "a", "b"):
            world.describe(account)
        first, second = world.upstream.calls
        command = first.command
        assert (command.account, command.method, command.target, command.body) == ("a", "GET", "/models/m", b"")
        assert (str(command.origin), command.headers, command.route) == ("http://h.test", [(b"accept", b"x")], "direct")
        assert command.exchange != second.command.exchange
        assert max(command.exchange, second.command.exchange) < 0, "no exchange's number"
        first.answer(200, b'{"a":', b"1}")
        second.answer(404, SECRET.encode())
        assert await world.answers(2) == [
            ModelDescribed("a", "m", 200, b'{"a":1}'),
            ModelDescribed("b", "m", 404, b""),
        ]
        world.describe()
        assert len(world.upstream.calls) == 3


async def test_a_provider_that_fails_or_says_too_much_describes_nothing() -> None:
    async with asking() as world:
        world.describe()
        world.upstream.calls[0].fail()
        world.describe()
        world.upstream.calls[1].answer(200, bytes(MOST_BYTES), b"x")
        assert world.upstream.calls[1].cancelled
        assert await world.answers(2) == [ModelDescribed("a", "m", 0, b"")] * 2


async def test_a_description_ends_at_its_time_limit() -> None:
    events: list[Event] = []
    describer = ModelDescriber(upstream := Upstream(), timeout=0.01)
    describer.describe(DescribeModel("a", "m", Origin("http", "h.test", 80), "/", [], "direct"), events.append)
    await until(lambda: events)
    assert events == [ModelDescribed("a", "m", 0, b"")]
    assert upstream.calls[0].cancelled
    upstream.calls[0].answer(200)
    assert len(events) == 1
    assert describer.open_descriptions == 0


async def test_a_way_upstream_that_raises_is_an_answer_too() -> None:
    async with asking() as world:
        world.upstream.broken = True
        world.describe()
        fault, answer = await world.answers(2)
    assert answer == ModelDescribed("a", "m", 0, b"")
    assert isinstance(fault, FrontEndFailed)
    assert (fault.exchange, fault.fault.during) == (0, "DescribeModel")


async def test_a_description_is_asked_for_with_the_accounts_credential() -> None:
    """Over real sockets, by the machinery that all calls go through."""
    events: list[Event] = []
    heads: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        heads.append((await visitor.request())[0])
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with provider(script) as server, client(server.origin) as caller:
        describer = ModelDescriber(caller.upstream)
        describer.describe(DescribeModel("acc", "m", server.origin, "/v1/models/m", [], "direct"), events.append)
        await until(lambda: events)
        elsewhere = Origin("http", "127.0.0.2", server.port)
        describer.describe(DescribeModel("acc", "n", elsewhere, "/v1/models/n", [], "direct"), events.append)
    assert events == [ModelDescribed("acc", "m", 200, b"{}"), ModelDescribed("acc", "n", 0, b"")]
    assert heads[0].startswith(b"GET /v1/models/m HTTP/1.1\r\n")
    assert b"authorization: Bearer sk-secret\r\n" in heads[0]
    assert len(heads) == 1, "a credential goes to its account's origin only"
