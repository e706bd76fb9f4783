"""The simulated provider's Responses and Conversations."""

from typing import Any

import msgspec
import pytest

from gephyr.harness.providers import SimulatedSettings
from tests.harness.asking import CLOCK_SCHEMA, NOW, WEATHER_SCHEMA, Asker

responses = pytest.importorskip("openai.types.responses", reason="the openai SDK is not installed")
conversations = pytest.importorskip("openai.types.conversations", reason="the openai SDK is not installed")
pydantic = pytest.importorskip("pydantic", reason="the openai SDK is not installed")

RESPONSES, CONVERSATIONS = "/v1/responses", "/v1/conversations"
HELLO: dict[str, Any] = {"model": "gpt-demo", "input": "Hello there"}
WEATHER = {"type": "function", "name": "get_weather", "parameters": WEATHER_SCHEMA, "strict": True}
CLOCK = {"type": "function", "name": "get_time", "parameters": CLOCK_SCHEMA}
SHELL = {"type": "custom", "name": "shell"}
THINKING = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
EVENTS = pydantic.TypeAdapter(responses.ResponseStreamEvent)


def whole(body: dict[str, Any], asker: Asker | None = None) -> Any:
    """Ask for a whole response and read it with the SDK's type."""
    got = (asker or Asker()).post(RESPONSES, HELLO | body)
    assert got.status == 200, got.body
    return responses.Response.model_validate(got.json)


def stream(body: dict[str, Any]) -> list[Any]:
    """Ask for a stream and read each event with the SDK's type."""
    got = Asker().post(RESPONSES, HELLO | {"stream": True} | body)
    assert got.status == 200
    assert all(name == data["type"] for name, data in got.events)
    return [EVENTS.validate_python(data) for _, data in got.events]


def test_a_response_quotes_the_user() -> None:
    reply = whole({})
    assert 'You said: "Hello there".' in reply.output_text
    assert (reply.status, reply.created_at) == ("completed", NOW)
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


@pytest.mark.parametrize(
    "body",
    [
        {},
        THINKING,
        {"tools": [WEATHER, CLOCK]},
        {"tools": [SHELL], **THINKING},
        {"max_output_tokens": 2},
        {"text": {"format": {"type": "json_schema", "name": "weather", "schema": WEATHER_SCHEMA}}},
    ],
)
def test_a_stream_is_valid_and_ends_with_the_whole_response(body: dict[str, Any]) -> None:
    events = stream(body)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    final = events[-1]
    assert final.type == ("response.incomplete" if "max_output_tokens" in body else "response.completed")
    assert final.response == whole(body).model_copy(update={"id": final.response.id})
    finished = [event.item for event in events if event.type == "response.output_item.done"]
    assert finished == final.response.output


def test_deltas_add_up_to_the_finished_items() -> None:
    events = stream({"tools": [WEATHER]})
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert len(deltas) > 1 or deltas == [events[-1].response.output[0].arguments]
    assert "".join(deltas) == events[-1].response.output[0].arguments
    events = stream({})
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == events[-1].response.output_text


def test_reasoning_is_summarised_and_sealed_when_asked_for() -> None:
    thought = whole(THINKING).output[0]
    assert thought.type == "reasoning"
    assert thought.summary[0].text
    assert thought.encrypted_content
    bare = whole({"reasoning": {"effort": "high"}})
    assert (bare.output[0].summary, bare.output[0].encrypted_content) == ([], None)
    assert bare.usage.output_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", []),
        ({"type": "function", "name": "get_time"}, ["get_time"]),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "shell"}]},
            ["shell"],
        ),
        ("auto", ["get_weather", "get_time"]),
    ],
)
def test_the_tool_choice_is_obeyed(choice: object, names: list[str]) -> None:
    output = whole({"tools": [WEATHER, CLOCK, SHELL], "tool_choice": choice}).output
    assert [item.name for item in output if item.type.endswith("call")] == names


def test_a_tool_result_is_answered_in_text() -> None:
    asker = Asker()
    call = whole({"tools": [WEATHER]}, asker).output[0]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    asked = {"input": [{"role": "user", "content": "Weather?"}, call.model_dump(exclude_none=True), result]}
    reply = whole({"tools": [WEATHER]} | asked, asker)
    assert 'The tool answered: "21 degrees".' in reply.output_text


def test_structured_output_satisfies_its_schema() -> None:
    form = {"type": "json_schema", "name": "weather", "schema": WEATHER_SCHEMA}
    text = whole({"text": {"format": form}}).output_text
    assert msgspec.json.decode(text) == {"city": "example", "unit": "celsius"}


