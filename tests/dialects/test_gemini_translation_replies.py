"""Gemini's replies and streams, read; and replies for Gemini clients."""

import json
from typing import Any

import pytest
from gemini_cases import (
    CONTEXT,
    FOREIGN,
    GEMINI,
    OWN,
    USAGE,
    chunk,
    collected,
    deltas_of,
    parts_of,
    read_stream,
    reply_of,
    stream,
    written,
)

from gephyr_core.conversation.parts import (
    Audio,
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    WebSource,
)
from gephyr_core.conversation.reply import Failed, PartStarted, Stop, StopReason
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.signatures import SEAL
from gephyr_core.dialects.gemini.stops import finish_reason, read_stop
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.records import Usage
from tests.translation.laws import broken_law

CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}
GROUNDING = {
    "webSearchQueries": ["q"],
    "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
    "groundingSupports": [
        {"segment": {"startIndex": 8, "endIndex": 11, "text": "abc"}, "groundingChunkIndices": [0, 9]},
    ],
}


def test_consecutive_chunks_of_one_kind_are_one_part_until_a_signature() -> None:
    reply = collected(
        stream(
            chunk({"text": "Hm", "thought": True}),
            chunk({"text": "m", "thought": True}),
            chunk({"text": "a"}),
            chunk({"text": "b"}, {"text": "", "thoughtSignature": "cHJvb2Y="}),
            chunk({"text": "c"}, finishReason="STOP"),
        )
    )
    assert reply.parts == (Thinking("Hmm"), Text("ab", signature=OWN), Text("c"))
    assert (reply.id, reply.model, reply.stop.reason) == ("r", "told", StopReason.END)


def test_function_calls_come_whole_without_an_id_and_make_the_stop_one_of_tools() -> None:
    reply = collected(stream(chunk({**CALL, "thoughtSignature": "cHJvb2Y="}, CALL, finishReason="STOP")))
    assert reply.parts == (ToolCall("", "f", '{"a":1}', signature=OWN), ToolCall("", "f", '{"a":1}'))
    assert reply.stop == Stop(StopReason.TOOL_CALL)


def test_pictures_sound_and_code_are_parts() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    result = {"codeExecutionResult": {"outcome": 2, "output": "boom"}}
    media = [{"inlineData": {"mimeType": kind, "data": "AAAA"}} for kind in ("image/png", "audio/wav")]
    call, told, image, audio = collected(stream(chunk(code, result, *media, finishReason="STOP"))).parts
    assert isinstance(call, HostedCall)
    assert isinstance(told, HostedResult)
    assert (json.loads(call.arguments), call.kind) == ({"code": "1", "language": "python"}, "code_execution")
    assert (told.call_id, told.is_error, told.output) == (call.id, True, "boom")
    assert (image, audio) == (Image(Inline("image/png", "AAAA")), Audio(Inline("audio/wav", "AAAA")))


def test_grounding_becomes_citations_by_character_and_a_search() -> None:
    text, call, result = collected(
        stream(chunk({"text": "Grüße "}), chunk({"text": "abc"}, finishReason="STOP", groundingMetadata=GROUNDING))
    ).parts
    assert text == Text("Grüße abc", citations=(Citation("https://a", "A", start=6, end=9),))
    assert isinstance(call, HostedCall)
    assert isinstance(result, HostedResult)
    assert (call.kind, json.loads(call.arguments)) == ("web_search", {"query": "q"})
    assert (result.call_id, result.sources) == (call.id, (WebSource("https://a", "A"),))


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        (2, StopReason.MAX_TOKENS),
        ("RECITATION", StopReason.FILTERED),
        (3, StopReason.FILTERED),
        ("TOO_MANY_TOOL_CALLS", StopReason.PAUSED),
        ("BRAND_NEW", StopReason.OTHER),
    ],
)
def test_finish_reasons_are_read_by_name_or_number(reason: Any, stop: StopReason) -> None:
    assert collected(stream(chunk({"text": "a"}, finishReason=reason))).stop.reason is stop


def test_a_blocked_prompt_is_a_reply_without_content() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}
    for reply in (collected(stream(body)), GEMINI.read_reply(json.dumps(body).encode(), Report())):
        assert (reply.parts, reply.stop) == ((), Stop(StopReason.PROMPT_BLOCKED, detail="SAFETY"))
        assert reply.usage.input == 3
    whole, chunks = written(reply_of(reason=StopReason.PROMPT_BLOCKED, detail="JAILBREAK"))
    assert whole["promptFeedback"] == chunks[0]["promptFeedback"] == {"blockReason": "JAILBREAK"}


