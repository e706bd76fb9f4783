"""``gephyr serve`` as coding agents meet it, and the provider behind it, which tells what it was sent."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.stub import stub_process
from tests.agents.asking import KEY, OTHER_KEY, Gateway
from tests.sdk.servers import Stub, running, write_config


@pytest.fixture(scope="session")
def stub_ports() -> Iterator[dict[str, int]]:
    with stub_process() as ports:
        yield ports


@pytest.fixture
def stub(stub_ports: dict[str, int]) -> Stub:
    """The provider, without memory of earlier tests."""
    stub = Stub(stub_ports)
    stub.order("reset")
    return stub


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, stub_ports: dict[str, int]) -> Iterator[Gateway]:
    """Signs of life after one second of silence; a provider that is silent for half a second more is dead."""
    stub = Stub(stub_ports)

    def account(name: str, provider: str, *models: str, **more: Any) -> dict[str, Any]:
        key = f"credential-of-{name}"
        url = stub.url(name)
        return {"id": name, "provider": provider, "api_key": key, "base_url": url, "models": models, **more}

    mapping = {
        "server": {"keepalive_interval": 1},
        "auth": {"api_keys": [KEY, OTHER_KEY]},
        "upstream": {"idle_timeout": 1.5},
        "models": {"list": ["claude-demo"]},
        "scheduling": {"mode": "performance_first"},
        "accounts": [
            account("claude", "anthropic", "claude-*"),
            account("codex", "openai", "gpt-codex"),
            account("gemini", "gemini", "gemini-*", "vendor/gemini:free", "a:b/c:d"),
            account("chat", "openai", "vendor/model:free"),
            account("narrow", "anthropic", "narrow", max_concurrency=1),
            account("hanging", "anthropic", "hanging", base_url=f"https://127.0.0.1:{stub_ports['silent']}/hanging"),
            *(account(f"{name}-a", "openai", name, organization=f"{name}-a") for name in SEALING),
            *(account(f"{name}-b", "openai", name, organization=f"{name}-b") for name in SEALING),
        ],
    }
    folder = tmp_path_factory.mktemp("agents")
    with running(folder, "serve", "--config", str(write_config(folder, mapping))) as server:
        yield Gateway(server.port)


SEALING = ("sealing", "sealing-streamed", "sealing-limited", "sealing-unknown")
"""Models that two organisations serve."""
