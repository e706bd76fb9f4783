"""The settings of a request that its response repeats.

The SDK's type demands some of them, and clients read others. What of the request does not fit that type (an older
spelling, another host's extension) is told as the default instead: a reply is not to fail for what it only repeats.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gephyr_core.conversation.prompt import Effort
from gephyr_core.dialects.decoding import decode, mapping

_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_EFFORTS = tuple(effort.value for effort in Effort if effort is not Effort.ADAPTIVE)
_SUMMARIES = ("auto", "concise", "detailed")
_VERBOSITIES = ("low", "medium", "high")
_CHOICES = ("auto", "none", "required")
_NAMED_CHOICES = {"function": "name", "custom": "name", "mcp": "server_label"}
_TYPED_CHOICES = (
    *("file_search", "web_search_preview", "web_search_preview_2025_03_11", "computer", "computer_use_preview"),
    *("computer_use", "image_generation", "code_interpreter", "apply_patch", "shell"),
)
_PLAIN_TOOLS = (
    *("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "tool_search"),
    *("computer", "image_generation", "local_shell", "shell", "apply_patch"),
)
_TOOLS: dict[str, dict[str, type]] = {
    "function": {"name": str},
    "custom": {"name": str},
    "namespace": {"name": str, "description": str, "tools": list},
    "file_search": {"vector_store_ids": list},
    "mcp": {"server_label": str},
    "code_interpreter": {"container": object},
    "computer_use_preview": {"display_height": int, "display_width": int, "environment": str},
    **{kind: {} for kind in _PLAIN_TOOLS},
}
"""Types of tools with the fields that they must have."""
_SECRETS = ("authorization", "headers")
"""Of an MCP server: credentials are not repeated."""


def echoed(request: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """What the response repeats of *request*."""
    return {name: read(_value(request, name)) for name, read in _SETTINGS.items()}


def _value(request: Mapping[str, msgspec.Raw], name: str) -> Any:
    raw = request.get(name)
    return None if raw is None else decode(_ANY, bytes(raw))


def _one_of(*allowed: str, default: str | None = None) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, str) and value in allowed else default


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _parallel(value: Any) -> bool:
    return value is not False


def _metadata(value: Any) -> dict[str, str]:
    return {key: told for key, told in (mapping(value) or {}).items() if isinstance(told, str)}


def _conversation(value: Any) -> dict[str, str] | None:
    told = value if isinstance(value, str) else (mapping(value) or {}).get("id")
    return {"id": told} if isinstance(told, str) else None


def _reasoning(value: Any) -> dict[str, Any]:
    fields = mapping(value) or {}
    effort, summary = fields.get("effort"), fields.get("summary")
    return {"effort": _one_of(*_EFFORTS)(effort), "summary": _one_of(*_SUMMARIES)(summary)}


def _text(value: Any) -> dict[str, Any]:
    fields = mapping(value) or {}
    form = mapping(fields.get("format")) or {}
    schema = isinstance(form.get("name"), str) and isinstance(form.get("schema"), dict)
    known = form.get("type") == "json_object" or (form.get("type") == "json_schema" and schema)
    told: dict[str, Any] = {"format": form if known else {"type": "text"}}
    if (verbosity := _one_of(*_VERBOSITIES)(fields.get("verbosity"))) is not None:
        told["verbosity"] = verbosity
    return told


def _tools(value: Any) -> list[dict[str, Any]]:
    listed = value if isinstance(value, list) else []
    return [told for tool in listed if (told := _tool(mapping(tool) or {})) is not None]


def _tool(tool: dict[str, Any]) -> dict[str, Any] | None:
    kind = tool.get("type")
    needed = _TOOLS.get(kind) if isinstance(kind, str) else None
    if needed is None or not all(name in tool and isinstance(tool[name], of) for name, of in needed.items()):
        return None
    if kind == "function":
        strict = tool.get("strict")
        return {**tool, "parameters": mapping(tool.get("parameters")), "strict": strict is True}
    if kind == "mcp":
        return {name: told for name, told in tool.items() if name not in _SECRETS}
    return tool


def _tool_choice(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in _CHOICES else "auto"
    fields = mapping(value) or {}
    kind = fields.get("type")
    if not isinstance(kind, str):
        return "auto"
    if kind == "allowed_tools":
        listed = fields.get("tools")
        known = isinstance(listed, list) and all(isinstance(tool, dict) for tool in listed)
        return fields if known and fields.get("mode") in ("auto", "required") else "auto"
    named = kind in _NAMED_CHOICES and isinstance(fields.get(_NAMED_CHOICES[kind]), str)
    return fields if named or kind in _TYPED_CHOICES else "auto"


_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "conversation": _conversation,
    "instructions": _string,
    "max_output_tokens": _integer,
    "max_tool_calls": _integer,
    "metadata": _metadata,
    "parallel_tool_calls": _parallel,
    "previous_response_id": _string,
    "prompt_cache_key": _string,
    "reasoning": _reasoning,
    "safety_identifier": _string,
    "temperature": _number,
    "text": _text,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_logprobs": _integer,
    "top_p": _number,
    "truncation": _one_of("auto", "disabled", default="disabled"),
    "user": _string,
}
"""Fields with how each is read; a reader of None gives what is said where the field was not given."""
