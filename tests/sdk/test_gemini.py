"""Google's SDK against ``gephyr demo``. It has no strict validation: fields that it does not know are dropped."""

from typing import Any

import pytest

from tests.sdk.clients import collected, settled

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"model": "gemini-demo", "contents": "Hello there"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "parameters_json_schema": SCHEMA}
TOOLS = {"tools": [{"function_declarations": [WEATHER]}], "automatic_function_calling": {"disable": True}}


async def test_a_prompt_is_answered(gemini_client: Any) -> None:
    reply = await settled(gemini_client.models.generate_content(**HELLO))
    assert 'You said: "Hello there".' in reply.text
    assert reply.candidates[0].finish_reason.value == "STOP"
    usage = reply.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count


async def test_a_streamed_answer_says_the_same(gemini_client: Any) -> None:
    whole = await settled(gemini_client.models.generate_content(**HELLO))
    chunks = await collected(gemini_client.models.generate_content_stream(**HELLO))
    assert len(chunks) > 3
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_function_is_called_and_its_result_is_told(gemini_client: Any, *, streamed: bool) -> None:
    asked = {**HELLO, "config": {**TOOLS, "thinking_config": {"include_thoughts": True}}}
    replies = await _answers(gemini_client, asked, streamed=streamed)
    [part] = [part for reply in replies for part in reply.parts if part.function_call]
    assert (part.function_call.name, part.function_call.args.keys()) == ("get_weather", {"city"})
    assert part.thought_signature
    response = {"function_response": {"name": "get_weather", "response": {"output": "12 degrees"}}}
    turns = [
        {"role": "user", "parts": [{"text": "Hello there"}]},
        {"role": "model", "parts": [part]},
        {"role": "user", "parts": [response]},
    ]
    told = await _answers(gemini_client, {**asked, "contents": turns}, streamed=streamed)
    texts = [part.text for reply in told for part in reply.parts if part.text and not part.thought]
    assert 'The tool answered: "12 degrees".' in "".join(texts)


async def _answers(client: Any, asked: dict[str, Any], *, streamed: bool) -> list[Any]:
    if streamed:
        return await collected(client.models.generate_content_stream(**asked))
    return [await settled(client.models.generate_content(**asked))]


async def test_structured_output_is_parsed(gemini_client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    weather = pydantic.create_model("Weather", city=(str, ...), degrees=(int, ...))
    config = {"response_mime_type": "application/json", "response_schema": weather}
    reply = await settled(gemini_client.models.generate_content(**HELLO, config=config))
    assert isinstance(reply.parsed, weather)


async def test_tokens_are_counted(gemini_client: Any) -> None:
    assert (await settled(gemini_client.models.count_tokens(**HELLO))).total_tokens > 0


async def test_texts_are_embedded(gemini_client: Any) -> None:
    """Under a name that begins with ``gemini-`` the SDK would ask for one vector of both."""
    asked = {"model": "text-embedding-demo", "contents": ["one", "two"], "config": {"output_dimensionality": 8}}
    reply = await settled(gemini_client.models.embed_content(**asked))
    assert [len(embedding.values) for embedding in reply.embeddings] == [8, 8]


async def test_models_are_listed_in_pages_and_retrieved(gemini_client: Any) -> None:
    models = await collected(gemini_client.models.list(config={"page_size": 2}))
    assert [model.name for model in models] == ["models/gpt-demo", "models/claude-demo", "models/gemini-demo"]
    model = await settled(gemini_client.models.get(model="gemini-demo"))
    assert model.name == "models/gemini-demo"
    assert "generateContent" in model.supported_actions
