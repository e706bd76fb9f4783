"""A refused request, and how each provider says it (shapes: the error types of their SDKs)."""

from collections.abc import Iterable

from gephyr.harness.providers.wire import Object, Reply, whole

_ANTHROPIC = {401: "authentication_error", 404: "not_found_error"}
_GEMINI = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 405: "UNIMPLEMENTED"}


class RefusalError(Exception):
    """The provider refuses the request, in its own words."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        details: object = None,
    ) -> None:
        """*param* and *code* are OpenAI's, *details* Google's."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.details = details


def anthropic_refusal(refused: RefusalError, request_id: str) -> Reply:
    """Render ``{"type": "error", "error": {type, message}, "request_id"}``."""
    error = {"type": _ANTHROPIC.get(refused.status, "invalid_request_error"), "message": refused.message}
    return whole({"type": "error", "error": error, "request_id": request_id}, status=refused.status)


def openai_refusal(refused: RefusalError, request_id: str) -> Reply:  # noqa: ARG001
    """Render ``{"error": {message, type, param, code}}``."""
    error = {"message": refused.message, "type": "invalid_request_error", "param": refused.param, "code": refused.code}
    return whole({"error": error}, status=refused.status)


def gemini_refusal(refused: RefusalError, request_id: str) -> Reply:  # noqa: ARG001
    """Render ``{"error": {code, message, status, details}}``."""
    status = _GEMINI.get(refused.status, "INVALID_ARGUMENT")
    error: dict[str, object] = {"code": refused.status, "message": refused.message, "status": status}
    if refused.details is not None:
        error["details"] = refused.details
    return whole({"error": error}, status=refused.status)


def listed(values: Iterable[str]) -> str:
    """Write values as OpenAI's messages do: ``'a', 'b', and 'c'``."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def objects(value: object) -> list[Object]:
    """Return the objects in a list, and nothing if it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
