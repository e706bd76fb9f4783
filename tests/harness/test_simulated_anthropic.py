"""The simulated provider's Anthropic Messages."""

from typing import Any

import msgspec
import pytest

from tests.harness.asking import CLOCK_SCHEMA, WEATHER_SCHEMA, Asker

types = pytest.importorskip("anthropic.types", reason="the anthropic SDK is not installed")
pydantic = pytest.importorskip("pydantic", reason="the anthropic SDK is not installed")

MESSAGES = "/v1/messages?beta=true"
HELLO: dict[str, Any] = {
    "model": "claude-demo",
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Hello there"}],
}
WEATHER = {"name": "get_weather", "input_schema": WEATHER_SCHEMA}
CLOCK = {"name": "get_time", "input_schema": CLOCK_SCHEMA}
THINKING = {"thinking": {"type": "adaptive"}}
EVENTS = pydantic.TypeAdapter(types.RawMessageStreamEvent)


def whole(body: dict[str, Any]) -> Any:
    """Ask for a whole message and read it with the SDK's type."""
    got = Asker().post(MESSAGES, HELLO | body)
    assert got.status == 200, got.body
    return types.Message.model_validate(got.json)


def stream(body: dict[str, Any]) -> list[Any]:
    """Ask for a stream and read each event but pings with the SDK's type."""
    got = Asker().post(MESSAGES, HELLO | {"stream": True} | body)
    assert got.status == 200
    assert all(name == data["type"] for name, data in got.events)
    return [EVENTS.validate_python(data) for name, data in got.events if name != "ping"]


def test_a_message_quotes_the_user() -> None:
    reply = whole({})
    assert 'You said: "Hello there".' in reply.content[0].text
    assert reply.stop_reason == "end_turn"
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0


@pytest.mark.parametrize("body", [{}, THINKING, {"tools": [WEATHER, CLOCK]}, {"max_tokens": 2}, {"max_tokens": 0}])
def test_a_stream_adds_up_to_the_whole_message(body: dict[str, Any]) -> None:
    expected = whole(body)
    blocks: list[dict[str, Any]] = []
    for event in stream(body):
        match event.type:
            case "message_start":
                assert (event.message.content, event.message.stop_reason) == ([], None)
                assert event.message.usage.input_tokens == expected.usage.input_tokens
            case "content_block_start":
                blocks.append(event.content_block.model_dump(exclude_none=True))
            case "content_block_delta":
                add(blocks[event.index], event.delta)
            case "message_delta":
                assert event.delta.stop_reason == expected.stop_reason
                assert event.usage.output_tokens == expected.usage.output_tokens
    for block in blocks:
        block["input"] = msgspec.json.decode(block.pop("json")) if "json" in block else None
    for block, whole_block in zip(blocks, expected.content, strict=True):
        told = whole_block.model_dump(exclude_none=True, exclude={"id"})
        assert {key: block[key] for key in told} == told


def add(block: dict[str, Any], delta: Any) -> None:
    """Add a delta to its block."""
    match delta.type:
        case "text_delta":
            block["text"] += delta.text
        case "thinking_delta":
            block["thinking"] += delta.thinking
        case "signature_delta":
            block["signature"] = delta.signature
        case "input_json_delta":
            block["json"] = block.get("json", "") + delta.partial_json


def test_a_stream_keeps_the_order_of_anthropics_events() -> None:
    names = [name for name, _ in Asker().post(MESSAGES, HELLO | {"stream": True}).events]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert names[3:-3] == ["content_block_delta"] * len(names[3:-3])


def test_thinking_comes_first_and_signed() -> None:
    thought, text = whole(THINKING).content
    assert (thought.type, text.type) == ("thinking", "text")
    assert thought.thinking
    assert thought.signature
    hidden = whole({"thinking": {"type": "adaptive", "display": "omitted"}}).content[0]
    assert (hidden.thinking, hidden.signature) == ("", thought.signature)
    assert whole({"thinking": {"type": "disabled"}}).content[0].type == "text"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, ["get_weather", "get_time"]),
        ({"type": "any", "disable_parallel_tool_use": True}, ["get_weather"]),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
        ({"type": "none"}, []),
    ],
)
def test_the_tool_choice_is_obeyed(choice: object, names: list[str]) -> None:
    reply = whole({"tools": [WEATHER, CLOCK], "tool_choice": choice})
    calls = [block for block in reply.content if block.type == "tool_use"]
    assert [call.name for call in calls] == names
    assert reply.stop_reason == ("tool_use" if names else "end_turn")


def test_a_tool_that_the_user_names_is_called_first() -> None:
    asked = {"messages": [{"role": "user", "content": "Use get_time, please."}]}
    assert whole({"tools": [WEATHER, CLOCK]} | asked).content[0].name == "get_time"


def test_a_tool_result_is_answered_in_text() -> None:
    call = {"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "21 degrees"}]}
    turns = [
        *HELLO["messages"],
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    reply = whole({"messages": turns, "tools": [WEATHER]})
    assert 'The tool answered: "21 degrees".' in reply.content[0].text


def test_limits_and_stop_sequences_are_told() -> None:
    assert whole({"max_tokens": 2}).stop_reason == "max_tokens"
    stopped = whole({"stop_sequences": ["simulated", "said"]})
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "simulated")


def test_structured_output_satisfies_its_schema() -> None:
    form = {"type": "json_schema", "schema": WEATHER_SCHEMA}
    text = whole({"output_config": {"format": form}}).content[0].text
    assert msgspec.json.decode(text) == {"city": "example", "unit": "celsius"}


def test_counted_tokens_are_those_of_the_message() -> None:
    asked = {key: value for key, value in HELLO.items() if key != "max_tokens"}
    counted = types.MessageTokensCount.model_validate(Asker().post("/v1/messages/count_tokens", asked).json)
    assert counted.input_tokens == whole({}).usage.input_tokens


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"max_tokens": 1, "messages": []}, "model: Field required"),
        ({"model": "m", "messages": []}, "max_tokens: Field required"),
        ({"model": "m", "max_tokens": 1}, "messages: Field required"),
        ({"model": "m", "max_tokens": 1, "messages": []}, "messages: at least one message is required"),
        (HELLO | {"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        (HELLO | {"tool_choice": {"type": "tool", "name": "x"}}, "tool_choice: Tool 'x' not found in provided tools"),
    ],
)
def test_a_malformed_request_is_refused_naming_the_field(body: object, message: str) -> None:
    got = Asker().post(MESSAGES, body)
    assert got.status == 400
    assert got.json["error"] == {"type": "invalid_request_error", "message": message}
    assert got.json["request_id"].encode() == got.headers[b"request-id"]
