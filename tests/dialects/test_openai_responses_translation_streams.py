"""Responses replies, whole and streamed, written for clients."""

import json
from typing import Any

import attrs
import pytest
from openai.types.responses import ResponseFunctionToolCall
from responses_cases import (
    ABROAD,
    CONTEXT,
    OWN,
    RESPONSES,
    USAGE,
    collected,
    context,
    events_of,
    meaning,
    read,
    read_deltas,
    reply_of,
    stream_of,
    written,
)

from gephyr_core.conversation.parts import (
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Part,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
    WebSource,
)
from gephyr_core.conversation.prompt import Prompt, Turn
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Reply,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Usage

PROOFS = context(include=["reasoning.encrypted_content"])


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def sent_back(whole: dict[str, Any]) -> Turn:
    """What a client that sends the output back has said."""
    prompt: Prompt = read(input=whole["output"])
    (turn,) = prompt.turns
    return turn


@pytest.mark.parametrize(
    "parts",
    [
        (Text("Hi"),),
        (Text("a"), Text("b"), Text("c", phase="final_answer")),
        (Thinking("S", OWN, summary=True), Text("Hi")),
        (Thinking("T", ABROAD), Text("Hi")),
        (Thinking("", ABROAD, redacted=True), Text("Hi")),
        (Text("Hi"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"), ToolCall("c", "h", "raw", freeform=True)),
        (ToolCall("a", "f", "{}"), ToolCall("c", "h", "", freeform=True)),
        (Refusal("No."),),
        (Image(Inline("image/webp", "AAAA")), Text("Hi")),
    ],
)
def test_what_is_written_reads_as_it_was(parts: tuple[Part, ...]) -> None:
    """Whole, as a stream, and sent back by the client; sealed signatures come back to what they were."""
    called = any(isinstance(part, ToolCall) for part in parts)
    refused = isinstance(parts[0], Refusal)
    reply = reply_of(
        *parts, reason=StopReason.TOOL_CALL if called else StopReason.REFUSAL if refused else StopReason.END
    )
    whole, _, data = written(reply)
    for again in (RESPONSES.read_reply(json.dumps(whole).encode(), Report()), collected(read_deltas(data))):
        assert meaning(again.parts) == meaning(parts)
        assert again.stop == reply.stop
        assert again.usage == USAGE
    assert meaning(sent_back(whole).parts) == meaning(parts)


def test_signatures_of_texts_and_calls_come_in_items_of_their_own_if_the_client_wants_proofs() -> None:
    signed = Signature("c2ln", attrs.evolve(ABROAD.origin, dialect="gemini"))
    parts = (ToolCall("c", "f", "{}", signature=signed), Text("Hi", signature=signed))
    whole, _, _ = written(reply_of(*parts, reason=StopReason.TOOL_CALL), PROOFS)
    assert [item["type"] for item in whole["output"]] == ["reasoning", "function_call", "message", "reasoning"]
    assert sent_back(whole).parts == parts
    later = [
        *(Started("r", "m"), PartStarted(0, ToolCall("c", "f", "")), Signed(0, signed), ArgumentsAdded(0, "{}")),
        *(PartEnded(0), Ended(Stop(StopReason.TOOL_CALL), Usage())),
    ]
    last = events_of(stream_of(list(later), PROOFS))[-1]["response"]
    assert sent_back(last).parts == parts[:1]
    whole, _, _ = written(reply_of(*parts, reason=StopReason.TOOL_CALL))
    assert [item["type"] for item in whole["output"]] == ["function_call", "message"]


def test_a_text_is_told_in_the_order_of_openais_own_stream() -> None:
    citation = Citation("https://x", "X", start=0, end=1)
    _, events, _ = written(reply_of(Thinking("S"), Text("Hi", citations=(citation,))))
    assert types(events) == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.annotation.added"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert [event["item_id"] for event in events if event["type"].endswith(".delta")] == ["rs_key_0", "msg_key_1"]
    final = events[-1]["response"]
    assert final["id"] == events[0]["response"]["id"] == "resp_gephyrkey"
    assert (final["model"], final["created_at"], final["status"]) == ("told", 7, "completed")


def test_parallel_calls_may_interleave() -> None:
    deltas = [
        Started("r", "m"),
        *(PartStarted(0, ToolCall("a", "f", "")), PartStarted(1, ToolCall("", "g", ""))),
        *(ArgumentsAdded(1, '{"y"'), ArgumentsAdded(0, '{"x"'), ArgumentsAdded(1, ":2}"), ArgumentsAdded(0, ":1}")),
        *(PartEnded(0), PartEnded(1)),
        Ended(Stop(StopReason.TOOL_CALL), USAGE),
    ]
    stream = stream_of(list(deltas))
    output = events_of(stream)[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", '{"x":1}'), ("call_key_1", '{"y":2}')]
    assert collected(read_deltas(stream)).parts == (
        ToolCall("a", "f", '{"x":1}'),
        ToolCall("call_key_1", "g", '{"y":2}'),
    )


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (
            "local_shell",
            '{"command":["ls"],"timeout_ms":5}',
            {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5}},
        ),
        ("shell", '{"commands":["ls"]}', {"type": "shell_call", "action": {"commands": ["ls"]}}),
        (
            "apply_patch",
            '{"type":"update_file","path":"x","diff":"@@"}',
            {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "x", "diff": "@@"}},
        ),
        ("computer", '{"actions":[{"type":"screenshot"}]}', {"type": "computer_call"}),
        ("tool_search", '{"query":"x"}', {"type": "tool_search_call", "arguments": {"query": "x"}}),
        ("shell", '{"nonsense":1}', {"type": "function_call", "name": "tool"}),
        ("shell", "no JSON", {"type": "function_call", "arguments": "no JSON"}),
    ],
)
def test_calls_of_the_clients_typed_tools_have_their_own_items(
    kind: str, arguments: str, expected: dict[str, Any]
) -> None:
    typed = attrs.evolve(CONTEXT, client_tools={"tool": kind})
    whole, _, data = written(reply_of(ToolCall("c", "tool", arguments), reason=StopReason.TOOL_CALL), typed)
    (item,) = whole["output"]
    assert {key: item[key] for key in expected} == expected
    assert item["call_id"] == "c"
    again = collected(read_deltas(data)).parts[0]
    assert isinstance(again, ToolCall)
    if item["type"] != "function_call":
        assert json.loads(again.arguments).items() >= json.loads(arguments).items()
    cut, _, _ = written(reply_of(ToolCall("c", "tool", arguments), reason=StopReason.MAX_TOKENS), typed)
    assert cut["output"][0]["type"] == item["type"]  # what is whole is told so, wherever the reply was cut off


