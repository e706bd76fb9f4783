"""The error inside a failed response: a code out of the SDK's ``ResponseError``, or one that Codex reads."""

from gephyr_core.errors import ErrorKind, Problem

_CODES = {
    ErrorKind.BAD_REQUEST: "invalid_prompt",
    ErrorKind.UNPROCESSABLE: "invalid_prompt",
    ErrorKind.CONTENT_POLICY: "invalid_prompt",
    ErrorKind.CONTEXT_TOO_LONG: "context_length_exceeded",
    ErrorKind.MONEY: "insufficient_quota",
    ErrorKind.RATE_LIMIT: "rate_limit_exceeded",
}


def response_error(problem: Problem) -> dict[str, str]:
    """Return the ``error`` of a failed response. Codes outside the SDK's list would fail its strict validation, so
    everything that Codex does not treat specially is a ``server_error``."""
    return {"code": _CODES.get(problem.kind, "server_error"), "message": problem.message}
