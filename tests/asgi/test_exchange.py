"""One exchange: its outbox, and the ways in which it ends early."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gephyr.asgi import ResponseAborted
from gephyr.asgi.exchange import HIGH_MARK, LOW_MARK
from gephyr_core.commands import AbortResponse, Command, EndResponse, SendBody, StartResponse
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    Event,
    FrontEndFailed,
    RequestBody,
    RequestEnded,
    RequestStarted,
)
from tests.asgi.world import HEAD, World, kinds
from tests.conformance.asgi_host import BUFFER, http_scope
from tests.server.world import ScriptedCore, reply
from tests.waiting import WAIT, until

pytestmark = pytest.mark.anyio


async def test_a_whole_reply_is_two_messages() -> None:
    """The last byte comes with the end."""
    world, sent = World(), []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await world.application(http_scope("POST", "/refuse", []), receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1] == {"type": "http.response.body", "body": b"refused", "more_body": False}


async def test_who_is_not_said_to_be_anybody_is_who_its_keys_say() -> None:
    world = World()
    talk = world.talk("/refuse")
    await talk.over()
    started = world.core.started[1]
    assert (started.caller, started.ownerless) == ("", False)


async def test_what_the_core_sends_together_stays_alone() -> None:
    """Although the host was slow to take what came before: an error event is read in a write of its own."""
    world, sent, proceed = World(), [], asyncio.Event()

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        await proceed.wait()
        sent.append(message)

    serving = asyncio.create_task(world.application(http_scope("POST", "/hang", []), receive, send))
    await world.core.saw(RequestStarted)
    world.command(
        StartResponse(1, 200, HEAD), SendBody(1, b"one"), SendBody(1, b"two"), SendBody(1, b"three"), EndResponse(1)
    )
    proceed.set()
    await serving
    assert [message.get("body") for message in sent] == [None, b"one", b"two", b"three"]


async def test_a_body_is_read_only_on_demand() -> None:
    """A host sends 100-continue when it is first asked for a message."""
    world = World()
    talk = world.talk("/unread", b"body")
    await world.core.saw(RequestStarted)
    world.command(*reply(1, 200, b"no need"))
    await talk.over()
    assert (talk.receives, talk.complete) == (0, True)


async def test_a_body_in_pieces_is_as_many_events() -> None:
    """Empty pieces are none."""
    world = World()
    talk = world.talk("/echo", b"one", more=True)
    talk.send(b"")
    talk.send(b"two", last=True)
    assert (await talk.head())[0] == 200
    assert [event.data for event in world.core.of(RequestBody)] == [b"one", b"two"]
    await talk.over()


async def test_the_marks_of_the_outbox_block_and_release_the_client() -> None:
    """Blocked above the high mark, ready at the low one, each told once."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    await world.begun(talk, b"x" * (BUFFER + 1))
    await until(lambda: talk.taken == BUFFER + 1)  # the host's buffer is full: it takes no more
    world.command(SendBody(1, b"x" * (HIGH_MARK - BUFFER - 1)))
    assert not world.core.of(ClientBlocked), "at the mark, not above it"
    world.command(SendBody(1, b"x"), SendBody(1, b"y" * LOW_MARK))
    assert len(world.core.of(ClientBlocked)) == 1
    assert not world.core.of(ClientReady)
    while not world.core.of(ClientReady):
        await talk.read()
    world.command(EndResponse(1))
    await talk.rest()
    await talk.over()
    assert kinds(world.core.events).count("ClientReady") == kinds(world.core.events).count("ClientBlocked") == 1
    assert not world.core.of(ClientGone)


async def test_a_reply_that_has_ended_blocks_nobody() -> None:
    """There is no provider left to stop."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    bodies = [SendBody(1, b"x" * size) for size in (10 * HIGH_MARK, 1, 1)]
    world.command(StartResponse(1, 200, HEAD), *bodies, EndResponse(1))
    assert len(await _rest(talk)) == 10 * HIGH_MARK + 2
    await talk.over()
    assert not world.core.of(ClientReady)
    assert not world.core.of(ClientGone)


async def _rest(talk: Any) -> bytes:
    await talk.head()
    return bytes(await talk.rest())


# -- aborting -------------------------------------------------------------------------------------------------


async def test_an_abort_before_the_head_raises_in_the_host() -> None:
    """Nothing was sent, and nothing is."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    world.command(AbortResponse(1, "the reason"))
    await talk.over()
    assert isinstance(talk.error, ResponseAborted)
    assert str(talk.error) == "the reason"
    assert talk.started is None


async def test_an_abort_at_once_raises_in_the_host() -> None:
    """Even before anything could be awaited."""
    world = World()
    talk = world.talk("/abort")
    await talk.over()
    assert isinstance(talk.error, ResponseAborted)


