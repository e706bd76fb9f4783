"""Tools of a client's request, and which of them the model may use."""

from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.prompt import (
    TOOL_SEARCH,
    Choice,
    ClientTool,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Native,
    Tool,
    ToolChoice,
    called,
)
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.decoding import mapping, text
from gephyr_core.dialects.openai_responses.client_tools import (
    FREEFORM_SCHEMA,
    NAMESPACE,
    NAMESPACE_FREEFORM,
    TYPED,
    client_tool,
    flat_name,
    known_name,
)
from gephyr_core.dialects.openai_responses.sealing import NAME

_KINDS = {"code_interpreter": "code_execution", "shell": "code_execution"}
_TUNING = ("programmatic_tool_calling",)
"""Without these, tools are called one by one."""
_CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "required": Choice.REQUIRED}


def read_tools(owner: Fields, native: dict[str, Native]) -> list[Tool]:
    """Take ``tools``, which may be of one name. What only OpenAI has goes to *native* by its path."""
    tools: list[Tool] = []
    for tool in owner.children("tools"):
        tools += _tool(tool, native)
    return tools


def _tool(tool: Fields, native: dict[str, Native]) -> Iterator[Tool]:
    options = dict(tool.left)
    kind = tool.required_text("type")
    if kind == "function":
        yield _function(tool)
        _keep(tool, native)
        return
    if kind == "custom":
        yield _custom(tool)
        _keep(tool, native)
        return
    tool.left.clear()
    if kind == "namespace":
        yield from _namespace(options, tool)
    elif kind in _TUNING and options.get("execution") != "client":
        native[tool.path] = Native(options)
    elif _is_client(kind, options) and (client := client_tool(kind, options, tool.path)) is not None:
        yield client
    else:
        yield _hosted(kind, options, tool.path)


def _is_client(kind: str, options: dict[str, Any]) -> bool:
    if kind == TOOL_SEARCH:
        return options.get("execution") == "client"
    environment = mapping(options.get("environment"))
    return kind != "shell" or environment is None or environment.get("type") == "local"


def _function(tool: Fields) -> FunctionTool:
    inner = tool.child("function")  # as in Chat, which some clients write here too
    fields = inner or tool
    read = FunctionTool(
        fields.required_text("name"),
        fields.text("description") or "",
        fields.mapping("parameters"),
        fields.flag("strict"),
        deferred=fields.flag("defer_loading"),
        path=tool.path,
    )
    if inner is not None:
        inner.finish()
    return read


def _custom(tool: Fields) -> FreeformTool:
    name, description = tool.required_text("name"), tool.text("description") or ""
    deferred = tool.flag("defer_loading")
    syntax = definition = ""
    form = tool.child("format")
    if form is not None:
        if form.text("type") == "grammar":
            syntax, definition = form.required_text("syntax"), form.required_text("definition")
        form.finish()
    return FreeformTool(name, description, syntax, definition, deferred=deferred, path=tool.path)


def _keep(tool: Fields, native: dict[str, Native]) -> None:
    for name, value in tool.left.items():
        if value is not None and value is not False:
            native[tool.at(name)] = Native(value)
    tool.left.clear()


def _namespace(options: dict[str, Any], owner: Fields) -> Iterator[Tool]:
    """Flatten a namespace: a function of it is called by both names."""
    namespace, about = text(options.get("name")) or "", text(options.get("description")) or ""
    inner = Fields({"tools": options.get("tools")}, owner.path, owner.report)
    for fields in inner.children("tools"):
        told = dict(fields.left)
        freeform = fields.text("type") == "custom"
        if freeform:
            custom = _custom(fields)
            name, description, schema = custom.name, custom.description, dict(FREEFORM_SCHEMA)
            deferred = custom.deferred
        else:
            function = _function(fields)
            name, description, schema = function.name, function.description, function.schema or {}
            deferred = function.deferred
        fields.left.clear()
        described = f"{about}\n\n{description}".strip()
        kind = (NAMESPACE_FREEFORM if freeform else NAMESPACE) + namespace
        flat = FunctionTool(
            flat_name(namespace, name),
            described,
            schema or None,
            own_name=name if namespace else "",
            deferred=deferred,
            path=fields.path,
        )
        yield ClientTool(kind, NAME, {**options, "tools": [told]}, flat, path=fields.path)


