"""Many requests, large bodies, slow clients: connections are shared, order is kept, and nothing leaks.

The life of a stream, and the driver under load (decisions 4 and 5).
"""

import asyncio
import json
import os
import random
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gephyr.runtime.clock import GatewayClock
from tests.acceptance.client import KEY, Client, connected
from tests.acceptance.gateway import Gateway, Process, account, configuration, gateway, serving
from tests.acceptance.speech import CHAT, RESPONSES, SPEECHES, Speech
from tests.acceptance.stub import Answer, Stub, sse_answer

pytestmark = pytest.mark.anyio

_FILES = Path("/proc/self/fd")
_DISCONNECTS = 10_000


async def test_a_thousand_requests_in_a_row_use_one_connection(stub: Stub) -> None:
    """Whole replies and streams alike give their connection back."""
    await stub.script("a", *[CHAT.answer(stream=number % 2 == 1) for number in range(1000)])
    async with gateway(configuration([account("a", stub.url("a"))])) as world, connected(world.port) as client:
        for number in range(1000):
            response = await client.ask("POST", CHAT.target, CHAT.body(stream=number % 2 == 1))
            assert response.status == 200
    count = await stub.count()
    assert (count["requests"], count["connections"]["http"]) == (1000, 1)


@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)
async def test_a_provider_that_keeps_its_socket_open_holds_no_place(stub: Stub, speech: Speech) -> None:
    """A stream is over with its last event: the account's one place is free for the next, and that for the next."""
    await stub.script("a", *[{**speech.answer(stream=True), "then": "stay"}] * 3)
    one_place = {**account("a", stub.url("a"), speech.provider), "max_concurrency": 1}
    async with gateway(configuration([one_place])) as world, connected(world.port) as client:
        bodies = [(await client.ask("POST", speech.stream_target, speech.body(stream=True))).body for _ in range(3)]
    assert bodies[0]
    assert bodies == [bodies[0]] * 3
    assert [record.outcome for record in world.records] == ["ok"] * 3
    assert (await stub.count())["requests"] == 3


async def test_64_clients_at_a_time_use_at_most_64_connections(stub: Stub) -> None:
    await stub.script("a", CHAT.answer())
    async with gateway(configuration([account("a", stub.url("a"))])) as world:

        async def ask(client: Client) -> None:
            for _ in range(20):
                assert (await client.ask("POST", CHAT.target, CHAT.body())).status == 200

        await _in_parallel(world.port, 64, ask)
        assert world.in_use()["upstream_connections"] <= 64
    count = await stub.count()
    assert count["requests"] == 64 * 20
    assert count["connections"]["http"] <= 64


async def test_a_steady_stream_keeps_its_order_while_large_bodies_arrive(stub: Stub) -> None:
    """100 events at 50 a second, while 8 clients send 20 MB each again and again: none is lost."""
    events = 100
    await stub.script(
        "steady", sse_answer(CHAT.content.replace("hello", "%d"), repeat=events, pause=0.02, numbered=True)
    )
    await stub.script("large", RESPONSES.answer())
    accounts = [
        account("steady", stub.url("steady"), dialect="openai-chat"),
        account("large", stub.url("large"), dialect="openai-responses"),
    ]
    body = json.dumps({**RESPONSES.request, "input": "x" * 20_000_000}).encode()
    uploads = 0
    async with gateway(configuration(accounts)) as world, connected(world.port) as client:
        streaming = True

        async def upload(other: Client) -> None:
            nonlocal uploads
            while True:
                assert (await other.ask("POST", RESPONSES.target, body)).status == 200
                uploads += 1
                if not streaming:
                    return

        client.send("POST", CHAT.target, CHAT.body(stream=True))
        await client.head()
        sending = asyncio.create_task(_in_parallel(world.port, 8, upload))
        received = await client.chunks()
        streaming = False
        await sending
    numbers = [json.loads(event[6:])["choices"][0]["delta"]["content"] for event in received.split(b"\n\n") if event]
    assert numbers == [str(number) for number in range(events)]
    assert uploads >= 8


