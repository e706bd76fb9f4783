"""The pytest plugin: a ``gephyr`` fixture, to test an application against limits and outages.

    def test_my_agent_survives_a_limit(gephyr):
        gephyr.account("openai-1").limit(retry_after=30)
        client = OpenAI(base_url=f"{gephyr.url}/v1", api_key=gephyr.key)
        assert my_agent(client).finished

A marker chooses accounts and settings: ``@pytest.mark.gephyr(accounts=2, config={"scheduling": {...}})``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gephyr.testing import RunningGateway


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "gephyr(accounts=1, seed=0, config=None): what the gateway of the gephyr fixture is like"
    )


@pytest.fixture
def gephyr(request: pytest.FixtureRequest) -> "Iterator[RunningGateway]":
    """A gateway on a loopback port, with simulated providers, for one test."""
    from gephyr.testing import RunningGateway  # noqa: PLC0415 (test runs that do not use it need not load it)

    marker = request.node.get_closest_marker("gephyr")
    with RunningGateway(*(marker.args if marker else ()), **(marker.kwargs if marker else {})) as gateway:
        yield gateway
