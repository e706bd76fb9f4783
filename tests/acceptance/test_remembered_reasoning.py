"""Tool loops of clients that never see the reasoning, with a restart of the gateway in the middle."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.store import Store
from tests.acceptance.client import connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.acceptance.stub import Answer, Stub, json_answer, sse_answer

pytestmark = pytest.mark.anyio
MODEL = "claude-opus-4-7"
USER = {"role": "user", "content": "look"}
FUNCTION = {"name": "look", "arguments": "{}"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "toolu_1", "type": "function", "function": FUNCTION}],
}
RESULT = {"role": "tool", "tool_call_id": "toolu_1", "content": "ok"}
THOUGHT = {"type": "thinking", "thinking": "let me see", "signature": "c2lnbmVk"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}


def message(*content: dict[str, Any], stop: str = "tool_use") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _event(name: str, **fields: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n"


def streamed() -> Answer:
    deltas = [
        {"type": "thinking_delta", "thinking": "let me see"},
        {"type": "signature_delta", "signature": "c2lnbmVk"},
    ]
    return sse_answer(
        _event("message_start", message={**message(), "stop_reason": None}),
        _event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
        *(_event("content_block_delta", index=0, delta=delta) for delta in deltas),
        _event("content_block_stop", index=0),
        _event("content_block_start", index=1, content_block=CALL),
        _event("content_block_stop", index=1),
        _event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 2}),
        _event("message_stop"),
    )


@attrs.frozen
class Loop:
    """A client's tool loop, each step at a gateway of its own, all over one data directory."""

    stub: Stub
    folder: Path

    async def step(self, answer: Answer, *said: dict[str, Any], remembers: bool = True, stream: bool = False) -> bytes:
        body = json.dumps({"model": MODEL, "messages": [USER, *said], "stream": stream}).encode()
        await self.stub.script("a", answer)
        mapping = configuration(
            [account("a", self.stub.url("a"), "anthropic", models=["*"])], translation={"remember_reasoning": remembers}
        )
        store = Store.open(self.folder, clock=GatewayClock())
        async with gateway(mapping, store, clock=GatewayClock()) as world, connected(world.port) as client:
            response = await client.ask("POST", "/v1/chat/completions", body)
        assert response.status == 200
        return response.body

    async def said_to_provider(self) -> list[dict[str, Any]]:
        """The assistant's blocks in the request that the provider got last."""
        *_, seen = await self.stub.take()
        messages = json.loads(seen["body"])["messages"]
        return [block for one in messages if one["role"] == "assistant" for block in one["content"]]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_loop_goes_on_over_a_restart(stub: Stub, tmp_path: Path, *, stream: bool) -> None:
    """The client saw nothing of the reasoning, and the process that did is gone."""
    loop = Loop(stub, tmp_path)
    answer = streamed() if stream else json_answer(message(THOUGHT, CALL))
    told = await loop.step(answer, stream=stream)
    assert b"toolu_1" in told
    assert b"let me see" not in told
    await loop.step(json_answer(message({"type": "text", "text": "done"}, stop="end_turn")), CALLED, RESULT)
    assert await loop.said_to_provider() == [THOUGHT, CALL]


async def test_an_operator_who_switches_the_memory_off_has_it_emptied(stub: Stub, tmp_path: Path) -> None:
    loop = Loop(stub, tmp_path)
    done = json_answer(message({"type": "text", "text": "done"}, stop="end_turn"))
    await loop.step(json_answer(message(THOUGHT, CALL)))
    await loop.step(done, CALLED, RESULT, remembers=False)
    assert await loop.said_to_provider() == [CALL]
    await loop.step(done, CALLED, RESULT)
    assert await loop.said_to_provider() == [CALL]