@pytest.mark.parametrize("later", [{}, {"promptFeedback": {}}, {"promptFeedback": {"blockReason": ""}}])
def test_a_prompt_that_was_blocked_stays_so_when_its_usage_comes_later(later: dict[str, Any]) -> None:
    """And its reply begins like any other."""
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    deltas = stream(blocked, {**later, "usageMetadata": {"promptTokenCount": 3}})
    assert broken_law(deltas) == broken_law(stream(blocked)) == ""
    assert collected(deltas).stop == Stop(StopReason.PROMPT_BLOCKED, detail="SAFETY")
    assert collected(deltas).usage.input == 3


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (chunk(finishReason="MALFORMED_FUNCTION_CALL", finishMessage="f(("), ErrorKind.BAD_GATEWAY),
        ({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}, ErrorKind.RATE_LIMIT),
        ({"candidates": 7}, ErrorKind.BAD_GATEWAY),
    ],
)
def test_what_is_no_reply_fails(last: dict[str, Any], kind: ErrorKind) -> None:
    *_, failed = stream(chunk({"text": "a"}), last)
    assert isinstance(failed, Failed)
    assert failed.kind is kind
    with pytest.raises(ValueError, match=r"."):
        GEMINI.read_reply(json.dumps(last).encode(), Report())


def test_a_stream_that_tells_no_reason_was_cut_and_a_whole_reply_is_complete() -> None:
    """Nobody can tell what would have come; what came whole has said what it had to."""
    *_, failed = stream(chunk({"text": "a"}), chunk({"text": "and then"}))
    assert isinstance(failed, Failed)
    assert failed.kind is ErrorKind.BAD_GATEWAY
    reply = GEMINI.read_reply(json.dumps(chunk({"text": "and then"})).encode(), Report())
    assert reply.stop.reason is StopReason.END


def test_a_bare_error_object_is_read() -> None:
    (failed,) = GEMINI.delta_reader(Report()).read(b'{"error": {"code": 503, "status": "UNAVAILABLE"}}\n')
    assert isinstance(failed, Failed)
    assert failed.kind is ErrorKind.OVERLOADED


def test_only_the_first_of_several_replies_is_read() -> None:
    report = Report()
    both = chunk({"text": "a"}, finishReason="STOP")
    both["candidates"].append({"content": {"parts": [{"text": "b"}]}, "index": 1, "finishReason": "STOP"})
    assert collected(stream(both, report=report)).parts == (Text("a"),)
    assert [entry.path for entry in report.entries] == ["candidates[1]"]


def test_usage_counts_thoughts_and_tools_as_the_neutral_model_does() -> None:
    told = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 2,
        "totalTokenCount": 22,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}],
    }
    last = {**chunk({"text": "a"}, finishReason="STOP"), "usageMetadata": told}
    reply = collected(stream(last))
    assert reply.usage == Usage(input=15, cached=2, output=7, reasoning=3, tool_input=5, audio_input=6)
    again = json.loads(GEMINI.write_reply(reply, CONTEXT))["usageMetadata"]
    assert {name: again[name] for name in told if name != "promptTokensDetails"} == {
        name: value for name, value in told.items() if name != "promptTokensDetails"
    }


# -- for clients ------------------------------------------------------------------------------------------------------


def test_each_text_delta_is_a_chunk_and_the_last_tells_why_and_how_much() -> None:
    whole, chunks = written(reply_of(Thinking("Hm"), Text("Hi"), reason=StopReason.MAX_TOKENS))
    assert [parts_of(one) for one in chunks] == [[{"text": "Hm", "thought": True}], [{"text": "Hi"}], [{"text": ""}]]
    assert [one["candidates"][0].get("finishReason") for one in chunks] == [None, None, "MAX_TOKENS"]
    assert {(one["responseId"], one["modelVersion"]) for one in (whole, *chunks)} == {("key", "told")}
    assert chunks[-1]["usageMetadata"] == whole["usageMetadata"]
    assert whole["usageMetadata"]["candidatesTokenCount"] == (USAGE.output or 0) - (USAGE.reasoning or 0)


def test_calls_are_written_whole_with_an_id_and_their_proof() -> None:
    reply = reply_of(ToolCall("", "f", '{"a":1}', signature=OWN), ToolCall("t", "g", "{}"), reason=StopReason.TOOL_CALL)
    whole, chunks = written(reply)
    expected = [
        {"functionCall": {"id": "call_key_0", "name": "f", "args": {"a": 1}}, "thoughtSignature": OWN.value},
        {"functionCall": {"id": "t", "name": "g", "args": {}}},
    ]
    assert parts_of(whole) == expected
    assert [part for one in chunks[:-1] for part in parts_of(one)] == expected
    assert whole["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    "part",
    [Thinking("Hm", FOREIGN), Thinking("", FOREIGN, redacted=True), Text("a", signature=FOREIGN)],
)
def test_foreign_signatures_are_sealed_and_come_back_as_they_were(part: Any) -> None:
    whole, chunks = written(reply_of(part))
    assert [one for reply in chunks[:-1] for said in parts_of(reply) if (one := said.get("thoughtSignature"))] == [
        parts_of(whole)[0]["thoughtSignature"]
    ]
    assert parts_of(whole)[0]["thoughtSignature"].startswith(SEAL)
    history = {"contents": [{"role": "model", "parts": parts_of(whole)}]}
    assert GEMINI.read_request(history, Report(), model="m", stream=False).turns[0].parts == (part,)


