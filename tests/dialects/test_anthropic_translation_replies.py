"""Replies of others as an Anthropic client takes them: whole and streamed the same."""

import json
from typing import Any

import attrs
import pytest
from anthropic_cases import (
    ANTHROPIC,
    CONTEXT,
    FOREIGN,
    OWN,
    both_ways,
    payloads,
    reply_of,
    written,
)

from gephyr_core.conversation.assembly import deltas_of
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
    Url,
    WebSource,
)
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
)
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import unseal
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Usage


def joined(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The content blocks that a client makes of a stream."""
    blocks: list[dict[str, Any]] = []
    for one in events:
        if one["type"] == "content_block_start":
            blocks.append(dict(one["content_block"]))
            arguments = ""
        elif one["type"] == "content_block_delta":
            delta = one["delta"]
            match delta["type"]:
                case "text_delta":
                    blocks[-1]["text"] += delta["text"]
                case "thinking_delta":
                    blocks[-1]["thinking"] += delta["thinking"]
                case "signature_delta":
                    blocks[-1]["signature"] = delta["signature"]
                case "citations_delta":
                    blocks[-1]["citations"] = [*(blocks[-1]["citations"] or []), delta["citation"]]
                case "input_json_delta":
                    arguments += delta["partial_json"]
                    blocks[-1]["pending"] = arguments
    for made in blocks:
        if "pending" in made:
            made["input"] = json.loads(made.pop("pending") or "{}")
    return blocks


PARTS: list[Part] = [
    Text("Hello", citations=(Citation("https://x", "X", "cited"),)),
    Thinking("hm", OWN),
    Thinking("hm", FOREIGN),
    Thinking("", FOREIGN),
    Thinking("", FOREIGN, redacted=True),
    Thinking("hm"),
    ToolCall("call_1", "look", '{"a":1}'),
    ToolCall("", "look", "{}"),
    ToolCall("call_2", "patch", "*** Begin", freeform=True),
    HostedCall("ws_1", "web_search", "web_search", '{"query":"x"}'),
    HostedResult("ws_1", "web_search", (WebSource("https://x", "X"),), dialect="openai-responses"),
    HostedCall("ci_1", "code_execution", "code_interpreter", '{"code":"1+1"}'),
    HostedResult("ci_1", "code_execution", output="2"),
    HostedCall("b_1", "code_execution", "bash", '{"code":"ls","language":"bash"}'),
    HostedResult("b_1", "code_execution", output="no", is_error=True),
    HostedCall("wf_1", "web_fetch", "web_fetch", '{"url":"https://x"}'),
    HostedResult("wf_1", "web_fetch", (WebSource("https://x", "X", "text"),)),
    HostedCall("mcp_1", "mcp", "ask", "{}"),
    HostedCall("fs_1", "file_search", "file_search", '{"queries":[]}'),
    HostedResult("fs_1", "file_search", output="found"),
    Image(Inline("image/png", "AA==")),
    Image(Url("https://x/a.png")),
    Refusal("No."),
    Text("Bye"),
]


def test_whole_and_streamed_replies_say_the_same() -> None:
    whole, events = both_ways(reply_of(*PARTS))
    assert joined(events) == whole["content"]
    ending = {name: whole[name] for name in ("stop_reason", "stop_sequence")}
    assert events[-2]["delta"] == ending
    for name, count in events[-2]["usage"].items():
        assert whole["usage"][name] == count


def test_blocks_are_numbered_one_after_the_other() -> None:
    _, events = both_ways(reply_of(*PARTS))
    assert [one["type"] for one in (events[0], *events[-2:])] == ["message_start", "message_delta", "message_stop"]
    started = [one["index"] for one in events if one["type"] == "content_block_start"]
    stopped = [one["index"] for one in events if one["type"] == "content_block_stop"]
    assert started == stopped == list(range(len(started)))


def test_foreign_signatures_are_sealed_and_own_ones_are_not() -> None:
    whole, _ = both_ways(reply_of(Thinking("hm", OWN), Thinking("hm", FOREIGN), Thinking("", FOREIGN, redacted=True)))
    own, sealed, redacted = whole["content"]
    assert own["signature"] == "proof"
    assert unseal(sealed["signature"], "anthropic") == unseal(redacted["data"], "anthropic") == FOREIGN


def test_a_signature_comes_just_before_its_blocks_end() -> None:
    found: list[Delta] = [
        Started("r", "m"),
        PartStarted(0, Thinking("")),
        Signed(0, FOREIGN),
        PartEnded(0),
        Ended(Stop(StopReason.END), Usage()),
    ]
    _, opened, signed, closed, *_ = written(found)
    assert opened["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert signed["delta"]["type"] == "signature_delta"
    assert closed["type"] == "content_block_stop"


@pytest.mark.parametrize("part", [Text(""), Thinking(""), Refusal("")])
def test_what_says_nothing_is_no_block(part: Part) -> None:
    whole, events = both_ways(reply_of(part, Text("x")))
    assert [made["text"] for made in whole["content"]] == ["x"]
    assert joined(events) == whole["content"]


def test_parts_that_overlap_come_one_after_the_other() -> None:
    found: list[Delta] = [
        Started("r", "m"),
        PartStarted(0, ToolCall("a", "f", "")),
        PartStarted(1, ToolCall("b", "g", "")),
        ArgumentsAdded(1, '{"y":'),
        ArgumentsAdded(0, '{"x":1}'),
        PartEnded(0),
        ArgumentsAdded(1, "2}"),
        Ended(Stop(StopReason.TOOL_CALL), Usage()),
    ]
    assert [(made["id"], made["input"]) for made in joined(written(found))] == [("a", {"x": 1}), ("b", {"y": 2})]


def test_parts_that_nobody_ended_are_ended() -> None:
    found: list[Delta] = [
        Started("r", "m"),
        PartStarted(0, Text("")),
        TextAdded(0, "a"),
        PartStarted(1, ToolCall("b", "g", "")),
        ArgumentsAdded(1, "{}"),
        PartStarted(2, HostedCall("h", "web_search", "web_search", "{}")),
        Ended(Stop(StopReason.TOOL_CALL), Usage()),
    ]
    events = written(found)
    assert [one["type"] for one in events].count("content_block_stop") == 3
    assert [made["type"] for made in joined(events)] == ["text", "tool_use", "server_tool_use"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (reply_of(Text("x")), "end_turn"),
        (reply_of(ToolCall("c", "f", "{}")), "tool_use"),
        (reply_of(Text("x"), reason=StopReason.TOOL_CALL), "end_turn"),
        (reply_of(ToolCall("c", "f", "{}"), reason=StopReason.MAX_TOKENS), "max_tokens"),
        (reply_of(Text("x"), reason=StopReason.STOP_SEQUENCE, sequence="END"), "stop_sequence"),
        (reply_of(reason=StopReason.CONTEXT_FULL), "model_context_window_exceeded"),
        (reply_of(reason=StopReason.PAUSED), "pause_turn"),
        (reply_of(reason=StopReason.FILTERED, detail="RECITATION"), "refusal"),
        (reply_of(reason=StopReason.PROMPT_BLOCKED), "refusal"),
        (reply_of(Refusal("No.")), "refusal"),
        (reply_of(reason=StopReason.OTHER), "end_turn"),
    ],
)
def test_reasons_to_stop_are_written(reply: Any, reason: str) -> None:
    whole, events = both_ways(reply)
    assert whole["stop_reason"] == events[-2]["delta"]["stop_reason"] == reason
    if reason == "refusal" and reply.stop.detail:
        assert whole["stop_details"]["explanation"] == reply.stop.detail


def test_usage_is_told_by_anthropics_arithmetic() -> None:
    usage = Usage(input=100, cached=40, cache_write=30, cache_write_long=10, output=9, reasoning=4, web_searches=2)
    whole, events = both_ways(attrs.evolve(reply_of(Text("x")), usage=usage))
    assert whole["usage"] == {
        "input_tokens": 30,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 40,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        "service_tier": "standard",
    }
    assert "cache_creation" not in events[-2]["usage"]


def test_input_that_is_known_late_is_told_late() -> None:
    found: list[Delta] = [Started("r", "m"), Ended(Stop(StopReason.END), Usage(input=7, output=2))]
    events = written(found)
    assert events[0]["message"]["usage"]["input_tokens"] == 0
    assert events[1]["usage"] == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 2,
    }


def test_the_model_asked_for_stands_in_for_one_that_is_not_told() -> None:
    whole, events = both_ways(attrs.evolve(reply_of(Text("x")), model=""))
    assert whole["model"] == events[0]["message"]["model"] == "asked"
    assert whole["id"] == events[0]["message"]["id"] == "msg_key"


def test_a_failure_is_the_one_last_event() -> None:
    writer = ANTHROPIC.delta_writer(CONTEXT)
    begun = [writer.write(delta) for delta in (Started("r", "m"), PartStarted(0, Text("")), TextAdded(0, "a"))]
    assert all(begun[::2])
    failed = writer.write(Failed(ErrorKind.OVERLOADED, "Busy"))
    assert payloads(failed) == [{"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}]
    assert writer.failure(Problem(ErrorKind.SERVER, "x")) == b""
    assert writer.write(TextAdded(0, "b")) == writer.write(Ended(Stop(StopReason.END), Usage())) == b""


def test_nothing_fails_after_the_end() -> None:
    writer = ANTHROPIC.delta_writer(CONTEXT)
    for delta in deltas_of(reply_of(Text("x"))):
        writer.write(delta)
    assert writer.failure(Problem(ErrorKind.SERVER, "x")) == b""


def test_results_of_others_come_back_as_theirs() -> None:
    """What a client sends back of a search that another provider made is never taken for Anthropic's."""
    parts = [part for part in PARTS if isinstance(part, HostedCall | HostedResult) and part.kind == "web_search"]
    whole, _ = both_ways(reply_of(*parts, Text("x", citations=(Citation("https://x"),))))
    body = {"messages": [{"role": "assistant", "content": whole["content"]}]}
    prompt = ANTHROPIC.read_request(body, Report(), model="m", stream=False)
    _, result, text = prompt.turns[0].parts
    assert isinstance(result, HostedResult)
    assert (result.dialect, result.raw) == ("openai-responses", "")
    assert [(source.url, source.title) for source in result.sources] == [("https://x", "X")]
    assert isinstance(text, Text)
    assert [(citation.url, citation.raw) for citation in text.citations] == [("https://x", "")]
