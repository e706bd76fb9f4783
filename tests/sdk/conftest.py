"""The servers that the SDKs talk to, one of each for all tests, and each SDK's clients, sync and async."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gephyr.harness.in_process import DEMO_KEY
from tests.acceptance.stub import stub_process
from tests.sdk.servers import Server, Stub, entered, running


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
    """The provider of the failing accounts."""
    with stub_process() as ports:
        yield Stub(ports)


@pytest.fixture
async def openai_client(demo: Server, kind: str) -> AsyncIterator[Any]:
    """OpenAI's client, which raises for a reply that its types do not describe."""
    openai = pytest.importorskip("openai", reason="the openai SDK is not installed")
    make = openai.OpenAI if kind == "sync" else openai.AsyncOpenAI
    options = {"base_url": f"{demo.url}/v1", "api_key": DEMO_KEY, "max_retries": 0}
    async with entered(make(**options, _strict_response_validation=True)) as client:
        yield client


@pytest.fixture
async def anthropic_client(demo: Server, kind: str) -> AsyncIterator[Any]:
    """Anthropic's client, which raises for a reply that its types do not describe."""
    anthropic = pytest.importorskip("anthropic", reason="the anthropic SDK is not installed")
    make = anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic
    options = {"base_url": demo.url, "api_key": DEMO_KEY, "max_retries": 0}
    async with entered(make(**options, _strict_response_validation=True)) as client:
        yield client


@pytest.fixture
async def gemini_client(demo: Server, kind: str) -> AsyncIterator[Any]:
    """Google's client, or its async side."""
    genai = pytest.importorskip("google.genai", reason="the google-genai SDK is not installed")
    client = genai.Client(api_key=DEMO_KEY, http_options={"base_url": demo.url})
    async with entered(client if kind == "sync" else client.aio) as one:
        yield one
    client.close()
