"""A call without arguments has ``{}``, in whatever way its model or its client writes that it has none."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.arguments import Incoming, as_object
from tests.translation.passing import PROVIDERS, asked, streamed, told
from tests.translation.test_cut_off import anthropic_stream, chat_call, chat_stream, responses_call, responses_stream

NONE = ["", " \n", "null", " null ", "[]", "[ ]", '""', "{}"]


def arguments_told(dialect: str, reply: dict[str, Any]) -> Any:
    """What a client's SDK hands to the tool."""
    match dialect:
        case "openai-chat":
            return json.loads(reply["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
        case "openai-responses":
            return json.loads(reply["output"][0]["arguments"])
        case "anthropic":
            return reply["content"][0]["input"]
    return reply["candidates"][0]["content"]["parts"][0]["functionCall"]["args"]


def arguments_streamed(dialect: str, events: list[dict[str, Any]]) -> Any:
    """The same of a stream."""
    match dialect:
        case "openai-chat":
            calls = [c for e in events for choice in e["choices"] for c in choice["delta"].get("tool_calls", ())]
            return json.loads("".join(call["function"]["arguments"] for call in calls))
        case "openai-responses":
            return json.loads(events[-1]["response"]["output"][0]["arguments"])
        case "anthropic":
            return json.loads("".join(e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"))
    return next(
        part["functionCall"]["args"]
        for event in events
        for part in event["candidates"][0]["content"]["parts"]
        if "functionCall" in part
    )


@pytest.mark.parametrize("none", NONE)
@pytest.mark.parametrize("target", ["openai-responses", "anthropic", "gemini"])
def test_no_arguments_of_a_chat_provider_are_an_empty_object(none: str, target: str) -> None:
    """Whole, in one piece, and in pieces of a character."""
    assert arguments_told(target, told("openai-chat", target, chat_call(none, "tool_calls"))) == {}
    for pieces in ([none], list(none)):
        assert (
            arguments_streamed(target, streamed("openai-chat", target, chat_stream(*pieces, finish="tool_calls"))) == {}
        )


@pytest.mark.parametrize("none", [None, [], {}])
def test_no_arguments_may_be_told_as_json_too(none: object) -> None:
    """Some providers write the object itself, or nothing."""
    function = {"name": "shell"} if none is None else {"name": "shell", "arguments": none}
    assert (
        arguments_told("anthropic", told("openai-chat", "anthropic", chat_call("", "tool_calls", function=function)))
        == {}
    )
    reply = responses_call(none, status="completed") | {"status": "completed", "incomplete_details": None}
    assert arguments_told("gemini", told("openai-responses", "gemini", reply)) == {}


@pytest.mark.parametrize("none", NONE)
@pytest.mark.parametrize("target", ["openai-chat", "anthropic", "gemini"])
def test_no_arguments_of_a_responses_provider_are_an_empty_object(none: str, target: str) -> None:
    whole = responses_call(none, status="completed") | {"status": "completed", "incomplete_details": None}
    assert arguments_told(target, told("openai-responses", target, whole)) == {}
    events = responses_stream(*none).replace(b'"status": "incomplete"', b'"status": "completed"')
    events = events.replace(b"response.incomplete", b"response.completed").replace(b"max_output_tokens", b"")
    assert arguments_streamed(target, streamed("openai-responses", target, events)) == {}


@pytest.mark.parametrize("pieces", [(), ("",), ("{}",), ("null",), ("[", "]")])
@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "gemini"])
def test_no_arguments_of_a_messages_provider_are_an_empty_object(pieces: tuple[str, ...], target: str) -> None:
    assert arguments_streamed(target, streamed("anthropic", target, anthropic_stream(*pieces, stop="tool_use"))) == {}


@pytest.mark.parametrize("none", [None, [], {}, ""])
@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "anthropic"])
def test_no_arguments_of_a_gemini_provider_are_an_empty_object(none: object, target: str) -> None:
    call = {"name": "shell"} if none is None else {"name": "shell", "args": none}
    content = {"role": "model", "parts": [{"functionCall": call}]}
    assert (
        arguments_told(target, told("gemini", target, {"candidates": [{"content": content, "finishReason": "STOP"}]}))
        == {}
    )


# -- in requests --------------------------------------------------------------------------------------------------------


def asking(dialect: str, arguments: Any) -> dict[str, Any]:
    """A request whose history has a call with *arguments*."""
    match dialect:
        case "openai-chat":
            call = {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": arguments}}
            tool = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
            return {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}, tool]}
        case "openai-responses":
            item = {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": arguments}
            return {
                "input": [
                    {"role": "user", "content": "Hi"},
                    item,
                    {"type": "function_call_output", "call_id": "c1", "output": "ok"},
                ]
            }
        case "anthropic":
            block = {"type": "tool_use", "id": "c1", "name": "shell", "input": arguments}
            result = {"type": "tool_result", "tool_use_id": "c1", "content": "ok"}
            turns = [("user", "Hi"), ("assistant", [block]), ("user", [result])]
            return {"max_tokens": 9, "messages": [{"role": role, "content": content} for role, content in turns]}
    call = {"functionCall": {"name": "shell", "args": arguments}}
    response = {"functionResponse": {"name": "shell", "response": {"output": "ok"}}}
    return {
        "contents": [
            {"role": r, "parts": [p]} for r, p in (("user", {"text": "Hi"}), ("model", call), ("user", response))
        ]
    }


def arguments_sent(dialect: str, body: dict[str, Any]) -> Any:
    match dialect:
        case "openai-chat":
            return json.loads(body["messages"][1]["tool_calls"][0]["function"]["arguments"])
        case "openai-responses":
            return json.loads(body["input"][1]["arguments"])
        case "anthropic":
            return body["messages"][1]["content"][0]["input"]
    return body["contents"][1]["parts"][0]["functionCall"]["args"]


@pytest.mark.parametrize("source", PROVIDERS)
@pytest.mark.parametrize("target", PROVIDERS)
def test_no_arguments_of_a_history_are_an_empty_object(source: str, target: str) -> None:
    """Every way to write them, in every dialect."""
    written = [*NONE, None, [], {}] if source.startswith("openai") else [None, [], {}, ""]
    for none in written if source != target else ():
        assert arguments_sent(target, asked(source, target, asking(source, none)).body) == {}, none
    assert arguments_sent(
        target, asked(source, target, asking(source, '{"a": 1}' if "openai" in source else {"a": 1})).body
    ) == {"a": 1}


@given(st.text('{}[]nul" \n1a', max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_pieces_come_to_what_the_whole_is(text: str, cuts: list[int]) -> None:
    """However they are cut; but for white space in front, which JSON does not count."""
    incoming, places = Incoming(), [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places) if start < end]
    came = "".join([*map(incoming.add, pieces), incoming.end()])
    assert came in (as_object(text), as_object(text).lstrip())


@pytest.mark.parametrize("target", ["openai-chat", "anthropic", "gemini"])
def test_a_call_that_was_cut_off_before_its_arguments_is_history_without_arguments(target: str) -> None:
    """A client sends back the incomplete item that it got; a provider wants an object."""
    body = asking("openai-responses", "")
    body["input"][1]["status"] = "incomplete"
    assert arguments_sent(target, asked("openai-responses", target, body).body) == {}
