"""What the strict provider refuses as OpenAI's Responses do, and what it takes."""

import base64
from typing import Any

import pytest

from gephyr.harness.strict import StrictProvider
from tests.harness.strict_asking import ask, changed, refusal, schemas

RESPONSES = "/v1/responses"
HELLO: dict[str, Any] = {"model": "gpt-5.6", "input": "Hello"}
USER: dict[str, Any] = {"role": "user", "content": "Hello"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "fine"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
REASONING = {"reasoning": {"effort": "low"}}
OLD = {"model": "gpt-4o"}


def user(*content: Any) -> dict[str, Any]:
    """A user's message of parts."""
    return {"role": "user", "content": list(content)}


def formatted(**changes: Any) -> dict[str, Any]:
    """A request for JSON by a schema."""
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    return {"text": {"format": {"type": "json_schema", "name": "answer", "schema": schema} | changes}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input": [USER, {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}, USER]},
        {"input": [USER, CALL, OUTPUT], "tools": [TOOL]},
        {"input": [USER, CALL, OUTPUT | {"output": [{"type": "input_image", "image_url": "https://a.b/c.png"}]}]},
        {**REASONING, "include": ["reasoning.encrypted_content"], "store": False, "max_output_tokens": 16},
        {**OLD, "temperature": 0.3, "top_p": 0.5, "top_logprobs": 3},
        {"tools": [TOOL | {"strict": False}], "tool_choice": {"type": "function", "name": "f"}},
        {"tools": [{"type": "web_search"}], "tool_choice": "required"},
        formatted(),
        formatted(strict=False, schema={"type": "object"}),
    ],
)
def test_what_is_right_is_answered(changes: dict[str, Any]) -> None:
    assert refusal(RESPONSES, changed(HELLO, **changes)) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stop": ["x"]}, "Unknown parameter: 'stop'."),
        ({"seed": 1}, "Unknown parameter: 'seed'."),
        ({"frequency_penalty": 1}, "Unknown parameter: 'frequency_penalty'."),
        ({"messages": []}, "Unknown parameter: 'messages'."),
        ({"input": []}, "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must be provided."),
        ({"input": None}, "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must be provided."),
        ({"model": "claude-opus-5"}, "The requested model 'claude-opus-5' does not exist."),
        ({"max_output_tokens": 15}, "integer below minimum value. Expected a value >= 16, but got 15 instead."),
        ({**REASONING, "temperature": 0.5}, "Unsupported parameter: 'temperature' is not supported with this model."),
        ({**OLD, **REASONING}, "Unsupported parameter: 'reasoning.effort' is not supported with this model."),
        ({"model": "o4-mini", "reasoning": {"effort": "none"}}, "'none' is not supported with the 'o4-mini' model."),
        ({"reasoning": {"summary": "long"}}, "Supported values are: 'auto', 'concise', and 'detailed'."),
        ({"include": ["usage"]}, "Invalid value: 'usage'. Supported values are:"),
        ({**OLD, "include": ["reasoning.encrypted_content"]}, "Encrypted content is not supported with this model."),
        ({"previous_response_id": "resp_1"}, "Previous response with id 'resp_1' not found."),
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "Mutually exclusive parameters"),
        ({"metadata": {"a": "x" * 513}}, "Invalid 'metadata.a': string too long."),
        ({"stream_options": {}}, "The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        ({"tools": [{"type": "function", "function": TOOL}]}, "Unknown parameter: 'tools[0].function'."),
        ({"tools": [{"type": "function"}]}, "Missing required parameter: 'tools[0].name'."),
        ({"tools": [TOOL | {"parameters": []}]}, "Invalid type for 'tools[0].parameters': expected an object, but got"),
        ({"tools": [TOOL | {"strict": True}]}, "Invalid schema for function 'f'"),
        ({"tools": [{"type": "bash"}]}, "Invalid value: 'bash'. Supported values are: 'function', 'custom', "),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}}, "Tool choice 'g' not found in 'tools'"),
        ({"tool_choice": "required"}, "Tool choice 'required' must be specified with 'tools' parameter."),
        (
            {"text": {"format": {"type": "json_schema", "schema": {}}}},
            "Missing required parameter: 'text.format.name'.",
        ),
        (formatted(json_schema={}), "Unknown parameter: 'text.format.json_schema'."),
        (formatted(schema={"type": "object"}), "Invalid schema for response_format 'answer'"),
        ({"text": {"format": {"type": "json_object"}}}, "must contain the word 'json' in some form"),
    ],
)
def test_a_wrong_setting_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(RESPONSES, changed(HELLO, **changes))


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"type": "tool_use"}], "Invalid value: 'tool_use'. Supported values are: 'message', 'function_call', "),
        ([{"role": "tool", "content": "x"}], "Invalid value: 'tool'. Supported values are: 'assistant', 'system', "),
        ([USER | {"name": "x"}], "Unknown parameter: 'input[0].name'."),
        ([user({"type": "text", "text": "x"})], "Supported values are: 'input_text', 'input_image', and 'input_file'."),
        (
            [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}],
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        ),
        (
            [user({"type": "input_image", "image_url": "x.png"})],
            "Expected a valid URL, but got a value with an invalid",
        ),
        ([user({"type": "input_file", "file_data": "aGk="})], "Invalid file data: 'input[0].content[0].file_data'."),
        ([USER, CALL], "No tool output found for function call c1."),
        ([USER, OUTPUT], "No tool call found for function call output with call_id c1."),
        ([CALL | {"call_id": "c" * 65}], "Invalid 'input[0].call_id': string too long. Expected a string with maximum"),
        ([CALL | {"id": "call_1"}], "Invalid 'input[0].id': 'call_1'. Expected an ID that begins with 'fc'."),
        ([CALL | {"arguments": {}}], "Invalid type for 'input[0].arguments': expected a string, but got an object"),
        (
            [{"type": "function_call", "call_id": "c1", "name": "f"}],
            "Missing required parameter: 'input[0].arguments'.",
        ),
        (
            [USER, {"type": "reasoning", "id": "rs_1", "summary": []}],
            "was provided without its required following item.",
        ),
    ],
)
def test_wrong_items_are_refused(items: list[Any], words: str) -> None:
    assert words in refusal(RESPONSES, changed(HELLO, input=items))


