"""Our errors through the parsing rules of the official SDKs; skipped where they are not installed."""

import json
from typing import Any

import pytest

from gephyr_core.dialects import DIALECTS
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.sse import parse

OPENAI_CLASSES = {
    ErrorKind.BAD_REQUEST: "BadRequestError",
    ErrorKind.CREDENTIAL: "AuthenticationError",
    ErrorKind.MONEY: "RateLimitError",
    ErrorKind.PERMISSION: "PermissionDeniedError",
    ErrorKind.MODEL_NOT_FOUND: "NotFoundError",
    ErrorKind.CONFLICT: "ConflictError",
    ErrorKind.UNPROCESSABLE: "UnprocessableEntityError",
    ErrorKind.RATE_LIMIT: "RateLimitError",
    ErrorKind.OVERLOADED: "InternalServerError",
    ErrorKind.GATEWAY_TIMEOUT: "InternalServerError",
}
ANTHROPIC_CLASSES = {
    ErrorKind.BAD_REQUEST: "BadRequestError",
    ErrorKind.CREDENTIAL: "AuthenticationError",
    ErrorKind.MONEY: "PaymentRequiredError",
    ErrorKind.PERMISSION: "PermissionDeniedError",
    ErrorKind.MODEL_NOT_FOUND: "NotFoundError",
    ErrorKind.CONFLICT: "ConflictError",
    ErrorKind.UNPROCESSABLE: "UnprocessableEntityError",
    ErrorKind.RATE_LIMIT: "RateLimitError",
    ErrorKind.OVERLOADED: "OverloadedError",
    ErrorKind.UNAVAILABLE: "ServiceUnavailableError",
}


def answer(name: str, kind: ErrorKind) -> Any:
    httpx2 = pytest.importorskip("httpx2")
    reply = DIALECTS[name].render_error(Problem(kind, "why"), "req_1")
    request = httpx2.Request("POST", "http://localhost/")
    return httpx2.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)


@pytest.mark.parametrize(("kind", "raised"), OPENAI_CLASSES.items())
def test_openai_raises_the_right_class(kind: ErrorKind, raised: str) -> None:
    """And finds message, code and type where it looks for them."""
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key="none") as client:
        error = client._make_status_error_from_response(answer("openai-chat", kind))
    assert type(error).__name__ == raised
    assert error.body["message"] == "why"
    assert error.type == error.body["type"]


@pytest.mark.parametrize(("kind", "raised"), ANTHROPIC_CLASSES.items())
def test_anthropic_raises_the_right_class(kind: ErrorKind, raised: str) -> None:
    """And finds the request id."""
    anthropic = pytest.importorskip("anthropic")
    with anthropic.Anthropic(api_key="none") as client:
        error = client._make_status_error_from_response(answer("anthropic", kind))
    assert type(error).__name__ == raised
    assert error.body["error"]["message"] == "why"
    assert error.request_id == "req_1"


@pytest.mark.parametrize(
    ("kind", "raised"), [(ErrorKind.RATE_LIMIT, "ClientError"), (ErrorKind.UNAVAILABLE, "ServerError")]
)
def test_genai_raises_the_right_class(kind: ErrorKind, raised: str) -> None:
    """And finds code, status and message."""
    errors = pytest.importorskip("google.genai.errors")
    with pytest.raises(errors.APIError) as caught:
        errors.APIError.raise_for_response(answer("gemini", kind))
    assert type(caught.value).__name__ == raised
    assert (caught.value.code, caught.value.message) == (kind.http_status, "why")


@pytest.mark.parametrize(
    "kind", sorted(set(ErrorKind) - {ErrorKind.CONTEXT_TOO_LONG, ErrorKind.MONEY}, key=lambda kind: kind.value)
)
def test_a_failed_response_passes_strict_validation(kind: ErrorKind) -> None:
    """All but the two codes that Codex reads and the SDK's types do not know."""
    responses = pytest.importorskip("openai.types.responses")
    reader = DIALECTS["openai-responses"].stream_reader(max_line=1 << 20)
    event = json.loads(parse(reader.failure(Problem(kind, "why"), now=1.0)).data)
    failed = responses.ResponseFailedEvent.model_validate(event, strict=True)
    assert failed.response.status == "failed"
    assert failed.response.error.message == "why"
