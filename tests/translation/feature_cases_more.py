"""The hand-written requests of Anthropic's and Gemini's dialects; see :mod:`tests.translation.feature_cases`."""

from typing import Any

from tests.translation.feature_cases import (
    _ARGUMENTS,
    _IMAGE_URL,
    _PDF_URL,
    _TEXT,
    CHAT,
    PDF,
    PNG,
    RESPONSES,
    WAV,
    Body,
)


def _anthropic(*messages: Any, **settings: Any) -> Body:
    return {"max_tokens": 1000, "messages": list(messages) or [{"role": "user", "content": "Hi"}], **settings}


def _blocks(*blocks: Any) -> Body:
    return _anthropic({"role": "user", "content": list(blocks)})


_TOOL = {"name": "weather", "description": "Look.", "input_schema": _ARGUMENTS}


def _called(**result: Any) -> Body:
    return _anthropic(
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain", **result}]},
        tools=[_TOOL],
    )


def _base64(kind: str, media_type: str, data: str) -> Body:
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


ANTHROPIC: dict[str, Body] = {
    "text": _anthropic({"role": "user", "content": _TEXT}),
    "system prompt": _anthropic(system="Be brief."),
    "system message in the middle": _anthropic(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And?"},
        {"role": "system", "content": "Be brief."},
    ),
    "assistant prefill": _anthropic({"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2,"}),
    "cache marker": _blocks({"type": "text", "text": _TEXT, "cache_control": {"type": "ephemeral"}}),
    "image, bytes": _blocks(_base64("image", "image/png", PNG)),
    "image, URL": _blocks({"type": "image", "source": {"type": "url", "url": _IMAGE_URL}}),
    "image, file id": _blocks({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    "document, bytes": _blocks(_base64("document", "application/pdf", PDF)),
    "document, text": _blocks(
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _TEXT}, "title": "Sky"}
    ),
    "document, URL": _blocks({"type": "document", "source": {"type": "url", "url": _PDF_URL}}),
    "document, file id": _blocks({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    "signed reasoning in the history": _anthropic(
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "text", "text": "Hello"},
            ],
        },
        {"role": "user", "content": "And?"},
    ),
    "function tool": _anthropic(tools=[_TOOL]),
    "typed client tool": _anthropic(tools=[{"type": "bash_20250124", "name": "bash"}]),
    "hosted: web search": _anthropic(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
    "hosted: web fetch": _anthropic(tools=[{"type": "web_fetch_20250910", "name": "web_fetch"}]),
    "hosted: code execution": _anthropic(tools=[{"type": "code_execution_20250825", "name": "code_execution"}]),
    "hosted: remote MCP servers": _anthropic(
        mcp_servers=[{"type": "url", "name": "docs", "url": "https://mcp.example"}],
        tools=[{"type": "mcp_toolset", "mcp_server_name": "docs"}],
    ),
    "hosted: search of tools": _anthropic(
        tools=[
            {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
            {**_TOOL, "defer_loading": True},
        ]
    ),
    "tool choice: auto": _anthropic(tools=[_TOOL], tool_choice={"type": "auto"}),
    "tool choice: none": _anthropic(tools=[_TOOL], tool_choice={"type": "none"}),
    "tool choice: required": _anthropic(tools=[_TOOL], tool_choice={"type": "any"}),
    "tool choice: named": _anthropic(tools=[_TOOL], tool_choice={"type": "tool", "name": "weather"}),
    "one call at a time": _anthropic(tools=[_TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "tool call": _called(),
    "tool result": _called(),
    "tool result with media": _called(content=[_base64("image", "image/png", PNG)]),
    "tool result, error": _called(is_error=True),
    "max_tokens": _anthropic(),
    "temperature": _anthropic(temperature=0.5),
    "top_p": _anthropic(top_p=0.5),
    "top_k": _anthropic(top_k=40),
    "stop": _anthropic(stop_sequences=["END"]),
    "reasoning effort": _anthropic(thinking={"type": "adaptive"}, output_config={"effort": "high"}),
    "reasoning budget": _anthropic(thinking={"type": "enabled", "budget_tokens": 4000}, max_tokens=8000),
    "reasoning off": _anthropic(thinking={"type": "disabled"}),
    "output: JSON schema": _anthropic(output_config={"format": {"type": "json_schema", "schema": _ARGUMENTS}}),
    "end user's id": _anthropic(metadata={"user_id": "u1"}),
    "service tier": _anthropic(service_tier="auto"),
    "fields of one dialect that tune": _anthropic(inference_geo="us"),
    "fields of one dialect that mean": _anthropic(container="container_1"),
}


def _gemini(*contents: Any, **settings: Any) -> Body:
    return {"contents": list(contents) or [_user({"text": "Hi"})], **settings}


def _user(*parts: Any) -> Body:
    return {"role": "user", "parts": list(parts)}


def _model(*parts: Any) -> Body:
    return {"role": "model", "parts": list(parts)}


def _config(**settings: Any) -> Body:
    return _gemini(generationConfig=settings)


_FUNCTIONS = [{"functionDeclarations": [{"name": "weather", "description": "Look.", "parameters": _ARGUMENTS}]}]


def _calling(**settings: Any) -> Body:
    return _gemini(tools=_FUNCTIONS, toolConfig={"functionCallingConfig": settings})


def _responded(**response: Any) -> Body:
    return _gemini(
        _user({"text": "Weather?"}),
        _model({"functionCall": {"name": "weather", "args": {"city": "Oslo"}}}),
        _user({"functionResponse": {"name": "weather", "response": {"output": "Rain"}, **response}}),
        tools=_FUNCTIONS,
    )


GEMINI: dict[str, Body] = {
    "text": _gemini(_user({"text": _TEXT})),
    "system prompt": _gemini(systemInstruction={"parts": [{"text": "Be brief."}]}),
    "assistant prefill": _gemini(_user({"text": "Count"}), _model({"text": "1, 2,"})),
    "image, bytes": _gemini(_user({"inlineData": {"mimeType": "image/png", "data": PNG}})),
    "image, URL": _gemini(_user({"fileData": {"mimeType": "image/png", "fileUri": _IMAGE_URL}})),
    "document, bytes": _gemini(_user({"inlineData": {"mimeType": "application/pdf", "data": PDF}})),
    "document, URL": _gemini(_user({"fileData": {"mimeType": "application/pdf", "fileUri": _PDF_URL}})),
    "document, file id": _gemini(
        _user(
            {
                "fileData": {
                    "mimeType": "application/pdf",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/f1",
                }
            }
        )
    ),
    "audio": _gemini(_user({"inlineData": {"mimeType": "audio/wav", "data": WAV}})),
    "video": _gemini(_user({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}})),
    "signed reasoning in the history": _gemini(
        _user({"text": "Hi"}),
        _model({"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"}, {"text": "Hello"}),
        _user({"text": "And?"}),
    ),
    "function tool": _gemini(tools=_FUNCTIONS),
    "hosted: web search": _gemini(tools=[{"googleSearch": {}}]),
    "hosted: web fetch": _gemini(tools=[{"urlContext": {}}]),
    "hosted: code execution": _gemini(tools=[{"codeExecution": {}}]),
    "hosted: file search": _gemini(tools=[{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/s"]}}]),
    "hosted: maps": _gemini(tools=[{"googleMaps": {}}]),
    "tool choice: auto": _calling(mode="AUTO"),
    "tool choice: none": _calling(mode="NONE"),
    "tool choice: required": _calling(mode="ANY"),
    "tool choice: named": _calling(mode="ANY", allowedFunctionNames=["weather"]),
    "tool choice: allowed list": _calling(mode="VALIDATED", allowedFunctionNames=["weather"]),
    "tool call": _responded(),
    "tool result": _responded(),
    "tool result with media": _responded(parts=[{"inlineData": {"mimeType": "image/png", "data": PNG}}]),
    "tool result, error": _responded(response={"error": "no such city"}),
    "max_tokens": _config(maxOutputTokens=100),
    "temperature": _config(temperature=0.5),
    "top_p": _config(topP=0.5),
    "top_k": _config(topK=40),
    "frequency_penalty": _config(frequencyPenalty=0.5),
    "presence_penalty": _config(presencePenalty=0.5),
    "seed": _config(seed=1),
    "stop": _config(stopSequences=["END"]),
    "logprobs": _config(responseLogprobs=True, logprobs=2),
    "candidates": _config(candidateCount=2),
    "reasoning effort": _config(thinkingConfig={"thinkingLevel": "HIGH"}),
    "reasoning budget": _config(thinkingConfig={"thinkingBudget": 4000}),
    "output: any JSON object": _config(responseMimeType="application/json"),
    "output: JSON schema": _config(responseMimeType="application/json", responseJsonSchema=_ARGUMENTS),
    "service tier": _gemini(serviceTier="flex"),
    "fields of one dialect that tune": _gemini(
        safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    ),
    "fields of one dialect that mean": _gemini(cachedContent="cachedContents/c"),
}

CASES: dict[str, dict[str, Body]] = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}
