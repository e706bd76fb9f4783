"""What rendering and reading errors has in common in all dialects: headers, encoding, statuses."""

import math
from typing import Any

import msgspec

from gephyr_core.dialects.base import RenderedError
from gephyr_core.errors import Problem

encode_json = msgspec.json.Encoder().encode

_LONGEST_RETRY_AFTER = 60.0
"""Seconds. Anthropic's SDK sleeps any ``retry-after`` it is told; above this, clients are told not to retry."""


def retry_seconds(problem: Problem) -> int | None:
    """Return ``retry_after`` in whole seconds, rounded up, as the header wants it."""
    return None if problem.retry_after is None else max(0, math.ceil(problem.retry_after))


def rendered(problem: Problem, status: int, body: dict[str, Any], *headers: tuple[bytes, bytes]) -> RenderedError:
    """Put an error reply together: its JSON *body*, the waiting headers, the dialect's own *headers*."""
    fields = [(b"content-type", b"application/json"), *headers]
    seconds = retry_seconds(problem)
    if seconds is not None:
        fields.append((b"retry-after", b"%d" % seconds))
        if seconds > _LONGEST_RETRY_AFTER:
            fields.append((b"x-should-retry", b"false"))
    return RenderedError(status, (*fields, *problem.headers), encode_json(body))
