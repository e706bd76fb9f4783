"""Refusals of Gephyr's own: each SDK raises the exception that its users catch, with the fields they read."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sdk.clients import Clients, raised_by_anthropic, settled, type_told
from tests.sdk.servers import Stub

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "Hello"}]
TOO_LARGE = "x" * 2**20
Call = Callable[[Any], Any]

OPENAI: dict[str, tuple[Call, str, int, str | None, str | None]] = {
    "unknown-path": (lambda c: c.fine_tuning.jobs.retrieve("job_1"), "NotFoundError", 404, "unknown_url", None),
    "unknown-model": (
        lambda c: c.chat.completions.create(model="none", messages=MESSAGES),
        *("NotFoundError", 404, "model_not_found", "model"),
    ),
    "unlisted-model": (lambda c: c.models.retrieve("none"), "NotFoundError", 404, "model_not_found", "model"),
    "missing-model": (
        lambda c: c.post("/chat/completions", body={"messages": MESSAGES}, cast_to=object),
        *("BadRequestError", 400, None, "model"),
    ),
    "missing-model-of-a-response": (
        lambda c: c.post("/responses", body={"input": "Hello"}, cast_to=object),
        *("BadRequestError", 400, None, "model"),
    ),
    "unknown-response": (lambda c: c.responses.retrieve("resp_of_nobody"), "NotFoundError", 404, None, None),
    "unknown-previous-response": (
        lambda c: c.responses.create(model="openai-dying-sync", input="Hello", previous_response_id="resp_of_nobody"),
        *("NotFoundError", 404, "previous_response_not_found", "previous_response_id"),
    ),
    "too-large": (
        lambda c: c.embeddings.create(model="openai-dying-sync", input=TOO_LARGE),
        *("APIStatusError", 413, "request_too_large", None),
    ),
    "wrong-method": (
        lambda c: c.delete("/chat/completions", cast_to=object),
        *("APIStatusError", 405, "method_not_supported", None),
    ),
}
"""A call, and what it raises: class, status, code and parameter."""

ANTHROPIC: dict[str, tuple[Call, str, int, str]] = {
    "unknown-path": (lambda c: c.messages.batches.retrieve("batch_1"), "NotFoundError", 404, "not_found_error"),
    "unknown-path-elsewhere": (
        lambda c: c.get("/v1/organizations", cast_to=object),
        *("NotFoundError", 404, "not_found_error"),
    ),
    "unknown-model": (
        lambda c: c.messages.create(model="none", max_tokens=9, messages=MESSAGES),
        *("NotFoundError", 404, "not_found_error"),
    ),
    "unknown-model-of-a-count": (
        lambda c: c.messages.count_tokens(model="none", messages=MESSAGES),
        *("NotFoundError", 404, "not_found_error"),
    ),
    "unlisted-model": (lambda c: c.models.retrieve("none"), "NotFoundError", 404, "not_found_error"),
    "missing-model": (
        lambda c: c.post("/v1/messages", body={"messages": MESSAGES}, cast_to=object),
        *("BadRequestError", 400, "invalid_request_error"),
    ),
    "too-large": (
        lambda c: c.messages.create(
            model="anthropic-dying-sync", max_tokens=9, messages=[{"role": "user", "content": TOO_LARGE}]
        ),
        *("ContentTooLargeError", 413, "request_too_large"),
    ),
    "wrong-method": (
        lambda c: c.delete("/v1/messages", cast_to=object),
        *("APIStatusError", 405, "invalid_request_error"),
    ),
}
"""A call, and what it raises: class, status and type."""

GEMINI: dict[str, tuple[Call, int, str]] = {
    "unknown-path": (lambda c: c.caches.get(name="cachedContents/1"), 404, "NOT_FOUND"),
    "unknown-model": (lambda c: c.models.generate_content(model="none", contents="Hello"), 404, "NOT_FOUND"),
    "unlisted-model": (lambda c: c.models.get(model="none"), 404, "NOT_FOUND"),
    "too-large": (
        lambda c: c.models.generate_content(model="gemini-dying-sync", contents=TOO_LARGE),
        *(413, "INVALID_ARGUMENT"),
    ),
    "wrong-method": (lambda c: c.models.delete(model="gemini-dying-sync"), 405, "INVALID_ARGUMENT"),
}
"""A call, and what it raises: code and status."""


@pytest.mark.parametrize("case", OPENAI)
async def test_openai_raises_its_exception(clients: Clients, stub: Stub, case: str) -> None:
    call, name, status, code, param = OPENAI[case]
    client = await clients.openai()
    openai = pytest.importorskip("openai")
    error = await _raised(lambda: call(client), getattr(openai, name))
    assert (error.status_code, error.code, error.param) == (status, code, param)
    assert error.type == "invalid_request_error"
    assert error.request_id.startswith("req_")
    assert stub.take() == []


async def test_openai_raises_for_a_wrong_key(clients: Clients) -> None:
    client = await clients.openai(api_key="wrong")
    openai = pytest.importorskip("openai")
    error = await _raised(lambda: client.responses.create(model="m", input="Hello"), openai.AuthenticationError)
    assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "invalid_request_error")
    assert "wrong" not in str(error)


@pytest.mark.parametrize("case", ANTHROPIC)
async def test_anthropic_raises_its_exception(clients: Clients, stub: Stub, case: str) -> None:
    call, name, status, kind = ANTHROPIC[case]
    client = await clients.anthropic()
    error = await raised_by_anthropic(lambda: call(client), name)
    assert (error.status_code, type_told(error)) == (status, kind)
    assert error.request_id.startswith("req_")
    assert stub.take() == []


async def test_anthropic_raises_for_a_wrong_key(clients: Clients) -> None:
    client = await clients.anthropic(api_key="wrong")
    asked = {"model": "m", "max_tokens": 9, "messages": MESSAGES}
    error = await raised_by_anthropic(lambda: client.messages.create(**asked), "AuthenticationError")
    assert (error.status_code, type_told(error)) == (401, "authentication_error")
    assert "wrong" not in str(error)


@pytest.mark.parametrize("case", GEMINI)
async def test_gemini_raises_its_exception(clients: Clients, stub: Stub, case: str) -> None:
    call, code, status = GEMINI[case]
    client = await clients.gemini()
    errors = pytest.importorskip("google.genai.errors")
    error = await _raised(lambda: call(client), errors.ClientError)
    assert (error.code, error.status) == (code, status)
    assert error.message
    assert stub.take() == []


async def test_gemini_raises_for_a_wrong_key(clients: Clients) -> None:
    client = await clients.gemini(api_key="wrong")
    errors = pytest.importorskip("google.genai.errors")
    call = client.models.generate_content
    error = await _raised(lambda: call(model="gemini-dying-sync", contents="Hello"), errors.ClientError)
    assert (error.code, error.status) == (401, "UNAUTHENTICATED")


async def _raised(call: Callable[[], Any], kind: type[BaseException]) -> Any:
    """What *call* raises: an exception of exactly this class."""
    with pytest.raises(kind) as caught:
        await settled(call())
    assert type(caught.value) is kind
    return caught.value
