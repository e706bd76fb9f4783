"""What a Responses reply repeats of its request."""

import json
from typing import Any

import pytest
from responses_support import RESPONSES, WHOLE, asked, reply_of, written

from gephyr_core.conversation.parts import Text


def test_the_requests_settings_are_repeated() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    told = asked(
        instructions="Be brief.",
        tools=[tool],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0.5,
        max_output_tokens=99,
        metadata={"a": "b"},
        truncation="auto",
        user="u",
        previous_response_id="resp_0",
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
        conversation="conv_1",
    )
    whole, _ = written(reply_of(Text("a")), told)
    for name in ("instructions", "tool_choice", "parallel_tool_calls", "temperature", "max_output_tokens"):
        assert whole[name] == json.loads(bytes(told.request[name]))
    for name in ("metadata", "truncation", "user", "previous_response_id"):
        assert whole[name] == json.loads(bytes(told.request[name]))
    assert whole["tools"][0]["name"] == "f"
    assert whole["reasoning"]["effort"] == "low"
    assert whole["text"]["format"]["name"] == "n"
    assert whole["conversation"] == {"id": "conv_1"}
    assert whole["store"] is False


@pytest.mark.parametrize(
    "odd",
    [
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": "any"},
        {"tools": [{"type": "made_up"}, {"type": "mcp"}, 7]},
        {"tools": {"type": "function"}},
        {"reasoning": {"effort": "huge"}},
        {"reasoning": "high"},
        {"text": {"format": {"type": "json_schema"}}},
        {"text": {"verbosity": "loud"}},
        {"instructions": [{"role": "made_up"}]},
        {"truncation": "sometimes"},
        {"metadata": {"a": 1}},
        {"temperature": "hot"},
        {"conversation": 7},
        {"max_output_tokens": "many"},
        {"user": 7},
    ],
    ids=json.dumps,
)
def test_what_the_sdk_would_not_take_of_the_request_is_told_as_the_default(odd: dict[str, Any]) -> None:
    """A reply does not fail for what it only repeats."""
    reply = RESPONSES.write_reply(reply_of(Text("a")), asked(**odd))
    assert WHOLE.validate_json(reply, strict=True).output_text == "a"


def test_credentials_of_mcp_servers_are_not_repeated() -> None:
    """OpenAI does not repeat them either."""
    tool = {"type": "mcp", "server_label": "s", "server_url": "https://s", "authorization": "secret", "headers": {}}
    whole, _ = written(reply_of(Text("a")), asked(tools=[tool]))
    assert whole["tools"] == [{"type": "mcp", "server_label": "s", "server_url": "https://s"}]
