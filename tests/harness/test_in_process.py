"""The in-process way upstream, on a real event loop with a list for the core's ear."""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec
import pytest

from gephyr.harness.in_process import (
    DEMO_KEY,
    DEMO_MODELS,
    InProcessUpstream,
    demo_config_mapping,
    demo_providers,
)
from gephyr.harness.providers import SimulatedReply, SimulatedSettings
from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import Event, UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Headers, Origin
from tests.waiting import WAIT

pytestmark = pytest.mark.anyio
CHAT = {"model": "gpt-demo", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@attrs.define
class Pieces:
    """A provider that answers everything with the same pieces, and tells how far they were read."""

    pieces: list[tuple[float, bytes]]
    taken: int = 0

    def respond(self, method: str, target: str, headers: Headers, body: bytes, now: float) -> SimulatedReply:
        return SimulatedReply(200, ((b"content-type", b"text/plain"),), self._read())

    def _read(self) -> Iterator[tuple[float, bytes]]:
        for piece in self.pieces:
            self.taken += 1
            yield piece


class Ear:
    """Keeps what is fed, and wakes whoever waits for it."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self._changed = asyncio.Event()

    def feed(self, event: Event) -> None:
        self.heard.append(event)
        self._changed.set()

    async def until(self, enough: Callable[[list[Event]], bool]) -> list[Event]:
        """Wait until *enough* was heard."""
        async with asyncio.timeout(WAIT):
            while not enough(self.heard):
                self._changed.clear()
                await self._changed.wait()
        return self.heard


def over(heard: list[Event]) -> bool:
    """Whether a call has ended."""
    return bool(heard) and isinstance(heard[-1], UpstreamEnded | UpstreamFailed)


def call(account: str = "a", body: object = None, *, attempt: int = 1) -> CallUpstream:
    """Return a call's command."""
    return CallUpstream(
        exchange=5,
        attempt=attempt,
        account=account,
        method="POST",
        origin=Origin("https", "provider.invalid", 443),
        target="/v1/chat/completions",
        headers=(),
        body=msgspec.json.encode(body),
        route="direct",
        limits=TimeLimits(connect=1.0, first_byte=1.0, idle=1.0, total=1.0),
    )


def upstream(provider: Any) -> InProcessUpstream:
    """Return a way upstream with one account."""
    return InProcessUpstream({"a": provider}, clock=lambda: 0.0)


async def turns(count: int) -> None:
    """Let the loop turn, long enough for everything that is due to happen."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_streamed_chat_arrives_piece_by_piece() -> None:
    providers = demo_providers(SimulatedSettings(latency=0.0, pace=1e9), random.Random(1))
    ear, way = Ear(), InProcessUpstream(providers, clock=lambda: 1_800_000_000.0)
    way.call(call("demo-openai", CHAT, attempt=3), ear.feed)
    assert ear.heard == []  # Never from inside the call.
    started, *bodies, ended = await ear.until(over)
    assert isinstance(started, UpstreamStarted)
    assert (started.exchange, started.attempt, started.status) == (5, 3, 200)
    assert all(isinstance(body, UpstreamBody) and body.attempt == 3 for body in bodies)
    assert len(bodies) > 5
    assert bodies[-1] == UpstreamBody(5, 3, b"data: [DONE]\n\n")
    assert ended == UpstreamEnded(5, 3)
    assert way.open_calls == 0


async def test_an_empty_body_is_a_head_and_an_end() -> None:
    ear = Ear()
    upstream(Pieces([])).call(call(), ear.feed)
    assert [type(event) for event in await ear.until(over)] == [UpstreamStarted, UpstreamEnded]


async def test_delays_are_kept() -> None:
    ear = Ear()
    began = asyncio.get_running_loop().time()
    upstream(Pieces([(0.02, b"a"), (0.03, b"b")])).call(call(), ear.feed)
    await ear.until(over)
    assert asyncio.get_running_loop().time() - began >= 0.049  # The loop's clock may round down a little.


async def test_a_paused_call_holds_its_next_piece_and_makes_no_more() -> None:
    ear, provider = Ear(), Pieces([(0.0, b"a"), (0.0, b"b"), (0.0, b"c")])
    under_way = upstream(provider).call(call(), ear.feed)
    await ear.until(lambda heard: len(heard) == 2)
    under_way.pause()
    await turns(20)
    assert ear.heard[1:] == [UpstreamBody(5, 1, b"a")]
    assert provider.taken == 2
    under_way.resume()
    under_way.pause()
    await turns(20)
    assert len(ear.heard) == 2
    under_way.resume()
    await ear.until(over)
    assert ear.heard[2:] == [UpstreamBody(5, 1, b"b"), UpstreamBody(5, 1, b"c"), UpstreamEnded(5, 1)]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_a_cancelled_call_is_heard_of_no_more(after: int) -> None:
    ear, way = Ear(), upstream(Pieces([(0.0, b"a"), (0.0, b"b"), (0.0, b"c")]))
    under_way = way.call(call(), ear.feed)
    await ear.until(lambda heard: len(heard) >= after)
    heard = len(ear.heard)
    under_way.cancel()
    under_way.cancel()
    under_way.resume()
    await turns(20)
    assert len(ear.heard) == heard
    assert way.open_calls == 0


@pytest.mark.parametrize("fatal", [UpstreamStarted, UpstreamBody])
async def test_a_call_may_be_cancelled_while_it_feeds(fatal: type[Event]) -> None:
    heard: list[Event] = []
    way = upstream(Pieces([(0.0, b"a"), (0.0, b"b")]))

    def feed(event: Event) -> None:
        heard.append(event)
        if isinstance(event, fatal):
            under_way.cancel()

    under_way = way.call(call(), feed)
    await turns(20)
    assert isinstance(heard[-1], fatal)
    assert len(heard) == (1 if fatal is UpstreamStarted else 2)


async def test_an_account_without_a_provider_cannot_be_reached() -> None:
    ear = Ear()
    upstream(Pieces([])).call(call("other"), ear.feed)
    assert ear.heard == []
    (failed,) = await ear.until(over)
    assert isinstance(failed, UpstreamFailed)
    assert (failed.fault, failed.sent) == (Fault.CONNECT, Sent.NONE)


async def test_closing_cancels_every_call() -> None:
    ear, way = Ear(), upstream(Pieces([(60.0, b"late")]))
    way.call(call(attempt=1), ear.feed)
    way.call(call(attempt=2), ear.feed)
    assert way.open_calls == 2
    await way.aclose()
    await turns(5)
    assert (ear.heard, way.open_calls) == ([], 0)


def test_the_demo_has_an_account_for_each_sdk() -> None:
    mapping = demo_config_mapping()
    assert [account["provider"] for account in mapping["accounts"]] == ["openai", "anthropic", "gemini"]
    assert mapping["auth"]["api_keys"] == [DEMO_KEY]
    assert mapping["models"]["list"] == list(DEMO_MODELS)
    providers = demo_providers(SimulatedSettings(), random.Random(1))
    assert list(providers) == [account["id"] for account in mapping["accounts"]]
