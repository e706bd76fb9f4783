"""The simulated provider's Gemini API."""

from typing import Any

import msgspec
import pytest

from tests.harness.asking import CLOCK_SCHEMA, WEATHER_SCHEMA, Asker, Got

types = pytest.importorskip("google.genai.types", reason="the google-genai SDK is not installed")

MODEL = "/v1beta/models/gemini-demo"
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}
TOOLS = [
    {
        "functionDeclarations": [
            {"name": "get_weather", "parametersJsonSchema": WEATHER_SCHEMA},
            {"name": "get_time", "parameters": CLOCK_SCHEMA},
        ]
    }
]


def whole(body: dict[str, Any]) -> Any:
    """Ask for a whole reply and read it with the SDK's type, which refuses unknown fields."""
    got = Asker().post(f"{MODEL}:generateContent", HELLO | body)
    assert got.status == 200, got.body
    return types.GenerateContentResponse.model_validate(got.json)


def stream(body: dict[str, Any]) -> list[Any]:
    """Ask for a stream of events and read each with the SDK's type."""
    got = Asker().post(f"{MODEL}:streamGenerateContent?alt=sse", HELLO | body)
    assert got.status == 200
    assert got.body.count(b"\r\n\r\n") == len(got.events)
    return [types.GenerateContentResponse.model_validate(data) for _, data in got.events]


def config(**fields: object) -> dict[str, Any]:
    """Return a request's ``generationConfig``."""
    return {"generationConfig": fields}


