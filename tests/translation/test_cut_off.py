"""A reply that a limit cuts off says so, and nobody is given a call that the model did not finish.

An agent runs the tools that it is told to: half of ``mv /data/old /data/new`` must not become arguments.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.arguments import member
from gephyr_core.conversation.report import Fate, Report
from tests.translation.passing import asked, sse, streamed, told

CUT = '{"input": "mv /data/old'
TARGETS = ("openai-chat", "openai-responses", "anthropic", "gemini")


def chat_call(arguments: str, finish: str = "length", **call: Any) -> dict[str, Any]:
    function = {"id": "call_7", "type": "function", "function": {"name": "shell", "arguments": arguments}, **call}
    message = {"role": "assistant", "content": None, "tool_calls": [function]}
    return {"id": "r", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def chat_stream(*pieces: str, finish: str = "length") -> bytes:
    function = {"index": 0, "id": "call_7", "type": "function", "function": {"name": "shell", "arguments": ""}}
    deltas: list[dict[str, Any]] = [{"tool_calls": [function]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return sse(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}) + b"data: [DONE]\n\n"


def anthropic_call(given: dict[str, Any], stop: str = "max_tokens") -> dict[str, Any]:
    block = {"type": "tool_use", "id": "toolu_7", "name": "shell", "input": given}
    return {"type": "message", "model": "m", "content": [block], "stop_reason": stop}


def anthropic_stream(*pieces: str, stop: str = "max_tokens") -> bytes:
    block = {"type": "tool_use", "id": "toolu_7", "name": "shell", "input": {}}
    return sse(
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {}},
        {"type": "message_stop"},
    )


def responses_call(arguments: Any, **item: Any) -> dict[str, Any]:
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_7", "name": "shell", "arguments": arguments}
    reason = {"reason": "max_output_tokens"}
    output = [{**call, "status": "incomplete", **item}]
    return {"id": "r", "model": "m", "status": "incomplete", "incomplete_details": reason, "output": output}


def responses_stream(*pieces: str) -> bytes:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_7", "name": "shell", "arguments": ""}
    return sse(
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
        *({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece} for piece in pieces),
        {"type": "response.incomplete", "response": responses_call("".join(pieces))},
    )


WHOLE = {
    "openai-chat": ("openai-chat", chat_call(CUT)),
    "openai-chat, nothing yet": ("openai-chat", chat_call("")),
    "openai-responses": ("openai-responses", responses_call(CUT)),
    "openai-responses, nothing yet": ("openai-responses", responses_call("")),
    "anthropic": ("anthropic", anthropic_call({"input": "mv /data/old"})),
    "anthropic, nothing yet": ("anthropic", anthropic_call({})),
}
STREAMS = {
    "openai-chat": ("openai-chat", chat_stream('{"input": "mv', " /data/old")),
    "openai-chat, nothing yet": ("openai-chat", chat_stream()),
    "openai-responses": ("openai-responses", responses_stream('{"input": "mv', " /data/old")),
    "openai-responses, nothing yet": ("openai-responses", responses_stream()),
    "anthropic": ("anthropic", anthropic_stream('{"input": "mv', " /data/old")),
    "anthropic, nothing yet": ("anthropic", anthropic_stream()),
}


def cases(replies: dict[str, tuple[str, Any]]) -> list[Any]:
    return [
        pytest.param(source, target, reply, id=f"{name} to {target}")
        for name, (source, reply) in replies.items()
        for target in TARGETS
        if target != source
    ]


@pytest.mark.parametrize(("source", "target", "reply"), cases(WHOLE))
def test_a_cut_call_of_a_whole_reply_is_no_call_that_can_be_run(
    source: str, target: str, reply: dict[str, Any]
) -> None:
    """Where arguments are an object, the call is left out and reported; where they are text, they stay less than one,
    and Responses says that the item is incomplete."""
    report = Report()
    whole = told(source, target, reply, report)
    if target == "openai-chat":
        (choice,) = whole["choices"]
        assert choice["finish_reason"] == "length"
        assert not is_object(choice["message"]["tool_calls"][0]["function"]["arguments"])
    elif target == "openai-responses":
        assert whole["status"] == "incomplete"
        (item,) = whole["output"]
        assert (item["type"], item["status"]) == ("function_call", "incomplete")
        assert not is_object(item["arguments"])
    elif target == "anthropic":
        assert (whole["content"], whole["stop_reason"]) == ([], "max_tokens")
    else:
        (candidate,) = whole["candidates"]
        assert (candidate["content"]["parts"], candidate["finishReason"]) == ([{"text": ""}], "MAX_TOKENS")
    assert bool(report.paths(Fate.DROPPED)) == (target in ("anthropic", "gemini"))


@pytest.mark.parametrize(("source", "target", "events"), cases(STREAMS))
def test_a_cut_call_of_a_stream_is_no_call_that_can_be_run(source: str, target: str, events: bytes) -> None:
    """As a whole reply; but a Messages client is streamed the arguments as they come, as Anthropic itself does, and is
    told by the stop reason that they are not whole."""
    report = Report()
    shown = streamed(source, target, events, report)
    if target == "openai-chat":
        pieces = [
            call for event in shown for choice in event["choices"] for call in choice["delta"].get("tool_calls", ())
        ]
        assert not is_object("".join(piece["function"]["arguments"] for piece in pieces))
        assert "length" in [choice["finish_reason"] for event in shown for choice in event["choices"]]
        return
    if target == "openai-responses":
        (done,) = [event["item"] for event in shown if event["type"] == "response.output_item.done"]
        assert done["status"] == "incomplete"
        assert shown[-1]["type"] == "response.incomplete"
        assert shown[-1]["response"]["output"] == [done]
        assert not is_object(done["arguments"])
        return
    if target == "gemini":
        assert "functionCall" not in json.dumps(shown)
        assert shown[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    else:
        pieces = [event["delta"]["partial_json"] for event in shown if event["type"] == "content_block_delta"]
        assert not is_object("".join(pieces))
        assert [event["delta"]["stop_reason"] for event in shown if event["type"] == "message_delta"] == ["max_tokens"]
        begun = [event for event in shown if event["type"] == "content_block_start"]
        assert len(begun) == (1 if pieces else 0)
    assert report.entries


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("source", ["openai-chat", "anthropic"])
def test_a_whole_call_in_a_cut_reply_is_whole(source: str) -> None:
    """The limit was met behind it."""
    text = '{"input": "ls"}'
    events = chat_stream(text) if source == "openai-chat" else anthropic_stream(text)
    (done,) = [
        e["item"] for e in streamed(source, "openai-responses", events) if e["type"] == "response.output_item.done"
    ]
    assert (done["status"], done["arguments"]) == ("completed", text)
    assert "functionCall" in json.dumps(streamed(source, "gemini", events))


def test_only_the_last_of_several_calls_is_cut() -> None:
    """Those that the model finished are run."""
    reply = chat_call('{"a": 1}')
    calls = reply["choices"][0]["message"]["tool_calls"]
    calls.append({"id": "call_8", "type": "function", "function": {"name": "shell", "arguments": CUT}})
    items = told("openai-chat", "openai-responses", reply)["output"]
    assert [item["status"] for item in items] == ["completed", "incomplete"]
    assert [block["input"] for block in told("openai-chat", "anthropic", reply)["content"]] == [{"a": 1}]
    events = streamed("anthropic", "openai-responses", anthropic_stream('{"a": 1}', stop="tool_use"))
    assert [e["item"]["status"] for e in events if e["type"] == "response.output_item.done"] == ["completed"]


@pytest.mark.parametrize(
    ("finish", "status"), [("length", "incomplete"), ("content_filter", "incomplete"), ("stop", "completed")]
)
def test_a_cut_text_is_incomplete_in_responses(finish: str, status: str) -> None:
    """Whole and streamed."""
    message = {"role": "assistant", "content": "The first half of"}
    whole = told("openai-chat", "openai-responses", {"choices": [{"message": message, "finish_reason": finish}]})
    assert (whole["status"], whole["output"][0]["status"]) == (status, status)
    chunk = {"choices": [{"index": 0, "delta": message, "finish_reason": finish}]}
    events = streamed("openai-chat", "openai-responses", sse(chunk) + b"data: [DONE]\n\n")
    assert [e["item"]["status"] for e in events if e["type"] == "response.output_item.done"] == [status]
    assert events[-1]["response"]["output"][0]["status"] == status


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
def test_the_input_of_a_cut_freeform_call_is_what_the_model_wrote_of_it(dialect: str) -> None:
    """The tool was carried as a function with one text: its wrapping is no input."""
    tool = {"type": "custom", "name": "patch"}
    asking = {
        "openai-chat": {"tools": [{"type": "custom", "custom": {"name": "patch"}}]},
        "openai-responses": {"tools": [tool]},
    }
    heard = {"openai-chat": {"messages": [{"role": "user", "content": "Hi"}]}, "openai-responses": {"input": "Hi"}}
    passage = asked(dialect, "anthropic", {**heard[dialect], **asking[dialect]})
    stream = anthropic_stream('{"input": "*** Begin\\nmv', " a\\").replace(b"shell", b"patch")
    events = passage.stream(stream)
    if dialect == "openai-responses":
        (done,) = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        assert (done["type"], done["input"], done["status"]) == ("custom_tool_call", "*** Begin\nmv a", "incomplete")
        return
    calls = [call for event in events for choice in event["choices"] for call in choice["delta"].get("tool_calls", ())]
    assert "".join(call["custom"]["input"] for call in calls) == "*** Begin\nmv a"


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.integers(0, 400))
def test_as_much_is_taken_of_a_cut_input_as_came(said: str, length: int) -> None:
    """Whatever its escapes, and wherever it is cut."""
    whole = json.dumps({"input": said})
    found = member(whole[:length], "input")
    assert said.startswith(found)


@pytest.mark.parametrize("target", ["anthropic", "gemini"])
@pytest.mark.parametrize("arguments", [CUT, "[1, 2]", '"ls"', "12"])
def test_broken_arguments_of_the_history_stand_under_a_name_that_no_tool_has(target: str, arguments: str) -> None:
    """A client sends back what it was given; the model is shown what it wrote, and not a parameter."""
    call = {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "no"},
    ]
    passage = asked("openai-chat", target, {"messages": messages})
    sent = passage.body["messages"][1]["content"][0]["input"] if target == "anthropic" else None
    sent = sent or passage.body["contents"][1]["parts"][0]["functionCall"]["args"]
    assert sent == {"INVALID_JSON": arguments}
    assert passage.call.report.paths(Fate.CHANGED)


@pytest.mark.parametrize("arguments", ["[1, 2]", '"ls"', '{"a": ', "12"])
def test_a_call_that_the_model_wrote_badly_is_left_out_where_an_object_is_wanted(arguments: str) -> None:
    """Gemini has a word for why the reply stops then."""
    report = Report()
    reply = chat_call(arguments, finish="tool_calls")
    assert told("openai-chat", "gemini", reply, report)["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert told("openai-chat", "anthropic", reply)["content"] == []
    assert told("openai-chat", "openai-responses", reply)["output"][0]["arguments"] == arguments
    assert report.paths(Fate.DROPPED)
    shown = streamed("openai-chat", "gemini", chat_stream(arguments, finish="tool_calls"))
    assert shown[-1]["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"


# -- a response that does not say why -----------------------------------------------------------------------------------


@pytest.mark.parametrize("details", [None, {}, {"reason": None}, {"reason": "steered"}])
@pytest.mark.parametrize(
    ("target", "stop"), [("openai-chat", "length"), ("anthropic", "max_tokens"), ("gemini", "MAX_TOKENS")]
)
def test_an_incomplete_response_is_never_told_as_whole(details: object, target: str, stop: str) -> None:
    """Whole and streamed, also where the event alone says it; the report says that no reason was given."""
    text = {"type": "output_text", "text": "The first half of", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "incomplete", "content": [text]}
    response = {"model": "m", "status": "incomplete", "incomplete_details": details, "output": [message]}
    report, unsaid = Report(), {name: value for name, value in response.items() if name != "status"}
    whole = told("openai-responses", target, response, report)
    events = streamed("openai-responses", target, sse({"type": "response.incomplete", "response": unsaid}))
    assert f'"{stop}"' in json.dumps(whole)
    assert f'"{stop}"' in json.dumps(events[-3:])
    assert report.paths(Fate.CHANGED) == ["status"]
