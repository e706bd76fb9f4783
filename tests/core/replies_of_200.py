"""What providers answer with status 200 that is no reply, and what looks like none and is one."""

import json
from typing import Any

import attrs

from tests.core.provider_events import chunk, gemini, sse

ASK = b'[{"role":"user","content":"hi"}]'


@attrs.frozen
class Side:
    """A dialect's way to ask for a model's answer, and its answers."""

    provider: str
    path: str
    stream_path: str
    body: dict[str, Any]
    good: dict[str, Any]
    good_stream: bytes
    text: bytes = b"Well"


def _typed(name: str, **fields: Any) -> bytes:
    return sse({"type": name, **fields}, name)


def _message(**more: Any) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", **more}


def _response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", **more}


SAID = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
OUTPUT = [{**SAID, "content": [{"type": "output_text", "text": "Well", "annotations": []}]}]
FINISH = {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
DONE = sse("[DONE]")
OPENED = _typed("message_start", message=_message(content=[], stop_reason=None, usage={"input_tokens": 3}))
CREATED = _typed("response.created", sequence_number=0, response=_response("in_progress", output=[]))
MESSAGES = json.loads(ASK)

SIDES = {
    "openai-chat": Side(
        "openai",
        "/v1/chat/completions",
        "/v1/chat/completions",
        {"model": "m", "messages": MESSAGES},
        {
            "id": "c1",
            "object": "chat.completion",
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Well"}, "finish_reason": "stop"}],
        },
        sse(chunk(role="assistant", content="")) + sse(chunk(content="Well")) + sse(FINISH) + DONE,
    ),
    "openai-completions": Side(
        "openai",
        "/v1/completions",
        "/v1/completions",
        {"model": "m", "prompt": "hi"},
        {"id": "c1", "object": "text_completion", "choices": [{"index": 0, "text": "Well", "finish_reason": "stop"}]},
        sse({"id": "c1", "choices": [{"index": 0, "text": "Well", "finish_reason": "stop"}]}) + DONE,
    ),
    "openai-responses": Side(
        "openai",
        "/v1/responses",
        "/v1/responses",
        {"model": "m", "input": "hi"},
        _response("completed", output=OUTPUT),
        CREATED
        + _typed("response.output_text.delta", sequence_number=1, output_index=0, content_index=0, delta="Well")
        + _typed("response.completed", sequence_number=2, response=_response("completed", output=OUTPUT)),
    ),
    "anthropic": Side(
        "anthropic",
        "/v1/messages",
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": MESSAGES},
        _message(content=[{"type": "text", "text": "Well"}], stop_reason="end_turn", usage={"output_tokens": 1}),
        OPENED
        + _typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + _typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "Well"})
        + _typed("content_block_stop", index=0)
        + _typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
        + _typed("message_stop"),
    ),
    "gemini": Side(
        "gemini",
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        gemini({"text": "Well"}, finishReason="STOP"),
        sse(gemini({"text": "Well"}, finishReason="STOP")),
    ),
}
"""By dialect."""


def _broken_choice(error: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "half"}
    return {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "error", **error}]}


