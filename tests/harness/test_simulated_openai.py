"""The simulated provider's Chat Completions, Completions, embeddings and moderations."""

import json
from typing import Any

import msgspec
import pytest

from tests.harness.asking import CLOCK_SCHEMA, NOW, WEATHER_SCHEMA, Asker

chat_types = pytest.importorskip("openai.types.chat", reason="the openai SDK is not installed")
types = pytest.importorskip("openai.types", reason="the openai SDK is not installed")

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "gpt-demo", "messages": [{"role": "user", "content": "Hello there"}]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": CLOCK_SCHEMA}}


def whole(body: dict[str, Any]) -> Any:
    """Ask for a whole reply and read it with the SDK's type."""
    got = Asker().post(CHAT, HELLO | body)
    assert got.status == 200, got.body
    assert got.headers[b"content-length"] == b"%d" % len(got.body)
    return chat_types.ChatCompletion.model_validate(got.json)


def chunks(body: dict[str, Any]) -> list[Any]:
    """Ask for a stream and read each chunk with the SDK's type."""
    got = Asker().post(CHAT, HELLO | {"stream": True} | body)
    events = [data for _, data in got.events]
    assert got.status == 200
    assert got.headers[b"content-type"].startswith(b"text/event-stream")
    assert events.pop() == "[DONE]"
    return [chat_types.ChatCompletionChunk.model_validate(event) for event in events]


def test_a_chat_is_answered_with_the_users_words() -> None:
    reply = whole({})
    assert 'You said: "Hello there".' in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert (reply.model, reply.created) == ("gpt-demo", int(NOW))
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_streamed_chat_says_what_the_whole_one_says() -> None:
    got = chunks({"stream_options": {"include_usage": True}})
    text = "".join(chunk.choices[0].delta.content or "" for chunk in got if chunk.choices)
    reply = whole({})
    assert text == reply.choices[0].message.content
    assert got[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in got[:-1]][-1] == "stop"
    assert got[-1].choices == []
    assert got[-1].usage == reply.usage


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
def test_a_stream_tells_its_usage_only_where_that_was_asked(options: object) -> None:
    assert [chunk.usage for chunk in chunks({"stream_options": options}) if chunk.usage or not chunk.choices] == []


@pytest.mark.parametrize(("parallel", "names"), [(True, ["get_weather", "get_time"]), (False, ["get_weather"])])
def test_offered_tools_are_called_with_arguments_of_their_schema(parallel: bool, names: list[str]) -> None:
    asked = {"tools": [WEATHER, CLOCK], "parallel_tool_calls": parallel}
    choice = whole(asked).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [call.function.name for call in choice.message.tool_calls] == names
    arguments = msgspec.json.decode(choice.message.tool_calls[0].function.arguments)
    assert arguments == {"city": "example", "unit": "celsius"}


def test_a_streamed_tool_call_adds_up_to_the_whole_one() -> None:
    deltas = [call for chunk in chunks({"tools": [WEATHER]}) for call in chunk.choices[0].delta.tool_calls or ()]
    assert deltas[0].id.startswith("call_")
    assert deltas[0].function.name == "get_weather"
    expected = whole({"tools": [WEATHER]}).choices[0].message.tool_calls[0].function.arguments
    assert "".join(delta.function.arguments for delta in deltas) == expected


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", []),
        ("required", ["get_weather", "get_time"]),
        ({"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "get_time"}}],
                },
            },
            ["get_time"],
        ),
    ],
)
def test_the_tool_choice_is_obeyed(choice: object, names: list[str]) -> None:
    message = whole({"tools": [WEATHER, CLOCK], "tool_choice": choice}).choices[0].message
    assert [call.function.name for call in message.tool_calls or ()] == names


def test_a_tool_result_is_answered_in_text() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    turns = [
        *HELLO["messages"],
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "21 degrees"},
    ]
    message = whole({"messages": turns, "tools": [WEATHER]}).choices[0].message
    assert message.tool_calls is None
    assert 'The tool answered: "21 degrees".' in message.content


def test_a_custom_tool_is_called_with_text() -> None:
    call = whole({"tools": [{"type": "custom", "custom": {"name": "shell"}}]}).choices[0].message.tool_calls[0]
    assert (call.type, call.custom.name) == ("custom", "shell")


def test_max_tokens_cuts_the_answer() -> None:
    reply = whole({"max_completion_tokens": 3})
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 3
    assert len(reply.choices[0].message.content) == 12


