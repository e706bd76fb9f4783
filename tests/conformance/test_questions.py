"""What the core asks besides providers is answered through every front end, to a core that does nothing else."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from gephyr.asgi.exchange import HostedExchange
from gephyr.asgi.scope import headers_of
from gephyr.harness.in_process import InProcessUrls
from gephyr.runtime.driver import Driver
from gephyr.runtime.errands import Errands
from gephyr.runtime.fetching import Fetched
from gephyr.runtime.questions import Questions
from gephyr.runtime.service import render_error
from gephyr.runtime.store import MemoryStore
from gephyr.server import Listener, ServerLimits
from gephyr_core.commands import (
    AbortResponse,
    CancelQuestions,
    Command,
    DescribeModel,
    EndResponse,
    FetchUrl,
    Load,
    ReadBody,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.events import (
    ClientGone,
    Event,
    Loaded,
    ModelDescribed,
    RequestEnded,
    RequestStarted,
    UrlFetched,
    UrlFetchFailed,
)
from gephyr_core.http import Origin
from gephyr_core.records import StoredObject
from tests.conformance.asgi_host import HostedTalk, http_scope
from tests.conformance.front_ends import SocketTalk
from tests.conformance.talk import Talk
from tests.conformance.upstream import ScriptedUpstream
from tests.server.world import NoObserver
from tests.waiting import WAIT, until

pytestmark = [pytest.mark.anyio, pytest.mark.semantic]

PNG = b"\x89PNG\r\n\x1a\n..."


class AskingCore:
    """Asks what the request's path says, and sends the client what it is answered."""

    deadline = math.inf

    def __init__(self) -> None:
        self.targets: dict[int, str] = {}
        self.answers: list[Event] = []
        self.gone: list[int] = []

    def receive(self, event: Event, now: float) -> Sequence[Command]:
        del now
        match event:
            case RequestStarted(exchange=exchange, target=target):
                self.targets[exchange] = target
                return (ReadBody(exchange),)
            case RequestEnded(exchange=exchange):
                return self._ask(exchange, *self.targets[exchange].strip("/").split("/"))
            case UrlFetched(exchange=exchange, media_type=media_type, data=data):
                self.answers.append(event)
                return reply(exchange, media_type.encode() + b" " + data)
            case UrlFetchFailed(exchange=exchange, reason=reason):
                self.answers.append(event)
                return reply(exchange, reason.encode())
            case Loaded(exchange=exchange, record=record):
                self.answers.append(event)
                return reply(exchange, b"nothing" if record is None else record.data)
            case ModelDescribed():
                self.answers.append(event)
            case ClientGone(exchange=exchange):
                self.gone.append(exchange)
        return ()

    def _ask(self, exchange: int, verb: str, name: str) -> Sequence[Command]:
        fetch = FetchUrl(exchange, 1, f"http://urls.test/{name}", 1000, WAIT)
        match verb:
            case "fetch":
                return (fetch,)
            case "load":
                return (Load(exchange, 1, "owner", name),)
            case "save":
                record = StoredObject("owner", name, "response", b"kept", 1.0, math.inf)
                return (Save(record), Load(exchange, 1, "owner", name))
            case "cancel":
                return (fetch, CancelQuestions(exchange), *reply(exchange, b"given up"))
            case "end":
                return (fetch, *reply(exchange, b"not waited for"))
            case "abort":
                return (fetch, AbortResponse(exchange, "a reason"))
            case _:
                origin = Origin("https", "h.test", 443)
                return (DescribeModel("acc", name, origin, "/m", [], "direct"), *reply(exchange, b"asked"))


def reply(exchange: int, body: bytes) -> Sequence[Command]:
    headers = [(b"content-length", b"%d" % len(body))]
    return (StartResponse(exchange, 200, headers), SendBody(exchange, body), EndResponse(exchange))


class Urls(InProcessUrls):
    """``slow`` stands somewhere where nobody answers."""

    async def fetch(self, url: str, max_bytes: int) -> Fetched:
        if url.endswith("/slow"):
            await asyncio.get_running_loop().create_future()
        return await super().fetch(url, max_bytes)


class World:
    def __init__(self) -> None:
        self.core = AskingCore()
        self.upstream = ScriptedUpstream()
        store = MemoryStore(clock=lambda: 2.0)
        self.questions = Questions(Urls({"http://urls.test/a": PNG}), store, self.upstream)
        self.driver = Driver(
            self.core,
            upstream=self.upstream,
            observer=NoObserver(),
            store=store,
            questions=self.questions,
            errands=Errands(),
            clock=lambda: 0.0,
        )
        self.talk: Callable[[str], Talk]

    async def ask(self, target: str) -> bytes:
        talk = self.talk(target)
        async with asyncio.timeout(WAIT):
            await talk.head()
            return await talk.rest()