def test_searches_and_citations_stand_in_the_last_chunk() -> None:
    cited = Text("Grüße abc", citations=(Citation("https://a", "A", start=6, end=9), Citation("https://b")))
    call = HostedCall("s", "web_search", "web_search", '{"query":"q"}')
    found = HostedResult("s", "web_search", (WebSource("https://a", "A"),))
    whole, chunks = written(reply_of(call, found, cited))
    for reply in (whole, chunks[-1]):
        candidate = reply["candidates"][0]
        assert candidate["groundingMetadata"]["webSearchQueries"] == ["q"]
        assert candidate["groundingMetadata"]["groundingSupports"] == [
            {"segment": {"startIndex": 8, "endIndex": 11, "text": "abc"}, "groundingChunkIndices": [0]}
        ]
        assert candidate["citationMetadata"] == {"citations": [{"uri": "https://b"}]}
    assert len(chunks) == 2


def test_pages_that_were_read_stand_beside_the_text_each_with_what_came_of_it() -> None:
    """One whose result was not told was read: only an error says otherwise."""
    calls = [HostedCall(name, "web_fetch", "f", json.dumps({"url": f"https://{name}.test"})) for name in "abc"]
    results = [HostedResult("a", "web_fetch"), HostedResult("b", "web_fetch", is_error=True)]
    whole, chunks = written(reply_of(*calls, *results, Text("Hi")))
    for reply in (whole, chunks[-1]):
        assert reply["candidates"][0]["urlContextMetadata"] == {
            "urlMetadata": [
                {"retrievedUrl": "https://a.test", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
                {"retrievedUrl": "https://b.test", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"},
                {"retrievedUrl": "https://c.test", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
            ]
        }


def test_a_refusal_is_text_and_a_reason_of_safety() -> None:
    whole, chunks = written(reply_of(Refusal("No."), reason=StopReason.REFUSAL))
    assert parts_of(whole) == [{"text": "No."}]
    assert [one["candidates"][0].get("finishReason") for one in (whole, chunks[-1])] == ["SAFETY", "SAFETY"]


def test_a_failure_is_the_bare_error_object_and_the_last_word() -> None:
    writer = GEMINI.delta_writer(CONTEXT)
    data = writer.write(Failed(ErrorKind.RATE_LIMIT, "slow"))
    assert json.loads(data)["error"]["code"] == 429
    assert not data.startswith(b"data:")
    assert writer.failure(Problem(ErrorKind.SERVER, "late")) == b""
    assert writer.write(PartStarted(0, Text(""))) == b""


def test_a_stream_as_one_array_is_read_as_a_whole_reply() -> None:
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}, finishReason=1)]
    assert GEMINI.read_reply(json.dumps(chunks).encode(), Report()).parts == (Text("ab"),)


def test_what_was_written_reads_as_it_was() -> None:
    parts = (
        Thinking("Hm", OWN),
        Text("a", signature=OWN),
        ToolCall("x", "f", '{"a":1}'),
        Image(Inline("image/png", "AA==")),
    )
    reply = reply_of(*parts, reason=StopReason.TOOL_CALL)
    writer = GEMINI.delta_writer(CONTEXT)
    data = b"".join(writer.write(delta) for delta in deltas_of(reply))
    assert collected(read_stream(data)).parts == parts
    assert GEMINI.read_reply(GEMINI.write_reply(reply, CONTEXT), Report()).parts == parts
    assert GEMINI.delta_reader(Report()).read(b": comment\n\n") == []


FILTERED = (
    *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
    *("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "ESCALATION", "MODEL_ARMOR"),
    "PUP_LIMITED_DISABLED",
)
"""Google's reasons for a reply that its filters ended (``FinishReason`` of the API's reference)."""


@pytest.mark.parametrize("reason", FILTERED)
def test_each_reason_of_a_filter_is_one_and_is_written_as_it_was(reason: str) -> None:
    stop = read_stop(reason, called=False)
    assert stop.reason is StopReason.FILTERED
    assert finish_reason(stop) == reason
