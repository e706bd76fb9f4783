"""The ``Response`` object that a client is told: what it asked for, and what came of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gephyr_core.dialects.decoding import decode
from gephyr_core.dialects.openai_responses.settings_writing import SERVICE_TIERS
from gephyr_core.dialects.translator import ReplyContext

_NULL = msgspec.Raw(b"null")
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""Fields of the request that the response repeats, with what it says where they were not given."""


def response_id(context: ReplyContext) -> str:
    """The response's id as the client is told it."""
    return f"resp_gephyr{context.key}"


def opening(context: ReplyContext, model: str) -> dict[str, Any]:
    """The response as it begins."""
    return {
        "id": response_id(context),
        "object": "response",
        "created_at": context.created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model or context.model,
        "output": [],
        **{name: _echo(context.request, name, default) for name, default in _ECHOED.items()},
        "service_tier": "default",
        "store": context.stored,
        "tools": _tools(context.request),
        "usage": None,
    }


def told_tier(tier: str) -> str:
    """The service tier as the SDK knows it."""
    return tier if tier in SERVICE_TIERS else "default"


def _echo(request: Mapping[str, msgspec.Raw], name: str, default: Any) -> Any:
    told = request.get(name)
    return default if told is None or bytes(told) == bytes(_NULL) else told


def _tools(request: Mapping[str, msgspec.Raw]) -> list[Any]:
    """The tools, with the keys that the object requires. Credentials of MCP servers are not repeated."""
    told = request.get("tools")
    tools = decode(_ANY, bytes(told)) if told is not None else None
    return [_tool(tool) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") == "function":
        return {"parameters": None, "strict": False, **tool}
    if tool.get("type") == "mcp":
        return {name: value for name, value in tool.items() if name not in ("authorization", "headers")}
    return tool
