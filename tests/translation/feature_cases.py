"""A request of each dialect for each feature, written by hand: the features are shown without the recordings too."""

from typing import Any

Body = dict[str, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
_ARGUMENTS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_TEXT = "The sky is blue."
_IMAGE_URL = "https://images.example/sky.png"
_PDF_URL = "https://files.example/sky.pdf"


def _chat(*messages: Any, **settings: Any) -> Body:
    return {"messages": list(messages) or [{"role": "user", "content": "Hi"}], **settings}


def _asked(*parts: Any) -> Body:
    return _chat({"role": "user", "content": list(parts)})


_CHAT_TOOL = {"type": "function", "function": {"name": "weather", "description": "Look.", "parameters": _ARGUMENTS}}
_CHAT_FREE = {"type": "custom", "custom": {"name": "patch", "description": "Apply."}}
_CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
_CHAT_FREE_CALL = {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}


def _chat_called(call: Any, tool: Any = _CHAT_TOOL) -> Body:
    return _chat(
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        tools=[tool],
    )


CHAT: dict[str, Body] = {
    "text": _chat({"role": "user", "content": _TEXT}),
    "system prompt": _chat({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}),
    "system message in the middle": _chat(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And?"},
        {"role": "developer", "content": "Be brief."},
    ),
    "assistant prefill": _chat({"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2,"}),
    "participant's name": _chat({"role": "user", "name": "ada", "content": "Hi"}),
    "cache marker": _asked({"type": "text", "text": _TEXT, "prompt_cache_breakpoint": {"mode": "explicit"}}),
    "refusal in the history": _chat(
        {"role": "user", "content": "Hi"}, {"role": "assistant", "refusal": "No."}, {"role": "user", "content": "Why?"}
    ),
    "image, bytes": _asked({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}),
    "image, URL": _asked({"type": "image_url", "image_url": {"url": _IMAGE_URL}}),
    "document, bytes": _asked(
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
    ),
    "document, file id": _asked({"type": "file", "file": {"file_id": "file-1"}}),
    "audio": _asked({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
    "function tool": _chat(tools=[_CHAT_TOOL]),
    "freeform tool": _chat(tools=[_CHAT_FREE]),
    "hosted: web search": _chat(web_search_options={}),
    "tool choice: auto": _chat(tools=[_CHAT_TOOL], tool_choice="auto"),
    "tool choice: none": _chat(tools=[_CHAT_TOOL], tool_choice="none"),
    "tool choice: required": _chat(tools=[_CHAT_TOOL], tool_choice="required"),
    "tool choice: named": _chat(tools=[_CHAT_TOOL], tool_choice={"type": "function", "function": {"name": "weather"}}),
    "tool choice: allowed list": _chat(
        tools=[_CHAT_TOOL],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "weather"}}]},
        },
    ),
    "one call at a time": _chat(tools=[_CHAT_TOOL], parallel_tool_calls=False),
    "tool call": _chat_called(_CHAT_CALL),
    "freeform tool call": _chat_called(_CHAT_FREE_CALL, _CHAT_FREE),
    "tool result": _chat_called(_CHAT_CALL),
    "max_tokens": _chat(max_completion_tokens=100),
    "temperature": _chat(temperature=0.5),
    "top_p": _chat(top_p=0.5),
    "frequency_penalty": _chat(frequency_penalty=0.5),
    "presence_penalty": _chat(presence_penalty=0.5),
    "seed": _chat(seed=1),
    "stop": _chat(stop=["END"]),
    "logit_bias": _chat(logit_bias={"50256": -100}),
    "logprobs": _chat(logprobs=True, top_logprobs=2),
    "candidates": _chat(n=2),
    "reasoning effort": _chat(reasoning_effort="high"),
    "reasoning off": _chat(reasoning_effort="none"),
    "output: any JSON object": _chat(response_format={"type": "json_object"}),
    "output: JSON schema": _chat(
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": _ARGUMENTS, "strict": True}}
    ),
    "verbosity": _chat(verbosity="low"),
    "end user's id": _chat(safety_identifier="u1"),
    "metadata": _chat(metadata={"a": "b"}),
    "service tier": _chat(service_tier="flex"),
    "cache key": _chat(prompt_cache_key="k"),
    "fields of one dialect that tune": _chat(prediction={"type": "content", "content": "x"}),
    "fields of one dialect that mean": _chat(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
}