def test_a_stop_sequence_ends_the_answer_before_it() -> None:
    choice = whole({"stop": ["You said", "never"]}).choices[0]
    assert choice.message.content == "Hello from gpt-demo, a simulated model. "
    assert choice.finish_reason == "stop"


def test_structured_output_satisfies_its_schema() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER_SCHEMA}}
    content = whole({"response_format": form}).choices[0].message.content
    assert msgspec.json.decode(content) == {"city": "example", "unit": "celsius"}
    content = whole({"response_format": {"type": "json_object"}}).choices[0].message.content
    assert msgspec.json.decode(content)["answer"].startswith("You said")


def test_reasoning_is_counted_and_not_shown() -> None:
    usage = whole({"reasoning_effort": "low"}).usage
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens


def test_n_choices_are_given() -> None:
    assert [choice.index for choice in whole({"n": 3}).choices] == [0, 1, 2]
    assert sorted({chunk.choices[0].index for chunk in chunks({"n": 2})}) == [0, 1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"messages": []}', "model"),
        (b'{"model": 4, "messages": []}', "model"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": []}', "messages"),
        (b'{"model": "m", "messages": [{"content": "x"}]}', "messages[0].role"),
        (b'{"model": "m", "messages": [{"role": "user"}], "max_tokens": 0}', "max_tokens"),
        (b'{"model": "m", "messages": [{"role": "user"}], "tool_choice": "perhaps"}', "tool_choice"),
        (b"[]", None),
        (b"{", None),
    ],
)
def test_a_malformed_chat_is_refused_naming_the_field(body: bytes, param: str | None) -> None:
    got = Asker().post(CHAT, body)
    assert got.status == 400
    assert got.json["error"]["type"] == "invalid_request_error"
    assert got.json["error"]["param"] == param
    assert got.headers[b"x-request-id"].startswith(b"req_")


def test_the_older_completions_answer_whole_and_streamed() -> None:
    asked = {"model": "gpt-demo", "prompt": "Once", "max_tokens": 100}
    reply = types.Completion.model_validate(Asker().post("/v1/completions", asked).json)
    assert 'You said: "Once".' in reply.choices[0].text
    events = [data for _, data in Asker().post("/v1/completions", asked | {"stream": True}).events]
    assert events.pop() == "[DONE]"
    assert "".join(event["choices"][0]["text"] for event in events) == reply.choices[0].text
    for event in events[:-1]:  # OpenAI sends null until the end, which the SDK's type does not foresee.
        assert event["choices"][0]["finish_reason"] is None
        event["choices"][0]["finish_reason"] = "stop"
    assert [types.Completion.model_validate(event).choices[0].finish_reason for event in events][-1] == "stop"


def test_texts_with_the_same_words_have_near_embeddings() -> None:
    texts = ["the cat sat", "a cat sat down", "stock prices fell"]
    asked = {"model": "text-demo", "input": texts, "dimensions": 256}
    reply = types.CreateEmbeddingResponse.model_validate(Asker().post("/v1/embeddings", asked).json)
    cat, other_cat, stocks = (entry.embedding for entry in reply.data)
    near = sum(a * b for a, b in zip(cat, other_cat, strict=True))
    far = sum(a * b for a, b in zip(cat, stocks, strict=True))
    assert len(cat) == 256
    assert near > 0.5 > far


def test_embeddings_come_in_base64_when_asked_for() -> None:
    asked = {"model": "text-demo", "input": "cat", "dimensions": 4, "encoding_format": "base64"}
    assert isinstance(Asker().post("/v1/embeddings", asked).json["data"][0]["embedding"], str)


def test_moderation_finds_nothing() -> None:
    got = Asker().post("/v1/moderations", {"input": ["one", "two"]})
    reply = types.ModerationCreateResponse.model_validate(got.json)
    assert [result.flagged for result in reply.results] == [False, False]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", CHAT, 405), ("POST", "/v1/nothing", 404)])
def test_wrong_methods_and_paths_are_refused(method: str, path: str, status: int) -> None:
    assert Asker().request(method, path).status == status


@pytest.mark.parametrize("schema", [{"type": "string", "minLength": 10**30}, {"type": "integer", "minimum": 10**400}])
def test_a_schema_that_nobody_can_fill_is_refused(schema: object) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    got = Asker().request("POST", CHAT, json.dumps(HELLO | {"response_format": form}).encode())
    assert got.status == 400
    assert "Invalid schema" in got.json["error"]["message"]