def test_a_call_into_a_namespace_is_told_by_both_names() -> None:
    named = attrs.evolve(CONTEXT, client_tools={"ns__f": "namespace ns", "ns__g": "freeform namespace ns"})
    calls = (ToolCall("a", "ns__f", "{}"), ToolCall("b", "ns__g", '{"input":"raw"}'))
    whole, _, _ = written(reply_of(*calls, reason=StopReason.TOOL_CALL), named)
    first, second = whole["output"]
    assert (first["name"], first["namespace"], first["arguments"]) == ("f", "ns", "{}")
    assert (second["type"], second["name"], second["namespace"], second["input"]) == (
        *("custom_tool_call", "g", "ns", "raw"),
    )
    assert ResponseFunctionToolCall.model_validate(first).namespace == "ns"


def test_a_web_search_and_code_of_another_provider_are_told_as_openais() -> None:
    sources = (WebSource("https://x", "X"), WebSource("https://y"))
    parts = (
        HostedCall("s", "web_search", "web_search", '{"query":"q"}'),
        HostedResult("s", "web_search", sources, dialect="anthropic", raw="[]"),
        HostedCall("e", "code_execution", "code", '{"code":"1+1"}'),
        HostedResult("e", "code_execution", output="2"),
        HostedCall("u", "maps", "googleMaps"),
        HostedResult("u", "maps"),
        Text("Hi"),
    )
    whole, events, _ = written(reply_of(*parts))
    search, code, message = whole["output"]
    assert search["action"] == {
        "type": "search",
        "query": "q",
        "queries": ["q"],
        "sources": [{"type": "url", "url": "https://x"}, {"type": "url", "url": "https://y"}],
    }
    assert (code["code"], code["outputs"]) == ("1+1", [{"type": "logs", "logs": "2"}])
    assert message["type"] == "message"
    assert types(events)[2:7] == [
        *("output_item.added", "web_search_call.in_progress", "web_search_call.searching"),
        *("web_search_call.completed", "output_item.done"),
    ]


