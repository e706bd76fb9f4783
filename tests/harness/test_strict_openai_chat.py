"""What the strict provider refuses as OpenAI's Chat Completions does, and what it takes."""

from typing import Any

import pytest

from gephyr.harness.strict import StrictProvider
from tests.harness.strict_asking import DELETED, ask, changed, refusal

CHAT = "/v1/chat/completions"
USER: dict[str, Any] = {"role": "user", "content": "Hello"}
HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [USER]}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "fine"}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
TOOL = {"type": "function", "function": FUNCTION}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
REASONING = {"model": "gpt-5-mini"}


def tool(**changes: Any) -> dict[str, Any]:
    """A request with one function, changed."""
    return {"tools": [{"type": "function", "function": FUNCTION | changes}]}


def formatted(**changes: Any) -> dict[str, Any]:
    """A request for JSON by a schema."""
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    form = {"name": "answer", "strict": True, "schema": schema} | changes
    return {"response_format": {"type": "json_schema", "json_schema": form}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]}, USER]},
        {"messages": [USER, CALLED, RESULT, {"role": "user", "content": [PNG]}], "tools": [TOOL]},
        {"temperature": 2, "stop": ["a", "b", "c", "d"], "n": 2, "max_tokens": 5, "presence_penalty": -2},
        {**REASONING, "max_completion_tokens": 50, "reasoning_effort": "minimal", "temperature": 1},
        {"model": "gpt-5.6", "temperature": 0.5, "reasoning_effort": "none"},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        formatted(),
    ],
)
def test_what_is_right_is_answered(changes: dict[str, Any]) -> None:
    assert refusal(CHAT, changed(HELLO, **changes)) == ""


def test_a_model_without_system_messages_names_the_value_that_it_does_not_support() -> None:
    messages = [{"role": "system", "content": "Be brief."}, USER]
    got = ask(StrictProvider(), CHAT, changed(HELLO, model="o1-mini", messages=messages))
    error = got.json["error"]
    assert (got.status, error["param"], error["code"]) == (400, "messages[0].role", "unsupported_value")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top_k": 5}, "Unknown parameter: 'top_k'."),
        ({"model": DELETED}, "Missing required parameter: 'model'."),
        (
            {"temperature": 2.5},
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5",
        ),
        ({"presence_penalty": -3}, "Invalid 'presence_penalty': decimal below minimum value."),
        ({"n": 0}, "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead."),
        ({"stop": list("abcde")}, "Invalid 'stop': array too long. Expected an array with maximum length 4"),
        ({"stream_options": {}}, "The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        ({"reasoning_effort": "low"}, "Unrecognized request argument supplied: reasoning_effort"),
        ({"web_search_options": {}}, "Web search options not supported with this model."),
        ({"metadata": {"a": 1}}, "Invalid type for 'metadata.a': expected a string, but got an integer instead."),
        ({"metadata": dict.fromkeys(map(str, range(17)), "x")}, "Invalid 'metadata': too many properties."),
        ({**REASONING, "max_tokens": 5}, "Unsupported parameter: 'max_tokens' is not supported with this model. Use"),
        ({**REASONING, "temperature": 0.2}, "Unsupported value: 'temperature' does not support 0.2 with this model."),
        ({**REASONING, "stop": "x"}, "Unsupported parameter: 'stop' is not supported with this model."),
        ({**REASONING, "logprobs": True}, "Unsupported parameter: 'logprobs' is not supported with this model."),
        ({**REASONING, "reasoning_effort": "xhigh"}, "'reasoning_effort' does not support 'xhigh' with this model."),
        ({"tool_choice": "required"}, "'tool_choice' is only allowed when 'tools' are specified."),
        ({"tools": []}, "Invalid 'tools': empty array."),
        ({"tools": [{"type": "web_search"}]}, "Invalid value: 'web_search'. Supported values are: 'function' and"),
        ({"tools": [TOOL], "tool_choice": "any"}, "Supported values are: 'none', 'auto', and 'required'."),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "f"}}, "Unknown parameter: 'tool_choice.name'."),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json' in some form"),
        (tool(name="f.g"), "Invalid 'tools[0].function.name': string does not match pattern."),
        (tool(name="f" * 65), "Invalid 'tools[0].function.name': string too long."),
        (tool(name=""), "Invalid 'tools[0].function.name': empty string."),
        (tool(input_schema={}), "Unknown parameter: 'tools[0].function.input_schema'."),
        (tool(parameters={"type": "array"}), "Invalid schema for function 'f': schema must be a JSON Schema of 'type:"),
        (tool(strict=True), "In context=(), 'additionalProperties' is required to be supplied and to be false."),
        (formatted(name="an answer"), "Invalid 'response_format.json_schema.name': string does not match pattern."),
        (formatted(schema={"type": "object"}), "Invalid schema for response_format 'answer': In context=(), 'addit"),
    ],
)
def test_a_wrong_setting_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(CHAT, changed(HELLO, **changes))


