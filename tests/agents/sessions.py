"""What coding agents really send, cut short: the first turn of a session, and the one that answers the tool call.

Taken from Claude Code 2.1.197, Codex CLI 0.169.0 and Gemini CLI 0.61.0, pointed at a gateway that renames their models.
What they leave out of the second turn is left out here: Claude Code drops thinking when another model answered than it
asked for, Gemini CLI drops all thoughts and fills in for signatures.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

Object = dict[str, Any]
COMMAND = {"type": "string", "description": "The command to execute"}
DRAFT = "https://json-schema.org/draft/2020-12/schema"
FAILED = "Exit code 127\n/bin/bash: line 1: example: command not found"


@attrs.frozen
class Agent:
    """One agent's way of asking."""

    target: str
    headers: Mapping[str, str]
    tool: str
    """The tool it is told to use, as the model is offered it."""
    first: Callable[[str], Object]
    """Its first request, of the user's words."""
    answered: Callable[[Object, list[Object]], Object]
    """Its second request: the first one, and the events of the reply to it."""
    text: Callable[[list[Object]], str]
    """The text that it shows."""


def _claude_first(words: str) -> Object:
    marker = {"cache_control": {"type": "ephemeral"}}
    shell = {"command": COMMAND, "timeout": {"type": "number"}, "run_in_background": {"type": "boolean"}}
    count = {"type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991}
    files = {"type": "array", "maxItems": 256, "items": {"type": "string", "minLength": 1, "maxLength": 256}}
    tools: list[Object] = [
        {"name": "Bash", "properties": shell, "required": ["command"]},
        {"name": "CronList", "properties": {}},
        {"name": "DesignSync", "properties": {"limit": count, "files": files, "all": {"type": "boolean"}}},
    ]
    for tool in tools:
        schema = {"$schema": DRAFT, "type": "object", "properties": tool.pop("properties")}
        tool["input_schema"] = {**schema, "required": tool.pop("required", []), "additionalProperties": False}
        tool["description"] = f"Does what {tool['name']} does."
    return {
        "model": "claude-opus-4-8",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>\nToday's date is 2026-11-23.\n</system-reminder>\n\n"},
                    {"type": "text", "text": words, **marker},
                ],
            },
            {"role": "system", "content": "Available agent types:\n- Explore: read-only search"},
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197.3bb; cc_entrypoint=sdk-cli;"},
            {"type": "text", "text": "You are a Claude agent, built on Anthropic's Claude Agent SDK.", **marker},
            {"type": "text", "text": "\nYou are an interactive agent.", **marker},
        ],
        "tools": tools,
        "metadata": {"user_id": '{"device_id":"3b0a","account_uuid":"","session_id":"d27b79cf"}'},
        "max_tokens": 64000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stream": True,
    }


def _claude_answered(first: Object, events: list[Object]) -> Object:
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    arguments = "".join(delta["partial_json"] for delta in deltas if delta["type"] == "input_json_delta")
    [call] = [block for block in blocks if block["type"] == "tool_use"]
    assert arguments == '{"command":"example"}'
    call = {**{name: call[name] for name in ("type", "id", "name")}, "input": {"command": "example"}}
    result = {"type": "tool_result", "content": FAILED, "is_error": True, "tool_use_id": call["id"]}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return {**first, "messages": [*first["messages"], *turns]}


def _claude_text(events: list[Object]) -> str:
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")


def _codex_first(words: str) -> Object:
    """With its tools in namespaces, and a freeform one that takes JavaScript."""
    code = {"type": "grammar", "syntax": "lark", "definition": "\nstart: SOURCE\nSOURCE: /[\\s\\S]+/\n"}
    cell = {"cell_id": {"type": "string"}, "max_tokens": {"type": "number"}}
    wait = {"type": "object", "properties": cell, "required": ["cell_id"], "additionalProperties": False}
    message = {"type": "object", "properties": {"message": {"type": "string", "encrypted": True}}}
    functions: list[Object] = [
        {"type": "custom", "name": "exec", "description": "Run JavaScript code", "format": code},
        {"type": "function", "name": "wait", "description": "Waits.", "strict": False, "parameters": wait},
    ]
    spawn = {
        "type": "function",
        "name": "spawn_agent",
        "description": "Spawns.",
        "strict": False,
        "parameters": message,
    }
    namespaces = [
        {"type": "namespace", "name": "functions", "description": "", "tools": functions},
        {"type": "namespace", "name": "collaboration", "description": "For sub-agents.", "tools": [spawn]},
    ]
    said = [
        ("developer", "You are Codex, an agent based on GPT-6."),
        ("developer", "<skills_instructions>\n## Skills\n</skills_instructions>"),
        ("user", "<environment_context>\n  <shell>bash</shell>\n</environment_context>"),
        ("user", words),
    ]
    messages = [
        {"type": "message", "id": f"msg_{n}", "role": role, "content": [{"type": "input_text", "text": text}]}
        for n, (role, text) in enumerate(said)
    ]
    return {
        "model": "gpt-6.1-sol",
        "stream": True,
        "input": [{"type": "additional_tools", "id": "at_1", "role": "developer", "tools": namespaces}, *messages],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "context": "all_turns"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "01a2082b-39a8-7c50-b87b-256532c890cd",
        "text": {"verbosity": "low"},
        "client_metadata": {"x-codex-installation-id": "37850627", "turn_id": "01a2082b"},
    }


