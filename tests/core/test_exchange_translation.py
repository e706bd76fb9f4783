"""A request for which an account of another dialect is asked: what goes to the provider, and what comes back."""

from typing import Any

import msgspec

from gephyr_core.commands import CallUpstream, DetachUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig, TranslationConfig
from gephyr_core.http import header
from tests.core.play import JSON, SSE, Play, account

CHAT = b'{"model":"gpt-4o","max_tokens":50,"seed":7,"messages":[{"role":"user","content":"hi"}]}'
STREAM = CHAT.replace(b'{"model"', b'{"stream":true,"model"')
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"claude-sonnet-4-5","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
    b'"text":""}}\n\n'
)
TEXT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"hello"}}\n\n'
)
END = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":2}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
ROUTES = ModelsConfig(routes={"gpt-4o": ("anthropic/claude-sonnet-4-5",)})


def claude(**sections: object) -> Play:
    sections.setdefault("models", ROUTES)
    return Play(account("c", "anthropic"), **sections)


def asked(call: CallUpstream) -> dict[str, object]:
    return msgspec.json.decode(call.body, type=dict[str, object])


def test_the_request_goes_out_in_the_accounts_dialect() -> None:
    play = claude()
    call = play.request(CHAT, headers=[(b"openai-beta", b"x"), (b"user-agent", b"sdk")])
    assert call.target == "/v1/messages"
    body = asked(call)
    assert (body["model"], body["max_tokens"]) == ("claude-sonnet-4-5", 50)
    assert header(call.headers, b"anthropic-version") == b"2023-06-01"
    assert header(call.headers, b"openai-beta") is None
    assert (header(call.headers, b"user-agent") or b"").startswith(b"sdk gephyr/")


def test_the_reply_comes_back_in_the_clients_and_says_what_was_dropped() -> None:
    play = claude()
    call = play.request(CHAT)
    play.answer(call, msgspec.json.encode(MESSAGE), headers=[*JSON, (b"request-id", b"req_theirs")])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    reply = msgspec.json.decode(sent.data)
    assert reply["choices"][0]["message"]["content"] == "hello"
    assert reply["usage"]["prompt_tokens"] == 3
    assert header(start.headers, b"x-gephyr-dropped") == b"seed"
    assert header(start.headers, b"x-request-id") == b"req_theirs"
    (record,) = play.records
    assert [(entry.path, entry.fate.value) for entry in record.translation] == [("seed", "dropped")]
    assert record.attempts[0].dialect == "anthropic"
    assert record.usage is not None
    assert record.usage.output == 2
    play.finish()


SEARCHED = [
    {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "gauge", "server_name": "rivers", "input": {}},
    {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False, "content": []},
]
"""What an Anthropic server's own tools did: Chat has no shape for it."""
LOST = [("seed", "dropped"), ("content[0]", "dropped"), ("content[1]", "dropped")]


def test_what_a_whole_reply_loses_is_recorded_and_told() -> None:
    """Its head is written when the reply is known."""
    play = claude()
    call = play.request(CHAT)
    play.answer(call, msgspec.json.encode({**MESSAGE, "content": [*SEARCHED, *MESSAGE["content"]]}))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert msgspec.json.decode(sent.data)["choices"][0]["message"]["content"] == "hello"
    assert header(start.headers, b"x-gephyr-dropped") == b"seed, content[0], content[1]"
    assert [(entry.path, entry.fate.value) for entry in play.records[0].translation] == LOST


def test_what_a_stream_loses_is_recorded() -> None:
    """Also where it is made of a whole reply."""
    for whole in (True, False):
        play = claude()
        call = play.request(STREAM)
        if whole:
            play.answer(call, msgspec.json.encode({**MESSAGE, "content": [*SEARCHED, *MESSAGE["content"]]}))
        else:
            blocks = [
                b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
                b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
                % (index, msgspec.json.encode(block), index)
                for index, block in enumerate(SEARCHED)
            ]
            head, _, text = START.partition(b"event: content_block_start")
            text = (b"event: content_block_start" + text + TEXT + END).replace(b'"index":0', b'"index":2')
            play.head(call, headers=SSE)
            play.body(call, head + b"".join(blocks) + text)
        assert [(entry.path, entry.fate.value) for entry in play.records[0].translation] == LOST
        assert play.records[0].outcome == "ok"


def test_a_stream_comes_back_as_one() -> None:
    play = claude()
    call = play.request(STREAM)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, START)
    play.expect()
    play.body(call, TEXT)
    _, sent = play.expect(StartResponse, SendBody)
    assert b'"content":"hello"' in sent.data
    play.body(call, END)
    _, last, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert last.data.endswith(b"data: [DONE]\n\n")
    assert play.records[0].outcome == "ok"
    play.finish()


def test_a_provider_that_answers_whole_serves_a_client_that_wants_a_stream() -> None:
    play = claude()
    call = play.request(STREAM)
    play.answer(call, msgspec.json.encode(MESSAGE))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (header(start.headers, b"content-type") or b"").startswith(b"text/event-stream")
    assert b'"content":"hello"' in sent.data
    assert sent.data.endswith(b"data: [DONE]\n\n")


def test_a_stream_that_ends_without_its_end_before_content_fails_over() -> None:
    play = Play(account("c", "anthropic"), account("d", "anthropic"), models=ROUTES)
    call = play.request(STREAM)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, START)
    play.expect()
    play.end(call)
    assert {call.account, play.expect(CallUpstream).account} == {"c", "d"}


def test_a_stream_that_breaks_off_after_content_ends_with_the_clients_own_error() -> None:
    play = claude()
    call = play.request(STREAM)
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, START + TEXT)
    play.expect(StartResponse, SendBody)
    play.end(call)
    sent, _ = play.expect(SendBody, EndResponse)
    assert sent.data.startswith(b'data: {"error":')
    assert b"[DONE]" not in sent.data


def test_strict_refuses_what_would_be_dropped_before_any_call() -> None:
    play = claude(translation=TranslationConfig(strict=True))
    refusal = play.refused(CHAT)
    assert refusal.status == 400
    assert b"seed" in refusal.body


def test_a_providers_error_is_told_in_the_clients_dialect() -> None:
    play = claude()
    call = play.request(CHAT)
    error = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}'
    play.answer(call, error, 400)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 400
    assert msgspec.json.decode(sent.data)["error"]["code"] == "context_length_exceeded"
