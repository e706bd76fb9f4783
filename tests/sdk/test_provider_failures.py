"""Providers that fail behind ``gephyr serve``: what each SDK raises when both accounts do, or a stream breaks off."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.speech import ANTHROPIC, CHAT, GEMINI, RESPONSES, Speech
from tests.acceptance.stub import Answer, json_answer, sse_answer
from tests.sdk.clients import Clients, collected, entered, raised_by_anthropic, settled, type_told
from tests.sdk.servers import Stub
from tests.waiting import WAIT

pytestmark = pytest.mark.anyio

_OPENAI_ERROR = {"error": {"message": "as told", "type": "said", "code": "said_so", "param": None}}
_ANTHROPIC_ERROR = {"type": "error", "error": {"type": "said_error", "message": "as told"}, "request_id": "req_theirs"}
_GEMINI_ERROR = {"error": {"message": "as told", "status": "SAID"}}

# Model, the provider's status, what it says of retrying; the status that the client sees, and the class it raises.
OPENAI_CASES = [
    ("limited", 429, {"retry-after": "9"}, 429, "RateLimitError"),
    ("overloaded", 529, {}, 529, "InternalServerError"),
    ("broken", 500, {}, 500, "InternalServerError"),
    ("rejected", 401, {}, 502, "InternalServerError"),
]
ANTHROPIC_CASES = [
    ("limited", 429, {"retry-after": "9"}, 429, "RateLimitError"),
    ("overloaded", 529, {}, 529, "OverloadedError"),
    ("broken", 500, {}, 500, "InternalServerError"),
    ("rejected", 401, {}, 502, "InternalServerError"),
]
GEMINI_CASES = [
    ("limited", 429, {"retry-after": "9"}, 429, "ClientError"),
    ("overloaded", 529, {}, 529, "ServerError"),
    ("broken", 500, {}, 500, "ServerError"),
    ("rejected", 401, {}, 502, "ServerError"),
]


@pytest.mark.parametrize(("model", "said", "headers", "status", "name"), OPENAI_CASES)
async def test_openai_raises_for_what_both_accounts_said(
    clients: Clients, stub: Stub, model: str, said: int, headers: dict[str, str], status: int, name: str
) -> None:
    openai = pytest.importorskip("openai")
    client = await clients.openai()
    asked = {**CHAT.request, "model": f"openai-{model}-{clients.kind}"}
    _both(stub, asked["model"], json_answer(_OPENAI_ERROR, said, headers))
    error = await _raised(lambda: client.chat.completions.create(**asked), getattr(openai, name))
    assert error.status_code == status
    assert error.code == ("bad_gateway" if said == 401 else "said_so")
    _check_waits(error.response.headers, headers)
    assert len(stub.take()) == 2


@pytest.mark.parametrize(("model", "said", "headers", "status", "name"), ANTHROPIC_CASES)
async def test_anthropic_raises_for_what_both_accounts_said(
    clients: Clients, stub: Stub, model: str, said: int, headers: dict[str, str], status: int, name: str
) -> None:
    client = await clients.anthropic()
    asked = {**ANTHROPIC.request, "model": f"anthropic-{model}-{clients.kind}"}
    _both(stub, asked["model"], json_answer(_ANTHROPIC_ERROR, said, headers))
    error = await raised_by_anthropic(lambda: client.messages.create(**asked), name)
    assert error.status_code == status
    assert error.body["error"]["type"] == ("api_error" if said == 401 else "said_error")
    _check_waits(error.response.headers, headers)
    assert len(stub.take()) == 2


@pytest.mark.parametrize(("model", "said", "headers", "status", "name"), GEMINI_CASES)
async def test_gemini_raises_for_what_both_accounts_said(
    clients: Clients, stub: Stub, model: str, said: int, headers: dict[str, str], status: int, name: str
) -> None:
    errors = pytest.importorskip("google.genai.errors")
    client = await clients.gemini()
    model = f"gemini-{model}-{clients.kind}"
    _both(stub, model, json_answer(_GEMINI_ERROR, said, headers))
    call = client.models.generate_content
    error = await _raised(lambda: call(model=model, contents="Hello"), getattr(errors, name))
    assert (error.code, error.status) == (status, "UNAVAILABLE" if said == 401 else "SAID")
    assert len(stub.take()) == 2


async def test_a_client_that_retries_is_not_sent_to_sleep_for_an_hour(clients: Clients, stub: Stub) -> None:
    """Anthropic's SDK sleeps for whatever ``retry-after`` says, unless told not to retry."""
    anthropic = pytest.importorskip("anthropic")
    client = await clients.anthropic(max_retries=2)
    asked = {**ANTHROPIC.request, "model": f"anthropic-limited-long-{clients.kind}"}
    _both(stub, asked["model"], json_answer(_ANTHROPIC_ERROR, 429, {"retry-after": "3600"}))
    async with asyncio.timeout(WAIT):
        error = await _raised(lambda: client.messages.create(**asked), anthropic.RateLimitError)
        again = await _raised(lambda: client.messages.create(**asked), anthropic.RateLimitError)
    for one in (error, again):
        assert one.response.headers["x-should-retry"] == "false"
        assert 3600 - WAIT < int(one.response.headers["retry-after"]) <= 3600
    assert type_told(again) == "rate_limit_error"
    assert len(stub.take()) == 2, "while both accounts rest, neither is asked"