async def test_20000_requests_in_one_write_are_answered_in_order(stub: Stub) -> None:
    """The driver works through them without recursion, and other clients have their turn meanwhile."""
    count = 20_000
    head = f"GET /v1/models/m-%d HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    wildcard = account("a", stub.url("a"), models=["m-*"])
    mapping = configuration([wildcard], models={"m-*": "m-0"})
    async with gateway(mapping) as world, connected(world.port) as client, connected(world.port) as other:
        client.writer.write("".join(head % number for number in range(count)).encode())
        assert json.loads((await client.response()).body)["id"] == "m-0"
        assert (await other.ask("HEAD", "/")).status == 200
        assert world.in_use()["open_exchanges"] == 0
        assert len(world.records) < count, "the other client had to wait for all of them"
        for number in range(1, count):
            assert json.loads((await client.response()).body)["id"] == f"m-{number}"


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of another process is read from /proc")
async def test_clients_that_stop_reading_cost_little_memory_and_lose_nothing(stub: Stub, tmp_path: Path) -> None:
    """200 of them, for each of which the provider has 50 MB: less than 256 KB a stream, and every stream goes on.

    How much is sent while nobody reads depends on the systems' buffers; it has to come to a stop. Some of the clients
    then read all that was sent until then, and more.
    """
    clients, writes, event = 200, 1000, CHAT.content.replace("hello", "%d-" + "x" * 50_000)
    await stub.script("a", sse_answer(event, repeat=writes, numbered=True, send_buffer=65536))
    mapping = configuration([account("a", stub.url("a"))])
    async with serving(tmp_path, mapping) as process, _streams(process, clients) as streams:
        before = process.memory
        for client in streams:
            client.send("POST", CHAT.target, CHAT.body(stream=True))
        await stub.order("wait_requests", count=clients)
        sent = await _comes_to_a_stop(stub, process)
        assert sent < clients * writes * len(event) / 4, "somebody took what no client read"
        assert (process.memory - before) / clients < 256 * 1024
        for client in streams:
            assert (await client.head())[0] == 200
        await asyncio.gather(*(_read_in_order(client, 2 * sent // clients) for client in streams[:4]))
        assert (await stub.count())["open"]["http"] == clients


async def _read_in_order(client: Client, size: int) -> None:
    """Read at least *size* bytes of the stream, whose events are numbered."""
    received = bytearray()
    while len(received) < size:
        chunk = await client.chunk()
        assert chunk, "the stream ended early"
        received += chunk
    numbers = [int(number) for number in re.findall(rb"(\d+)-x{50000}", received)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > size // 60_000


async def _comes_to_a_stop(stub: Stub, process: Process) -> int:
    """Wait until the provider can send no more; return the bytes that it has sent.

    Each turn of the gateway's loop reads whatever it is still willing to read, and each turn of the provider's sends
    what there is room for: where nothing more is sent in several round trips through both, nothing will be.
    """
    sent, earlier = 0, -1
    async with connected(process.port) as client:
        while sent == 0 or sent != earlier:
            for _ in range(20):
                assert (await client.ask("HEAD", "/")).status == 200
                await stub.count()
            sent, earlier = (await stub.count())["sent"], sent
    return sent


@asynccontextmanager
async def _streams(process: Process, count: int) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(process.port, receive_buffer=4096)) for _ in range(count)]


@pytest.mark.skipif(not _FILES.is_dir(), reason="open files are counted in /proc")
async def test_nothing_is_left_after_thousands_of_random_disconnects(stub: Stub) -> None:
    """Tasks, open files, leases, exchanges, connections: all back at their start."""
    chance = random.Random(7)
    for speech in SPEECHES:
        await stub.script(speech.name, *(_answer(speech, chance) for _ in range(_DISCONNECTS // 3)))
    accounts = [
        account(speech.name, stub.url(speech.name), speech.provider, dialect=speech.name, max_concurrency=6)
        for speech in SPEECHES
    ]
    limits = {"first_byte_timeout": 0.1, "idle_timeout": 0.1}
    async with gateway(configuration(accounts, upstream=limits), clock=GatewayClock()) as world:
        await _idle(world)
        start = _held(world)
        waiting = iter(range(_DISCONNECTS))

        async def work() -> None:
            for _ in waiting:
                await _disconnect(world, chance.choice(SPEECHES), chance)

        await asyncio.gather(*(work() for _ in range(32)))
        await _idle(world)
        outcomes = {record.outcome for record in world.records}
        assert outcomes - {"ok"} == {"client_gone", "failed", "refused"}, "not every way to end was met"
        assert _held(world) == start


def _answer(speech: Speech, chance: random.Random) -> Answer:
    kinds = (
        speech.answer(stream=True),
        sse_answer(*speech.prelude, speech.content, then="stall"),
        sse_answer(*speech.prelude, speech.content, then="reset"),
        sse_answer(*speech.prelude, then="stall"),
        {"status": 0, "then": "stall"},
        {"status": 0, "then": "reset"},
    )
    return {**chance.choices(kinds, (8, 3, 2, 1, 1, 1))[0], "rechunk": chance.randrange(1000)}


async def _disconnect(world: Gateway, speech: Speech, chance: random.Random) -> None:
    """Ask, and leave at some point: within the head or the body, after a while, or when something was answered."""
    body = speech.body(stream=True)
    async with connected(world.port) as client:
        match chance.randrange(6):
            case 0:
                client.writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: gate")
            case 1:
                client.send("POST", speech.stream_target, body, {"Content-Length": str(len(body) + 1)})
            case 2:
                client.send("POST", speech.stream_target, b"{" * chance.randrange(100))
                await client.response()
            case 3:
                client.send("POST", speech.stream_target, body)
                await client.head()
            case _:
                client.send("POST", speech.stream_target, body)
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        client.leave()


def _held(world: Gateway) -> dict[str, int]:
    """What is in use, without the connections to providers that are kept."""
    kept = world.gauge("gephyr_upstream_connections_idle")
    files = len(os.listdir(_FILES)) - kept
    in_use = world.in_use()
    connections = in_use["upstream_connections"] - kept
    return {**in_use, "upstream_connections": connections, "tasks": len(asyncio.all_tasks()), "files": files}


async def _idle(world: Gateway) -> None:
    nothing = ("open_exchanges", "open_leases", "client_connections", "upstream_connections")
    await world.until(lambda world: not any(_held(world)[name] for name in nothing))


async def _in_parallel(port: int, count: int, work: Callable[[Client], Awaitable[None]]) -> None:
    async def connect_and_work() -> None:
        async with connected(port) as client:
            await work(client)

    await asyncio.gather(*(connect_and_work() for _ in range(count)))