LIMIT = {"message": "Rate limit exceeded", "code": 429, "metadata": {}}
ERRORS: dict[str, dict[str, tuple[Any, int]]] = {
    "openai-chat": {
        "limit": ({"error": LIMIT, "user_id": "u-1"}, 429),
        "words": ({"error": {"message": "slow", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}, 429),
        "digits": ({"error": {"message": "slow", "code": "429"}}, 429),
        "overload": ({"error": {"message": "busy", "code": 529}}, 529),
        "upstream": ({"error": {"message": "Provider returned error", "code": 502}}, 502),
        "credential": ({"error": {"message": "No auth credentials found sk-OPERATOR", "code": 401}}, 502),
        "money": ({"error": {"message": "Insufficient credits", "code": 402}}, 502),
        "a text": ({"error": "it broke"}, 500),
        "in the choice": (_broken_choice({"error": {"code": 429, "message": "slow"}}), 429),
        "in the choice, beside others": ({**_broken_choice({}), "error": {"code": 503, "message": "busy"}}, 503),
        "by the finish reason": (_broken_choice({}), 500),
        "at the top": ({"object": "error", "message": "slow", "type": "x", "code": 429}, 429),
    },
    "openai-completions": {"limit": ({"error": LIMIT}, 429)},
    "openai-responses": {
        "limit": ({"error": LIMIT}, 429),
        "failed": (_response("failed", output=[], error={"code": "rate_limit_exceeded", "message": "slow"}), 429),
        "failed without a word": (_response("failed", output=[], error=None), 500),
        "an error beside output": (_response("completed", output=OUTPUT, error={"code": "server_error"}), 500),
    },
    "anthropic": {
        "overload": ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529),
        "limit": ({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, 429),
        "without its type": ({"error": {"type": "api_error", "message": "oops"}}, 500),
        "of another dialect": ({"error": LIMIT}, 429),
        "empty": ({"type": "error"}, 500),
    },
    "gemini": {
        "limit": ({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}, 429),
        "overload": ({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}, 503),
        "in a list": ([{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}], 503),
        "by its name": ({"error": {"message": "oops", "status": "INTERNAL"}}, 500),
        "a bad key": (
            {"error": {"code": 400, "message": "sk-OPERATOR", "details": [{"reason": "API_KEY_INVALID"}]}},
            502,
        ),
    },
}
"""Errors with status 200, and the status that a client of the dialect is told when every account answers so."""

RUBBISH = [
    b"",
    b" \n",
    b"null",
    b"{}",
    b"[]",
    b"[1]",
    b'"text"',
    b"7",
    b"<html>oops</html>",
    b'{"half":',
    b"OK",
    b"[{}]",
]
"""What is a reply in no dialect."""
EMPTY: dict[str, list[Any]] = {
    "openai-chat": [
        {"id": "c", "choices": []},
        {"id": "c", "choices": None},
        {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": None}}]},
        {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {"id": "c", "choices": [{}]},
        {"id": "c", "choices": {}},
    ],
    "openai-completions": [{"id": "c", "choices": []}, {"id": "c", "choices": [{"text": ""}]}],
    "openai-responses": [{"id": "resp_1", "object": "response", "output": []}, {"object": "list", "data": []}],
    "anthropic": [_message(content=[], stop_reason=None), _message(), _message(content=[{"type": "text", "text": ""}])],
    "gemini": [
        {"candidates": []},
        {"usageMetadata": {"promptTokenCount": 3}},
        {"candidates": [{"content": {"role": "model"}}]},
        {"candidates": [{"content": {"parts": [{"text": ""}]}}]},
        {"promptFeedback": {"safetyRatings": []}},
    ],
}
"""Replies that tell neither content nor why there is none."""

CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
LEGAL: dict[str, list[Any]] = {
    "openai-chat": [
        {
            "id": "c",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
        },
        {"id": "c", "choices": [{"index": 0, "message": {"content": None, "tool_calls": [CALL]}}]},
        {"id": "c", "choices": [{"index": 0, "message": {"content": None, "refusal": "no"}}]},
        {"id": "c", "choices": [{"index": 0, "message": {"content": None}, "finish_reason": "content_filter"}]},
        {"id": "c", "choices": [{"index": 0, "message": {"content": "x"}}], "error": None},
    ],
    "openai-completions": [{"choices": [{"text": "", "finish_reason": "length"}]}],
    "openai-responses": [
        _response("completed", output=[]),
        _response("incomplete", output=[], incomplete_details={"reason": "max_output_tokens"}),
        _response("completed", output=OUTPUT, error=None),
        {"object": "response", "output": OUTPUT},
    ],
    "anthropic": [
        _message(content=[], stop_reason="end_turn"),
        _message(content=[], stop_reason="max_tokens"),
        _message(content=[], stop_reason="refusal"),
        _message(content=[{"type": "text", "text": "x"}]),
        _message(content=[{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}], stop_reason="tool_use"),
    ],
    "gemini": [
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"candidates": [{"finishReason": "SAFETY"}]},
        {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]},
        gemini({"text": "x"}),
        gemini({"functionCall": {"name": "f", "args": {}}}, finishReason="STOP"),
    ],
}
"""Replies that say little, or why they say nothing."""

LEGAL_STREAMS: dict[str, list[bytes]] = {
    "openai-chat": [
        sse(chunk(role="assistant", content="")) + sse(FINISH) + DONE,
        sse(FINISH) + sse({"choices": [], "usage": {"prompt_tokens": 3}}) + DONE,
        sse({"choices": [{"delta": {}, "finish_reason": "content_filter"}]}),
        sse(chunk(refusal="no")) + DONE,
        sse(chunk(tool_calls=[{"index": 0, **CALL}])) + sse(FINISH) + DONE,
        b": c\n\n" + sse({"choices": [], "prompt_filter_results": []}) + sse(chunk(content="x")) + sse(FINISH) + DONE,
    ],
    "openai-completions": [sse({"choices": [{"text": "", "finish_reason": "stop"}]}) + DONE],
    "openai-responses": [
        CREATED + _typed("response.completed", response=_response("completed", output=[])),
        CREATED
        + _typed(
            "response.incomplete",
            response=_response("incomplete", output=[], incomplete_details={"reason": "content_filter"}),
        ),
    ],
    "anthropic": [
        OPENED + _typed("message_delta", delta={"stop_reason": reason}, usage={}) + _typed("message_stop")
        for reason in ("end_turn", "max_tokens", "refusal")
    ],
    "gemini": [
        sse({"promptFeedback": {"blockReason": "SAFETY"}}),
        sse({"candidates": [{"finishReason": "SAFETY"}]}),
        sse({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}),
    ],
}
"""Streams that say little, or why they say nothing."""

EMPTY_STREAMS: dict[str, list[bytes]] = {
    "openai-chat": [
        b"",
        b"\n\n",
        b": comment\n\n: another\n\n",
        sse(chunk(role="assistant", content="")),
        sse(chunk(role="assistant", content="")) + DONE,
        DONE,
        sse({"choices": [], "usage": {"prompt_tokens": 3}}) + DONE,
        b'data: {"choices":[{"delta":{"content":"Hal',
        b'data: {"choices":[{"index":0,"delta":{}}',
        sse("not JSON") + DONE,
        b"<html>oops</html>",
    ],
    "openai-completions": [DONE, sse({"choices": [{"text": "", "finish_reason": None}]}) + DONE],
    "openai-responses": [CREATED, CREATED[:60], b": c\n\n", DONE, CREATED + _typed("response.completed")],
    "anthropic": [
        OPENED,
        OPENED + _typed("message_stop"),
        OPENED + _typed("message_delta", delta={"stop_reason": None}) + _typed("message_stop"),
        OPENED + _typed("ping"),
        _typed("message_stop"),
        OPENED + _typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        b"event: content_block_delta\ndata: {",
        DONE,
    ],
    "gemini": [
        b"",
        b"\n\n",
        sse({"usageMetadata": {"promptTokenCount": 3}}),
        sse({"candidates": [{"content": {"role": "model"}}]}),
        sse(gemini({"text": ""})),
        b'data: {"candidates": [{"content": {"parts": [{"te',
        sse({}),
    ],
}
"""Streams that end without content and without a reason for it."""

ERROR_EVENTS: dict[str, dict[str, tuple[bytes, int]]] = {
    "openai-chat": {
        "limit": (sse({"error": LIMIT}), 429),
        "in the choice": (
            sse({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": LIMIT}]}),
            429,
        ),
        "by the finish reason": (sse({"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}), 500),
        "glued to half an event": (sse({"error": {"message": "busy", "code": 503}}) + b"data: {", 503),
        "without its empty line": (b'data: {"error":{"message":"busy","code":503}}', 503),
    },
    "openai-completions": {"limit": (sse({"error": LIMIT}), 429)},
    "openai-responses": {
        "failed": (
            CREATED + _typed("response.failed", response=_response("failed", error={"code": "rate_limit_exceeded"})),
            429,
        ),
        "completed, it says": (
            CREATED + _typed("response.completed", response=_response("failed", error={"code": "server_error"})),
            500,
        ),
        "flat": (_typed("error", code="server_error", message="x"), 500),
        "nested": (_typed("error", error={"code": "rate_limit_exceeded", "message": "x"}), 429),
    },
    "anthropic": {
        "overload": (OPENED + _typed("error", error={"type": "overloaded_error", "message": "Overloaded"}), 529),
        "limit": (_typed("error", error={"type": "rate_limit_error", "message": "slow"}), 429),
    },
    "gemini": {
        "limit": (sse({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}), 429),
        "bare": (b'{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}', 503),
        "bare, over several lines": (b'{\n  "error": {\n    "code": 503,\n    "message": "busy"\n  }\n}\n', 503),
    },
}
"""Streams that begin with an error, and the status a client is told when all of them do."""