@pytest.mark.parametrize("speech", [CHAT, RESPONSES, ANTHROPIC, GEMINI], ids=lambda speech: speech.name)
async def test_a_bad_account_is_not_noticed_where_another_serves(clients: Clients, stub: Stub, speech: Speech) -> None:
    model = f"{speech.provider}-one-bad-{clients.kind}"
    stub.script(f"{model}-1", json_answer({"error": {"message": "no"}}, 401))
    stub.script(f"{model}-2", speech.answer())
    assert "hello" in repr(await _ask(clients, speech, model))
    assert [seen["account"][-1] for seen in stub.take()][-1] == "2"


async def _ask(clients: Clients, speech: Speech, model: str) -> Any:
    if speech is GEMINI:
        return await settled((await clients.gemini()).models.generate_content(model=model, contents="Hello"))
    asked = {**speech.request, "model": model}
    if speech is ANTHROPIC:
        return await settled((await clients.anthropic()).messages.create(**asked))
    client = await clients.openai(_strict_response_validation=False)
    call = client.responses.create if speech is RESPONSES else client.chat.completions.create
    return await settled(call(**asked))


async def test_a_chat_stream_that_dies_raises_an_error_without_a_status(clients: Clients, stub: Stub) -> None:
    openai = pytest.importorskip("openai")
    client = await clients.openai()
    asked = {**CHAT.request, "model": _dying(stub, clients, CHAT), "stream": True}
    texts, error = await _until_raised(client.chat.completions.create(**asked), openai.APIError)
    assert [chunk.choices[0].delta.content for chunk in texts] == ["", "hello"]
    assert type(error) is openai.APIError
    assert (error.code, error.type) == ("bad_gateway", "server_error")


async def test_a_response_stream_that_dies_ends_with_one_failed_event(clients: Clients, stub: Stub) -> None:
    client = await clients.openai()
    asked = {**RESPONSES.request, "model": _dying(stub, clients, RESPONSES), "stream": True}
    events = await collected(client.responses.create(**asked))
    kinds = [event.type for event in events]
    assert kinds == ["response.created", "response.output_text.delta", "response.failed"]
    failed = events[-1]
    assert (failed.sequence_number, failed.response.id) == (2, events[0].response.id)
    assert (failed.response.status, failed.response.error.code) == ("failed", "server_error")


@pytest.mark.parametrize("helper", [False, True])
async def test_a_message_stream_that_dies_raises_with_status_200(clients: Clients, stub: Stub, *, helper: bool) -> None:
    anthropic = pytest.importorskip("anthropic")
    client = await clients.anthropic()
    asked = {**ANTHROPIC.request, "model": _dying(stub, clients, ANTHROPIC)}
    if helper:
        async with entered(client.messages.stream(**asked)) as stream:
            events, error = await _until_raised(stream, anthropic.APIStatusError)
    else:
        events, error = await _until_raised(client.messages.create(**asked, stream=True), anthropic.APIStatusError)
    assert [event.type for event in events if event.type != "text"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
    ]
    assert (type(error), error.status_code, type_told(error)) == (anthropic.APIStatusError, 200, "api_error")


async def test_a_gemini_stream_that_dies_raises_a_server_error(clients: Clients, stub: Stub) -> None:
    errors = pytest.importorskip("google.genai.errors")
    client = await clients.gemini()
    call = client.models.generate_content_stream(model=_dying(stub, clients, GEMINI), contents="Hello")
    chunks, error = await _until_raised(call, errors.ServerError)
    assert chunks[-1].text == "hello"
    assert (error.code, error.status) == (502, "UNAVAILABLE")


def _both(stub: Stub, model: str, answer: Answer) -> None:
    """Let both accounts of a model say the same."""
    stub.take()
    for number in (1, 2):
        stub.script(f"{model}-{number}", answer)


def _dying(stub: Stub, clients: Clients, speech: Speech) -> str:
    """The model whose streams break off after their first word, and whose second account is not to be asked."""
    model = f"{speech.provider}-dying-{clients.kind}"
    _both(stub, model, sse_answer(*speech.prelude, speech.content, then="reset"))
    return model


def _check_waits(headers: Any, said: dict[str, str]) -> None:
    """``retry-after`` is that of the account which is free first, and only where a provider stated it."""
    if "retry-after" in said:
        assert 1 <= int(headers["retry-after"]) <= int(said["retry-after"])
    else:
        assert "retry-after" not in headers


async def _raised(call: Callable[[], Any], kind: type[BaseException]) -> Any:
    """What *call* raises: an exception of exactly this class."""
    with pytest.raises(kind) as caught:
        await settled(call())
    assert type(caught.value) is kind
    return caught.value


async def _until_raised(call: Any, kind: type[Exception]) -> tuple[list[Any], Any]:
    """What a stream gives before it raises, and what it raises."""
    stream = await settled(call)
    items = []
    try:
        if hasattr(stream, "__aiter__"):
            async for item in stream:
                items.append(item)  # noqa: PERF401 (what came before the exception is wanted too)
        else:
            for item in stream:
                items.append(item)  # noqa: PERF402
    except kind as error:
        return items, error
    raise AssertionError(f"the stream ended without {kind.__name__}")
