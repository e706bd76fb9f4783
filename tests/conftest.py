"""What the tests of several folders share: helpers beside this file, and the loops that tests run on."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

sys.path.insert(0, str(Path(__file__).parent))

# The same examples in every run, however slow the machine; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("gephyr", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
# Mutants (tests/mutants) need to know that an example fails, not which one is the smallest.
settings.register_profile(
    "mutants", settings.get_profile("gephyr"), phases=[Phase.explicit, Phase.generate], database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gephyr"))

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
