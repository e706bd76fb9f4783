"""Replies of Anthropic, whole and streamed, read."""

from typing import Any

import pytest
from anthropic_cases import (
    ANTHROPIC,
    block,
    collected,
    deltas,
    event,
    stream,
)

from gephyr_core.conversation.parts import (
    HostedCall,
    HostedResult,
    Text,
    Thinking,
    ToolCall,
)
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Started,
    Stop,
    StopReason,
    TextAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage

TEXT = block(
    0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "He"}, {"type": "text_delta", "text": "llo"}
)
CALL = block(
    1,
    {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
    {"type": "input_json_delta", "partial_json": ""},
    {"type": "input_json_delta", "partial_json": '{"a":'},
    {"type": "input_json_delta", "partial_json": "1}"},
)


def test_text_and_calls_are_read_as_they_come() -> None:
    found = deltas(stream(TEXT, CALL, reason="tool_use"))
    assert found == [
        Started("msg_1", "claude-x", Usage(input=3, output=1)),
        PartStarted(0, Text("")),
        TextAdded(0, "He"),
        TextAdded(0, "llo"),
        PartEnded(0),
        PartStarted(1, ToolCall("t1", "look", "")),
        ArgumentsAdded(1, '{"a":'),
        ArgumentsAdded(1, "1}"),
        PartEnded(1),
        Ended(Stop(StopReason.TOOL_CALL), Usage(input=3, output=5)),
    ]


@pytest.mark.parametrize(("given", "expected"), [({}, "{}"), ({"a": 1}, '{"a":1}')])
def test_a_call_whose_arguments_do_not_come_in_deltas_has_some(given: dict[str, Any], expected: str) -> None:
    reply = collected(deltas(stream(block(0, {"type": "tool_use", "id": "t", "name": "f", "input": given}))))
    assert reply.parts == (ToolCall("t", "f", expected),)


def test_thinking_is_signed_by_the_model_that_replied() -> None:
    thought = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "proof"},
    )
    hidden = block(1, {"type": "redacted_thinking", "data": "dark"})
    signed, redacted = collected(deltas(stream(thought, hidden))).parts
    assert isinstance(signed, Thinking)
    assert signed.signature is not None
    assert (signed.text, signed.signature.value, signed.signature.origin.model) == ("hm", "proof", "claude-x")
    assert isinstance(redacted, Thinking)
    assert redacted.redacted


def test_own_tools_and_citations_are_read() -> None:
    found = {"type": "web_search_result", "url": "https://x", "title": "X", "encrypted_content": "e", "page_age": None}
    location = {
        "type": "web_search_result_location",
        "url": "https://x",
        "title": "X",
        "cited_text": "c",
        "encrypted_index": "i",
    }
    reply = collected(
        deltas(
            stream(
                block(
                    0,
                    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                    {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
                ),
                block(1, {"type": "web_search_tool_result", "tool_use_id": "s", "content": [found]}),
                block(
                    2,
                    {"type": "text", "text": "", "citations": []},
                    {"type": "text_delta", "text": "a"},
                    {"type": "citations_delta", "citation": location},
                ),
            )
        )
    )
    call, result, text = reply.parts
    assert call == HostedCall("s", "web_search", "web_search", '{"query":"x"}')
    assert isinstance(result, HostedResult)
    assert [source.url for source in result.sources] == ["https://x"]
    assert isinstance(text, Text)
    assert [(citation.url, citation.cited_text) for citation in text.citations] == [("https://x", "c")]


def test_code_in_bash_is_read_with_neutral_names() -> None:
    call = block(
        0,
        {"type": "server_tool_use", "id": "s", "name": "bash_code_execution", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"comm'},
        {"type": "input_json_delta", "partial_json": 'and":"ls"}'},
    )
    (part,) = collected(deltas(stream(call))).parts
    assert part == HostedCall("s", "code_execution", "bash_code_execution", '{"code":"ls","language":"bash"}')


@pytest.mark.parametrize(
    ("fields", "stop"),
    [
        ({"reason": "end_turn"}, Stop(StopReason.END)),
        ({"reason": "stop_sequence", "stop_sequence": "END"}, Stop(StopReason.STOP_SEQUENCE, "END")),
        ({"reason": "max_tokens"}, Stop(StopReason.MAX_TOKENS)),
        ({"reason": "model_context_window_exceeded"}, Stop(StopReason.CONTEXT_FULL)),
        ({"reason": "pause_turn"}, Stop(StopReason.PAUSED)),
        (
            {"reason": "refusal", "stop_details": {"type": "refusal", "category": "bio", "explanation": "No."}},
            Stop(StopReason.REFUSAL, detail="No."),
        ),
        ({"reason": "compaction"}, Stop(StopReason.OTHER, detail="compaction")),
    ],
)
def test_reasons_to_stop_are_read(fields: dict[str, Any], stop: Stop) -> None:
    assert collected(deltas(stream(TEXT, **fields))).stop == stop


def test_usage_is_what_was_told_last() -> None:
    start = event("message_start", message={"id": "m", "model": "c", "usage": {"input_tokens": 1, "output_tokens": 1}})
    usage = {
        "input_tokens": 5,
        "cache_read_input_tokens": 3,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    ending = event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
    (*_, ended) = deltas(start + ending + event("message_stop"))
    assert isinstance(ended, Ended)
    assert ended.usage == Usage(input=8, cached=3, output=9, reasoning=2)


def test_an_error_event_is_a_failure_and_the_end() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Busy"})
    found = deltas(stream(TEXT)[:200].rpartition(b"event:")[0] + error + stream(TEXT))
    assert found[-1] == Failed(ErrorKind.OVERLOADED, "Busy", "overloaded_error")


def test_a_stream_that_ends_early_is_a_failure() -> None:
    (*_, last) = deltas(stream(TEXT).partition(b"event: message_delta")[0])
    assert isinstance(last, Failed)


def test_a_stream_without_its_last_event_is_whole_if_it_told_why_it_stopped() -> None:
    assert collected(deltas(stream(TEXT).partition(b"event: message_stop")[0])).stop.reason is StopReason.END


def test_a_block_of_an_unknown_kind_is_told_of_and_the_rest_read() -> None:
    report = Report()
    reply = collected(deltas(stream(block(0, {"type": "novel"}), TEXT.replace(b'"index": 0', b'"index": 1')), report))
    assert reply.parts == (Text("Hello"),)
    assert len(report.entries) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"error","error":{"message":"x"}}', b'{"content":[]}'])
def test_a_whole_reply_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        ANTHROPIC.read_reply(body, Report())