def test_a_content_quotes_the_user() -> None:
    reply = whole({})
    assert 'You said: "Hello there".' in reply.text
    assert reply.candidates[0].finish_reason == "STOP"
    usage = reply.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tools": TOOLS},
        config(thinkingConfig={"includeThoughts": True}),
        config(maxOutputTokens=2),
    ],
)
def test_a_stream_adds_up_to_the_whole_content(body: dict[str, Any]) -> None:
    chunks, expected = stream(body), whole(body)
    texts = dict.fromkeys((True, None), "")
    calls, signatures = [], []
    for part in (part for chunk in chunks for part in chunk.candidates[0].content.parts):
        texts[part.thought] += part.text or ""
        calls += [part.function_call] if part.function_call else []
        signatures += [part.thought_signature] if part.thought_signature else []
    parts = expected.candidates[0].content.parts
    assert texts[None] == "".join(part.text or "" for part in parts if not part.thought)
    assert texts[True] == "".join(part.text or "" for part in parts if part.thought)
    assert calls == [part.function_call for part in parts if part.function_call]
    assert signatures == [part.thought_signature for part in parts if part.thought_signature]
    assert chunks[-1].usage_metadata == expected.usage_metadata
    finish = expected.candidates[0].finish_reason
    assert [chunk.candidates[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + [finish]


def test_without_alt_sse_the_stream_is_one_json_array() -> None:
    got = Asker().post(f"{MODEL}:streamGenerateContent", HELLO)
    assert got.headers[b"content-type"].startswith(b"application/json")
    assert len(got.pieces) > 3
    sse = Asker().post(f"{MODEL}:streamGenerateContent?alt=sse", HELLO)
    assert got.json == [data for _, data in sse.events]


def test_thoughts_are_shown_when_asked_for_and_signed() -> None:
    reply = whole(config(thinkingConfig={"includeThoughts": True}) | {"tools": TOOLS})
    thought, first, second = reply.candidates[0].content.parts
    assert thought.thought
    assert first.thought_signature
    assert second.thought_signature is None
    assert reply.usage_metadata.thoughts_token_count > 0


@pytest.mark.parametrize(
    ("calling", "names"),
    [
        ({"mode": "AUTO"}, ["get_weather", "get_time"]),
        ({"mode": "ANY", "allowedFunctionNames": ["get_time"]}, ["get_time"]),
        ({"mode": "NONE"}, []),
    ],
)
def test_the_calling_mode_is_obeyed(calling: object, names: list[str]) -> None:
    reply = whole({"tools": TOOLS, "toolConfig": {"functionCallingConfig": calling}})
    assert [call.name for call in reply.function_calls or ()] == names


def test_a_function_response_is_answered_in_text() -> None:
    call = {"functionCall": {"name": "get_weather", "args": {}}}
    result = {"functionResponse": {"name": "get_weather", "response": {"output": "21 degrees"}}}
    contents = [*HELLO["contents"], {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
    reply = whole({"contents": contents, "tools": TOOLS})
    assert 'You said: "Hello there". The tool answered: "21 degrees".' in reply.text


def test_structured_output_satisfies_its_schema() -> None:
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}
    reply = whole(config(responseMimeType="application/json", responseSchema=schema))
    assert msgspec.json.decode(reply.text) == {"n": 1}


def test_limits_and_stop_sequences_are_honoured() -> None:
    assert whole(config(maxOutputTokens=2)).candidates[0].finish_reason == "MAX_TOKENS"
    assert whole(config(stopSequences=[" from"])).text == "Hello"


def test_the_snake_case_spelling_is_taken_too() -> None:
    asked = {
        "system_instruction": {"parts": [{"text": "Be short."}]},
        "generation_config": {"max_output_tokens": 1},
    }
    assert whole(asked).candidates[0].finish_reason == "MAX_TOKENS"


def test_counted_tokens_are_those_of_the_content() -> None:
    counted = types.CountTokensResponse.model_validate(Asker().post(f"{MODEL}:countTokens", HELLO).json)
    assert counted.total_tokens == whole({}).usage_metadata.prompt_token_count
    nested = Asker().post(f"{MODEL}:countTokens", {"generateContentRequest": HELLO})
    assert nested.json == {"totalTokens": counted.total_tokens}


def test_contents_are_embedded_one_by_one_and_together() -> None:
    asked = {"content": {"parts": [{"text": "cat"}]}, "outputDimensionality": 8}
    one = types.ContentEmbedding.model_validate(Asker().post(f"{MODEL}:embedContent", asked).json["embedding"])
    both = Asker().post(f"{MODEL}:batchEmbedContents", {"requests": [asked, asked]})
    assert types.EmbedContentResponse.model_validate(both.json).embeddings == [one, one]
    assert len(one.values) == 8


def refused(body: object, target: str = f"{MODEL}:generateContent") -> Got:
    """Ask what has to be refused."""
    return Asker().post(target, body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "* contents: contents is not specified"),
        ({"contents": []}, "* contents: contents is not specified"),
        ({"contents": "x"}, "Invalid value at 'contents': Expected `array`, got `str`"),
    ],
)
def test_a_malformed_request_is_refused_naming_the_field(body: object, message: str) -> None:
    got = refused(body)
    assert got.status == 400
    assert got.json["error"] == {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}


def test_an_unknown_method_of_a_model_is_not_found() -> None:
    assert refused(HELLO, f"{MODEL}:imagine").json["error"]["status"] == "NOT_FOUND"


NAMED = {"type": "object", "properties": {"first_name": {"enum": ["only"]}}, "required": ["first_name"]}
"""Answered with ``only`` where the name in both places is the same."""


@pytest.mark.parametrize("field", ["responseSchema", "response_schema", "responseJsonSchema", "response_json_schema"])
def test_a_schemas_own_names_stay_as_they_were_written(field: str) -> None:
    """Only the API's own fields may be written in either way."""
    reply = whole(config(responseMimeType="application/json", **{field: NAMED}))
    assert msgspec.json.decode(reply.text) == {"first_name": "only"}


@pytest.mark.parametrize("field", ["parameters", "parametersJsonSchema", "parameters_json_schema"])
def test_a_functions_own_names_stay_as_they_were_written(field: str) -> None:
    reply = whole({"tools": [{"functionDeclarations": [{"name": "look", field: NAMED}]}]})
    assert reply.candidates[0].content.parts[0].function_call.args == {"first_name": "only"}


@pytest.mark.parametrize("dimensions", [-1, 100_000])
def test_a_length_of_vectors_that_is_not_offered_is_refused_by_its_field(dimensions: int) -> None:
    content = {"parts": [{"text": "Hi"}]}
    got = Asker().post(f"{MODEL}:embedContent", {"content": content, "outputDimensionality": dimensions})
    assert (got.status, "outputDimensionality" in got.json["error"]["message"]) == (400, True)
