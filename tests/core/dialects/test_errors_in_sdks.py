"""Our errors through the parsing rules of the official SDKs; skipped where they are not installed."""

import json
from typing import Any

import pytest

from gephyr_core.dialects import DIALECTS
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.sse import parse

EVERY = {
    ErrorKind.BAD_REQUEST: ("BadRequestError", "BadRequestError", "ClientError"),
    ErrorKind.CONTEXT_TOO_LONG: ("BadRequestError", "BadRequestError", "ClientError"),
    ErrorKind.CONTENT_POLICY: ("BadRequestError", "BadRequestError", "ClientError"),
    ErrorKind.CREDENTIAL: ("AuthenticationError", "AuthenticationError", "ClientError"),
    ErrorKind.MONEY: ("RateLimitError", "PaymentRequiredError", "ClientError"),
    ErrorKind.PERMISSION: ("PermissionDeniedError", "PermissionDeniedError", "ClientError"),
    ErrorKind.NOT_FOUND: ("NotFoundError", "NotFoundError", "ClientError"),
    ErrorKind.MODEL_NOT_FOUND: ("NotFoundError", "NotFoundError", "ClientError"),
    ErrorKind.METHOD: ("APIStatusError", "APIStatusError", "ClientError"),
    ErrorKind.CLIENT_TIMEOUT: ("APIStatusError", "RequestTimeoutError", "ClientError"),
    ErrorKind.CONFLICT: ("ConflictError", "ConflictError", "ClientError"),
    ErrorKind.TOO_LARGE: ("APIStatusError", "ContentTooLargeError", "ClientError"),
    ErrorKind.UNSUPPORTED_ENCODING: ("APIStatusError", "APIStatusError", "ClientError"),
    ErrorKind.UNPROCESSABLE: ("UnprocessableEntityError", "UnprocessableEntityError", "ClientError"),
    ErrorKind.UPGRADE_REQUIRED: ("APIStatusError", "APIStatusError", "ClientError"),
    ErrorKind.HEAD_TOO_LARGE: ("APIStatusError", "RequestHeaderFieldsTooLargeError", "ClientError"),
    ErrorKind.RATE_LIMIT: ("RateLimitError", "RateLimitError", "ClientError"),
    ErrorKind.SERVER: ("InternalServerError", "InternalServerError", "ServerError"),
    ErrorKind.OVERLOADED: ("InternalServerError", "OverloadedError", "ServerError"),
    ErrorKind.BAD_GATEWAY: ("InternalServerError", "InternalServerError", "ServerError"),
    ErrorKind.UNAVAILABLE: ("InternalServerError", "ServiceUnavailableError", "ServerError"),
    ErrorKind.GATEWAY_TIMEOUT: ("InternalServerError", "GatewayTimeoutError", "ServerError"),
}
"""The classes that OpenAI's, Anthropic's and Google's SDKs raise."""
CASES = [(kind, *raised) for kind, raised in EVERY.items()]
WAIT = 7.0


def test_no_kind_is_left_out() -> None:
    assert list(EVERY) == list(ErrorKind)


def answer(name: str, kind: ErrorKind) -> Any:
    httpx2 = pytest.importorskip("httpx2")
    reply = DIALECTS[name].render_error(Problem(kind, "why", retry_after=WAIT), "req_1")
    request = httpx2.Request("POST", "http://localhost/")
    return httpx2.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-completions", "openai-responses"])
@pytest.mark.parametrize(("kind", "raised"), [(kind, raised) for kind, raised, _, _ in CASES])
def test_openai_raises_the_right_class(kind: ErrorKind, raised: str, dialect: str) -> None:
    """And finds message, code and type where it looks for them, and how long to wait."""
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key="none") as client:
        error = client._make_status_error_from_response(answer(dialect, kind))
        waits = client._parse_retry_after_header(error.response.headers)
    assert type(error).__name__ == raised
    assert error.body["message"] == "why"
    assert (error.type, error.code) == (error.body["type"], error.body["code"])
    assert waits == WAIT


@pytest.mark.parametrize(("kind", "raised"), [(kind, raised) for kind, _, raised, _ in CASES])
def test_anthropic_raises_the_right_class(kind: ErrorKind, raised: str) -> None:
    """And finds type and request id, and how long to wait."""
    anthropic = pytest.importorskip("anthropic")
    with anthropic.Anthropic(api_key="none") as client:
        error = client._make_status_error_from_response(answer("anthropic", kind))
        waits = client._parse_retry_after_header(error.response.headers)
    assert type(error).__name__ == raised
    assert error.body["error"]["message"].endswith("why")
    assert error.type == error.body["error"]["type"]
    assert error.request_id == "req_1"
    assert waits == WAIT


@pytest.mark.parametrize(("kind", "raised"), [(kind, raised) for kind, _, _, raised in CASES])
def test_genai_raises_the_right_class(kind: ErrorKind, raised: str) -> None:
    """And finds code, status and message, and the wait in the details."""
    errors = pytest.importorskip("google.genai.errors")
    with pytest.raises(errors.APIError) as caught:
        errors.APIError.raise_for_response(answer("gemini", kind))
    assert type(caught.value).__name__ == raised
    assert (caught.value.code, caught.value.message) == (kind.http_status, "why")
    assert caught.value.status == caught.value.details["error"]["status"]
    assert caught.value.details["error"]["details"][0]["retryDelay"] == "7s"


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
