"""What happens to streams after their first content: breaking off, slow clients, and the gateway's own end."""

import asyncio

import pytest

from gephyr_core.errors import Fault
from tests.conformance.conftest import Serve
from tests.conformance.front_ends import account
from tests.conformance.samples import CHAT, EVENT_STREAMS, Sample, assert_one_terminal_error, told_error
from tests.conformance.test_leaving import send_until_paused
from tests.conformance.upstream import Reply
from tests.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.semantic]
event_streams = pytest.mark.parametrize("sample", EVENT_STREAMS, ids=lambda sample: sample.name)


@pytest.mark.parametrize("unfinished", [b"", b'data: {"unfinished'], ids=["at a boundary", "inside an event"])
@event_streams
async def test_a_stream_that_breaks_off_ends_with_one_terminal_event(
    serve: Serve, sample: Sample, unfinished: bytes
) -> None:
    """Of the dialect; half an event is dropped, and no other account is asked."""
    async with serve(account("a", sample.provider), account("b", sample.provider)) as front:
        talk = await front.talk("POST", sample.stream_path, sample.stream_body)
        call = await front.upstream.called()
        call.start()
        call.send(sample.prelude + sample.content + unfinished)
        call.fail(Fault.RESET)
        assert (await talk.head())[0] == 200
        data = await talk.rest()
        begun = sample.prelude + sample.content
        assert data.startswith(begun)
        assert_one_terminal_error(sample.name, data.removeprefix(begun))
        assert len(front.upstream.calls) == 1
        assert await front.in_use() == (0, 0)
    assert [record["outcome"] for record in front.records] == ["failed"]


@event_streams
async def test_a_stream_that_just_stops_is_told_where_the_dialect_can_tell(serve: Serve, sample: Sample) -> None:
    """Anthropic and Responses streams have a last event; the others are left as they came."""
    begun = sample.prelude + sample.content
    async with serve(account("a", sample.provider)) as front:
        front.upstream.replies["a"] = Reply([begun], sample.stream_headers)
        data = (await front.ask("POST", sample.stream_path, sample.stream_body)).body
    if sample.name in {"anthropic", "responses"}:
        assert_one_terminal_error(sample.name, data.removeprefix(begun))
    else:
        assert data == begun


@event_streams
async def test_the_last_event_ends_the_response_though_the_call_goes_on(serve: Serve, sample: Sample) -> None:
    """The provider keeps its connection open. The one place on its account is free for the next client at once."""
    async with serve(account("a", sample.provider, max_concurrency=1)) as front:
        talk = await front.talk("POST", sample.stream_path, sample.stream_body)
        call = await front.upstream.called()
        call.start(sample.stream_headers)
        call.send(sample.prelude + sample.content + sample.ending)
        assert (await talk.head())[0] == 200
        assert await talk.rest() == sample.prelude + sample.content + sample.ending
        assert (call.detached, call.cancels) == (True, 0)
        assert await front.in_use() == (0, 0)
        front.upstream.replies["a"] = Reply([sample.prelude, sample.content, sample.ending], sample.stream_headers)
        assert (await front.ask("POST", sample.stream_path, sample.stream_body)).status == 200
    assert [record["outcome"] for record in front.records] == ["ok", "ok"]


async def test_a_slow_client_stops_the_provider(serve: Serve) -> None:
    """The call is paused while the client does not read, and goes on when it does; nothing is lost."""
    async with serve(account("a")) as front:
        talk = await front.talk("POST", CHAT.stream_path, CHAT.stream_body)
        call = await front.upstream.called()
        call.start()
        for _ in range(2):
            sent = await send_until_paused(call)
            got = b""
            while len(got) < len(sent):
                got += await talk.read()
            assert got == sent
            await until(lambda: not call.paused)
        call.send(CHAT.ending)
        call.end()
        assert await talk.rest() == CHAT.ending
        assert call.pauses == 2
        assert await front.in_use() == (0, 0)
    assert [record["outcome"] for record in front.records] == ["ok"]


async def test_many_streams_do_not_disturb_each_other(serve: Serve) -> None:
    """A client that reads nothing blocks its own stream only."""
    async with serve(account("a")) as front:
        await front.talk("POST", CHAT.stream_path, CHAT.stream_body)
        stuck = await front.upstream.called()
        stuck.start()
        await send_until_paused(stuck)
        front.upstream.replies["a"] = Reply([CHAT.stream], CHAT.stream_headers)
        asked = (front.ask("POST", CHAT.stream_path, CHAT.stream_body) for _ in range(20))
        assert {response.body for response in await asyncio.gather(*asked)} == {CHAT.stream}
        assert stuck.paused


# -- draining -------------------------------------------------------------------------------------------------


@event_streams
async def test_draining_lets_a_stream_finish(serve: Serve, sample: Sample) -> None:
    """New requests are told 503 in their dialect; the stop comes when the stream has ended."""
    async with serve(account("a", sample.provider)) as front:
        talk = await front.talk("POST", sample.stream_path, sample.stream_body)
        call = await front.upstream.called()
        call.start(sample.stream_headers)
        call.send(sample.prelude + sample.content)
        await talk.head()
        front.drain()
        refusal = await front.ask("POST", sample.path, sample.body)
        while refusal.status != 503:
            refusal = await front.ask("POST", sample.path, sample.body)
        told_error(sample.name, refusal.json())
        call.send(sample.ending)
        call.end()
        assert await talk.rest() == sample.stream
        await front.drained()


@event_streams
async def test_draining_ends_what_takes_too_long(serve: Serve, sample: Sample) -> None:
    """After ``server.drain_timeout``: the call is cancelled, and the client told by its terminal event."""
    async with serve(account("a", sample.provider), server={"drain_timeout": 0.01}) as front:
        talk = await front.talk("POST", sample.stream_path, sample.stream_body)
        call = await front.upstream.called()
        call.start(sample.stream_headers)
        call.send(sample.prelude + sample.content)
        await talk.head()
        front.drain()
        await call.cancelled()
        await front.drained()
        begun = sample.prelude + sample.content
        data = await talk.rest()
        assert data.startswith(begun)
        assert_one_terminal_error(sample.name, data.removeprefix(begun))
    assert [record["outcome"] for record in front.records] == ["aborted"]


async def test_draining_with_nothing_to_finish_is_done_at_once(serve: Serve) -> None:
    """No limit has to pass."""
    async with serve(account("a"), server={"drain_timeout": 3600}) as front:
        front.upstream.replies["a"] = Reply([CHAT.reply])
        assert (await front.ask("POST", CHAT.path, CHAT.body)).status == 200
        front.drain()
        await front.drained()


async def test_silence_is_bridged_before_the_first_content(serve: Serve) -> None:
    """After ``server.keepalive_interval`` the head and a comment come; the stream then goes on as if nothing were."""
    async with serve(account("a"), server={"keepalive_interval": 1}) as front:
        talk = await front.talk("POST", CHAT.stream_path, CHAT.stream_body)
        call = await front.upstream.called()
        status, headers = await talk.head()
        assert (status, dict(headers)[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
        sign = await talk.read()
        assert sign.startswith(b":")
        await call.play(Reply([CHAT.stream], CHAT.stream_headers))
        events = [event for event in (sign + await talk.rest()).split(b"\n\n") if not event.startswith(b":")]
        assert b"\n\n".join(events) == CHAT.stream
        await until(lambda: bool(front.records))
    assert front.records[0]["keepalives"] == 1
