"""Every runtime test that runs on a loop does so on asyncio's own loop and, where it is installed, on uvloop."""

import importlib.util

import pytest

_NO_UVLOOP = importlib.util.find_spec("uvloop") is None


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio"),
        pytest.param(True, id="uvloop", marks=pytest.mark.skipif(_NO_UVLOOP, reason="uvloop is not installed")),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": request.param}