def test_a_search_whose_result_never_came_is_completed_all_the_same() -> None:
    whole, _, _ = written(reply_of(HostedCall("s", "web_search", "web_search", '{"query":"q"}'), Text("Hi")))
    assert [item["status"] for item in whole["output"]] == ["completed", "completed"]


def test_citations_span_their_text_where_nothing_else_is_known() -> None:
    text = Text("Hello", citations=(Citation("https://x", "X"), Citation(title="Doc", document=1)))
    whole, _, _ = written(reply_of(text))
    first, second = whole["output"][0]["content"][0]["annotations"]
    assert (first["start_index"], first["end_index"], first["url"]) == (0, 5, "https://x")
    assert (second["type"], second["filename"]) == ("file_citation", "Doc")


def test_an_image_by_its_address_is_told_as_text() -> None:
    whole, _, _ = written(reply_of(Image(Url("https://x/a.png"))))
    assert whole["output"][0]["content"][0]["text"] == "https://x/a.png"


@pytest.mark.parametrize(
    ("reason", "status", "detail"),
    [
        (StopReason.END, "completed", None),
        (StopReason.STOP_SEQUENCE, "completed", None),
        (StopReason.TOOL_CALL, "completed", None),
        (StopReason.MAX_TOKENS, "incomplete", "max_output_tokens"),
        (StopReason.CONTEXT_FULL, "incomplete", "max_output_tokens"),
        (StopReason.PAUSED, "incomplete", "max_messages"),
        (StopReason.FILTERED, "incomplete", "content_filter"),
        (StopReason.PROMPT_BLOCKED, "incomplete", "content_filter"),
        (StopReason.OTHER, "completed", None),
    ],
)
def test_why_a_reply_ended_is_told_by_its_status(reason: StopReason, status: str, detail: str | None) -> None:
    whole, events, _ = written(reply_of(Text("a"), reason=reason))
    assert whole["status"] == status
    assert events[-1]["type"] == f"response.{status}"
    assert (whole["incomplete_details"] or {}).get("reason") == detail


def test_a_refusal_without_words_is_given_some() -> None:
    whole, _, _ = written(reply_of(reason=StopReason.REFUSAL, detail="cyber"))
    assert whole["output"][0]["content"] == [{"type": "refusal", "refusal": "cyber"}]


def test_a_response_repeats_what_was_asked_for() -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "mcp", "server_label": "s", "authorization": "secret"}]
    asked = context(
        tools=tools,
        tool_choice="required",
        instructions="A",
        parallel_tool_calls=False,
        temperature=0.5,
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        reasoning={"effort": "low"},
        metadata=None,
        max_output_tokens=99,
        user="u",
    )
    whole, _, data = written(reply_of(Text("a")), attrs.evolve(asked, stored=True))
    assert whole["tools"][0] == {"type": "function", "name": "f", "parameters": None, "strict": False}
    assert b"secret" not in data
    assert (whole["tool_choice"], whole["parallel_tool_calls"], whole["temperature"]) == ("required", False, 0.5)
    assert (whole["max_output_tokens"], whole["metadata"], whole["store"]) == (99, {}, True)
    assert whole["usage"]["input_tokens_details"] == {"cached_tokens": 3, "cache_write_tokens": 2}
    tier = Reply("r", "m", (), Stop(StopReason.END), USAGE, "batch")
    assert json.loads(RESPONSES.write_reply(tier, CONTEXT))["service_tier"] == "default"


def test_a_failed_stream_ends_with_one_failed_response() -> None:
    writer = RESPONSES.delta_writer(CONTEXT)
    data = writer.write(Started("r", "m")) + writer.write(PartStarted(0, Text("")))
    data += writer.write(Failed(ErrorKind.RATE_LIMIT, "busy", "overloaded_error"))
    failed = events_of(data)[-1]
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"] == {"code": "rate_limit_exceeded", "message": "busy"}
    assert writer.write(Ended(Stop(StopReason.END), Usage())) == b""
    assert writer.failure(Problem(ErrorKind.SERVER, "again")) == b""
    unopened = RESPONSES.delta_writer(CONTEXT).failure(Problem(ErrorKind.SERVER, "no"))
    assert events_of(unopened)[0]["response"]["model"] == "asked"


