"""Anthropic's SDK against ``gephyr demo``."""

from typing import Any

import pytest

from tests.sdk.clients import collected, entered, settled

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {
    "model": "claude-demo",
    "max_tokens": 2048,
    "messages": [{"role": "user", "content": "Hello there"}],
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ONE_TOOL: dict[str, Any] = {
    "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
}
THINKING: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


async def test_a_message_is_answered(anthropic_client: Any) -> None:
    reply = await settled(anthropic_client.messages.create(**HELLO))
    assert 'You said: "Hello there".' in reply.content[0].text
    assert reply.stop_reason == "end_turn"
    assert reply.usage.output_tokens > 0
    assert reply._request_id.startswith("req_")


async def test_a_streamed_message_says_the_same(anthropic_client: Any) -> None:
    whole = await settled(anthropic_client.messages.create(**HELLO))
    events = await collected(anthropic_client.messages.create(**HELLO, stream=True))
    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(deltas) == whole.content[0].text
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    assert events[-2].usage.output_tokens == whole.usage.output_tokens


async def test_the_stream_helper_gathers_a_message(anthropic_client: Any) -> None:
    async with entered(anthropic_client.messages.stream(**HELLO)) as stream:
        text = "".join(await collected(stream.text_stream))
        message = await settled(stream.get_final_message())
    assert text == message.content[0].text
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called_and_its_result_is_told(anthropic_client: Any, *, streamed: bool) -> None:
    asked = await _answered(anthropic_client, HELLO | ONE_TOOL, streamed=streamed)
    [call] = asked.content
    assert (asked.stop_reason, call.type, call.name, call.input.keys()) == (
        "tool_use",
        "tool_use",
        "get_weather",
        {"city"},
    )
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12 degrees"}
    turns = [
        *HELLO["messages"],
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {"role": "user", "content": [result]},
    ]
    reply = await _answered(anthropic_client, HELLO | ONE_TOOL | {"messages": turns}, streamed=streamed)
    assert 'The tool answered: "12 degrees".' in reply.content[0].text


@pytest.mark.parametrize("streamed", [False, True])
async def test_thoughts_come_signed_and_go_back(anthropic_client: Any, *, streamed: bool) -> None:
    reply = await _answered(anthropic_client, HELLO | THINKING, streamed=streamed)
    thought, text = reply.content
    assert (thought.type, text.type) == ("thinking", "text")
    assert thought.thinking
    assert thought.signature
    told = [block.model_dump(exclude_none=True) for block in reply.content]
    turns = [*HELLO["messages"], {"role": "assistant", "content": told}, {"role": "user", "content": "Go on"}]
    again = await _answered(anthropic_client, HELLO | THINKING | {"messages": turns}, streamed=streamed)
    assert 'You said: "Go on".' in again.content[1].text


async def _answered(client: Any, asked: dict[str, Any], *, streamed: bool) -> Any:
    if not streamed:
        return await settled(client.messages.create(**asked))
    async with entered(client.messages.stream(**asked)) as stream:
        return await settled(stream.get_final_message())


async def test_the_beta_client_is_answered_too(anthropic_client: Any) -> None:
    """It asks ``/v1/messages?beta=true``, as Claude Code does."""
    reply = await settled(anthropic_client.beta.messages.create(**HELLO, betas=["made-up-2026-01-01"]))
    assert 'You said: "Hello there".' in reply.content[0].text


async def test_tokens_are_counted(anthropic_client: Any) -> None:
    asked = {"model": HELLO["model"], "messages": HELLO["messages"]}
    few = await settled(anthropic_client.messages.count_tokens(**asked))
    more = await settled(anthropic_client.messages.count_tokens(**asked, system="Be brief."))
    assert 0 < few.input_tokens < more.input_tokens


async def test_models_are_listed_in_pages_and_retrieved(anthropic_client: Any) -> None:
    models = await collected(anthropic_client.models.list(limit=1))
    assert [model.id for model in models] == ["gpt-demo", "claude-demo", "gemini-demo"]
    model = await settled(anthropic_client.models.retrieve("claude-demo"))
    assert (model.id, model.lifecycle) == ("claude-demo", "active")
