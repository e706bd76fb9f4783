"""What ``store: true`` promises, on a disk that is full: kept in memory, counted, and written when there is room."""

import json
from pathlib import Path

import pytest
import structlog

from gephyr.runtime import store as store_module
from gephyr.runtime import store_queue
from gephyr.runtime.store import Store
from tests.acceptance.client import Client, connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.acceptance.speech import SPEECHES
from tests.acceptance.stub import Stub
from tests.full_disk import full_disk, unix_only
from tests.waiting import until

pytestmark = [pytest.mark.anyio, unix_only]

ANTHROPIC = next(speech for speech in SPEECHES if speech.provider == "anthropic")


def _now() -> float:
    return 1_800_000_000.0


async def _created(client: Client, **more: object) -> str:
    body = {"model": "claude-x", "input": "hello", "store": True, **more}
    reply = await client.ask("POST", "/v1/responses", json.dumps(body).encode())
    assert reply.status == 200, reply.body
    identity: str = json.loads(reply.body)["id"]
    return identity


async def test_what_a_full_disk_does_not_take_is_kept_in_memory_and_written_when_there_is_room(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client was told 200 and an id: the id leads to the response, in this process and after a restart."""
    monkeypatch.setattr(store_module, "_BATCH_INTERVAL", 0.001)
    monkeypatch.setattr(store_module, "_RETRY_INTERVAL", 0.001)
    await stub.script("a", *[ANTHROPIC.answer()] * 3)
    mapping = configuration([account("a", stub.url("a"), "anthropic")])
    store = Store.open(tmp_path, clock=_now)
    with structlog.testing.capture_logs() as logs:
        async with gateway(mapping, store) as world, connected(world.port) as client:
            with full_disk():
                first = await _created(client)
                second = await _created(client, previous_response_id=first)
                await world.until(lambda _: any("stays in memory" in entry["event"] for entry in logs))
                assert world.gauge("gephyr_store_unwritten_records") > 0
                found = await client.ask("GET", f"/v1/responses/{second}")
                assert (found.status, json.loads(found.body)["id"]) == (200, second)
            await until(lambda: world.gauge("gephyr_store_unwritten_records") == 0)
            assert world.gauge("gephyr_store_records_dropped_total") == 0
    told = [entry["event"] for entry in logs if "store" in entry["event"]]
    assert told == [
        "the store cannot be written; what it was given stays in memory until it can",
        "the store can be written again",
    ]
    async with gateway(mapping, Store.open(tmp_path, clock=_now)) as world, connected(world.port) as client:
        for identity in (first, second):
            assert (await client.ask("GET", f"/v1/responses/{identity}")).status == 200


async def test_what_a_full_disk_never_took_is_told_at_the_end(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator reads how many records are gone with the process."""
    monkeypatch.setattr(store_module, "_RETRY_INTERVAL", 0.001)
    await stub.script("a", ANTHROPIC.answer())
    mapping = configuration([account("a", stub.url("a"), "anthropic")])
    store = Store.open(tmp_path, clock=_now)
    with structlog.testing.capture_logs() as logs, full_disk():
        async with gateway(mapping, store) as world, connected(world.port) as client:
            await _created(client)
    (last,) = [entry for entry in logs if "is lost" in entry["event"]]
    assert last["unwritten"] >= 1
    assert last["log_level"] == "error"


async def test_a_response_that_is_too_long_to_be_kept_is_counted(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was answered, and its id leads nowhere: the metrics tell how often that happens."""
    monkeypatch.setattr(store_queue, "MOST_OBJECT_BYTES", 100)
    await stub.script("a", ANTHROPIC.answer())
    mapping = configuration([account("a", stub.url("a"), "anthropic")])
    store = Store.open(tmp_path, clock=_now)
    async with gateway(mapping, store) as world, connected(world.port) as client:
        identity = await _created(client)
        assert (await client.ask("GET", f"/v1/responses/{identity}")).status == 404
        assert world.gauge("gephyr_store_records_dropped_total") == 1
