"""What the tests of several folders share: helpers beside this file, and the loops that tests run on."""

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

_NO_UVLOOP = importlib.util.find_spec("uvloop") is None


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio"),
        pytest.param(True, id="uvloop", marks=pytest.mark.skipif(_NO_UVLOOP, reason="uvloop is not installed")),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run a test on asyncio's own loop and, where it is installed, on uvloop."""
    return "asyncio", {"use_uvloop": request.param}
