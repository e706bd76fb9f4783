"""OpenAI's SDK against ``gephyr demo``: responses with all that is stored of them, and conversations."""

import json
from typing import Any

import pytest

from tests.sdk.clients import collected, entered, settled

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"model": "gpt-demo", "input": "Hello there"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}
ONE_TOOL: dict[str, Any] = {"tools": [WEATHER], "parallel_tool_calls": False}


async def test_a_response_is_made_retrieved_listed_and_deleted(openai_client: Any) -> None:
    openai = pytest.importorskip("openai")
    responses = openai_client.responses
    made = await settled(responses.create(**HELLO))
    assert 'You said: "Hello there".' in made.output_text
    assert (await settled(responses.retrieve(made.id))).output_text == made.output_text
    [item] = await collected(responses.input_items.list(made.id))
    assert item.content[0].text == "Hello there"
    assert await settled(responses.delete(made.id)) is None
    with pytest.raises(openai.NotFoundError):
        await settled(responses.retrieve(made.id))


async def test_a_streamed_response_is_numbered_and_ends_whole(openai_client: Any) -> None:
    events = await collected(openai_client.responses.create(**HELLO, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text


async def test_a_streamed_response_is_resumed_where_it_was_left(openai_client: Any) -> None:
    events = await collected(openai_client.responses.create(**HELLO, stream=True))
    made = events[-1].response
    resumed = await collected(openai_client.responses.retrieve(made.id, stream=True, starting_after=3))
    assert resumed == events[4:]


async def test_the_response_stream_helper_gathers_a_response(openai_client: Any) -> None:
    async with entered(openai_client.responses.stream(**HELLO)) as stream:
        kinds = {event.type for event in await collected(stream)}
        made = await settled(stream.get_final_response())
    assert {"response.created", "response.output_text.delta", "response.completed"} <= kinds
    assert 'You said: "Hello there".' in made.output_text


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called_and_its_result_is_told(openai_client: Any, *, streamed: bool) -> None:
    if streamed:
        events = await collected(openai_client.responses.create(**HELLO, **ONE_TOOL, stream=True))
        [done] = [event for event in events if event.type == "response.function_call_arguments.done"]
        made = events[-1].response
        assert done.arguments == made.output[0].arguments
    else:
        made = await settled(openai_client.responses.create(**HELLO, **ONE_TOOL))
    [call] = made.output
    assert (call.type, call.name) == ("function_call", "get_weather")
    assert json.loads(call.arguments).keys() == {"city"}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"}
    asked = {"model": "gpt-demo", "input": [result], "previous_response_id": made.id}
    told = await settled(openai_client.responses.create(**asked))
    assert 'The tool answered: "12 degrees".' in told.output_text
    assert told.previous_response_id == made.id


async def test_reasoning_comes_back_encrypted_and_is_taken_again(openai_client: Any) -> None:
    thinking = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    made = await settled(openai_client.responses.create(**HELLO, **thinking, store=False))
    reasoning, message = made.output
    assert reasoning.encrypted_content
    assert reasoning.summary[0].text
    items = [{"role": "user", "content": "Hello there"}, reasoning, message, {"role": "user", "content": "Go on"}]
    sent = [item if isinstance(item, dict) else item.model_dump(exclude_none=True) for item in items]
    again = await settled(openai_client.responses.create(model="gpt-demo", input=sent, **thinking, store=False))
    assert 'You said: "Go on".' in again.output_text


async def test_structured_output_is_parsed(openai_client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    weather = pydantic.create_model("Weather", city=(str, ...), degrees=(int, ...))
    made = await settled(openai_client.responses.parse(**HELLO, text_format=weather))
    assert isinstance(made.output_parsed, weather)


async def test_a_background_response_is_polled_and_its_cancellation_is_answered(openai_client: Any) -> None:
    made = await settled(openai_client.responses.create(**HELLO, background=True))
    assert made.background
    cancelled = await settled(openai_client.responses.cancel(made.id))
    assert cancelled.id == made.id
    assert cancelled.status in {"completed", "cancelled"}
    assert (await settled(openai_client.responses.retrieve(made.id))).status == cancelled.status


async def test_tokens_are_counted(openai_client: Any) -> None:
    counted = await settled(openai_client.responses.input_tokens.count(**HELLO))
    assert counted.input_tokens > 0


async def test_a_conversation_is_compacted(openai_client: Any) -> None:
    if not hasattr(openai_client.responses, "compact"):
        pytest.skip("this release of the SDK cannot compact a conversation")
    compacted = await settled(openai_client.responses.compact(**HELLO))
    assert compacted.object == "response.compaction"
    assert compacted.output[0].encrypted_content


async def test_a_conversation_is_kept_and_grows(openai_client: Any) -> None:
    openai = pytest.importorskip("openai")
    conversations = openai_client.conversations
    made = await settled(conversations.create(metadata={"topic": "weather"}))
    reply = await settled(openai_client.responses.create(**HELLO, conversation=made.id))
    assert reply.conversation.id == made.id
    question = {"type": "message", "role": "user", "content": "And now?"}
    await settled(conversations.items.create(made.id, items=[question]))
    items = await collected(conversations.items.list(made.id, order="asc"))
    assert [item.role for item in items] == ["user", "assistant", "user"]
    one = await settled(conversations.items.retrieve(items[0].id, conversation_id=made.id))
    assert one.id == items[0].id
    left = await settled(conversations.items.delete(items[0].id, conversation_id=made.id))
    assert left.id == made.id
    changed = await settled(conversations.update(made.id, metadata={"topic": "news"}))
    assert (await settled(conversations.retrieve(made.id))).metadata == changed.metadata == {"topic": "news"}
    assert (await settled(conversations.delete(made.id))).deleted
    with pytest.raises(openai.NotFoundError):
        await settled(conversations.retrieve(made.id))
