"""Tools for a provider, and which of them its model may use."""

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
from gephyr_core.dialects.anthropic.hosted import BM25
from gephyr_core.dialects.anthropic.marks import Marks
from gephyr_core.dialects.anthropic.names import NAME, tool_name
from gephyr_core.dialects.anthropic.schemas import input_schema, strict_schema
from gephyr_core.dialects.anthropic.tool_reading import TOOL_EXTRAS
from gephyr_core.dialects.translator import Destination, not_available

FORCING = (Choice.REQUIRED, Choice.NAMED, Choice.REQUIRED_OF)
"""Choices that leave the model no way but to call a tool."""
MOST_STRICT = 20
"""Strict tools of one request."""
HOSTED = {
    "web_search": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
    TOOL_SEARCH: "tool_search_tool_bm25_20251119",
}
"""Kinds of hosted tools that Anthropic has too, with the type that all models of today take."""
_NAMES = {TOOL_SEARCH: BM25}
"""What those are called, where that is not their kind."""
_SEARCHING = ("anthropic", "azure", "vertex")
"""Providers that search tools; others who speak this dialect are not known to."""
_CARRIED = (
    "type",
    "name",
    "filters",
    "allowed_domains",
    "blocked_domains",
    "max_uses",
    "user_location",
    "cache_control",
)
"""Options of hosted tools that have a neutral name."""
_NOTHING: tuple[object, ...] = (None, "", [], {})
_FREEFORM_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


@attrs.define
class ToolNames(tool_names.ToolNames):
    """The tools' names as Anthropic is told them."""

    def fitted(self, name: str) -> str:
        """Letters, digits, ``_`` and ``-``, at most 128."""
        return tool_name(name)


