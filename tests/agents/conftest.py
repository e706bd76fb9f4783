"""``gephyr serve`` as coding agents meet it, and the provider behind it, which tells what it was sent."""

import contextlib
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


PATIENT = 60.0
"""Seconds, of a limit that no test comes to."""


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, stub_ports: dict[str, int]) -> Iterator[Gateway]:
    """A gateway that does nothing because time passes."""
    with _serving(tmp_path_factory, stub_ports, keepalive=PATIENT, idle=PATIENT) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def bridging(tmp_path_factory: pytest.TempPathFactory, stub_ports: dict[str, int]) -> Iterator[Gateway]:
    """A gateway that soon gives signs of life in a silence, and never takes a provider for dead."""
    with _serving(tmp_path_factory, stub_ports, keepalive=1.0, idle=PATIENT) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory, stub_ports: dict[str, int]) -> Iterator[Gateway]:
    """A gateway that soon takes a silent provider for dead."""
    with _serving(tmp_path_factory, stub_ports, keepalive=PATIENT, idle=0.5) as gateway:
        yield gateway


@contextlib.contextmanager
def _serving(
    tmp_path_factory: pytest.TempPathFactory, stub_ports: dict[str, int], *, keepalive: float, idle: float
) -> Iterator[Gateway]:
    stub = Stub(stub_ports)

    def account(name: str, provider: str, *models: str, **more: Any) -> dict[str, Any]:
        key = f"credential-of-{name}"
        url = stub.url(name)
        return {"id": name, "provider": provider, "api_key": key, "base_url": url, "models": models, **more}

    mapping = {
        "server": {"keepalive_interval": keepalive},
        "auth": {"api_keys": [KEY, OTHER_KEY]},
        "upstream": {"first_byte_timeout": idle, "idle_timeout": idle},
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
