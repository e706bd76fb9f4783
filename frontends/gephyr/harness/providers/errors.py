"""Refusals in the words and shapes of the three providers (shapes: their SDKs' error types)."""

from collections.abc import Callable

import attrs

from gephyr.harness.providers.wire import Reply, RequestError, whole

Renderer = Callable[[RequestError, str], Reply]
"""Renders a refusal; the second argument is the request's id."""

_ANTHROPIC_TYPES = {404: "not_found_error", 405: "invalid_request_error"}
_GEMINI_STATUSES = {404: "NOT_FOUND", 405: "UNIMPLEMENTED"}


def openai_error(error: RequestError, request_id: str) -> Reply:  # noqa: ARG001
    """Render ``{"error": {message, type, param, code}}``."""
    message, code = error.message, error.code
    if error.missing:
        message, code = f"Missing required parameter: '{error.param}'.", "missing_required_parameter"
    elif error.param and error.code is None:
        message, code = f"Invalid value for '{error.param}': {error.message}.", "invalid_value"
    body = {"message": message, "type": "invalid_request_error", "param": error.param, "code": code}
    return whole({"error": body}, status=error.status)


def anthropic_error(error: RequestError, request_id: str) -> Reply:
    """Render ``{"type": "error", "error": {type, message}, "request_id"}``."""
    message = f"{error.param}: {error.message}" if error.param else error.message
    if error.missing:
        message = f"{error.param}: Field required"
    kind = _ANTHROPIC_TYPES.get(error.status, "invalid_request_error")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
    return whole(body, status=error.status)


def gemini_error(error: RequestError, request_id: str) -> Reply:  # noqa: ARG001
    """Render ``{"error": {code, message, status}}``."""
    message = f"Invalid value at '{error.param}': {error.message}" if error.param else error.message
    if error.missing:
        message = f"* {error.param}: {error.param} is not specified"
    status = _GEMINI_STATUSES.get(error.status, "INVALID_ARGUMENT")
    body = {"code": error.status, "message": message, "status": status}
    return whole({"error": body}, status=error.status)


@attrs.frozen
class Style:
    """How one provider refuses, and under which header it tells a request's id."""

    render: Renderer
    id_header: bytes | None


def style_of(path: str) -> Style:
    """Return the style of the provider that *path* belongs to."""
    if path.startswith("/v1/messages"):
        return Style(anthropic_error, b"request-id")
    if path.startswith("/v1beta") or ":" in path:
        return Style(gemini_error, None)
    return Style(openai_error, b"x-request-id")
