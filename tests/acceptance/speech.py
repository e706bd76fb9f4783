"""What is said in the four dialects: a request, and a provider's whole and streamed replies to it."""

import json
from typing import Any

import attrs

from tests.acceptance.stub import Answer, json_answer, sse_answer


@attrs.frozen
class Speech:
    """One dialect's words."""

    name: str
    provider: str
    target: str
    stream_target: str
    request: dict[str, Any]
    whole: dict[str, Any]
    prelude: tuple[str, ...]
    """Events before content."""
    content: str
    """An event with content."""
    ending: tuple[str, ...]
    error: str
    """An error event of the provider's: overloaded."""

    def body(self, *, stream: bool = False) -> bytes:
        """A request's body."""
        asks = stream and self.provider != "gemini"
        return json.dumps({**self.request, "stream": True} if asks else self.request).encode()

    def answer(self, *, stream: bool = False, **more: Any) -> Answer:
        """A good answer."""
        if stream:
            return sse_answer(*self.prelude, self.content, *self.ending, **more)
        return json_answer(self.whole, **more)


def _event(value: dict[str, Any], *, named: bool = False) -> str:
    name = f"event: {value['type']}\n" if named else ""
    return f"{name}data: {json.dumps(value)}\n\n"


def _chat_chunk(delta: dict[str, Any], reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return _event(chunk)


def _chat() -> Speech:
    message = {"role": "assistant", "content": "hello", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return Speech(
        name="openai-chat",
        provider="openai",
        target="/v1/chat/completions",
        stream_target="/v1/chat/completions",
        request={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        whole={"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage},
        prelude=(_chat_chunk({"role": "assistant", "content": ""}),),
        content=_chat_chunk({"content": "hello"}),
        ending=(_chat_chunk({}, "stop"), "data: [DONE]\n\n"),
        error=_event({"error": {"message": "busy", "type": "server_error", "code": "server_is_overloaded"}}),
    )


def _responses() -> Speech:
    response = {"id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "model": "m"}
    response |= {"store": True, "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    part = {"type": "output_text", "text": "hello", "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    whole = {**response, "status": "completed", "output": [item]}
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    delta |= {"sequence_number": 1, "delta": "hello", "logprobs": []}
    error = {"type": "error", "code": "server_error", "message": "busy", "param": None, "sequence_number": 1}
    return Speech(
        name="openai-responses",
        provider="openai",
        target="/v1/responses",
        stream_target="/v1/responses",
        request={"model": "m", "input": "hi"},
        whole=whole,
        prelude=(_event({"type": "response.created", "response": response, "sequence_number": 0}, named=True),),
        content=_event(delta, named=True),
        ending=(_event({"type": "response.completed", "response": whole, "sequence_number": 2}, named=True),),
        error=_event(error, named=True),
    )


def _anthropic() -> Speech:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    usage = {"input_tokens": 1, "output_tokens": 1}
    start: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": usage}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}
    stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
    return Speech(
        name="anthropic",
        provider="anthropic",
        target="/v1/messages",
        stream_target="/v1/messages",
        request={"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
        whole={**message, "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn", "usage": usage},
        prelude=(_event({"type": "message_start", "message": start}, named=True), _event(block, named=True)),
        content=_event(delta, named=True),
        ending=(
            _event({"type": "content_block_stop", "index": 0}, named=True),
            _event(stop, named=True),
            _event({"type": "message_stop"}, named=True),
        ),
        error=_event({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, named=True),
    )


def _gemini() -> Speech:
    content = {"role": "model", "parts": [{"text": "hello"}]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    whole = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
    return Speech(
        name="gemini",
        provider="gemini",
        target="/v1beta/models/m:generateContent",
        stream_target="/v1beta/models/m:streamGenerateContent?alt=sse",
        request={"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        whole=whole,
        prelude=(_event({"usageMetadata": {"promptTokenCount": 1}, "responseId": "r"}),),
        content=_event({"candidates": [{"content": content, "index": 0}]}),
        ending=(_event({**whole, "candidates": [{"finishReason": "STOP", "index": 0}]}),),
        error=_event({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}),
    )


CHAT, RESPONSES, ANTHROPIC, GEMINI = SPEECHES = (_chat(), _responses(), _anthropic(), _gemini())
