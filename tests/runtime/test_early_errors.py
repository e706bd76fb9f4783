"""Errors about requests that never became exchanges."""

import pytest

from gephyr.runtime.service import render_error
from gephyr_core.errors import ErrorKind


@pytest.mark.parametrize("kind", [ErrorKind.UNAVAILABLE, ErrorKind.RATE_LIMIT, ErrorKind.HEAD_TOO_LARGE])
def test_only_who_may_come_back_is_told_when(kind: ErrorKind) -> None:
    """Too many connections pass; a head that is too large stays so."""
    status, headers, _ = render_error(kind, "not now", "/v1/messages", [])
    told = [value for name, value in headers if name == b"retry-after"]
    assert status == kind.http_status
    assert told == ([] if kind is ErrorKind.HEAD_TOO_LARGE else [b"1"])
