"""Errors as Anthropic writes and reads them."""

from typing import Any

from gephyr_core.dialects.base import RenderedError, StreamError
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.rendering import rendered
from gephyr_core.error_words import kind_of_words
from gephyr_core.errors import ErrorKind, Problem

_INVALID_REQUEST = "invalid_request_error"

_TYPES = {
    ErrorKind.BAD_REQUEST: _INVALID_REQUEST,
    ErrorKind.CONTEXT_TOO_LONG: _INVALID_REQUEST,
    ErrorKind.CONTENT_POLICY: _INVALID_REQUEST,
    ErrorKind.CREDENTIAL: "authentication_error",
    ErrorKind.MONEY: "billing_error",
    ErrorKind.PERMISSION: "permission_error",
    ErrorKind.NOT_FOUND: "not_found_error",
    ErrorKind.MODEL_NOT_FOUND: "not_found_error",
    ErrorKind.METHOD: _INVALID_REQUEST,
    ErrorKind.CLIENT_TIMEOUT: "timeout_error",
    ErrorKind.CONFLICT: "conflict_error",
    ErrorKind.TOO_LARGE: "request_too_large",
    ErrorKind.UNSUPPORTED_ENCODING: _INVALID_REQUEST,
    ErrorKind.UNPROCESSABLE: _INVALID_REQUEST,
    ErrorKind.UPGRADE_REQUIRED: _INVALID_REQUEST,
    ErrorKind.HEAD_TOO_LARGE: _INVALID_REQUEST,
    ErrorKind.RATE_LIMIT: "rate_limit_error",
    ErrorKind.SERVER: "api_error",
    ErrorKind.OVERLOADED: "overloaded_error",
    ErrorKind.BAD_GATEWAY: "api_error",
    ErrorKind.UNAVAILABLE: "api_error",
    ErrorKind.GATEWAY_TIMEOUT: "timeout_error",
}

_KINDS = {
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "authentication_error": ErrorKind.CREDENTIAL,
    "billing_error": ErrorKind.MONEY,
    "permission_error": ErrorKind.PERMISSION,
    "not_found_error": ErrorKind.NOT_FOUND,
    "conflict_error": ErrorKind.CONFLICT,
    "request_too_large": ErrorKind.TOO_LARGE,
    "rate_limit_error": ErrorKind.RATE_LIMIT,
    "api_error": ErrorKind.SERVER,
    "overloaded_error": ErrorKind.OVERLOADED,
    "timeout_error": ErrorKind.GATEWAY_TIMEOUT,
}

_SPENT = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
"""Rate limits that waiting does not mend."""

_OVERLOADED_STATUS = 529
_TOO_LONG = "prompt is too long"
"""No type says so, these words do: Claude Code and its like compact the conversation when they read them."""


def error_object(problem: Problem) -> dict[str, Any]:
    """Return the error message, as a reply's body or as the data of an ``error`` event."""
    message = problem.message
    if problem.kind is ErrorKind.CONTEXT_TOO_LONG and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    return {"type": "error", "error": {"type": _TYPES[problem.kind], "message": message}}


def render_error(problem: Problem, request_id: str) -> RenderedError:
    """Render a whole error reply."""
    status = _OVERLOADED_STATUS if problem.kind is ErrorKind.OVERLOADED else problem.kind.http_status
    body = {**error_object(problem), "request_id": request_id}
    return rendered(problem, status, body, (b"request-id", request_id.encode()))


def stream_error(error: object) -> StreamError:
    """Read the ``error`` member of an ``error`` event."""
    fields = mapping(error) or {"message": error}
    name = text(fields.get("type"))
    message = text(fields.get("message")) or "the provider told no message"
    kind = _KINDS.get(name or "", ErrorKind.SERVER)
    if (mapping(fields.get("details")) or {}).get("error_code") in _SPENT:
        kind = ErrorKind.MONEY
    elif kind is ErrorKind.BAD_REQUEST:
        kind = kind_of_words(message) or kind
    status = _OVERLOADED_STATUS if kind is ErrorKind.OVERLOADED else None
    return StreamError(kind=kind, message=message, code=name, status=status, told=error)
