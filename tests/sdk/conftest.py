"""The servers that the SDKs talk to, one of each for all tests, and each SDK's clients, sync and async."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gephyr.harness.in_process import DEMO_KEY
from tests.acceptance.stub import stub_process
from tests.sdk.clients import Clients
from tests.sdk.servers import Server, Stub, running, write_config

KEY = "a-client-key"
FATES = ("limited", "limited-long", "overloaded", "broken", "rejected", "dying", "one-bad", "well")
"""Models of ``gephyr serve``, each (for each kind of client) with two accounts at each provider, which the stub plays
as a test says."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of an SDK's two clients a test drives."""
    found: str = request.param
    return found


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``gephyr demo``. In the end it has to stop on SIGINT, with exit code 0 and without a word of complaint."""
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, "demo", "--port", "0", "--latency", "0", "--pace", "0") as server:
        yield server


@pytest.fixture(scope="session")
def stub() -> Iterator[Stub]:
    """The provider behind ``serve``."""
    with stub_process() as ports:
        yield Stub(ports)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, stub: Stub) -> Iterator[Server]:
    """``gephyr serve``, which takes bodies of at most a MiB."""
    names = [
        (provider, f"{fate}-{kind}", number)
        for provider in ("openai", "anthropic", "gemini")
        for fate in FATES
        for kind in ("sync", "async")
        for number in (1, 2)
    ]
    accounts = [
        {
            "id": f"{provider}-{model}-{number}",
            "provider": provider,
            "api_key": "an-account-key",
            "base_url": stub.url(f"{provider}-{model}-{number}"),
            "models": [f"{provider}-{model}"],
            "priority": -number,
        }
        for provider, model, number in names
    ]
    mapping = {"server": {"max_body_size": 2**20}, "auth": {"api_keys": [KEY]}, "accounts": accounts}
    folder = tmp_path_factory.mktemp("serve")
    with running(folder, "serve", "--config", str(write_config(folder, mapping))) as server:
        yield server


@pytest.fixture
async def clients(serve: Server, stub: Stub, kind: str) -> AsyncIterator[Clients]:
    """Clients of ``gephyr serve``. What other tests asked of the provider behind it is forgotten."""
    stub.take()
    async with contextlib.AsyncExitStack() as stack:
        yield Clients(serve.url, KEY, kind, stack)


@pytest.fixture
async def _demo_clients(demo: Server, kind: str) -> AsyncIterator[Clients]:
    async with contextlib.AsyncExitStack() as stack:
        yield Clients(demo.url, DEMO_KEY, kind, stack)


@pytest.fixture
async def openai_client(_demo_clients: Clients) -> Any:
    """OpenAI's client for the demo."""
    return await _demo_clients.openai()


@pytest.fixture
async def anthropic_client(_demo_clients: Clients) -> Any:
    """Anthropic's client for the demo."""
    return await _demo_clients.anthropic()


@pytest.fixture
async def gemini_client(_demo_clients: Clients) -> Any:
    """Google's client for the demo."""
    return await _demo_clients.gemini()