# -- reasoning that comes back --------------------------------------------------------------------------------

TOOLS = [{"type": "function", "name": n, "description": d, "parameters": s} for n, d, s in schemas()]
SEALED = changed(HELLO, input=[USER], tools=TOOLS, store=False, include=["reasoning.encrypted_content"], **REASONING)


def continued(provider: StrictProvider, body: dict[str, Any]) -> dict[str, Any]:
    """The request after the first turn: its output, and outputs for its calls."""
    output = ask(provider, RESPONSES, body).json["output"]
    calls = [item["call_id"] for item in output if item["type"] == "function_call"]
    results = [OUTPUT | {"call_id": call} for call in calls]
    return changed(body, input=[*body["input"], *output, *results])


def error_of(provider: StrictProvider, body: dict[str, Any]) -> tuple[int, str]:
    """Status and words of a refusal."""
    got = ask(provider, RESPONSES, body)
    return got.status, got.json["error"]["message"]


def test_encrypted_reasoning_goes_back_as_it_came() -> None:
    provider = StrictProvider()
    body = continued(provider, SEALED)
    assert body["input"][1]["type"] == "reasoning"
    assert ask(provider, RESPONSES, body).status == 200
    assert ask(StrictProvider(), RESPONSES, body).status == 200, "it is bound to the organisation, not the process"


def test_forged_reasoning_is_refused() -> None:
    body = continued(StrictProvider(), SEALED)
    body["input"][1]["encrypted_content"] = base64.b64encode(b"forged" * 9).decode()
    status, words = error_of(StrictProvider(), body)
    assert status == 400
    assert words.endswith("could not be verified. Reason: Encrypted content could not be decrypted or parsed.")


def test_reasoning_of_another_organisation_is_refused() -> None:
    status, words = error_of(StrictProvider("org-other"), continued(StrictProvider(), SEALED))
    assert status == 400
    assert words.endswith("Encrypted content organization_id did not match the target organization.")


def test_reasoning_that_is_not_stored_is_not_found() -> None:
    provider = StrictProvider()
    body = continued(provider, changed(SEALED, include=[]))
    status, words = error_of(provider, body)
    assert (status, words.partition(" not found.")[1]) == (404, " not found.")


def test_a_stored_call_needs_its_reasoning() -> None:
    provider = StrictProvider()
    body = continued(provider, changed(SEALED, store=True, include=[]))
    assert ask(provider, RESPONSES, body).status == 200
    body["input"] = [item for item in body["input"] if item.get("type") != "reasoning"]
    call = next(item["id"] for item in body["input"] if item.get("type") == "function_call")
    body["input"] = [item for item in body["input"] if item.get("role") != "assistant"]
    status, words = error_of(provider, body)
    assert status == 400
    assert words.startswith(
        f"Item '{call}' of type 'function_call' was provided without its required 'reasoning' item:"
    )
    assert ask(StrictProvider(), RESPONSES, body).status == 200, "elsewhere the ids mean nothing"
