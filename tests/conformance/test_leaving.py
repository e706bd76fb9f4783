"""A client that leaves, in every phase: the call is cancelled at once, and what was taken is given back once."""

from collections.abc import Awaitable, Callable

import attrs
import pytest

from tests.conformance.conftest import Serve
from tests.conformance.front_ends import account
from tests.conformance.samples import CHAT, EVENT_STREAMS, Sample
from tests.conformance.talk import FrontEnd, Talk
from tests.conformance.upstream import JSON, Call, Reply
from tests.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.semantic]


@attrs.frozen
class Phase:
    """How far a request gets before its client leaves."""

    name: str
    stream: bool
    reach: Callable[[Call, Talk, Sample], Awaitable[None]]


async def _head_awaited(call: Call, talk: Talk, sample: Sample) -> None:
    """The provider has not answered."""


async def _prelude(call: Call, talk: Talk, sample: Sample) -> None:
    call.start(sample.stream_headers)
    call.send(sample.prelude)


async def _relaying(call: Call, talk: Talk, sample: Sample) -> None:
    await _prelude(call, talk, sample)
    call.send(sample.content)
    assert (await talk.head())[0] == 200
    await talk.read_until(sample.content)


async def _collecting(call: Call, talk: Talk, sample: Sample) -> None:
    call.start(JSON)
    call.send(sample.reply[:10])


PHASES = (
    Phase("head awaited", True, _head_awaited),
    Phase("prelude", True, _prelude),
    Phase("relaying", True, _relaying),
    Phase("whole, head awaited", False, _head_awaited),
    Phase("whole, collecting", False, _collecting),
)


async def assert_all_is_free(front: FrontEnd, sample: Sample) -> None:
    """Nothing is held, and the one place of the account can be taken."""
    await until(lambda: bool(front.records))
    assert await front.in_use() == (0, 0)
    front.upstream.replies["a"] = Reply([sample.reply])
    assert (await front.ask("POST", sample.path, sample.body)).status == 200


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
@pytest.mark.parametrize("sample", EVENT_STREAMS, ids=lambda sample: sample.name)
async def test_leaving_cancels_the_call(serve: Serve, sample: Sample, phase: Phase) -> None:
    """In each phase with a call under way; no other account is asked instead."""
    path, body = (sample.stream_path, sample.stream_body) if phase.stream else (sample.path, sample.body)
    async with serve(
        account("a", sample.provider, max_concurrency=1, priority=1), account("b", sample.provider)
    ) as front:
        front.upstream.replies["b"] = Reply([sample.reply])
        talk = await front.talk("POST", path, body)
        call = await front.upstream.called()
        await phase.reach(call, talk, sample)
        talk.leave()
        await call.cancelled()
        await assert_all_is_free(front, sample)
        assert call.cancels == 1
        assert len(front.upstream.calls) == 2
    assert [record["outcome"] for record in front.records] == ["client_gone", "ok"]


async def test_leaving_while_waiting_for_an_account_makes_no_call(serve: Serve) -> None:
    """The place in the queue is given up; who waits behind it is served."""
    async with serve(account("a", max_concurrency=1)) as front:
        first = await front.talk("POST", CHAT.path, CHAT.body)
        call = await front.upstream.called()
        leaving = await front.talk("POST", CHAT.path, CHAT.body)
        await front.wait_in_use(*(2, 1))
        waiting = await front.talk("POST", CHAT.path, CHAT.body)
        await front.wait_in_use(*(3, 1))
        leaving.leave()
        await front.wait_in_use(*(2, 1))
        await call.play(Reply([CHAT.reply]))
        assert (await first.head())[0] == 200
        await (await front.upstream.called()).play(Reply([CHAT.reply]))
        assert (await waiting.head())[0] == 200
        assert await front.in_use() == (0, 0)
        assert len(front.upstream.calls) == 2
    assert [record["outcome"] for record in front.records] == ["client_gone", "ok", "ok"]


async def test_leaving_in_the_middle_of_the_body_makes_no_call(serve: Serve) -> None:
    """What was read of it is dropped."""
    async with serve(account("a")) as front:
        talk = await front.talk("POST", CHAT.path, CHAT.body[:5], more=True)
        await front.wait_in_use(*(1, 0))
        talk.leave()
        await assert_all_is_free(front, CHAT)
        assert len(front.upstream.calls) == 1
    assert [record["outcome"] for record in front.records] == ["client_gone", "ok"]


async def test_leaving_during_a_fail_over_cancels_the_second_call_only(serve: Serve) -> None:
    """The first has ended by itself."""
    async with serve(account("a", priority=1), account("b")) as front:
        talk = await front.talk("POST", CHAT.path, CHAT.body)
        first = await front.upstream.called()
        await first.play(Reply([b"{}"], JSON, 500))
        second = await front.upstream.called()
        talk.leave()
        await second.cancelled()
        assert (first.cancels, second.cancels) == (0, 1)
        await until(lambda: bool(front.records))
        assert await front.in_use() == (0, 0)


async def test_leaving_while_nothing_is_read_cancels_the_call(serve: Serve) -> None:
    """Although the gateway could not get rid of what it had for the client."""
    async with serve(account("a")) as front:
        talk = await front.talk("POST", CHAT.stream_path, CHAT.stream_body)
        call = await front.upstream.called()
        call.start()
        await send_until_paused(call)
        talk.leave()
        await call.cancelled()
        await until(lambda: bool(front.records))
        assert await front.in_use() == (0, 0)
    assert front.records[0]["outcome"] == "client_gone"


async def send_until_paused(call: Call) -> bytes:
    """Send content until the gateway stops reading; return what was sent."""
    data = bytearray()
    while not call.paused:
        assert len(data) < 64_000_000, "the client reads nothing, and the gateway takes all"
        event = CHAT.content.replace(b"again", b"%08d" % len(data) + b"x" * 16_000)
        call.send(event)
        data += event
        await until(lambda: True)
    return bytes(data)
