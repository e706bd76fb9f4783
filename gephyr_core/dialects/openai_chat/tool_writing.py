"""Tools for a provider, and which of them its model may use."""

from collections.abc import Sequence
from typing import Any

import attrs

from gephyr_core.conversation.prompt import (
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
from gephyr_core.dialects.openai_chat.reasoning import NAME
from gephyr_core.dialects.openai_chat.schemas import can_be_strict, parameters
from gephyr_core.dialects.openai_chat.targets import is_openai, marker_field, marker_object, tool_name
from gephyr_core.dialects.openai_chat.tool_reading import LEGACY, WEB_SEARCH
from gephyr_core.dialects.translator import Destination, not_available

_FREEFORM_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


@attrs.define
class ToolNames(tool_names.ToolNames):
    """The tools' names as OpenAI is told them."""

    takes_freeform: bool
    """The provider takes ``custom`` tools."""

    def fitted(self, name: str) -> str:
        """Letters, digits, ``_`` and ``-``, at most 64."""
        return tool_name(name)


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

    def write(self) -> None:
        """Write tools, the choice among them, and whether they may be called in parallel."""
        tools = [written for tool in self.prompt.tools if (written := self._tool(tool)) is not None]
        if tools:
            self.body["tools"] = tools
        self._choice(self.prompt.tool_choice)
        parallel = self.prompt.parallel_tools
        if parallel is not None:
            if tools or LEGACY in self.body:
                self.body["parallel_tool_calls"] = parallel
            elif self.prompt.dialect != NAME:
                self.report.dropped(self.prompt.path("parallel_tools"), "there are no tools")
            else:
                self.body["parallel_tool_calls"] = parallel

    def _tool(self, tool: Tool) -> dict[str, Any] | None:
        match tool:
            case FunctionTool():
                return self._marked(self._function(tool), tool)
            case FreeformTool():
                return self._marked(self._freeform(tool), tool)
            case ClientTool(type=kind) if kind == LEGACY and self.prompt.dialect == NAME:
                self.body.setdefault(LEGACY, []).append(tool.options)
                return None
            case ClientTool(type=kind):
                self.report.emulated(tool.path, f"the tool {kind!r} is carried as a function")
                return self._marked(self._function(attrs.evolve(tool.function, path=tool.path)), tool)
        return self._hosted(tool)

    def _function(self, tool: FunctionTool) -> dict[str, Any]:
        name = self.names.of(tool.name)
        if name != tool.name:
            self.report.changed(tool.path, f"the tool is called {name!r} there")
        function: dict[str, Any] = {"name": name}
        if tool.description:
            function["description"] = tool.description
        own = self.prompt.dialect == NAME
        schema = tool.schema
        if schema is not None:
            schema = schema if own else parameters(schema, self.report, tool.path)
            function["parameters"] = schema
        if tool.strict is not None:
            strict = tool.strict and (own or (schema is not None and can_be_strict(schema)))
            if strict is not tool.strict:
                self.report.changed(
                    tool.path, "the schema cannot be held to strictly: OpenAI wants all fields required"
                )
            function["strict"] = strict
        return {"type": "function", "function": function}

    def _freeform(self, tool: FreeformTool) -> dict[str, Any]:
        name = self.names.of(tool.name)
        if self.names.takes_freeform:
            custom: dict[str, Any] = {"name": name}
            if tool.description:
                custom["description"] = tool.description
            if tool.syntax:
                grammar = {"syntax": tool.syntax, "definition": tool.definition}
                custom["format"] = {"type": "grammar", "grammar": grammar}
            return {"type": "custom", "custom": custom}
        self.freeform.append(tool.name)
        self.report.emulated(tool.path, "a freeform tool is carried as a function with one text")
        description = tool.description
        if tool.syntax:
            description = f"{description}\n\nThe input follows this {tool.syntax} grammar:\n{tool.definition}".strip()
        function = {"name": name, "description": description, "parameters": _FREEFORM_SCHEMA}
        return {"type": "function", "function": function}

    def _hosted(self, tool: HostedTool) -> dict[str, Any] | None:
        if tool.dialect == NAME:
            if tool.type == WEB_SEARCH:
                self.body[WEB_SEARCH] = tool.options
                return None
            return tool.options
        if reason := lacks(tool, self.destination):
            raise self.report.refused(tool.path, reason)
        if self.destination.provider == "openrouter":
            self._web_plugin(tool)
        else:
            self._web_search(tool)
        return None

    def _web_search(self, tool: HostedTool) -> None:
        place = {key: value for key, value in (tool.location or {}).items() if key != "type"}
        self.body[WEB_SEARCH] = {"user_location": {"type": "approximate", "approximate": place}} if place else {}
        if tool.allowed_domains or tool.blocked_domains or tool.max_uses is not None:
            self.report.dropped(tool.path, "limits of a web search (domains, number of uses) cannot be said in Chat")

    def _web_plugin(self, tool: HostedTool) -> None:
        self.body["plugins"] = [{"id": "web"}]
        self.report.emulated(
            tool.path, "the search is OpenRouter's web plugin: it searches once, before the model answers"
        )
        if tool.allowed_domains or tool.blocked_domains or tool.max_uses is not None or tool.location:
            self.report.dropped(
                tool.path, "limits of a web search (domains, place, number of uses) cannot be said there"
            )

    def _marked(self, written: dict[str, Any], tool: Tool) -> dict[str, Any]:
        if tool.cache is not None:
            if marker_field(self.destination) == "cache_control":
                written["cache_control"] = marker_object("cache_control", tool.cache)
            else:
                self.report.dropped(
                    tool.cache.path or tool.path,
                    f"provider {self.destination.provider!r} takes no cache marker on a tool",
                )
        return written

    # -- the choice -------------------------------------------------------------------------------------------------

    def _choice(self, choice: ToolChoice | None) -> None:
        if choice is None:
            return
        legacy = LEGACY in self.body and "tools" not in self.body
        if not (self.body.get("tools") or legacy or self.prompt.dialect == NAME):
            self.report.dropped(choice.path, "there are no tools to choose from")
            return
        choice = self._of_functions(choice)
        if choice.choice in (Choice.REQUIRED, Choice.NAMED, Choice.REQUIRED_OF):
            self._may_force(choice)
        match choice.choice:
            case Choice.AUTO | Choice.NONE | Choice.REQUIRED:
                written: Any = choice.choice.value
            case Choice.NAMED if legacy:
                written = {"name": choice.names[0]}
            case Choice.NAMED:
                written = self._references(choice.names[:1])[0]
            case _:
                mode = "required" if choice.choice is Choice.REQUIRED_OF else "auto"
                written = self._allowed(choice, mode)
        self.body["function_call" if legacy else "tool_choice"] = written

    def _of_functions(self, choice: ToolChoice) -> ToolChoice:
        """The choice without other dialects' web searches: here these are no tools that could be named."""
        searches = {called(tool): None for tool in self.prompt.tools if isinstance(tool, HostedTool)}
        names = tuple(name for name in choice.names if name not in searches)
        if self.prompt.dialect == NAME or len(names) == len(choice.names):
            return choice
        self.report.emulated(choice.path, "the web search that it names is a setting there, and always on")
        return attrs.evolve(choice, names=names) if names else ToolChoice(Choice.NONE, path=choice.path)

    def _allowed(self, choice: ToolChoice, mode: str) -> Any:
        if is_openai(self.destination) or self.prompt.dialect == NAME:
            tools = self._references(choice.names)
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}
        allowed = {self.names.of(name): None for name in choice.names}
        self.body["tools"] = [tool for tool in self.body["tools"] if _name_of(tool) in allowed]
        self.report.emulated(choice.path, "only the allowed tools are sent")
        return mode

    def _may_force(self, choice: ToolChoice) -> None:
        if not self.destination.capabilities.forced_tools:
            raise self.report.refused(choice.path, f"model {self.destination.model!r} cannot be made to call a tool")

    def _references(self, names: Sequence[str]) -> list[dict[str, Any]]:
        freeform = {tool.name: None for tool in self.prompt.tools if isinstance(tool, FreeformTool)}
        kinds = ["custom" if name in freeform and self.names.takes_freeform else "function" for name in names]
        return [{"type": kind, kind: {"name": self.names.of(name)}} for name, kind in zip(names, kinds, strict=True)]


def _name_of(tool: dict[str, Any]) -> str:
    inner: dict[str, Any] = tool.get("function") or tool.get("custom") or {}
    return str(inner.get("name", ""))


def lacks(tool: HostedTool, destination: Destination) -> str:
    """Why the destination cannot be given a hosted tool; empty where it can."""
    return "" if _has(tool, destination) else not_available(tool, destination)


def _has(tool: HostedTool, destination: Destination) -> bool:
    if tool.dialect == NAME:
        return True
    searches = is_openai(destination) and "search" in destination.model
    return tool.kind == "web_search" and (searches or destination.provider == "openrouter")
