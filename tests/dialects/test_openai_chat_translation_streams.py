"""Chat replies, whole and streamed, written for clients."""

import json

import pytest
from chat_replies import CHAT, CONTEXT, END, OWN, SIGNED, USAGE, chunk, collected, deltas, read, reply_of, written
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gephyr_core.conversation.parts import (
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from gephyr_core.conversation.reply import Ended, Failed, Reply, Started, Stop, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Usage


@pytest.mark.parametrize(
    "parts",
    [
        (Text("Hi"),),
        (Thinking("Hm", OWN), Text("Hi")),
        (Thinking("Hm", SIGNED), ToolCall("a", "f", "{}", signature=SIGNED)),
        (Thinking("", SIGNED, redacted=True), Text("Hi", signature=SIGNED)),
        (Thinking("S", SIGNED, summary=True), Text("Hi")),
        (Text("Hi"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"), ToolCall("c", "h", "raw", freeform=True)),
        (Refusal("No."),),
        (Text("Hi"), Image(Inline("image/png", "AAAA"))),
        (Text("Hi", citations=(Citation("https://x", "X", "cited", 0, 2),)),),
    ],
)
def test_what_is_written_reads_as_it_was(parts: tuple[Part, ...]) -> None:
    """Whole and as a stream; sealed signatures come back to what they were."""
    called = any(isinstance(part, ToolCall) for part in parts)
    refused = isinstance(parts[0], Refusal)
    reason = StopReason.TOOL_CALL if called else StopReason.REFUSAL if refused else StopReason.END
    reply = reply_of(*parts, reason=reason)
    whole, _, data = written(reply)
    for again in (CHAT.read_reply(json.dumps(whole).encode(), Report()), collected(read(data))):
        assert again.parts == parts
        assert again.stop == reply.stop
        assert again.usage == USAGE


def test_the_sdk_makes_of_a_stream_what_the_whole_reply_says() -> None:
    """Its accumulator joins list entries by their index, and texts of one name: nothing may be told twice."""
    cited = Citation("https://x", "X", start=0, end=1)
    reply = reply_of(
        *(Thinking("a", SIGNED), Thinking("b", SIGNED, summary=True), Thinking("", SIGNED, redacted=True)),
        *(Text("c", citations=(cited, cited), signature=SIGNED), Text("d", citations=(cited,), signature=SIGNED)),
        *(Image(Inline("image/png", "AAAA")), Image(Inline("image/png", "BBBB"))),
        *(ToolCall("x", "f", '{"a":1}', signature=SIGNED), ToolCall("y", "g", "{}")),
        reason=StopReason.TOOL_CALL,
    )
    whole, chunks, _ = written(reply)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for one in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(one))
    streamed = state.get_final_completion().model_dump(mode="json")
    message, expected = streamed["choices"][0]["message"], whole["choices"][0]["message"]
    for name in ("annotations", "images"):
        for entry in message[name]:
            del entry["index"]
    for call in message["tool_calls"]:
        del call["index"], call["function"]["parsed_arguments"]
    assert {name: message[name] for name in expected} == expected
    assert streamed["usage"]["total_tokens"] == whole["usage"]["total_tokens"]


def test_a_stream_has_one_id_and_one_model_a_role_first_and_usage_last() -> None:
    _, chunks, data = written(reply_of(Text("Hi")))
    assert {(one["id"], one["model"], one["created"], one["object"]) for one in chunks} == {
        ("chatcmpl-key", "told", 7, "chat.completion.chunk")
    }
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [one["choices"][0]["finish_reason"] for one in chunks[:-1]] == [None, None, "stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 16
    assert data.endswith(b"data: [DONE]\n\n")
    _, chunks, _ = written(reply_of(Text("Hi")), ReplyContext("key", 7, "asked", include_usage=False))
    assert all("usage" not in one for one in chunks)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (StopReason.END, "stop"),
        (StopReason.STOP_SEQUENCE, "stop"),
        (StopReason.MAX_TOKENS, "length"),
        (StopReason.CONTEXT_FULL, "length"),
        (StopReason.PAUSED, "length"),
        (StopReason.TOOL_CALL, "stop"),
        (StopReason.REFUSAL, "stop"),
        (StopReason.FILTERED, "content_filter"),
        (StopReason.PROMPT_BLOCKED, "content_filter"),
        (StopReason.OTHER, "stop"),
    ],
)
def test_why_a_reply_ended_is_told_in_the_words_of_chat(reason: StopReason, told: str) -> None:
    whole, chunks, _ = written(reply_of(Text("a"), reason=reason))
    assert whole["choices"][0]["finish_reason"] == told
    assert chunks[-2]["choices"][0]["finish_reason"] == told


def test_a_refusal_without_words_is_given_some() -> None:
    whole, chunks, _ = written(reply_of(reason=StopReason.REFUSAL, detail="cyber"))
    assert whole["choices"][0]["message"]["refusal"] == "cyber"
    assert chunks[1]["choices"][0]["delta"] == {"refusal": "cyber"}


def test_a_call_without_an_id_gets_one_and_legacy_clients_their_function_call() -> None:
    reply = reply_of(Text("a"), ToolCall("", "f", "{}"), reason=StopReason.TOOL_CALL)
    whole, chunks, _ = written(reply)
    assert whole["choices"][0]["message"]["tool_calls"][0]["id"] == "call_key_1"
    assert chunks[2]["choices"][0]["delta"]["tool_calls"][0]["id"] == "call_key_1"
    whole, chunks, _ = written(reply, ReplyContext("key", 7, "m", client_tools={"f": "functions"}))
    assert whole["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert whole["choices"][0]["finish_reason"] == chunks[-2]["choices"][0]["finish_reason"] == "function_call"


def test_citations_are_placed_in_the_whole_text_and_hosted_parts_are_left_out() -> None:
    cited = Text("bc", citations=(Citation("https://x", "X", start=0, end=1), Citation("https://y", "Y")))
    reply = reply_of(HostedCall("h", "web_search", "web_search"), HostedResult("h", "web_search"), Text("a"), cited)
    whole, chunks, _ = written(reply)
    told = whole["choices"][0]["message"]["annotations"]
    assert [(one["url_citation"]["start_index"], one["url_citation"]["end_index"]) for one in told] == [(1, 2), (1, 3)]
    streamed = [one["choices"][0]["delta"].get("annotations") for one in chunks[:-1]]
    found = [entry for entries in streamed if entries for entry in entries]
    assert found == [{"index": number, **entry} for number, entry in enumerate(told)]


def test_a_failed_stream_ends_with_one_error_and_no_done() -> None:
    writer = CHAT.delta_writer(CONTEXT)
    writer.write(Started("r", "m"))
    error = writer.write(Failed(ErrorKind.OVERLOADED, "busy", "overloaded_error"))
    assert json.loads(error[6:])["error"]["message"] == "busy"
    assert writer.write(Ended(Stop(StopReason.END), Usage())) == b""
    assert writer.failure(Problem(ErrorKind.SERVER, "again")) == b""


def test_a_service_tier_is_told_only_where_the_sdk_knows_it() -> None:
    reply = Reply("r", "m", (), Stop(StopReason.END), USAGE, "priority")
    assert json.loads(CHAT.write_reply(reply, CONTEXT))["service_tier"] == "priority"
    other = Reply("r", "m", (), Stop(StopReason.END), USAGE, "batch")
    assert "service_tier" not in json.loads(CHAT.write_reply(other, CONTEXT))


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [
        (('{"a":{}', "}"), ['{"a":{}}']),
        (('{"a":', "1}"), ['{"a":1}']),
        (("{}", "{}"), ["{}", "{}"]),
        (('{"a":1}', '{"b":'), ['{"a":1}', '{"b":']),
        (('{"a":1}', ""), ['{"a":1}']),
        (('"a"', '"b"'), ['"a""b"']),
    ],
)
def test_a_provider_that_repeats_id_and_name_calls_again_only_after_whole_arguments(
    pieces: tuple[str, ...], arguments: list[str]
) -> None:
    """Some repeat both with each piece of one call; some give two calls one id and one index."""
    fragments = [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": piece}} for piece in pieces
    ]
    reply = collected(deltas(*(chunk({"tool_calls": [one]}) for one in fragments), END))
    assert [part.arguments for part in reply.parts if isinstance(part, ToolCall)] == arguments