def _codex_answered(first: Object, events: list[Object]) -> Object:
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    [call] = [item for item in items if item["type"] == "custom_tool_call"]
    assert (call["namespace"], call["name"], call["input"]) == ("functions", "exec", "example")
    output = [{"type": "input_text", "text": "Script failed\n"}, {"type": "input_text", "text": FAILED}]
    result = {"type": "custom_tool_call_output", "id": "ctco_1", "call_id": call["call_id"], "output": output}
    for item in items:
        if item["type"] == "reasoning":
            item |= {"content": item.get("content"), "encrypted_content": item.get("encrypted_content")}
    return {**first, "input": [*first["input"], *items, result]}


def _codex_text(events: list[Object]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def _gemini_first(words: str) -> Object:
    shell = {"command": COMMAND, "delay_ms": {"type": "integer"}, "is_background": {"type": "boolean"}}
    lines = {"pid": {"type": "integer"}, "lines": {"type": "integer", "minimum": 1, "description": "Optional."}}
    ignore = {"description": "Glob patterns", "items": {"type": "string"}, "type": "array"}
    declared: list[tuple[str, Object]] = [
        (
            "list_directory",
            {"properties": {"dir_path": {"type": "string"}, "ignore": ignore}, "required": ["dir_path"]},
        ),
        ("run_shell_command", {"properties": shell, "required": ["command"]}),
        ("list_background_processes", {"properties": {"wait_for_previous": {"type": "boolean"}}}),
        ("read_background_output", {"properties": lines, "required": ["pid"]}),
    ]
    functions = [
        {"name": name, "description": f"Does {name}.", "parametersJsonSchema": {"type": "object", **schema}}
        for name, schema in declared
    ]
    context = "<session_context>\nThis is the Gemini CLI.\n</session_context>"
    return {
        "contents": [{"parts": [{"text": context}, {"text": words}], "role": "user"}],
        "systemInstruction": {"parts": [{"text": "You are a non-interactive CLI agent."}], "role": "user"},
        "tools": [{"functionDeclarations": functions}],
        "generationConfig": {
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 8192},
        },
    }


def _gemini_parts(events: list[Object]) -> list[Object]:
    return [part for event in events for part in event["candidates"][0]["content"].get("parts", ())]


def _gemini_answered(first: Object, events: list[Object]) -> Object:
    [part] = [part for part in _gemini_parts(events) if "functionCall" in part]
    call = part["functionCall"]
    assert call["args"] == {"command": "example"}
    signed = {"thoughtSignature": part.get("thoughtSignature", "skip_thought_signature_validator")}
    response = {"name": call["name"], "response": {"output": FAILED}, "id": call["id"]}
    turns: list[Object] = [
        {"parts": [{"functionCall": call, **signed}], "role": "model"},
        {"parts": [{"functionResponse": response}], "role": "user"},
    ]
    return {**first, "contents": [*first["contents"], *turns]}


def _gemini_text(events: list[Object]) -> str:
    return "".join(part["text"] for part in _gemini_parts(events) if "text" in part and not part.get("thought"))


_BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"
AGENTS: Mapping[str, Agent] = {
    "anthropic": Agent(
        "/v1/messages?beta=true",
        {"anthropic-version": "2023-06-01", "anthropic-beta": _BETAS, "User-Agent": "claude-cli/2.1.197"},
        "Bash",
        _claude_first,
        _claude_answered,
        _claude_text,
    ),
    "openai-responses": Agent(
        "/v1/responses",
        {"accept": "text/event-stream", "originator": "codex_exec", "User-Agent": "codex_exec/0.169.0"},
        "functions__exec",
        _codex_first,
        _codex_answered,
        _codex_text,
    ),
    "gemini": Agent(
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        {"x-goog-api-client": "google-genai-sdk/1.30.0 gl-node/v20.20.2", "User-Agent": "GeminiCLI-tui/0.61.0"},
        "run_shell_command",
        _gemini_first,
        _gemini_answered,
        _gemini_text,
    ),
}
"""By the dialect they speak."""


def title_request() -> Object:
    """What Claude Code asks beside the session, for a title of it."""
    title = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    output = {"format": {"type": "json_schema", "schema": {**title, "additionalProperties": False}}}
    return {
        "model": "claude-opus-4-8",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "<session>\nList the files.\n</session>"}]}],
        "system": [{"type": "text", "text": "Generate a concise title."}],
        "tools": [],
        "max_tokens": 64000,
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "high", **output},
        "stream": True,
    }


def routing_request() -> Object:
    """What Gemini CLI asks first, to choose a model by: whole, of ``gemini-3.5-flash-lite``."""
    properties = {"complexity_reasoning": {"type": "STRING"}, "complexity_score": {"type": "INTEGER"}}
    schema = {"type": "OBJECT", "properties": properties, "required": [*properties]}
    return {
        "contents": [{"parts": [{"text": text}], "role": "user"} for text in ("<session_context>", "List the files.")],
        "systemInstruction": {"parts": [{"text": "You are a specialized Task Routing AI."}], "role": "user"},
        "generationConfig": {
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "responseMimeType": "application/json",
            "responseJsonSchema": schema,
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"},
        },
    }
