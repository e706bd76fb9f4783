"""A provider that reasons unasked (DeepSeek's ``reasoning_content``), seen by each SDK: the first thing is the answer."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.acceptance.client import KEY
from tests.acceptance.gateway import account, configuration, gateway
from tests.acceptance.stub import Stub, fresh_stub, json_answer, sse_answer, stub_process
from tests.sdk.clients import Clients, collected, entered, settled

pytestmark = pytest.mark.anyio
HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
SYSTEMS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def _chunk(reason: str | None = None, **delta: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "x", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


WHOLE = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "x",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "reasoning_content": "let me see", "content": "hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10},
}
STREAM = [
    _chunk(role="assistant", reasoning_content="let me "),
    _chunk(reasoning_content="see"),
    _chunk(content="hel"),
    _chunk(content="lo"),
    _chunk("stop"),
    "data: [DONE]\n\n",
]


@pytest.fixture
async def clients(*, streamed: bool) -> AsyncIterator[Clients]:
    """Clients of a gateway whose only account is at the provider."""
    answer = sse_answer(*STREAM) if streamed else json_answer(WHOLE)
    with stub_process() as ports:
        async with fresh_stub(ports) as stub, contextlib.AsyncExitStack() as stack:
            world = await stack.enter_async_context(gateway(_serving(stub)))
            await stub.script("d", answer)
            yield Clients(world.url, KEY, "async", stack)


def _serving(stub: Stub) -> dict[str, Any]:
    return configuration([account("d", stub.url("d"), "deepseek", models=["*"])])


@SYSTEMS
async def test_anthropics_first_block_is_the_text(clients: Clients, *, streamed: bool) -> None:
    client, asked = await clients.anthropic(), HELLO | {"max_tokens": 2000}
    if streamed:
        async with entered(client.messages.stream(**asked)) as stream:
            message = await settled(stream.get_final_message())
    else:
        message = await settled(client.messages.create(**asked))
    assert message.content[0].text == "hello"
    assert len(message.content) == 1


@SYSTEMS
async def test_anthropics_client_that_asks_gets_the_thinking(clients: Clients, *, streamed: bool) -> None:
    client = await clients.anthropic()
    asked = HELLO | {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    if streamed:
        async with entered(client.messages.stream(**asked)) as stream:
            message = await settled(stream.get_final_message())
    else:
        message = await settled(client.messages.create(**asked))
    thought, text = message.content
    assert (thought.thinking, text.text) == ("let me see", "hello")


@SYSTEMS
async def test_googles_parts_are_the_text(clients: Clients, *, streamed: bool) -> None:
    client = await clients.gemini()
    if streamed:
        chunks = await collected(client.models.generate_content_stream(model="m", contents="hi"))
        parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts or ())]
    else:
        reply = await settled(client.models.generate_content(model="m", contents="hi"))
        parts = reply.candidates[0].content.parts
    assert "".join(part.text for part in parts) == "hello"
    assert not any(part.thought for part in parts)


@SYSTEMS
async def test_the_first_item_of_a_response_is_the_message(clients: Clients, *, streamed: bool) -> None:
    client = await clients.openai()
    asked = {"model": "m", "input": "hi", "store": False}
    if streamed:
        async with entered(client.responses.stream(**asked)) as stream:
            response = await settled(stream.get_final_response())
    else:
        response = await settled(client.responses.create(**asked))
    assert response.output[0].content[0].text == "hello"
    assert len(response.output) == 1
