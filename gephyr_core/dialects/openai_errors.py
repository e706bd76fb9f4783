"""Errors as the OpenAI dialects write and read them. OpenAI's SDK picks its exception class by the status alone."""

from typing import Any

from gephyr_core.dialects.base import RenderedError, StreamError
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.rendering import rendered
from gephyr_core.error_words import kind_of_words
from gephyr_core.errors import ErrorKind, Problem, kind_of_status

_INVALID_REQUEST = "invalid_request_error"

_TYPE_AND_CODE: dict[ErrorKind, tuple[str, str | None]] = {
    ErrorKind.BAD_REQUEST: (_INVALID_REQUEST, None),
    ErrorKind.CONTEXT_TOO_LONG: (_INVALID_REQUEST, "context_length_exceeded"),
    ErrorKind.CONTENT_POLICY: (_INVALID_REQUEST, "content_policy_violation"),
    ErrorKind.CREDENTIAL: (_INVALID_REQUEST, "invalid_api_key"),
    ErrorKind.MONEY: ("insufficient_quota", "insufficient_quota"),
    ErrorKind.PERMISSION: (_INVALID_REQUEST, "permission_denied"),
    ErrorKind.NOT_FOUND: (_INVALID_REQUEST, None),
    ErrorKind.MODEL_NOT_FOUND: (_INVALID_REQUEST, "model_not_found"),
    ErrorKind.METHOD: (_INVALID_REQUEST, "method_not_supported"),
    ErrorKind.CLIENT_TIMEOUT: (_INVALID_REQUEST, "request_timeout"),
    ErrorKind.CONFLICT: (_INVALID_REQUEST, "conflict"),
    ErrorKind.TOO_LARGE: (_INVALID_REQUEST, "request_too_large"),
    ErrorKind.UNSUPPORTED_ENCODING: (_INVALID_REQUEST, "unsupported_encoding"),
    ErrorKind.UNPROCESSABLE: (_INVALID_REQUEST, None),
    ErrorKind.UPGRADE_REQUIRED: (_INVALID_REQUEST, "upgrade_required"),
    ErrorKind.HEAD_TOO_LARGE: (_INVALID_REQUEST, "header_too_large"),
    ErrorKind.RATE_LIMIT: ("rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.SERVER: ("server_error", "server_error"),
    ErrorKind.OVERLOADED: ("server_error", "server_is_overloaded"),
    ErrorKind.BAD_GATEWAY: ("server_error", "bad_gateway"),
    ErrorKind.UNAVAILABLE: ("server_error", "service_unavailable"),
    ErrorKind.GATEWAY_TIMEOUT: ("server_error", "gateway_timeout"),
}

_KIND_OF_NAME = {
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "invalid_prompt": ErrorKind.BAD_REQUEST,
    "context_length_exceeded": ErrorKind.CONTEXT_TOO_LONG,
    "content_filter": ErrorKind.CONTENT_POLICY,
    "content_policy_violation": ErrorKind.CONTENT_POLICY,
    "image_content_policy_violation": ErrorKind.CONTENT_POLICY,
    "bio_policy": ErrorKind.CONTENT_POLICY,
    "misalignment_policy_violation": ErrorKind.CONTENT_POLICY,
    "authentication_error": ErrorKind.CREDENTIAL,
    "invalid_api_key": ErrorKind.CREDENTIAL,
    "insufficient_quota": ErrorKind.MONEY,
    "credit_balance_exhausted": ErrorKind.MONEY,
    "organization_usage_limit_exceeded": ErrorKind.MONEY,
    "organization_spend_limit_exceeded": ErrorKind.MONEY,
    "project_spend_limit_exceeded": ErrorKind.MONEY,
    "permission_error": ErrorKind.PERMISSION,
    "not_found_error": ErrorKind.NOT_FOUND,
    "model_not_found": ErrorKind.MODEL_NOT_FOUND,
    "rate_limit_exceeded": ErrorKind.RATE_LIMIT,
    "rate_limit_error": ErrorKind.RATE_LIMIT,
    "server_error": ErrorKind.SERVER,
    "server_is_overloaded": ErrorKind.OVERLOADED,
    "slow_down": ErrorKind.OVERLOADED,
}
"""By code or type, as OpenAI and those who speak its dialect name them."""

_MONEY_STATUS = 429
"""OpenAI tells an exhausted balance as 429."""


def error_object(problem: Problem) -> dict[str, Any]:
    """Return the ``error`` object of a reply or a stream."""
    kind, code = _TYPE_AND_CODE[problem.kind]
    return {
        "message": problem.message,
        "type": kind,
        "param": problem.param,
        "code": problem.code or code,
    }


def render_error(problem: Problem) -> RenderedError:
    """Render a whole error reply."""
    status = _MONEY_STATUS if problem.kind is ErrorKind.MONEY else problem.kind.http_status
    return rendered(problem, status, {"error": error_object(problem)})


def stream_error(error: object) -> StreamError:
    """Read the ``error`` of a stream: OpenAI's object, or what others put there (a number as code, a bare text)."""
    fields = mapping(error) or {"message": error}
    code, kind_name = fields.get("code"), fields.get("type")
    kind = _KIND_OF_NAME.get(text(code) or "") or _KIND_OF_NAME.get(text(kind_name) or "")
    if kind is None or isinstance(code, int):
        kind = kind_of_status(code)
    message = text(fields.get("message")) or "the provider told no message"
    if kind is ErrorKind.BAD_REQUEST:
        kind = kind_of_words(message) or kind
    told = code if isinstance(code, str | int) and code else kind_name
    return StreamError(
        kind=kind,
        message=message,
        code=str(told) if told else None,
        told=error,
    )
