"""What each event of each dialect is to the commit point."""

import json

import pytest
from provider_events import block_start, chunk, gemini, reader, sse

from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import EventClass
from gephyr_core.records import Usage

OPENING, HELD, CONTENT, END, ERROR = (
    EventClass.OPENING,
    EventClass.HELD,
    EventClass.CONTENT,
    EventClass.END,
    EventClass.ERROR,
)


CHAT = [
    (chunk(role="assistant", content="", refusal=None), OPENING),
    (chunk(role="assistant", content=None), OPENING),
    (chunk(content="hi"), CONTENT),
    (chunk(refusal="no"), CONTENT),
    (chunk(reasoning_content="so"), CONTENT),
    (chunk(reasoning="so"), CONTENT),
    (chunk(reasoning_details=[{"type": "reasoning.text"}]), CONTENT),
    (chunk(tool_calls=[{"index": 0}]), CONTENT),
    (chunk(function_call={"name": "f"}), CONTENT),
    (chunk(audio={"id": "a"}), CONTENT),
    (chunk(images=[{"type": "image_url"}]), CONTENT),
    ({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, CONTENT),
    ({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}, HELD),
    ({"choices": [], "usage": {"prompt_tokens": 1}}, HELD),
    ({"value": "another format"}, CONTENT),
    ("[DONE]", END),
    ("not JSON", HELD),
    ("[1]", HELD),
    (chunk(content="\ud83d"), CONTENT),
    ({"choices": [{"index": 0, "error": {"code": 502}, "finish_reason": "error"}]}, ERROR),
    ({"choices": [{"index": 0, "delta": {}, "finish_reason": "insufficient_system_resource"}]}, ERROR),
    ({"error": {"message": "x"}}, ERROR),
    ({"error": "x", "choices": []}, ERROR),
    ({"error": None, **chunk(role="assistant")}, OPENING),
]
COMPLETIONS = [
    ({"choices": [{"text": "", "finish_reason": None}]}, OPENING),
    ({"choices": [{"text": "a", "finish_reason": None}]}, CONTENT),
    ({"choices": [{"text": "", "finish_reason": "stop"}]}, CONTENT),
    ({"error": {"message": "x"}}, ERROR),
    ("[DONE]", END),
]
RESPONSES = [
    ({"type": "response.created", "response": {"id": "r"}}, OPENING),
    ({"type": "response.in_progress", "response": {"id": "r"}}, OPENING),
    ({"type": "response.queued", "response": {"id": "r"}}, OPENING),
    ({"type": "response.output_item.added", "item": {"type": "reasoning", "encrypted_content": "x"}}, HELD),
    ({"type": "response.content_part.added", "part": {}}, HELD),
    ({"type": "response.web_search_call.searching"}, HELD),
    ({"type": "response.output_text.delta", "delta": "a"}, CONTENT),
    ({"type": "response.audio.transcript.delta", "delta": "a"}, CONTENT),
    ({"type": "response.output_item.done", "item": {"type": "message"}}, CONTENT),
    ({"type": "response.completed", "response": {"id": "r"}}, CONTENT),
    ({"type": "response.incomplete", "response": {"id": "r"}}, CONTENT),
    ({"type": "response.completed"}, END),
    ({"type": "response.completed", "response": {"id": "r", "status": "failed"}}, ERROR),
    ({"type": "response.failed", "response": {"id": "r", "error": {"code": "server_error"}}}, ERROR),
    ({"type": "error", "code": "server_error", "message": "x", "sequence_number": 1}, ERROR),
    ({"type": "error", "error": {"code": "server_error", "message": "x"}}, ERROR),
    ({"error": {"message": "x"}}, ERROR),
    ("not JSON", HELD),
]
ANTHROPIC = [
    ({"type": "message_start", "message": {"id": "m"}}, OPENING),
    ({"type": "ping"}, HELD),
    (block_start(type="text", text=""), HELD),
    (block_start(type="thinking", thinking="", signature=""), HELD),
    (block_start(type="tool_use", id="t", name="f", input={}), HELD),
    (block_start(type="server_tool_use", id="t", name="web_search", input={}), HELD),
    (block_start(type="text", text="at once"), CONTENT),
    (block_start(type="redacted_thinking", data="x"), CONTENT),
    (block_start(type="web_search_tool_result", tool_use_id="t", content=[]), CONTENT),
    (block_start(type="of_next_year"), CONTENT),
    ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, CONTENT),
    ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": ""}}, HELD),
    ({"type": "content_block_stop", "index": 0}, HELD),
    ({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 0}}, HELD),
    ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, CONTENT),
    ({"type": "message_stop"}, END),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, ERROR),
    ("not JSON", HELD),
]
GEMINI = [
    ({"usageMetadata": {"promptTokenCount": 1}}, OPENING),
    ({"candidates": [{"content": {"role": "model"}}]}, OPENING),
    (gemini({"text": "a"}), CONTENT),
    (gemini({"text": ""}), OPENING),
    (gemini({"text": "", "thoughtSignature": "x"}), CONTENT),
    (gemini(finishReason="STOP"), CONTENT),
    ({"promptFeedback": {"blockReason": "SAFETY"}}, CONTENT),
    ({"error": {"code": 503, "status": "UNAVAILABLE"}}, ERROR),
    ("not JSON", HELD),
]
CASES = {
    "openai-chat": CHAT,
    "openai-completions": COMPLETIONS,
    "openai-responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}


@pytest.mark.parametrize(
    ("name", "payload", "kind"), [(name, *case) for name, cases in CASES.items() for case in cases]
)
def test_an_event_stands_to_the_commit_point_as_decided(name: str, payload: object, kind: EventClass) -> None:
    """Decision 1, event by event."""
    assert reader(name).classify(sse(payload)) is kind


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.parametrize("event", [b": comment\n\n", b"\n", b"event: ping\n\n", b"id: 1\r\n\r\n"])
def test_an_event_without_data_is_held(name: str, event: bytes) -> None:
    """No client dispatches it, so it is no content."""
    assert reader(name).classify(event) is HELD


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_deep_nesting_never_raises(name: str) -> None:
    """A provider's rubbish is relayed, not judged. How deep is too deep depends on the version of Python."""
    deep = '{"choices":' + "[" * 5000 + "]" * 5000 + "}"
    assert reader(name).classify(sse(deep)) in (CONTENT, OPENING, HELD)


def test_anthropic_events_are_known_by_their_data_or_their_name() -> None:
    """Data without a type is read by the event's name."""
    assert reader("anthropic").classify(sse({"message": {"id": "m"}}, "message_start")) is OPENING


@pytest.mark.parametrize(
    ("name", "event", "swallowed_as"),
    [
        ("anthropic", sse(ANTHROPIC[0][0]), "message_start"),
        ("openai-responses", sse(RESPONSES[1][0]), "response.in_progress"),
        ("openai-chat", sse(CHAT[0][0]), "chunk"),
        ("gemini", sse(GEMINI[0][0]), "chunk"),
    ],
)
def test_openings_have_names(name: str, event: bytes, swallowed_as: str) -> None:
    """A later attempt's opening is swallowed under the name of the one that was released."""
    assert reader(name).opening_name(event) == swallowed_as


def test_array_elements_wait_for_content() -> None:
    """Nothing of an array is released before content: a second attempt begins an array of its own."""
    array = DIALECTS["gemini"].stream_reader(max_line=1 << 20, array=True)
    elements = array.split(
        b'[{"usageMetadata": {"promptTokenCount": 2}},\r\n' + json.dumps(gemini({"text": "a"})).encode() + b"]\n"
    )
    assert [array.classify(element) for element in elements] == [HELD, CONTENT, CONTENT]
    assert array.usage == Usage(input=2)
    assert array.terminal_seen
    assert array.rest() == b"\n"
