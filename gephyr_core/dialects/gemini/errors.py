"""Errors as Google's APIs write and read them."""

from typing import Any

from gephyr_core.dialects.base import RenderedError, StreamError
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.rendering import rendered, retry_seconds
from gephyr_core.error_words import kind_of_words
from gephyr_core.errors import ErrorKind, Problem, kind_of_status

_INVALID_ARGUMENT = "INVALID_ARGUMENT"

_STATUS_NAMES = {
    ErrorKind.BAD_REQUEST: _INVALID_ARGUMENT,
    ErrorKind.CONTEXT_TOO_LONG: _INVALID_ARGUMENT,
    ErrorKind.CONTENT_POLICY: _INVALID_ARGUMENT,
    ErrorKind.CREDENTIAL: "UNAUTHENTICATED",
    ErrorKind.MONEY: "FAILED_PRECONDITION",
    ErrorKind.PERMISSION: "PERMISSION_DENIED",
    ErrorKind.NOT_FOUND: "NOT_FOUND",
    ErrorKind.MODEL_NOT_FOUND: "NOT_FOUND",
    ErrorKind.METHOD: _INVALID_ARGUMENT,
    ErrorKind.CLIENT_TIMEOUT: "DEADLINE_EXCEEDED",
    ErrorKind.CONFLICT: "ABORTED",
    ErrorKind.TOO_LARGE: _INVALID_ARGUMENT,
    ErrorKind.UNSUPPORTED_ENCODING: _INVALID_ARGUMENT,
    ErrorKind.UNPROCESSABLE: _INVALID_ARGUMENT,
    ErrorKind.UPGRADE_REQUIRED: "FAILED_PRECONDITION",
    ErrorKind.HEAD_TOO_LARGE: _INVALID_ARGUMENT,
    ErrorKind.RATE_LIMIT: "RESOURCE_EXHAUSTED",
    ErrorKind.SERVER: "INTERNAL",
    ErrorKind.OVERLOADED: "UNAVAILABLE",
    ErrorKind.BAD_GATEWAY: "UNAVAILABLE",
    ErrorKind.UNAVAILABLE: "UNAVAILABLE",
    ErrorKind.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}

_KINDS = {
    "INVALID_ARGUMENT": ErrorKind.BAD_REQUEST,
    "OUT_OF_RANGE": ErrorKind.BAD_REQUEST,
    "FAILED_PRECONDITION": ErrorKind.MONEY,
    "UNAUTHENTICATED": ErrorKind.CREDENTIAL,
    "PERMISSION_DENIED": ErrorKind.PERMISSION,
    "NOT_FOUND": ErrorKind.NOT_FOUND,
    "ABORTED": ErrorKind.CONFLICT,
    "RESOURCE_EXHAUSTED": ErrorKind.RATE_LIMIT,
    "INTERNAL": ErrorKind.SERVER,
    "UNKNOWN": ErrorKind.SERVER,
    "UNAVAILABLE": ErrorKind.OVERLOADED,
    "DEADLINE_EXCEEDED": ErrorKind.GATEWAY_TIMEOUT,
}

_BAD_KEY = "API_KEY_INVALID"


def error_object(problem: Problem) -> dict[str, Any]:
    """Return the error message. ``RetryInfo`` is where Google's clients look for a wait; headers they do not read."""
    details = []
    if (seconds := retry_seconds(problem)) is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"})
    error = {
        "code": problem.kind.http_status,
        "message": problem.message,
        "status": _STATUS_NAMES[problem.kind],
        "details": details,
    }
    return {"error": error}


def render_error(problem: Problem) -> RenderedError:
    """Render a whole error reply."""
    return rendered(problem, problem.kind.http_status, error_object(problem))


def stream_error(error: object) -> StreamError:
    """Read the ``error`` member of a chunk or of a bare object."""
    fields = mapping(error) or {"message": error}
    name = text(fields.get("status"))
    kind = _KINDS.get(name or "") or kind_of_status(fields.get("code"))
    details = fields.get("details")
    if isinstance(details, list) and any((mapping(d) or {}).get("reason") == _BAD_KEY for d in details):
        kind = ErrorKind.CREDENTIAL
    code = name or (str(fields["code"]) if fields.get("code") else None)
    message = text(fields.get("message")) or "the provider told no message"
    if kind is ErrorKind.BAD_REQUEST:
        kind = kind_of_words(message) or kind
    return StreamError(kind=kind, message=message, code=code, told=error)
