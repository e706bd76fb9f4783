"""OpenAI's SDK against ``gephyr demo``: chat completions, completions, embeddings, moderations, models."""

import json
from typing import Any

import pytest

from tests.sdk.clients import collected, entered, settled

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"model": "gpt-demo", "messages": [{"role": "user", "content": "Hello there"}]}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA, "strict": True}}
ONE_TOOL: dict[str, Any] = {"tools": [WEATHER], "parallel_tool_calls": False}


async def test_a_chat_is_answered(openai_client: Any) -> None:
    reply = await settled(openai_client.chat.completions.create(**HELLO))
    assert 'You said: "Hello there".' in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply._request_id.startswith("req_")


async def test_a_streamed_chat_says_the_same(openai_client: Any) -> None:
    whole = await settled(openai_client.chat.completions.create(**HELLO))
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = await collected(openai_client.chat.completions.create(**HELLO, **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 3
    assert [chunk.usage for chunk in chunks if chunk.usage] == [whole.usage]


async def test_the_chat_stream_helper_gathers_a_completion(openai_client: Any) -> None:
    async with entered(openai_client.chat.completions.stream(**HELLO)) as stream:
        kinds = {event.type for event in await collected(stream)}
        reply = await settled(stream.get_final_completion())
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert 'You said: "Hello there".' in reply.choices[0].message.content


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called_and_its_result_is_told(openai_client: Any, *, streamed: bool) -> None:
    call = await _tool_call(openai_client, streamed=streamed)
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]).keys() == {"city"}
    turns = [
        *HELLO["messages"],
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "12 degrees"},
    ]
    reply = await settled(openai_client.chat.completions.create(**{**HELLO, "messages": turns}, **ONE_TOOL))
    assert 'The tool answered: "12 degrees".' in reply.choices[0].message.content


async def _tool_call(client: Any, *, streamed: bool) -> dict[str, Any]:
    if not streamed:
        reply = await settled(client.chat.completions.create(**HELLO, **ONE_TOOL))
        assert reply.choices[0].finish_reason == "tool_calls"
        [call] = reply.choices[0].message.tool_calls
        told: dict[str, Any] = call.model_dump()
        return told
    chunks = await collected(client.chat.completions.create(**HELLO, **ONE_TOOL, stream=True))
    parts = [part for chunk in chunks for part in chunk.choices[0].delta.tool_calls or ()]
    arguments = "".join(part.function.arguments or "" for part in parts)
    assert len(parts) > 1
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    function = {"name": parts[0].function.name, "arguments": arguments}
    return {"id": parts[0].id, "type": "function", "function": function}


async def test_structured_output_is_parsed(openai_client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    weather = pydantic.create_model("Weather", city=(str, ...), degrees=(int, ...))
    reply = await settled(openai_client.chat.completions.parse(**HELLO, response_format=weather))
    assert isinstance(reply.choices[0].message.parsed, weather)


async def test_a_legacy_completion_is_answered_whole_and_streamed(openai_client: Any) -> None:
    """OpenAI streams chunks whose ``finish_reason`` is null; the types of its SDK do not allow for that."""
    asked = {"model": "gpt-demo", "prompt": "Once upon a time", "max_tokens": 100}
    reply = await settled(openai_client.completions.create(**asked))
    assert "Once upon a time" in reply.choices[0].text
    chunks = await collected(_lenient(openai_client).completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == reply.choices[0].text


async def test_texts_are_embedded(openai_client: Any) -> None:
    """The SDK itself asks for base64, and decodes it after its types were checked: strict checks never pass there."""
    asked = {"model": "gpt-demo", "input": ["one", "two"], "dimensions": 8}
    told = await settled(openai_client.embeddings.create(**asked, encoding_format="float"))
    decoded = await settled(_lenient(openai_client).embeddings.create(**asked))
    assert [entry.index for entry in told.data] == [0, 1]
    assert [len(entry.embedding) for entry in told.data] == [8, 8]
    assert [entry.embedding for entry in decoded.data] == [entry.embedding for entry in told.data]


def _lenient(client: Any) -> Any:
    return client.copy(_extra_kwargs={"_strict_response_validation": False})


async def test_texts_are_moderated(openai_client: Any) -> None:
    reply = await settled(openai_client.moderations.create(input=["nice", "nicer"]))
    assert [result.flagged for result in reply.results] == [False, False]


async def test_models_are_listed_and_retrieved(openai_client: Any) -> None:
    models = await collected(openai_client.models.list())
    assert [model.id for model in models] == ["gpt-demo", "claude-demo", "gemini-demo"]
    model = await settled(openai_client.models.retrieve("gpt-demo"))
    assert (model.id, model.object) == ("gpt-demo", "model")
