"""Tools of a client's request, and which of them the model may use."""

from typing import Any

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import CacheMarker
from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Tool,
    ToolChoice,
)
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.openai_chat.part_reading import read_cache
from gephyr_core.dialects.openai_chat.reasoning import NAME

LEGACY = "functions"
"""Type of a function of the legacy ``functions``: its calls are answered as ``function_call``."""
WEB_SEARCH = "web_search_options"
"""Type of the web search that is asked for by a setting."""

_CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "required": Choice.REQUIRED, "any": Choice.REQUIRED}


def read_tools(body: Fields) -> list[Tool]:
    """Take ``tools``, ``functions`` and ``web_search_options``."""
    tools: list[Tool] = [_tool(tool) for tool in body.children("tools")]
    for function in body.children(LEGACY):
        options = dict(function.left)
        tools.append(ClientTool(LEGACY, NAME, options, _function(function, None, None), path=function.path))
        function.finish()
    if (search := body.mapping(WEB_SEARCH)) is not None:
        tools.append(HostedTool("web_search", WEB_SEARCH, NAME, search, location=_location(search), path=WEB_SEARCH))
    return ToolKeys(body.report).add(tools)


def _tool(tool: Fields) -> Tool:
    options = dict(tool.left)
    kind = tool.text("type") or "function"
    cache = read_cache(tool)
    if kind == "function":
        fields = tool.child("function")
        if fields is None:
            raise FieldError(tool.at("function"), "is required")
        read: Tool = _function(fields, cache, tool.path)
        fields.finish()
    elif kind == "custom":
        read = _custom(tool, cache)
    else:
        return HostedTool(kind.rpartition(":")[2], kind, NAME, options, cache=cache, path=tool.path)
    tool.finish()
    return read


def _function(fields: Fields, cache: CacheMarker | None, path: str | None) -> FunctionTool:
    return FunctionTool(
        fields.required_text("name"),
        fields.text("description") or "",
        fields.mapping("parameters"),
        fields.flag("strict"),
        cache,
        path=path or fields.path,
    )


def _custom(tool: Fields, cache: CacheMarker | None) -> FreeformTool:
    fields = tool.child("custom")
    if fields is None:
        raise FieldError(tool.at("custom"), "is required")
    name, description = fields.required_text("name"), fields.text("description") or ""
    syntax = definition = ""
    form = fields.child("format")
    if form is not None:
        form.ignore("type")
        grammar = form.child("grammar")
        if grammar is not None:
            syntax, definition = grammar.required_text("syntax"), grammar.required_text("definition")
            grammar.finish()
        form.finish()
    fields.finish()
    return FreeformTool(name, description, syntax, definition, cache, path=tool.path)


def _location(options: dict[str, Any]) -> dict[str, str] | None:
    place = options.get("user_location")
    place = place.get("approximate", place) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        return None
    return {key: value for key, value in place.items() if key != "type" and isinstance(value, str)} or None


def read_choice(body: Fields) -> ToolChoice | None:
    """Take ``tool_choice``, or the legacy ``function_call``."""
    for name in ("tool_choice", "function_call"):
        value = body.left.get(name)
        if isinstance(value, str):
            del body.left[name]
            if value not in _CHOICES:
                raise FieldError(name, f"expected auto, none, required or an object, got {value!r}")
            return ToolChoice(_CHOICES[value], path=name)
        fields = body.child(name)
        if fields is not None:
            choice = (
                ToolChoice(Choice.NAMED, (fields.required_text("name"),), path=name) if name != "tool_choice" else None
            )
            choice = choice or _named(fields)
            fields.finish()
            return choice
    return None


def _named(fields: Fields) -> ToolChoice:
    kind = fields.text("type") or "function"
    path = fields.path
    if kind == "allowed_tools":
        allowed = fields.child("allowed_tools") or fields
        required = allowed.text("mode") == "required"
        names = tuple(_name(tool) for tool in allowed.children("tools"))
        allowed.finish()
        return ToolChoice(Choice.REQUIRED_OF if required else Choice.ALLOWED, names, path=path)
    if kind not in ("function", "custom"):
        raise fields.report.refused(path, f"a tool choice of type {kind!r} is not known")
    inner = fields.child(kind)
    name = (inner or fields).required_text("name")
    if inner is not None:
        inner.finish()
    return ToolChoice(Choice.NAMED, (name,), path=path)


def _name(tool: Fields) -> str:
    inner = tool.child("function") or tool.child("custom")
    name = (inner or tool).required_text("name")
    if inner is not None:
        inner.finish()
    tool.ignore("type")
    tool.finish()
    return name
