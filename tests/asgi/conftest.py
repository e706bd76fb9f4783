"""The adapter's tests run on asyncio, the one library its hosts may run."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