def test_a_stored_response_can_be_read_resumed_and_deleted() -> None:
    asker = Asker()
    made = whole({}, asker)
    one = f"{RESPONSES}/{made.id}"
    assert responses.Response.model_validate(asker.get(one).json) == made
    items = responses.response_item_list.ResponseItemList.model_validate(asker.get(f"{one}/input_items").json)
    assert items.data[0].content[0].text == "Hello there"
    replay = [data["sequence_number"] for _, data in asker.get(f"{one}?stream=true&starting_after=3").events]
    assert replay[0] == 4
    assert whole({"previous_response_id": made.id}, asker).previous_response_id == made.id
    assert asker.request("DELETE", one).json == {"id": made.id, "object": "response.deleted", "deleted": True}
    assert asker.get(one).status == 404
    refused = asker.post(RESPONSES, HELLO | {"previous_response_id": made.id})
    assert (refused.status, refused.json["error"]["code"]) == (400, "previous_response_not_found")


def test_a_response_that_is_not_to_be_stored_is_not() -> None:
    asker = Asker()
    assert asker.get(f"{RESPONSES}/{whole({'store': False}, asker).id}").status == 404


def test_a_background_response_is_ready_later_and_can_be_cancelled_before() -> None:
    asker = Asker(SimulatedSettings(latency=10.0, jitter=0.0))
    first, second = (whole({"background": True}, asker) for _ in range(2))
    assert (first.status, first.output) == ("queued", [])
    cancelled = asker.post(f"{RESPONSES}/{first.id}/cancel", {}, now=NOW + 1.0)
    assert responses.Response.model_validate(cancelled.json).status == "cancelled"
    assert asker.get(f"{RESPONSES}/{first.id}", now=NOW + 60.0).json["status"] == "cancelled"
    assert asker.get(f"{RESPONSES}/{second.id}", now=NOW + 9.0).json["status"] == "queued"
    assert asker.get(f"{RESPONSES}/{second.id}", now=NOW + 60.0).json["status"] == "completed"
    assert asker.post(f"{RESPONSES}/{whole({}, asker).id}/cancel", {}).status == 400


def test_tokens_are_counted_and_conversations_compacted() -> None:
    counted = Asker().post(f"{RESPONSES}/input_tokens", HELLO).json
    count = responses.input_token_count_response.InputTokenCountResponse.model_validate(counted)
    assert count.input_tokens == whole({}).usage.input_tokens
    compacted = responses.CompactedResponse.model_validate(Asker().post(f"{RESPONSES}/compact", HELLO).json)
    sealed = [item.model_dump(exclude_none=True) for item in compacted.output]
    continued = whole({"input": [*sealed, {"role": "user", "content": "Go on"}]})
    assert 'You said: "Go on".' in continued.output_text


def test_a_conversation_keeps_what_was_said_in_it() -> None:
    asker = Asker()
    made = conversations.Conversation.model_validate(asker.post(CONVERSATIONS, {"metadata": {"a": "b"}}).json)
    one = f"{CONVERSATIONS}/{made.id}"
    empty = conversations.ConversationItemList.model_validate(asker.get(f"{one}/items").json)
    assert empty.data == []
    whole({"conversation": made.id}, asker)
    added = asker.post(f"{one}/items", {"items": [{"role": "user", "content": "Later"}]})
    assert len(conversations.ConversationItemList.model_validate(added.json).data) == 1
    listed = conversations.ConversationItemList.model_validate(asker.get(f"{one}/items?order=asc").json)
    assert [item.role for item in listed.data] == ["user", "assistant", "user"]
    page = asker.get(f"{one}/items?limit=1&after={listed.data[2].id}").json
    assert (page["first_id"], page["has_more"]) == (listed.data[1].id, True)
    item = f"{one}/items/{listed.data[0].id}"
    assert asker.get(item).json["id"] == listed.data[0].id
    assert asker.request("DELETE", item).json["id"] == made.id
    assert asker.get(item).status == 404
    assert asker.post(one, {"metadata": {"c": "d"}}).json["metadata"] == {"c": "d"}
    deleted = conversations.ConversationDeletedResource.model_validate(asker.request("DELETE", one).json)
    assert deleted.deleted
    assert asker.post(RESPONSES, HELLO | {"conversation": made.id}).status == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": [{}]}, "input"),
        ({"model": "m", "input": 4}, "input"),
    ],
)
def test_a_malformed_request_is_refused_naming_the_field(body: object, param: str) -> None:
    got = Asker().post(RESPONSES, body)
    assert (got.status, got.json["error"]["param"]) == (400, param)


@pytest.mark.parametrize("body", [{}, {"input": []}])
def test_a_request_that_asks_nothing_is_told_that_its_input_is_missing(body: dict[str, Any]) -> None:
    got = Asker().post(RESPONSES, {"model": "gpt-demo", **body})
    assert got.status == 400
    error = got.json["error"]
    assert (error["param"], error["code"]) == ("input", "missing_required_parameter")
