"""Fixtures of the replay: the stub's process."""

import importlib.util
from collections.abc import Iterator

import pytest

from tests.acceptance.stub import stub_process


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """As ``gephyr serve`` chooses."""
    return "asyncio", {"use_uvloop": importlib.util.find_spec("uvloop") is not None}


@pytest.fixture(scope="session")
def stub_ports() -> Iterator[dict[str, int]]:
    with stub_process() as ports:
        yield ports