# -- reading what providers of Responses do -----------------------------------------------------------------------------


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


def test_an_error_of_the_provider_is_a_failure_of_its_kind() -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow"}
    failed = sse({"type": "response.failed", "response": {"error": error}})
    assert read_deltas(failed) == [Failed(ErrorKind.RATE_LIMIT, "slow", "rate_limit_exceeded")]
    flat = sse({"type": "error", **error})
    assert read_deltas(flat) == [Failed(ErrorKind.RATE_LIMIT, "slow", "rate_limit_exceeded")]
    nested = b'data: {"error":{"message":"no","type":"server_error"}}\n\n'
    assert read_deltas(nested) == [Failed(ErrorKind.SERVER, "no", "server_error")]
    with pytest.raises(ValueError, match="slow"):
        RESPONSES.read_reply(json.dumps({"status": "failed", "error": error, "output": []}).encode(), Report())
    with pytest.raises(ValueError, match="no response"):
        RESPONSES.read_reply(b"[]", Report())


def test_a_stream_that_breaks_off_or_cannot_be_read_has_failed() -> None:
    opened = {"type": "response.created", "response": {"id": "r", "model": "m"}}
    assert isinstance(read_deltas(sse(opened))[-1], Failed)
    assert read_deltas(b"data: nonsense\n\n")[0] == Failed(
        ErrorKind.BAD_GATEWAY, "the provider's stream holds what is no event of a response"
    )


def test_what_was_not_streamed_is_told_when_its_item_or_the_response_is_done() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"x":1}'}
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    done = {"type": "response.output_item.done", "output_index": 0, "item": call}
    last = {"type": "response.completed", "response": {"id": "r", "output": [call, message]}}
    assert collected(read_deltas(sse(done, last))).parts == (ToolCall("c", "f", '{"x":1}'), Text("Hi"))


def test_reasoning_is_one_part_however_many_texts_its_summary_has() -> None:
    item = {"type": "reasoning", "id": "rs_1"}
    where = {"output_index": 0, "item_id": "rs_1"}
    summary = [{"type": "summary_text", "text": text} for text in ("ab", "c")]
    whole = {**item, "summary": summary, "encrypted_content": "gAAAA"}
    stream = sse(
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "summary": []}},
        *(
            {"type": "response.reasoning_summary_text.delta", **where, "summary_index": index, "delta": text}
            for index, text in ((0, "a"), (0, "b"), (1, "c"))
        ),
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": {"output": [whole]}},
    )
    assert collected(read_deltas(stream)).parts == (Thinking("ab\n\nc", OWN, summary=True),)
    assert [delta.text for delta in read_deltas(stream) if isinstance(delta, ThinkingAdded)] == ["a", "b", "\n\nc"]


def test_text_deltas_are_told_at_once_and_one_by_one() -> None:
    where = {"output_index": 0, "content_index": 0}
    reader = RESPONSES.delta_reader(Report())
    reader.read(sse({"type": "response.created", "response": {"id": "r", "model": "m"}}))
    told = [
        reader.read(sse({"type": "response.output_text.delta", **where, "delta": text})) for text in ("a", "", "b", "c")
    ]
    assert told == [[PartStarted(0, Text("")), TextAdded(0, "a")], [], [TextAdded(0, "b")], [TextAdded(0, "c")]]


def test_results_of_a_tool_stand_with_the_calls_of_a_reply_that_was_sent_back() -> None:
    """``input += response.output`` and an output, as the SDK's guide has it."""
    reply = reply_of(Thinking("T", ABROAD), ToolCall("c", "f", "{}"), reason=StopReason.TOOL_CALL)
    whole, _, _ = written(reply)
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    _, said, result = read(input=[{"role": "user", "content": "Hi"}, *whole["output"], output]).turns
    assert said.parts == reply.parts
    assert result.parts == (ToolResult("c", (Text("1"),), name="f"),)