def _responses(given: Any = "Hi", **settings: Any) -> Body:
    return {"input": given, **settings}


def _shown(*parts: Any) -> Body:
    return _responses([{"role": "user", "content": list(parts)}])


_TOOL = {"type": "function", "name": "weather", "description": "Look.", "parameters": _ARGUMENTS, "strict": False}
_FREE = {"type": "custom", "name": "patch", "description": "Apply."}


def _called(output: Any = "Rain") -> Body:
    return _responses(
        [
            {"role": "user", "content": "Weather?"},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": output},
        ],
        tools=[_TOOL],
    )


RESPONSES: dict[str, Body] = {
    "text": _responses(_TEXT),
    "system prompt": _responses(instructions="Be brief."),
    "system message in the middle": _responses(
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "And?"},
            {"role": "developer", "content": "Be brief."},
        ]
    ),
    "assistant prefill": _responses([{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2,"}]),
    "cache marker": _shown({"type": "input_text", "text": _TEXT, "prompt_cache_breakpoint": {"mode": "explicit"}}),
    "image, bytes": _shown({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}),
    "image, URL": _shown({"type": "input_image", "image_url": _IMAGE_URL, "detail": "auto"}),
    "image, file id": _shown({"type": "input_image", "file_id": "file-1", "detail": "auto"}),
    "document, bytes": _shown(
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    ),
    "document, URL": _shown({"type": "input_file", "file_url": _PDF_URL}),
    "document, file id": _shown({"type": "input_file", "file_id": "file-1"}),
    "signed reasoning in the history": _responses(
        [
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "And?"},
        ]
    ),
    "function tool": _responses(tools=[_TOOL]),
    "freeform tool": _responses(tools=[_FREE]),
    "typed client tool": _responses(tools=[{"type": "local_shell"}]),
    "hosted: web search": _responses(tools=[{"type": "web_search"}]),
    "hosted: code execution": _responses(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]),
    "hosted: file search": _responses(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}]),
    "hosted: remote MCP servers": _responses(
        tools=[{"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"}]
    ),
    "hosted: search of tools": _responses(tools=[{"type": "tool_search"}, {**_TOOL, "defer_loading": True}]),
    "hosted: image generation": _responses(tools=[{"type": "image_generation"}]),
    "tool choice: auto": _responses(tools=[_TOOL], tool_choice="auto"),
    "tool choice: none": _responses(tools=[_TOOL], tool_choice="none"),
    "tool choice: required": _responses(tools=[_TOOL], tool_choice="required"),
    "tool choice: named": _responses(tools=[_TOOL], tool_choice={"type": "function", "name": "weather"}),
    "tool choice: allowed list": _responses(
        tools=[_TOOL],
        tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
    ),
    "one call at a time": _responses(tools=[_TOOL], parallel_tool_calls=False),
    "tool call": _called(),
    "freeform tool call": _responses(
        [
            {"role": "user", "content": "Patch."},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Done"},
        ],
        tools=[_FREE],
    ),
    "tool result": _called(),
    "tool result with media": _called(
        [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}]
    ),
    "max_tokens": _responses(max_output_tokens=100),
    "temperature": _responses(temperature=0.5),
    "top_p": _responses(top_p=0.5),
    "logprobs": _responses(top_logprobs=2, include=["message.output_text.logprobs"]),
    "reasoning effort": _responses(reasoning={"effort": "high"}),
    "reasoning off": _responses(reasoning={"effort": "none"}),
    "output: any JSON object": _responses(text={"format": {"type": "json_object"}}),
    "output: JSON schema": _responses(
        text={"format": {"type": "json_schema", "name": "place", "schema": _ARGUMENTS, "strict": True}}
    ),
    "verbosity": _responses(text={"verbosity": "low"}),
    "end user's id": _responses(safety_identifier="u1"),
    "metadata": _responses(metadata={"a": "b"}),
    "service tier": _responses(service_tier="flex"),
    "cache key": _responses(prompt_cache_key="k"),
    "fields of one dialect that tune": _responses(truncation="auto"),
    "fields of one dialect that mean": _responses(prompt={"id": "pmpt_1"}),
}
