"""Replies of status 200 that are none, and forms that nobody asked for, through ``gephyr serve`` and real sockets."""

import json
from typing import Any

import pytest

from tests.acceptance.client import connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.acceptance.stub import Answer, Stub, json_answer, sse_answer

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "hi"}]
CHUNK = {"id": "c-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "some-model"}
SAID = [
    {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "It "}, "finish_reason": None}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {"content": "stands."}, "finish_reason": None}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
]
STREAM = [*(f"data: {json.dumps(chunk)}\n\n" for chunk in SAID), "data: [DONE]\n\n"]
CHAT = "/v1/chat/completions"
GOOD = {
    "openai": {"id": "c", "choices": [{"index": 0, "message": {"content": "well"}, "finish_reason": "stop"}]},
    "anthropic": {
        "id": "m",
        "type": "message",
        "content": [{"type": "text", "text": "well"}],
        "stop_reason": "end_turn",
    },
}
BAD = {
    "openai": {"error": {"message": "Rate limit exceeded", "code": 429, "metadata": {}}, "user_id": "u-1"},
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
}
PATHS = {"openai": CHAT, "anthropic": "/v1/messages"}


def body(**more: Any) -> bytes:
    return json.dumps({"model": "some-model", "max_tokens": 99, "messages": MESSAGES, **more}).encode()


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_an_error_inside_a_200_is_hidden_by_another_account(stub: Stub, provider: str) -> None:
    accounts = [account(name, stub.url(name), provider) for name in ("bad", "well")]
    await stub.script("bad", *[json_answer(BAD[provider])] * 4)
    await stub.script("well", *[json_answer(GOOD[provider])] * 4)
    async with gateway(configuration(accounts)) as world, connected(world.port) as client:
        replies = [await client.ask("POST", PATHS[provider], body()) for _ in range(4)]
    assert {(reply.status, b"well" in reply.body) for reply in replies} == {(200, True)}


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
async def test_a_stream_that_nobody_asked_for_comes_as_one_reply(stub: Stub, path: str, content_type: str) -> None:
    """To clients of the provider's dialect, and of another; one call is made."""
    answer: Answer = {**sse_answer(*STREAM), "headers": [["Content-Type", content_type]]}
    await stub.script("deep", answer)
    accounts = [account("deep", stub.url("deep"), "openai", dialect="openai-chat", models=["some-model"])]
    async with gateway(configuration(accounts)) as world, connected(world.port) as client:
        reply = await client.ask("POST", path, body())
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    assert "It stands." in str(json.loads(reply.body))
    assert len(await stub.take()) == 1


async def test_geminis_clients_hear_of_an_error_in_a_chunk_of_its_own(stub: Stub) -> None:
    """The provider writes both events at once. Between the two the client's library sees a boundary of its own."""
    error = {"message": "the context is too long", "type": "invalid_request_error", "code": "too_long"}
    await stub.script("a", sse_answer(f"data: {json.dumps(SAID[0])}\n\ndata: {json.dumps({'error': error})}\n\n"))
    accounts = [account("a", stub.url("a"), "openai", dialect="openai-chat", models=["some-model"])]
    asked = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()
    target = "/v1beta/models/some-model:streamGenerateContent?alt=sse"
    async with gateway(configuration(accounts)) as world, connected(world.port) as client:
        client.send("POST", target, asked)
        assert (await client.head())[0] == 200
        chunks = []
        while chunk := await client.chunk():
            chunks.append(chunk)
    assert len(chunks) == 2
    assert b"It " in chunks[0]
    assert json.loads(chunks[1])["error"]["message"] == "the context is too long"
    assert chunks[1].startswith(b"{")