async def test_an_abort_after_the_head_raises_in_the_host() -> None:
    """So that it cuts the connection: what is not yet sent is dropped, and no end is."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    await world.begun(talk, b"first")
    await talk.read_until(b"first")
    world.command(SendBody(1, b"second"), AbortResponse(1, "the reason"))
    await talk.over()
    assert isinstance(talk.error, ResponseAborted)
    assert (talk.taken, talk.complete) == (5, False)


async def test_an_abort_gets_through_to_a_send_that_waits() -> None:
    """The client has stopped reading: the host's ``send`` would never return."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    await world.begun(talk, b"x" * 10 * BUFFER)
    await until(lambda: talk.taken == 10 * BUFFER)
    world.command(AbortResponse(1, "the client stopped reading"))
    await talk.over()
    assert isinstance(talk.error, ResponseAborted)
    assert world.driver.open_exchanges == 0
    assert not world.core.of(ClientGone)


# -- leaving --------------------------------------------------------------------------------------------------


async def test_a_client_that_leaves_ends_a_send_that_waits() -> None:
    """The host need not notice: the disconnect is an event."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    await world.begun(talk, b"x" * 10 * BUFFER)
    talk.leave()
    await talk.over()
    assert talk.error is None
    assert len(world.core.of(ClientGone)) == 1


async def test_a_client_that_leaves_after_its_answer_disturbs_nobody() -> None:
    """The exchange was over; only the host's ``send`` was not."""
    world = World()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    world.command(*reply(1, 200, b"x" * 10 * BUFFER))
    await until(lambda: talk.taken == 10 * BUFFER)
    talk.leave()
    await talk.over()
    assert talk.error is None
    assert not world.core.of(ClientGone)


@pytest.mark.parametrize("error", [OSError("gone"), BrokenPipeError()], ids=repr)
async def test_a_send_that_finds_nobody_is_the_client_leaving(error: Exception) -> None:
    """``OSError`` is how a host says so (ASGI HTTP specification 2.4); it is no error of the application."""
    world = World()
    await _serve_with(world, send_error=error)
    assert len(world.core.of(ClientGone)) == 1


async def test_a_send_that_fails_otherwise_is_the_hosts_to_see() -> None:
    """The exchange is given up first."""
    world = World()
    with pytest.raises(ValueError, match="the host's"):
        await _serve_with(world, send_error=ValueError("the host's"))
    assert len(world.core.of(ClientGone)) == 1


async def test_a_receive_that_fails_is_the_hosts_to_see() -> None:
    """And as good as a client that leaves."""
    world = World()
    with pytest.raises(ValueError, match="the host's"):
        await _serve_with(world, receive_error=ValueError("the host's"))
    assert len(world.core.of(ClientGone)) == 1


async def test_a_fault_in_sending_is_told_once_and_cuts_the_response() -> None:
    """Although the core says of it what is so by then: that the response is over."""

    class Ending(ScriptedCore):
        def receive(self, event: Event, now: float) -> Sequence[Command]:
            commands = super().receive(event, now)
            return (AbortResponse(event.exchange, "a fault"),) if isinstance(event, FrontEndFailed) else commands

    world = World(Ending())
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    world.command(StartResponse(1, 200, HEAD), SendBody(1, "no bytes"))  # type: ignore[arg-type]
    await talk.over()
    assert isinstance(talk.error, ResponseAborted)
    assert (talk.taken, talk.complete) == (0, False)
    assert [(told.fault.error, told.fault.during) for told in world.core.of(FrontEndFailed)] == [
        ("TypeError", "sending")
    ]


async def _serve_with(world: World, *, send_error: Exception | None = None, receive_error: Any = None) -> None:
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        if receive_error is not None:
            raise receive_error
        return await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        if send_error is not None:
            raise send_error

    serving = asyncio.create_task(world.application(http_scope("POST", "/wait", []), receive, send))
    await world.core.saw(RequestEnded)
    if send_error is not None:
        world.command(StartResponse(1, 200, HEAD), SendBody(1, b"first"))
    await asyncio.wait([serving], timeout=WAIT)
    assert serving.done(), "the application still serves"
    serving.result()


async def test_a_host_that_cancels_the_application_gives_the_exchange_up() -> None:
    """It stays cancelled, and no task is left."""
    world = World()
    before = asyncio.all_tasks()
    talk = world.talk("/wait")
    await world.core.saw(RequestEnded)
    talk.task.cancel()
    await asyncio.wait([talk.task])
    assert talk.task.cancelled()
    assert len(world.core.of(ClientGone)) == 1
    assert asyncio.all_tasks() == before


async def test_a_host_that_never_waits_does_not_spin_the_loop() -> None:
    """Some test clients answer every ``receive`` with an empty body: that is heard once, and is no disconnect."""
    world, asked = World(), 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    serving = asyncio.create_task(world.application(http_scope("POST", "/wait", []), receive, send))
    await world.core.saw(RequestEnded)
    world.command(*reply(1, 200, b"answer"))
    await serving
    assert asked == 2
    assert not world.core.of(ClientGone)
