"""Acceptance (b): in whatever phase a client leaves, its call is given up at once and its account is free again.

"At once" is an order, not a number of milliseconds: no time passes for the gateway, so that no limit of its can have
closed anything, and the provider sees the close before anything else that the gateway does.
"""

from collections.abc import Callable

import pytest

from tests.acceptance.client import Client, connected
from tests.acceptance.gateway import Gateway, account, configuration, gateway
from tests.acceptance.speech import SPEECHES, Speech
from tests.acceptance.stub import Answer, Stub, json_answer, sse_answer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)]

PHASES: dict[str, Callable[[Speech], Answer]] = {
    "awaiting-head": lambda _: {"status": 0, "then": "stall"},
    "prelude": lambda speech: sse_answer(*speech.prelude, then="stall"),
    "relaying": lambda speech: sse_answer(*speech.prelude, speech.content, then="stall"),
    "collecting": lambda speech: json_answer(speech.whole, framing="chunked", then="stall"),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_a_client_that_leaves_takes_its_call_with_it(stub: Stub, speech: Speech, phase: str) -> None:
    """Whoever waits for its place on the account is called for after its call was closed, not before."""
    stream = phase != "collecting"
    await stub.script("a", PHASES[phase](speech), speech.answer())
    only = account("a", stub.url("a"), speech.provider, max_concurrency=1)
    async with gateway(configuration([only])) as world, connected(world.port) as waiting:
        async with connected(world.port) as client:
            _ask(client, speech, stream=stream)
            await stub.order("wait_requests", count=1)
            if phase == "relaying":
                await client.head()
                assert b"hello" in await client.chunk()
            elif phase != "awaiting-head":
                await stub.order("wait_sent", bytes=1)
                await _turn(world)
            _ask(waiting, speech, stream=False)
            await world.until(lambda world: world.in_use()["open_exchanges"] == 2)
            client.leave()
            assert (await waiting.response()).status == 200
        assert await stub.happened("asked", "left") == ["asked", "left", "asked"]
        await _gone(world)
        assert [(record.outcome, len(record.attempts)) for record in world.records] == [("client_gone", 1), ("ok", 1)]
        assert world.records[0].duration == 0.0
        assert world.in_use()["upstream_connections"] == 1, "the second's, for the next request"


async def test_a_client_that_leaves_while_connecting_takes_the_connection_with_it(stub: Stub, speech: Speech) -> None:
    """The provider takes the TCP connection and never answers the TLS greeting."""
    only = account("a", stub.url("a", "silent"), speech.provider, max_concurrency=1)
    async with gateway(configuration([only])) as world, connected(world.port) as waiting:
        async with connected(world.port) as client:
            _ask(client, speech)
            await stub.order("wait_connections", kind="silent", count=1)
            _ask(waiting, speech)
            await world.until(lambda world: world.in_use()["open_exchanges"] == 2)
            client.leave()
            await stub.order("wait_connections", kind="silent", count=2)
        waiting.leave()
        await stub.order("wait_open", kind="silent", count=0)
        await _gone(world)
        assert await stub.happened("connected", "closed") == ["connected", "closed"] * 2
        assert [(record.outcome, record.duration) for record in world.records] == [("client_gone", 0.0)] * 2


async def test_a_client_that_leaves_the_queue_is_never_called_for(stub: Stub, speech: Speech) -> None:
    """The account takes one request; another waits, leaves, and the one that is served notices nothing."""
    await stub.script("a", PHASES["relaying"](speech), speech.answer())
    only = account("a", stub.url("a"), speech.provider, max_concurrency=1)
    async with gateway(configuration([only])) as world, connected(world.port) as served:
        _ask(served, speech)
        await served.head()
        async with connected(world.port) as queued:
            _ask(queued, speech)
            await world.until(lambda world: world.in_use()["open_exchanges"] == 2)
            await _turn(world)
            queued.leave()
            await world.until(lambda world: world.in_use()["open_exchanges"] == 1)
        assert world.in_use()["open_leases"] == 1
        assert b"hello" in await served.chunk()
        served.leave()
        await _gone(world)
        async with connected(world.port) as third:
            assert (await third.ask("POST", speech.target, speech.body())).status == 200
        assert [len(record.attempts) for record in world.records] == [0, 1, 1]
    assert (await stub.count())["requests"] == 2


def _ask(client: Client, speech: Speech, *, stream: bool = True) -> None:
    client.send("POST", speech.stream_target if stream else speech.target, speech.body(stream=stream))


async def _turn(world: Gateway) -> None:
    """Have the gateway read what has been sent to it: its answer to a request that came later is the proof."""
    async with connected(world.port) as client:
        assert (await client.ask("HEAD", "/")).status == 200


async def _gone(world: Gateway) -> None:
    """Wait until nothing is in use; a lease that were given back twice would have failed, or shown as -1."""
    await world.until(lambda world: world.in_use()["open_exchanges"] == 0)
    assert world.in_use()["open_leases"] == 0
