"""``gephyr serve`` with few descriptors, all of them taken by clients: what those are told who are connected."""

import asyncio
import contextlib
import json
import os
import resource
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.client import Client, connected
from tests.acceptance.gateway import Process, account, configuration, serving
from tests.acceptance.speech import CHAT
from tests.acceptance.stub import Stub
from tests.waiting import WAIT, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells how many descriptors a process has"),
]
FEW = 64


def _few() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


def descriptors(process: Process) -> int:
    """How many it has open, those aside that it inherited beyond its limit."""
    return sum(int(number) < FEW for number in os.listdir(f"/proc/{process.pid}/fd"))


@contextlib.asynccontextmanager
async def crowded(process: Process) -> AsyncIterator[None]:
    """Have idle clients take every descriptor that the process has left."""
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.timeout(WAIT):
            while (open_before := descriptors(process)) < FEW:
                await stack.enter_async_context(connected(process.port))
                await until(lambda before=open_before: descriptors(process) != before)
        yield


async def ask(client: Client) -> int:
    return (await client.ask("POST", CHAT.target, CHAT.body())).status


async def logged(process: Process) -> dict[str, list[dict[str, object]]]:
    """What the process logged until its end, by event."""
    found: dict[str, list[dict[str, object]]] = defaultdict(list)
    for line in (await process.errors.read()).splitlines():
        entry = json.loads(line)
        found[entry["event"]].append(entry)
    return found


async def test_a_process_without_descriptors_blames_itself_and_recovers(stub: Stub, tmp_path: Path) -> None:
    """Forty requests: each is told so at once, by one attempt, and no account is left alone for it."""
    for name in "ab":
        await stub.script(name, CHAT.answer())
    mapping = configuration([account(name, stub.url(name)) for name in "ab"])
    async with serving(tmp_path, mapping, prepare=_few) as process, connected(process.port) as client:
        async with crowded(process):
            for _ in range(40):
                response = await client.ask("POST", CHAT.target, CHAT.body())
                assert (response.status, response.header("retry-after")) == (503, "1")
                assert b"the gateway has no room for another connection" in response.body
        async with asyncio.timeout(WAIT):
            while await ask(client) != 200:
                pass
        metrics = (await client.ask("GET", "/metrics")).body.decode()
        assert 'outcome="local"' in metrics
        process.process.terminate()
        lines = await logged(process)
    local = [line for line in lines["request"] if line["status"] == 503]
    assert len(local) >= 40
    assert {line["attempts"] for line in local} == {1}
    assert 1 <= len(lines["no connection can be opened"]) < len(local) / 2
