"""Tools of a client's request, and which of them the model may use."""

from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    FunctionTool,
    HostedTool,
    Native,
    Tool,
    ToolChoice,
)
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.anthropic.client_tools import equivalent
from gephyr_core.dialects.anthropic.names import NAME, read_cache

TOOL_EXTRAS = ("eager_input_streaming", "input_examples", "allowed_callers")
"""Fields of a tool that only Anthropic knows."""

_HOSTED = (
    ("web_search_", "web_search"),
    ("web_fetch_", "web_fetch"),
    ("code_execution_", "code_execution"),
    ("tool_search_tool_", "tool_search"),
    ("mcp_toolset", "mcp"),
    ("computer_toolset_", "computer"),
)
_CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "any": Choice.REQUIRED, "tool": Choice.NAMED}


def read_tools(body: Fields, native: dict[str, Native]) -> list[Tool]:
    """Take ``tools``."""
    return ToolKeys(body.report).add(_tool(tool, native) for tool in body.children("tools"))


def _tool(tool: Fields, native: dict[str, Native]) -> Tool:
    options = {name: value for name, value in tool.left.items() if name != "cache_control"}
    kind = tool.text("type") or "custom"
    cache = read_cache(tool)
    if kind != "custom":
        tool.text("name")  # The rest is the provider's to check, but tools are told apart by their names.
        tool.left.clear()
        function = equivalent(kind, options)
        if function is not None:
            function = attrs.evolve(function, deferred=True if options.get("defer_loading") is True else None)
            return ClientTool(kind, NAME, options, function, cache, path=tool.path)
        return _hosted(kind, options, tool.path, cache=cache)
    read = FunctionTool(
        tool.required_text("name"),
        tool.text("description") or "",
        tool.mapping("input_schema"),
        tool.flag("strict"),
        cache,
        deferred=tool.flag("defer_loading"),
        path=tool.path,
    )
    for field in TOOL_EXTRAS:
        if (value := tool.take(field)) is not None:
            native[tool.at(field)] = Native(value)
    tool.finish()
    return read


def _hosted(kind: str, options: dict[str, Any], path: str, **cache: Any) -> HostedTool:
    neutral = next((name for beginning, name in _HOSTED if kind.startswith(beginning)), kind)
    uses = options.get("max_uses")
    place = options.get("user_location")
    known = place.items() if isinstance(place, dict) else ()
    return HostedTool(
        neutral,
        kind,
        NAME,
        options,
        _domains(options, "allowed_domains"),
        _domains(options, "blocked_domains"),
        uses if isinstance(uses, int) else None,
        {name: value for name, value in known if name != "type" and isinstance(value, str)} or None,
        path=path,
        **cache,
    )


def _domains(options: dict[str, Any], name: str) -> tuple[str, ...]:
    value = options.get(name)
    return tuple(domain for domain in value if isinstance(domain, str)) if isinstance(value, list) else ()


def read_choice(body: Fields) -> tuple[ToolChoice | None, bool | None]:
    """Take ``tool_choice``: the choice, and whether tools may be called in parallel."""
    fields = body.child("tool_choice")
    if fields is None:
        return None, None
    kind = fields.required_text("type")
    if kind not in _CHOICES:
        raise FieldError(fields.at("type"), f"expected one of {', '.join(_CHOICES)}, got {kind!r}")
    names = (fields.required_text("name"),) if kind == "tool" else ()
    alone = fields.flag("disable_parallel_tool_use")
    fields.finish()
    return ToolChoice(_CHOICES[kind], names, path=fields.path), None if alone is None else not alone
