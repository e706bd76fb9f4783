"""What rendering and reading errors has in common in all dialects: headers, encoding, statuses."""

import math
from typing import Any

import msgspec

from gephyr_core.dialects.base import RenderedError
from gephyr_core.errors import ErrorKind, Problem

encode_json = msgspec.json.Encoder().encode

_LONGEST_RETRY_AFTER = 60.0
"""Seconds. Anthropic's SDK sleeps any ``retry-after`` it is told; above this, clients are told not to retry."""

_KINDS = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.CREDENTIAL,
    402: ErrorKind.MONEY,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.CLIENT_TIMEOUT,
    409: ErrorKind.CONFLICT,
    413: ErrorKind.TOO_LARGE,
    422: ErrorKind.UNPROCESSABLE,
    429: ErrorKind.RATE_LIMIT,
    502: ErrorKind.BAD_GATEWAY,
    503: ErrorKind.UNAVAILABLE,
    504: ErrorKind.GATEWAY_TIMEOUT,
    529: ErrorKind.OVERLOADED,
}


def kind_of_status(status: object) -> ErrorKind:
    """Return the kind that an error with this HTTP status (a number, or its digits) is; ``SERVER`` if unknown."""
    if isinstance(status, str) and status.isdecimal():
        status = int(status[:3])
    if not isinstance(status, int):
        return ErrorKind.SERVER
    return _KINDS.get(status) or (ErrorKind.BAD_REQUEST if 400 <= status < 500 else ErrorKind.SERVER)


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
