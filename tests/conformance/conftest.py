"""One suite, two front ends: ``semantic`` cases run on both, ``wire`` cases on the server only."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.conformance.front_ends import FRONT_ENDS, configuration
from tests.conformance.talk import FrontEnd

Serve = Callable[..., AbstractAsyncContextManager[FrontEnd]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wire, semantic = (metafunc.definition.get_closest_marker(name) for name in ("wire", "semantic"))
    assert (wire is None) is not (semantic is None), "a case is either `wire` or `semantic`"
    metafunc.parametrize("front_end", ["server"] if wire else list(FRONT_ENDS))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def serve(front_end: str) -> Serve:
    """Runs a gateway of the given accounts and sections behind a front end."""

    def run(*accounts: dict[str, Any], **sections: Any) -> AbstractAsyncContextManager[FrontEnd]:
        return FRONT_ENDS[front_end](configuration(accounts, **sections))

    return run
