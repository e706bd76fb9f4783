"""``gephyr accounts`` beside a gateway that serves: it follows without a restart."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.acceptance.client import connected
from tests.acceptance.gateway import Process, configuration, serving
from tests.acceptance.stub import Stub, fresh_stub, json_answer, stub_process
from tests.cli.accounts_world import World
from tests.runtime.token_endpoint import token_endpoint
from tests.waiting import WAIT

pytestmark = pytest.mark.anyio
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()
REPLY = {"id": "c", "object": "chat.completion", "choices": [{"message": {"content": "hi"}}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def stub_ports() -> Iterator[dict[str, int]]:
    with stub_process() as ports:
        yield ports


@pytest.fixture
async def stub(stub_ports: dict[str, int]) -> AsyncIterator[Stub]:
    async with fresh_stub(stub_ports) as stub:
        yield stub


@attrs.define
class Running:
    """A gateway that serves, and the commands beside it."""

    world: World
    gateway: Process

    async def command(self, name: str, *arguments: str, code: int = 0) -> str:
        """Run a command; what it printed."""
        result = await asyncio.to_thread(self.world.run, name, *arguments, code=code)
        return result.output

    async def status(self) -> int:
        """What a client gets."""
        async with connected(self.gateway.port) as client:
            return (await client.ask("POST", "/v1/chat/completions", BODY)).status

    async def soon(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Ask until *condition* holds."""
        async with asyncio.timeout(WAIT):
            while not await condition():
                pass

    async def becomes(self, *statuses: int) -> None:
        """Clients are soon answered so."""

        async def answered() -> bool:
            return await self.status() in statuses

        await self.soon(answered)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that starts without an account."""
    fast = {"acquire_timeout": 0.2}
    async with serving(
        tmp_path, configuration([], scheduling=fast, server={"data_dir": str(tmp_path / "data")})
    ) as one:
        yield Running(World(tmp_path, {"KEY": "sk-MARKED"}), one)


async def test_an_added_account_serves_until_it_is_disabled_and_again_when_enabled(
    running: Running, stub: Stub
) -> None:
    """And no more once it is removed. The gateway runs on all the time."""
    await stub.script("a", json_answer(REPLY))
    assert await running.status() in {404, 503}
    await running.command(
        "add", "--id", "a", "--provider", "openai", "--api-key", "env:KEY", "--base-url", stub.url("a")
    )
    await running.becomes(200)
    seen = await stub.take()
    assert dict(seen[0]["headers"])["authorization"] == "Bearer sk-MARKED"
    assert "200 after" in await running.command("test", "a")
    await running.command("disable", "a")
    await running.becomes(503)
    assert "disabled: operator" in await running.command("list")
    assert "it is out of service (operator)" in await running.command("test", "a")
    await running.command("enable", "a")
    await running.becomes(200)
    await running.command("remove", "a")
    await running.becomes(404, 503)
    assert running.gateway.running


async def test_an_account_benched_for_money_serves_again_when_it_is_enabled(running: Running, stub: Stub) -> None:
    """Waiting would not have mended it; somebody has paid."""
    no_money = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    await stub.script("a", json_answer(no_money, 429))
    await running.command(
        "add", "--id", "a", "--provider", "openai", "--api-key", "env:KEY", "--base-url", stub.url("a")
    )
    await running.becomes(502)
    await stub.script("a", json_answer(REPLY))

    async def is_benched() -> bool:
        return "until it is enabled (money)" in await running.command("list")

    await running.soon(is_benched)
    assert await running.status() != 200
    await running.command("enable", "a")
    await running.becomes(200)


async def test_an_account_signs_in_while_the_gateway_runs(running: Running, stub: Stub) -> None:
    """The browser comes back, the token is kept, and the gateway uses it at once."""
    await stub.script("a", json_answer(REPLY))
    async with token_endpoint() as endpoint:
        oauth = ("--token-url", endpoint.url, "--client-id", "c", "--authorize-url", "https://login.example/authorize")
        await running.command("add", "--id", "a", "--provider", "openai", "--base-url", stub.url("a"), *oauth)
        assert await running.status() != 200
        await running.world.signs_in("a")
        await running.becomes(200)
        seen = await stub.take()
        assert dict(seen[-1]["headers"])["authorization"] == "Bearer at-MARKED-1"
        assert "signs in, token until" in await running.command("list")
        assert "token     kept" in await running.command("test", "a")
        assert endpoint.count == 1


async def test_an_account_that_is_added_again_with_another_key_serves_at_once(running: Running, stub: Stub) -> None:
    """Its old key was refused, and the account left alone for that."""
    await stub.script("a", json_answer({"error": {"message": "bad key", "code": "invalid_api_key"}}, 401))
    with_key = ("--id", "a", "--provider", "openai", "--base-url", stub.url("a"), "--api-key")
    await running.command("add", *with_key, "env:KEY")
    await running.becomes(502)
    await stub.script("a", json_answer(REPLY))
    assert await running.status() == 503
    await running.command("remove", "a")
    running.world.environ["NEW"] = "sk-MARKED-new"
    await running.command("add", *with_key, "env:NEW")
    await running.becomes(200)
    assert dict((await stub.take())[-1]["headers"])["authorization"] == "Bearer sk-MARKED-new"


async def test_what_is_recovered_serves_at_once(running: Running, stub: Stub, tmp_path: Path) -> None:
    """Beside the gateway that set the file aside, or on another machine's file, with the key that sealed it."""
    await stub.script("a", json_answer(REPLY))
    with running.world.book() as book:
        book.add_account({"id": "a", "provider": "openai", "api_key": "sk-MARKED-2", "base_url": stub.url("a")})
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / "data" / f"gephyr.sqlite3{suffix}", tmp_path / f"aside{suffix}")
        book.remove_account("a")
    assert await running.command("recover", str(tmp_path / "aside")) == "account a: recovered\n"
    await running.becomes(200)
    seen = await stub.take()
    assert dict(seen[0]["headers"])["authorization"] == "Bearer sk-MARKED-2"
