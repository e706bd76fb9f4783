"""Requests with fields that recorded clients seldom send, written by hand: one of each dialect, with as much as it has."""

from typing import Any

_SCHEMA = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/d"}, "b": {"anyOf": [{"type": "string", "enum": ["x"]}, {"type": "null"}]}},
    "required": ["a"],
    "allOf": [{"properties": {"c": {"type": "array", "items": {"type": "integer", "minimum": 1}}}}],
    "$defs": {"d": {"type": "object", "properties": {"e": {"const": 1, "description": "One."}}}},
}
_CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be kind.", "name": "s"},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0}],
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "t", "arguments": "{}"},
                    "extra_content": {"a": 1},
                }
            ],
            "audio": {"id": "a1"},
            "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "start_index": 0, "end_index": 1}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "done"}]},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {"type": "function", "function": {"name": "t", "description": "d", "parameters": _SCHEMA, "strict": True}},
        {"type": "custom", "custom": {"name": "f", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "t"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": _SCHEMA, "strict": True}},
    "stream": False,
    "stream_options": {"include_usage": True},
    "stop": ["a"],
    "metadata": {"user_id": "u", "session_id": "s"},
    "user": "u",
    "safety_identifier": "u",
    "prompt_cache_key": "k",
    "session_id": "s",
    "store": False,
    "n": 1,
    "max_tokens": 9,
    "max_completion_tokens": 9,
    "logit_bias": {"1": 1},
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {}}},
    "reasoning": {"effort": "low", "max_tokens": 5},
    "modalities": ["text"],
    "audio": {"voice": "x", "format": "wav"},
    "verbosity": "low",
    "service_tier": "auto",
    "seed": 1,
    "temperature": 1,
    "parallel_tool_calls": True,
}
_RESPONSES: dict[str, Any] = {
    "model": "m",
    "instructions": "Be kind.",
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "x"}], "encrypted_content": "e"},
        {"type": "function_call", "call_id": "c", "name": "t", "arguments": "{}", "id": "fc_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "done"}]},
        {"type": "custom_tool_call", "call_id": "d", "name": "f", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {"type": "function", "name": "t", "description": "d", "parameters": _SCHEMA, "strict": True},
        {"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "g"}]},
        {"type": "web_search", "filters": {"allowed_domains": ["a.test"]}, "user_location": {"city": "x"}},
        {"type": "mcp", "server_label": "x", "server_url": "u", "allowed_tools": ["a"]},
        {"type": "shell", "environment": {"type": "local"}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "t"}]},
    "text": {"format": {"type": "json_schema", "name": "r", "schema": _SCHEMA, "strict": True}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"user_id": "u"},
    "store": False,
    "background": False,
    "stream": False,
    "stream_options": {"include_obfuscation": False},
    "prompt_cache_key": "k",
    "conversation": None,
    "previous_response_id": None,
    "prompt": None,
    "truncation": "auto",
    "max_output_tokens": 9,
    "user": "u",
    "temperature": 1,
    "parallel_tool_calls": True,
}
_ANTHROPIC: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "So.", "citations": [{"type": "char_location", "cited_text": "x"}]},
                {"type": "tool_use", "id": "c", "name": "t", "input": {"a": 1}},
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "x", "url": "u"}]},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c",
                    "content": [{"type": "text", "text": "x"}],
                    "is_error": False,
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": "t"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "search_result", "source": "u", "title": "t", "content": [{"type": "text", "text": "x"}]},
            ],
        },
    ],
    "tools": [
        {
            "name": "t",
            "description": "d",
            "input_schema": _SCHEMA,
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2, "allowed_domains": ["a.test"]},
        {"type": "computer_20250124", "name": "computer", "display_width_px": 1, "display_height_px": 1},
        {"type": "bash_20250124", "name": "bash"},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": _SCHEMA}},
    "metadata": {"user_id": '{"session_id":"s"}'},
    "stop_sequences": ["a"],
    "mcp_servers": [{"type": "url", "name": "x", "url": "u"}],
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    "container": {"skills": []},
    "service_tier": "auto",
    "stream": False,
    "temperature": 1,
}
_GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be kind."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "c", "name": "t", "args": {"a": 1}}},
                {"executableCode": {"language": "PYTHON", "code": "x"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "x"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c", "name": "t", "response": {"output": "x"}, "parts": []}},
                {"fileData": {"mimeType": "image/png", "fileUri": "u"}, "videoMetadata": {"fps": 1}},
            ],
        },
    ],
    "tools": [
        {"functionDeclarations": [{"name": "t", "description": "d", "parametersJsonSchema": _SCHEMA}]},
        {
            "functionDeclarations": [
                {"name": "u", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}
            ]
        },
        {"googleSearch": {"timeRangeFilter": {"startTime": "x"}}, "codeExecution": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["t"]}},
    "safetySettings": [{"category": "x", "threshold": "y"}],
    "cachedContent": "cachedContents/x",
    "labels": {"a": "b"},
    "generationConfig": {
        "stopSequences": ["a"],
        "maxOutputTokens": 9,
        "responseMimeType": "application/json",
        "responseJsonSchema": _SCHEMA,
        "thinkingConfig": {"thinkingBudget": 5, "includeThoughts": True},
        "responseModalities": ["TEXT"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "x"}}},
        "temperature": 1,
        "seed": 1,
    },
}
FULL: dict[str, tuple[dict[str, Any], ...]] = {
    "openai-chat": (_CHAT,),
    "openai-responses": (_RESPONSES,),
    "anthropic": (_ANTHROPIC,),
    "gemini": (_GEMINI,),
}
