"""Fixtures of the acceptance tests: the stub's process, one for all of them."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from tests.acceptance.stub import Stub, fresh_stub, stub_process


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """As ``gephyr serve`` chooses."""
    return "asyncio", {"use_uvloop": importlib.util.find_spec("uvloop") is not None}


@pytest.fixture(scope="session")
def stub_ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Its certificate is of an authority that nobody trusts."""
    cert: Path = tmp_path_factory.mktemp("stub") / "cert.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(cert)
    with stub_process(str(cert)) as ports:
        yield ports


@pytest.fixture
async def stub(stub_ports: dict[str, int]) -> AsyncIterator[Stub]:
    async with fresh_stub(stub_ports) as stub:
        yield stub