def parts(role: str, *content: Any) -> dict[str, Any]:
    """A message of content parts."""
    return {"role": role, "content": list(content)}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "Invalid 'messages': empty array."),
        ([{"role": "model", "content": "x"}], "Invalid value: 'model'. Supported values are: 'system', 'assistant', "),
        ([{"role": "user", "content": None}], "Invalid value for 'content': expected a string, got null."),
        ([{"role": "assistant", "content": None}], "Invalid value for 'content': expected a string, got null."),
        ([USER | {"cache_control": {}}], "Unknown parameter: 'messages[0].cache_control'."),
        ([USER, CALLED], "The following tool_call_ids did not have response messages: c1"),
        ([USER, CALLED, USER, RESULT], "must be followed by tool messages responding to each 'tool_call_id'."),
        ([USER, RESULT], "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."),
        ([USER, CALLED, RESULT, RESULT], "messages with role 'tool' must be a response to a preceeding message"),
        ([USER, CALLED | {"tool_calls": [CALL | {"id": "c" * 41}]}], "tool_calls[0].id': string too long. Expected a"),
        ([USER, CALLED | {"content": "x", "tool_calls": []}], "Invalid 'messages[1].tool_calls': empty array."),
        ([USER, CALLED, parts("tool", PNG) | {"tool_call_id": "c1"}], "Content blocks are expected to be text type."),
        ([parts("user", {"type": "input_text", "text": "x"})], "expected to be either text or image_url type."),
        (
            [parts("user", {"type": "image_url", "image_url": {"url": "x.png"}})],
            "Expected a valid URL, but got a value",
        ),
        (
            [parts("user", {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,aGk="}})],
            "has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].",
        ),
        (
            [parts("user", {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}})],
            "Invalid 'messages[0]'. Content blocks are expected to be either text or image_url type.",
        ),
    ],
)
def test_a_wrong_history_is_refused(messages: list[Any], words: str) -> None:
    assert words in refusal(CHAT, changed(HELLO, messages=messages))


def test_an_error_has_openais_shape() -> None:
    got = ask(StrictProvider(), CHAT, changed(HELLO, model="claude-opus-5"))
    message = "The model `claude-opus-5` does not exist or you do not have access to it."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "model_not_found"}
    assert (got.status, got.json) == (404, {"error": error})
    assert got.headers[b"x-request-id"].startswith(b"req_")


def test_strict_schemas_are_looked_into_at_every_depth() -> None:
    """Below properties, items, choices and definitions."""
    inner = {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False}
    words = "'required' is required to be supplied and to be an array including every key in properties. Missing 'b'."
    for place in ({"type": "array", "items": inner}, {"anyOf": [inner, {"type": "null"}]}, inner):
        schema = {"type": "object", "properties": {"a": place}, "required": ["a"], "additionalProperties": False}
        assert words in refusal(CHAT, changed(HELLO, **tool(strict=True, parameters=schema)))
    closed = inner | {"required": ["b"]}
    assert refusal(CHAT, changed(HELLO, **tool(strict=True, parameters=closed))) == ""