def _hosted(kind: str, options: dict[str, Any], path: str) -> HostedTool:
    tool = "web_search" if kind.startswith("web_search") else _KINDS.get(kind, kind)
    filters = mapping(options.get("filters")) or {}
    place = mapping(options.get("user_location")) or {}
    location = {key: value for key, value in place.items() if key != "type" and isinstance(value, str)}
    domains, blocked = filters.get("allowed_domains"), filters.get("blocked_domains")
    return HostedTool(
        tool,
        kind,
        NAME,
        options,
        tuple(domains) if isinstance(domains, list) and tool == "web_search" else (),
        tuple(blocked) if isinstance(blocked, list) and tool == "web_search" else (),
        location=location or None,
        path=path,
    )


# -- the choice -------------------------------------------------------------------------------------------------------


def read_choice(body: Fields, native: dict[str, Native], tools: list[Tool], keys: ToolKeys) -> ToolChoice | None:
    """Take ``tool_choice``."""
    value = body.left.get("tool_choice")
    if isinstance(value, str):
        del body.left["tool_choice"]
        if value not in _CHOICES:
            raise FieldError("tool_choice", f"expected auto, none, required or an object, got {value!r}")
        return ToolChoice(_CHOICES[value], path="tool_choice")
    options = dict(value) if isinstance(value, dict) else {}
    fields = body.child("tool_choice")
    if fields is None:
        return None
    kind = fields.required_text("type")
    if kind == "allowed_tools":
        required = fields.text("mode") == "required"
        known = _Named.of(tools, keys)
        names = tuple(name for tool in fields.array("tools") if (name := known.by(tool)))
        fields.finish()
        if required or names:
            return ToolChoice(Choice.REQUIRED_OF if required else Choice.ALLOWED, names, path=fields.path)
        return ToolChoice(Choice.NONE, path=fields.path)
    name = _Named.of(tools, keys).by(options)
    fields.left.clear()
    if name:
        return ToolChoice(Choice.NAMED, (name,), path=fields.path)
    native["tool_choice"] = Native(options, essential=True)
    return None


@attrs.frozen
class _Named:
    """The tools that a choice may name."""

    keys: ToolKeys
    functions: dict[str, None]
    clients: dict[str, None]
    """Those of the functions that stand for typed tools of the client's."""
    hosted: dict[str, None]

    @classmethod
    def of(cls, tools: list[Tool], keys: ToolKeys) -> "_Named":
        """Sort *tools*."""
        clients = {called(tool): None for tool in tools if isinstance(tool, ClientTool)}
        functions = {called(tool): None for tool in tools if not isinstance(tool, HostedTool)}
        hosted = {called(tool): None for tool in tools if isinstance(tool, HostedTool)}
        return cls(keys, functions, clients, hosted)

    def by(self, reference: object) -> str:
        """The name that a reference to a tool means; empty for one that is not there."""
        fields = mapping(reference) or {}
        kind = text(fields.get("type")) or "function"
        inner = mapping(fields.get("function")) or fields
        if kind in ("function", "custom"):
            return known_name(self.keys, text(fields.get("namespace")) or "", text(inner.get("name")) or "")
        known = client_tool(kind, {}, "")
        typed = None if known is None else self.keys.of(TYPED, known.function.name)
        if typed is not None:
            return typed
        label = {"server_label": fields.get("server_label")} if kind == "mcp" else {}
        name = called(HostedTool(kind, kind, NAME, label))
        return name if name in self.hosted and name not in self.functions else ""