@attrs.define
class ToolWriter:
    """Writes one prompt's tools into *body*."""

    prompt: Prompt
    destination: Destination
    report: Report
    names: ToolNames
    marks: Marks
    body: dict[str, Any]
    freeform: list[str] = attrs.field(factory=list)
    """Names of freeform tools, which are carried as functions."""
    _strict: int = 0
    _taken: dict[str, None] = attrs.field(factory=dict)

    def write(self) -> None:
        """Write the tools and the choice among them."""
        kinds = [tool.kind for tool in self.prompt.tools if isinstance(tool, HostedTool) and tool.kind in HOSTED]
        hosted = [_NAMES.get(kind, kind) for kind in kinds]
        self.names.reserve(self.prompt.tools, hosted if self.prompt.dialect != NAME else ())
        tools = [written for tool in self._allowed() if (written := self._named(tool)) is not None]
        if tools:
            self.body["tools"] = tools
        self._choice(self.prompt.tool_choice)

    def _allowed(self) -> tuple[Tool, ...]:
        """The tools that may be called: Anthropic has no lists of those."""
        choice = self.prompt.tool_choice
        if choice is None or choice.choice not in (Choice.ALLOWED, Choice.REQUIRED_OF):
            return self.prompt.tools
        self.report.emulated(choice.path, "only the allowed tools are sent")
        names = dict.fromkeys(choice.names)
        return tuple(tool for tool in self.prompt.tools if called(tool) in names)

    def _named(self, tool: Tool) -> dict[str, Any] | None:
        written = self._tool(tool)
        name = written.get("name")
        if name is not None and name in self._taken:
            self.report.dropped(tool.path, f"there is a tool called {name!r} already")
            return None
        if name is not None:
            self._taken[name] = None
        self.marks.put(written, tool.cache, tool.path)
        return written

    def _tool(self, tool: Tool) -> dict[str, Any]:
        match tool:
            case FunctionTool():
                return self._function(tool)
            case FreeformTool():
                return self._freeform(tool)
            case ClientTool(dialect=dialect) if dialect == NAME:
                return dict(tool.options)
            case ClientTool(type=kind):
                self.report.emulated(tool.path, f"the tool {kind!r} is carried as a function")
                return self._function(attrs.evolve(tool.function, path=tool.path))
        return self._hosted(tool)

    def _function(self, tool: FunctionTool) -> dict[str, Any]:
        name = self.names.of(tool.name)
        if name != tool.name:
            self.report.changed(tool.path, f"the tool is called {name!r} there")
        written: dict[str, Any] = {"name": name}
        if tool.description:
            written["description"] = tool.description
        written["input_schema"] = input_schema(tool.schema, self.report, tool.path)
        if tool.strict and self._may_be_strict(tool):
            written["input_schema"] = strict_schema(written["input_schema"], self.report, tool.path)
            written["strict"] = True
        elif tool.strict is False and self.prompt.dialect == NAME:
            written["strict"] = False
        if tool.deferred is not None and (tool.deferred or self.prompt.dialect == NAME):
            written["defer_loading"] = tool.deferred
        if self.prompt.dialect == NAME:
            for field in TOOL_EXTRAS:
                if (native := self.prompt.native.get(f"{tool.path}.{field}")) is not None:
                    written[field] = native.value
        return written

    def _may_be_strict(self, tool: FunctionTool) -> bool:
        self._strict += 1
        path = f"{tool.path}.strict"
        if not self.destination.capabilities.structured_output:
            self.report.dropped(path, f"model {self.destination.model!r} takes no strict tools")
        elif self._strict > MOST_STRICT:
            self.report.dropped(path, f"only {MOST_STRICT} tools of a request may be strict")
        else:
            return True
        return False

    def _freeform(self, tool: FreeformTool) -> dict[str, Any]:
        self.freeform.append(tool.name)
        self.report.emulated(tool.path, "a freeform tool is carried as a function with one text")
        description = tool.description
        if tool.syntax:
            description = f"{description}\n\nThe input follows this {tool.syntax} grammar:\n{tool.definition}".strip()
        written: dict[str, Any] = {"name": self.names.of(tool.name)}
        if description:
            written["description"] = description
        deferred = {"defer_loading": True} if tool.deferred else {}
        return {**written, "input_schema": _FREEFORM_SCHEMA, **deferred}

    def _hosted(self, tool: HostedTool) -> dict[str, Any]:
        if tool.dialect == NAME:
            return dict(tool.options)
        if reason := lacks(tool, self.destination):
            raise self.report.refused(tool.path, reason)
        if tool.kind == TOOL_SEARCH:
            return {"type": HOSTED[TOOL_SEARCH], "name": BM25}
        for option, value in tool.options.items():
            if option not in _CARRIED and value not in _NOTHING:
                self.report.dropped(f"{tool.path}.{option}", f"{HOSTED[tool.kind]} has no such option")
        written: dict[str, Any] = {"type": HOSTED[tool.kind], "name": tool.kind}
        if tool.kind == "code_execution":
            return written
        if tool.max_uses is not None:
            written["max_uses"] = tool.max_uses
        if tool.allowed_domains:
            written["allowed_domains"] = list(tool.allowed_domains)
            if tool.blocked_domains:
                self.report.dropped(tool.path, "domains are either allowed or blocked: the allowed ones count")
        elif tool.blocked_domains:
            written["blocked_domains"] = list(tool.blocked_domains)
        if tool.location and tool.kind == "web_search":
            written["user_location"] = {"type": "approximate", **tool.location}
        return written

    # -- the choice -------------------------------------------------------------------------------------------------

    def _choice(self, choice: ToolChoice | None) -> None:
        parallel = self.prompt.parallel_tools
        if "tools" not in self.body:
            if choice is not None and choice.choice is not Choice.NONE:
                self.report.dropped(choice.path, "there are no tools to choose from")
            if parallel is False:
                self.report.dropped(self.prompt.path("parallel_tools"), "there are no tools")
            return
        written = self._chosen(choice)
        if parallel is not None and written.get("type") != "none" and (parallel is False or written):
            written.setdefault("type", "auto")
            if parallel is False or self.prompt.dialect == NAME:
                written["disable_parallel_tool_use"] = not parallel
        if written:
            self.body["tool_choice"] = written

    def _chosen(self, choice: ToolChoice | None) -> dict[str, Any]:
        if choice is None:
            return {}
        if choice.choice in FORCING and not self.destination.capabilities.forced_tools:
            raise self.report.refused(choice.path, f"model {self.destination.model!r} cannot be made to call a tool")
        match choice.choice:
            case Choice.AUTO | Choice.ALLOWED:
                return {"type": "auto"}
            case Choice.NONE:
                return {"type": "none"}
            case Choice.REQUIRED | Choice.REQUIRED_OF:
                return {"type": "any"}
        name = choice.names[0]
        tool = next((tool for tool in self.prompt.tools if called(tool) == name), None)
        if tool is None:
            raise self.report.refused(choice.path, f"there is no tool called {name!r}")
        if isinstance(tool, HostedTool):
            return {"type": "tool", "name": name if tool.dialect == NAME else _NAMES.get(tool.kind, tool.kind)}
        return {"type": "tool", "name": self.names.of(name)}


def lacks(tool: HostedTool, destination: Destination) -> str:
    """Why the destination cannot be given a hosted tool; empty where it can."""
    return "" if _has(tool, destination) else not_available(tool, destination)


def _has(tool: HostedTool, destination: Destination) -> bool:
    if tool.kind == TOOL_SEARCH and tool.dialect != NAME:
        return destination.capabilities.tool_search and destination.provider in _SEARCHING
    return tool.dialect == NAME or tool.kind in HOSTED
