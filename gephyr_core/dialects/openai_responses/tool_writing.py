"""Tools for a provider, and which of them its model may use."""

import re
from collections.abc import Iterable
from typing import Any

import attrs

from gephyr_core.conversation.prompt import (
    TOOL_SEARCH,
    Choice,
    ClientTool,
    FreeformTool,
    FunctionTool,
    HostedTool,
    Prompt,
    Tool,
    ToolChoice,
    called,
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects import tool_names
from gephyr_core.dialects.decoding import mapping
from gephyr_core.dialects.openai_chat.schemas import can_be_strict, parameters
from gephyr_core.dialects.openai_chat.targets import is_openai, tool_name
from gephyr_core.dialects.openai_responses.client_tools import FREEFORM_SCHEMA, namespace_of
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.translator import Destination, not_available

_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
_CONTEXT_SIZES = ("low", "medium", "high")
_KNOWN_OPTIONS = (
    *("type", "name", "max_uses", "allowed_domains", "blocked_domains", "user_location", "cache_control"),
    *("search_context_size", "parameters"),
)
"""Options of others' hosted tools that are read, or told of elsewhere."""
_OF_TOOL = re.compile(r"tools\[([0-9]+)\]")
_HOSTED = {"web_search": "web_search", "code_execution": "code_interpreter", TOOL_SEARCH: "tool_search"}


@attrs.define
class ToolNames(tool_names.ToolNames):
    """The tools' names as OpenAI is told them."""

    takes_freeform: bool
    """The provider takes ``custom`` tools."""
    deferred: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """Tools that a search has to find, as they were written, by their names."""
    clients: dict[str, ClientTool] = attrs.field(factory=dict)
    """This dialect's own client tools by the names of their functions."""

    def fitted(self, name: str) -> str:
        """Letters, digits, ``_`` and ``-``, at most 64."""
        return tool_name(name)

    def client_tool(self, name: str) -> ClientTool | None:
        """The typed tool whose function is called *name*."""
        return self.clients.get(name)


@attrs.define
class ToolWriter:
    """Writes one prompt's tools."""

    prompt: Prompt
    destination: Destination
    report: Report
    names: ToolNames
    body: dict[str, Any]
    freeform: list[str] = attrs.field(factory=list)
    """Names of freeform tools that are carried as functions."""
    _extra: dict[str, dict[str, Any]] | None = None
    """Fields that only this dialect has, by the path of what they are of."""

    @property
    def own(self) -> bool:
        """The client speaks this dialect too."""
        return self.prompt.dialect == NAME

    def write(self) -> None:
        """Write tools, the choice among them, and whether they may be called in parallel."""
        tools: list[dict[str, Any]] = []
        for tool in self.prompt.tools:
            self._add(tools, tool)
        if self.own:
            tools = self._with_native(tools)
        if tools:
            self.body["tools"] = tools
        if self.prompt.tool_choice is not None:
            self._choice(self.prompt.tool_choice, any_tool=bool(tools))
        parallel = self.prompt.parallel_tools
        if parallel is not None:
            if tools or self.own:
                self.body["parallel_tool_calls"] = parallel
            else:
                self.report.dropped(self.prompt.path("parallel_tools"), "there are no tools")

    def _with_native(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put back the tools and the fields of tools that only this dialect has."""
        found = ((_OF_TOOL.fullmatch(path), native.value) for path, native in self.prompt.native.items())
        added = {int(match[1]): value for match, value in found if match}
        placed: list[dict[str, Any]] = []
        for tool in tools:
            while len(placed) in added:
                placed.append(added.pop(len(placed)))
            placed.append(tool)
        return [*placed, *added.values()]

    def _add(self, tools: list[dict[str, Any]], tool: Tool) -> None:
        if tool.cache is not None:
            path = tool.cache.path or tool.path
            self.report.dropped(path, f"provider {self.destination.provider!r} takes no cache marker on a tool")
        match tool:
            case FunctionTool():
                tools.append(self._deferred(tool, self._function(tool)))
            case FreeformTool():
                tools.append(self._deferred(tool, self._freeform(tool)))
            case ClientTool(dialect=dialect) if dialect == NAME:
                self.names.clients[tool.function.name] = tool
                self._own_client_tool(tools, tool)
            case ClientTool(type=kind):
                self.report.emulated(tool.path, f"the tool {kind!r} is carried as a function")
                function = attrs.evolve(tool.function, path=tool.path)
                tools.append(self._deferred(function, self._function(function)))
            case HostedTool():
                tools.append(self._hosted(tool))

    @staticmethod
    def _own_client_tool(tools: list[dict[str, Any]], tool: ClientTool) -> None:
        """Write a typed tool as it came. The functions of a namespace are gathered in it again."""
        last = tools[-1] if tools else {}
        if last.get("type") == "namespace" and namespace_of(tool) and last.get("name") == tool.options.get("name"):
            last["tools"] += tool.options["tools"]
        elif namespace_of(tool):
            tools.append({**tool.options, "tools": [*tool.options["tools"]]})
        else:
            tools.append(tool.options)

    def _function(self, tool: FunctionTool) -> dict[str, Any]:
        name = self.names.of(tool.name)
        if name != tool.name:
            self.report.changed(tool.path, f"the tool is called {name!r} there")
        function: dict[str, Any] = {"type": "function", "name": name}
        if tool.description:
            function["description"] = tool.description
        if self.own:
            return {**function, "parameters": tool.schema, "strict": tool.strict, **self._extras(tool.path)}
        schema = parameters(tool.schema or _NO_PARAMETERS, self.report, tool.path)
        strict = bool(tool.strict)
        if strict and not can_be_strict(schema):
            strict = False
            self.report.changed(tool.path, "the schema cannot be held to strictly: OpenAI wants all fields required")
        return {**function, "parameters": schema, "strict": strict}

    def _deferred(self, tool: FunctionTool | FreeformTool, written: dict[str, Any]) -> dict[str, Any]:
        if tool.deferred is None or not (tool.deferred or self.own):
            return written
        written = {**written, "defer_loading": tool.deferred}
        if tool.deferred and not self.own:
            self.names.deferred[tool.name] = written
        return written

    def _freeform(self, tool: FreeformTool) -> dict[str, Any]:
        name = self.names.of(tool.name)
        if self.names.takes_freeform:
            custom: dict[str, Any] = {"type": "custom", "name": name}
            if tool.description:
                custom["description"] = tool.description
            if tool.syntax:
                custom["format"] = {"type": "grammar", "syntax": tool.syntax, "definition": tool.definition}
            return {**custom, **self._extras(tool.path)}
        self.freeform.append(tool.name)
        self.report.emulated(tool.path, "a freeform tool is carried as a function with one text")
        description = tool.description
        if tool.syntax:
            description = f"{description}\n\nThe input follows this {tool.syntax} grammar:\n{tool.definition}".strip()
        described = {"description": description} if description else {}
        return {"type": "function", "name": name, **described, "parameters": FREEFORM_SCHEMA, "strict": False}

    def _extras(self, path: str) -> dict[str, Any]:
        """The fields of a tool that only this dialect has."""
        if not self.own:
            return {}
        if self._extra is None:
            self._extra = {}
            for place, one in self.prompt.native.items():
                owner, _, name = place.rpartition(".")
                self._extra.setdefault(owner, {})[name] = one.value
        return self._extra.get(path, {})

    def _hosted(self, tool: HostedTool) -> dict[str, Any]:
        if tool.dialect == NAME:
            return tool.options
        if reason := lacks(tool, self.destination):
            raise self.report.refused(tool.path, reason)
        if tool.kind == TOOL_SEARCH:
            return {"type": "tool_search"}
        for name in tool.options:
            if name not in _KNOWN_OPTIONS:
                self.report.dropped(f"{tool.path}.{name}", "this option of the tool is not OpenAI's")
        if tool.kind == "code_execution":
            return {"type": "code_interpreter", "container": {"type": "auto"}}
        return self._web_search(tool)

    def _web_search(self, tool: HostedTool) -> dict[str, Any]:
        written: dict[str, Any] = {"type": "web_search"}
        # OpenRouter's stands among parameters.
        options = {**tool.options, **(mapping(tool.options.get("parameters")) or {})}
        if options.get("search_context_size") in _CONTEXT_SIZES:
            written["search_context_size"] = options["search_context_size"]
        if tool.allowed_domains:
            written["filters"] = {"allowed_domains": list(tool.allowed_domains)}
        if tool.location:
            written["user_location"] = {"type": "approximate", **tool.location}
        if tool.blocked_domains:
            self.report.dropped(tool.path, "domains cannot be kept out of a web search at OpenAI")
        if tool.max_uses is not None:
            self.report.dropped(tool.path, "how often one tool is used cannot be limited at OpenAI")
        return written

    # -- the choice -------------------------------------------------------------------------------------------------

    def _choice(self, choice: ToolChoice, *, any_tool: bool) -> None:
        if not any_tool and not self.own:
            self.report.dropped(choice.path, "there are no tools to choose from")
            return
        if choice.choice in (Choice.REQUIRED, Choice.NAMED, Choice.REQUIRED_OF):
            self._may_force(choice)
        match choice.choice:
            case Choice.AUTO | Choice.NONE | Choice.REQUIRED:
                self.body["tool_choice"] = choice.choice.value
            case Choice.NAMED:
                self.body["tool_choice"] = self._references(choice.names[:1])[0]
            case _:
                mode = "required" if choice.choice is Choice.REQUIRED_OF else "auto"
                tools = self._references(choice.names)
                self.body["tool_choice"] = {"type": "allowed_tools", "mode": mode, "tools": tools}

    def _may_force(self, choice: ToolChoice) -> None:
        if not self.destination.capabilities.forced_tools:
            raise self.report.refused(choice.path, f"model {self.destination.model!r} cannot be made to call a tool")

    def _references(self, names: Iterable[str]) -> list[dict[str, Any]]:
        hosted: dict[str, HostedTool] = {}
        for tool in self.prompt.tools:
            if isinstance(tool, HostedTool):
                hosted.setdefault(called(tool), tool)
        freeform = {tool.name: None for tool in self.prompt.tools if isinstance(tool, FreeformTool)}
        return [self._reference(name, hosted.get(name), freeform=name in freeform) for name in names]

    def _reference(self, name: str, tool: HostedTool | None, *, freeform: bool) -> dict[str, Any]:
        client = self.names.client_tool(name)
        if client is not None and not namespace_of(client):
            return {"type": client.type}
        if client is not None:
            return {"type": "function", "name": client.function.own_name, "namespace": namespace_of(client)}
        if tool is not None:
            label = {"server_label": name} if tool.kind == "mcp" else {}
            return {"type": _HOSTED.get(tool.kind, tool.type) if tool.dialect != NAME else tool.type, **label}
        kind = "custom" if freeform and self.names.takes_freeform else "function"
        return {"type": kind, "name": self.names.of(name)}


def lacks(tool: HostedTool, destination: Destination) -> str:
    """Why the destination cannot be given a hosted tool; empty where it can."""
    return "" if _has(tool, destination) else not_available(tool, destination)


def _has(tool: HostedTool, destination: Destination) -> bool:
    if tool.dialect == NAME:
        return True
    searches = tool.kind != TOOL_SEARCH or destination.capabilities.tool_search
    return searches and tool.kind in _HOSTED and is_openai(destination)
