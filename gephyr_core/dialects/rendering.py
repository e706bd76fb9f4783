"""What rendering and reading errors has in common in all dialects: headers, encoding, statuses."""

import json
import math
from typing import Any

import msgspec

from gephyr_core.dialects.base import RenderedError
from gephyr_core.errors import Problem
from gephyr_core.surrogates import mended_json

_encode = msgspec.json.Encoder().encode


def encode_json(value: Any) -> bytes:
    """Write JSON. U+FFFD stands for halves of surrogate pairs, which UTF-8 cannot hold."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(mended_json(value, "", lambda _: None))


def write_object(value: dict[str, Any]) -> bytes:
    """Write JSON that may hold halves of surrogate pairs, which a provider's stream may have cut apart."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


_LONGEST_RETRY_AFTER = 60.0
"""Seconds. Anthropic's SDK sleeps any ``retry-after`` it is told; above this, clients are told not to retry."""

_REPEATABLE = (408, 409, 429)
"""The 4xx that SDKs repeat. The others stay as they are; Anthropic says so with ``x-should-retry: false``, and Claude
Code repeats a 401 for minutes where nobody says it (measured with 2.1.197)."""


def retry_seconds(problem: Problem) -> int | None:
    """Return ``retry_after`` in whole seconds, rounded up, as the header wants it."""
    return None if problem.retry_after is None else max(0, math.ceil(problem.retry_after))


def rendered(problem: Problem, status: int, body: dict[str, Any], *headers: tuple[bytes, bytes]) -> RenderedError:
    """Put an error reply together: its JSON *body*, whether and when to repeat, the dialect's own *headers*."""
    fields = [(b"content-type", b"application/json"), *headers]
    seconds = retry_seconds(problem)
    if seconds is not None:
        fields.append((b"retry-after", b"%d" % seconds))
    too_long = seconds is not None and seconds > _LONGEST_RETRY_AFTER
    if too_long or (status < 500 and status not in _REPEATABLE):
        fields.append((b"x-should-retry", b"false"))
    return RenderedError(status, (*fields, *problem.headers), encode_json(body))
