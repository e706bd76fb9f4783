"""Whole replies as providers write them, with members that only their own dialect has."""

from typing import Any

Object = dict[str, Any]
LOGPROBS = [{"token": "Hi", "logprob": -0.1, "top_logprobs": []}]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _response(*output: Any, **more: Any) -> Object:
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [*output], **more}


def _chat(*choices: Any, **more: Any) -> Object:
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [*choices], **more}


def _choice(finish: str | None = "stop", index: int = 0, **message: Any) -> Object:
    return {"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish}


def _message(*content: Any, **more: Any) -> Object:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [*content]}
    return {**told, "stop_reason": "end_turn", "stop_sequence": None, **more}


RESPONSES: dict[str, Object] = {
    "text": _response(
        {
            "type": "message",
            "id": "m1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": LOGPROBS},
                {
                    "type": "output_text",
                    "text": "there",
                    "annotations": [
                        {"type": "url_citation", "url": "https://a.test", "start_index": 0, "end_index": 5},
                        {"type": "file_citation", "file_id": "f1", "index": 0},
                    ],
                },
                {"type": "refusal", "refusal": "No."},
                {"type": "output_text", "text": "", "annotations": []},
                {"type": "output_audio", "data": "AAAA"},
            ],
        },
        usage={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    ),
    "calls": _response(
        {"type": "function_call", "id": "f1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "custom_tool_call", "id": "f2", "call_id": "c2", "name": "g", "input": "text"},
        {"type": "mcp_call", "id": "f3", "name": "h", "server_label": "s", "arguments": "{}", "output": "out"},
        {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "computer_call", "id": "p1", "call_id": "c3", "actions": [{"type": "screenshot"}]},
    ),
    "reasoning": _response(
        {
            "type": "reasoning",
            "id": "rs_1",
            "encrypted_content": "e",
            "summary": [{"type": "summary_text", "text": "hm"}, {"type": "summary_text", "text": "ho"}],
        },
        {"type": "reasoning", "id": "rs_2", "content": [{"type": "reasoning_text", "text": "raw"}]},
        usage=None,
    ),
    "cut off": _response(
        {"type": "message", "role": "assistant", "content": None},
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    "failed": _response(status="failed", error={"code": "server_error", "message": "It broke."}),
}
CHAT: dict[str, Object] = {
    "text": _chat(
        {**_choice(content="Hi", refusal=None, annotations=[]), "logprobs": {"content": LOGPROBS}},
        usage=USAGE,
        service_tier="default",
    ),
    "two choices": _chat(_choice(content="a"), _choice("length", 1, content="b"), usage=None),
    "calls": _chat(
        _choice(
            "tool_calls",
            content=None,
            reasoning_content="hm",
            tool_calls=[
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "text"}},
            ],
        )
    ),
    "a call, and not why it ended": _chat(
        _choice(None, tool_calls=[{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
    ),
    "not why it ended": _chat({"message": {"content": "Hi", "tool_calls": []}}, {"text": "Hi"}),
    "completions": {
        "id": "t1",
        "object": "text_completion",
        "model": "m",
        "choices": [{"text": "Hi", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": USAGE,
    },
    "details of reasoning": _chat(
        _choice(
            content="Hi",
            reasoning="hm",
            reasoning_details=[
                {"type": "reasoning.text", "text": "hm", "index": 0, "format": "f"},
                {"type": "reasoning.encrypted", "data": "e", "index": 1, "id": "r1"},
            ],
        )
    ),
}
ANTHROPIC: dict[str, Object] = {
    "text": _message(
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "e"},
        {
            "type": "text",
            "text": "Hi",
            "citations": [{"type": "char_location", "cited_text": "b", "document_index": 0}],
        },
        {"type": "text", "text": "there", "citations": None},
        {"type": "text", "text": ""},
        usage={"input_tokens": 3, "output_tokens": 2, "cache_creation": {"ephemeral_5m_input_tokens": 1}},
    ),
    "calls": _message(
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result"}]},
        stop_reason="tool_use",
    ),
    "details of its end": _message(
        {"type": "compaction", "content": "what was said"},
        {"type": "compaction", "content": None},
        stop_reason="stop_sequence",
        stop_sequence="END",
        stop_details={"type": "refusal", "category": "c"},
        context_management={"applied_edits": []},
        usage={"input_tokens": 3, "output_tokens": None},
    ),
}
GEMINI: dict[str, Object] = {
    "text": {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"text": "ho", "thought": True, "thoughtSignature": "c2ln"},
                        {"text": "Hi"},
                        {"text": "there", "thoughtSignature": "c2ln"},
                        {"text": "you"},
                        {"functionCall": {"name": "f", "args": {}}},
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
                "groundingMetadata": {"webSearchQueries": ["q"]},
            },
            {"content": {"role": "model", "parts": []}, "finishReason": "MAX_TOKENS", "index": 1},
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "m",
    },
    "blocked": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}},
}
NATIVE: dict[str, dict[str, Object]] = {
    "openai-responses": RESPONSES,
    "openai-chat": CHAT,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}