@contextlib.asynccontextmanager
async def behind_the_server(world: World) -> AsyncIterator[None]:
    listener = Listener(world.driver, host="127.0.0.1", port=0, limits=ServerLimits(), render=render_error)
    await listener.start()
    talks: list[LateTalk] = []

    def talk(target: str) -> Talk:
        talks.append(LateTalk(listener.port, target))
        return talks[-1]

    world.talk = talk
    try:
        yield
    finally:
        for open_talk in talks:
            open_talk.leave()
        listener.stop_accepting()
        listener.abort()
        await asyncio.wait_for(listener.wait_closed(), WAIT)


class LateTalk(Talk):
    """A request on a connection that is made on the way."""

    def __init__(self, port: int, target: str) -> None:
        self._talk = asyncio.create_task(self._start(port, target))

    async def _start(self, port: int, target: str) -> SocketTalk:
        talk = SocketTalk(*await asyncio.open_connection("127.0.0.1", port))
        talk.start("GET", target, [(b"host", b"gateway")])
        talk.send(b"", last=True)
        return talk

    def send(self, data: bytes, *, last: bool = False) -> None:
        raise NotImplementedError

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        return await (await self._talk).head()

    async def read(self) -> bytes:
        return await (await self._talk).read()

    def leave(self) -> None:
        self._talk.result().leave()


@contextlib.asynccontextmanager
async def in_a_host(world: World) -> AsyncIterator[None]:
    async def application(scope, receive, send) -> None:
        exchange = HostedExchange(world.driver, receive, send)
        await exchange.serve(scope["method"], scope["path"], headers_of(scope), "127.0.0.1", "http")

    talks: list[HostedTalk] = []

    def talk(target: str) -> Talk:
        talks.append(HostedTalk(application, http_scope("GET", target, [(b"host", b"gateway")])))
        talks[-1].send(b"", last=True)
        return talks[-1]

    world.talk = talk
    yield
    for open_talk in talks:
        open_talk.leave()
        await open_talk.over()


@contextlib.asynccontextmanager
async def behind(front_end: str) -> AsyncIterator[World]:
    """Run an asking core behind a front end; at the end nothing is left over."""
    world = World()
    async with {"server": behind_the_server, "asgi": in_a_host}[front_end](world):
        yield world
    assert world.questions.open_questions == world.driver.open_exchanges == 0
    await world.questions.aclose()
    world.driver.close()


async def test_a_url_is_fetched_or_the_reason_told(front_end: str) -> None:
    async with behind(front_end) as world:
        assert await world.ask("/fetch/a") == b"image/png " + PNG
        assert await world.ask("/fetch/b") == b"the server answered with status 404"


async def test_a_stored_object_is_saved_and_loaded(front_end: str) -> None:
    async with behind(front_end) as world:
        assert await world.ask("/load/resp_1") == b"nothing"
        assert await world.ask("/save/resp_1") == b"kept"
        assert await world.ask("/load/resp_1") == b"kept"


async def test_a_model_is_described_beside_the_exchanges(front_end: str) -> None:
    async with behind(front_end) as world:
        assert await world.ask("/describe/m") == b"asked"
        assert world.core.answers == []
        call = await world.upstream.called()
        call.start(status=200)
        call.send(b"{}")
        call.end()
        assert world.core.answers == [ModelDescribed("acc", "m", 200, b"{}")]


@pytest.mark.parametrize(("verb", "told"), [("cancel", b"given up"), ("end", b"not waited for")])
async def test_a_question_ends_with_its_exchange_or_when_it_is_given_up(front_end: str, verb: str, told: bytes) -> None:
    async with behind(front_end) as world:
        assert await world.ask(f"/{verb}/slow") == told
        assert world.questions.open_questions == 0
        assert await world.ask(f"/{verb}/a") == told
        assert world.core.answers == []


async def test_a_question_ends_where_the_exchange_is_cut_off(front_end: str) -> None:
    async with behind(front_end) as world:
        talk = world.talk("/abort/slow")
        await until(lambda: len(world.core.targets) == 1 and not world.driver.open_exchanges)
        assert world.questions.open_questions == 0
        with contextlib.suppress(Exception):
            await talk.head()


async def test_a_client_that_leaves_takes_its_questions_along(front_end: str) -> None:
    async with behind(front_end) as world:
        talk = world.talk("/fetch/slow")
        await until(lambda: world.questions.open_questions == 1)
        talk.leave()
        await until(lambda: world.core.gone == [1])
        assert world.questions.open_questions == 0
        assert world.core.answers == []
