"""What a provider says of a model is told in success only, and up to a size."""

import pytest

from gephyr.runtime.describing import MOST_BYTES, ModelDescriber
from gephyr_core.commands import DescribeModel
from gephyr_core.events import Event, ModelDescribed
from gephyr_core.http import Origin
from tests.runtime.test_questions import Upstream

pytestmark = pytest.mark.anyio


async def described(status: int, body: bytes) -> list[Event]:
    """What the core hears when the provider answers so."""
    events: list[Event] = []
    describer = ModelDescriber(upstream := Upstream())
    describer.describe(DescribeModel("a", "m", Origin("http", "h.test", 80), "/", [], "direct"), events.append)
    upstream.calls[0].answer(status, body)
    assert describer.open_descriptions == 0
    return events


@pytest.mark.parametrize(("status", "told"), [(199, b""), (200, b"{}"), (299, b"{}"), (300, b""), (500, b"")])
async def test_only_what_a_provider_says_in_success_is_told(status: int, told: bytes) -> None:
    """An error may repeat the credential."""
    assert await described(status, b"{}") == [ModelDescribed("a", "m", status, told)]


@pytest.mark.parametrize(("size", "status"), [(MOST_BYTES, 200), (MOST_BYTES + 1, 0)])
async def test_a_description_is_told_up_to_the_largest_size(size: int, status: int) -> None:
    told = bytes(size) if status else b""
    assert await described(200, bytes(size)) == [ModelDescribed("a", "m", status, told)]
