"""Tools for a provider, and which of them its model may use."""

import hashlib
import re
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
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects import tool_names
from gephyr_core.dialects.gemini.hosted import OFFERED
from gephyr_core.dialects.gemini.messages import NAME
from gephyr_core.dialects.gemini.schema import parameters
from gephyr_core.dialects.gemini.tool_reading import NATIVE_OF_FUNCTION
from gephyr_core.dialects.translator import Destination, not_available

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_.-]")
_KEPT_OF_NAME = 54
"""Characters of a name that stand before its digest."""
_FREEFORM = {"type": "OBJECT", "properties": {"input": {"type": "STRING"}}, "required": ["input"]}
_MODES = {
    Choice.AUTO: "AUTO",
    Choice.NONE: "NONE",
    Choice.REQUIRED: "ANY",
    Choice.NAMED: "ANY",
    Choice.REQUIRED_OF: "ANY",
    Choice.ALLOWED: "VALIDATED",
}


@attrs.define
class ToolNames(tool_names.ToolNames):
    """The tools' names as Google is told them."""

    def fitted(self, name: str) -> str:
        """Letters, digits, ``_``, ``.`` and ``-``, at most 64, no digit first."""
        if _NAME.fullmatch(name):
            return name
        clean = _NOT_IN_NAME.sub("_", name)
        if not clean[:1].isalpha():
            clean = f"_{clean}"
        return f"{clean[:_KEPT_OF_NAME]}_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


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
    _functions: list[dict[str, Any]] = attrs.field(factory=list)
    _declared: dict[str, None] = attrs.field(factory=dict)
    """The functions' names as the provider is told them."""
    _hosted: list[dict[str, Any]] = attrs.field(factory=list)

    def write(self) -> None:
        """Write tools and the choice among them."""
        for tool in self.prompt.tools:
            self._tool(tool)
        functions = [{"functionDeclarations": self._functions}] if self._functions else []
        if functions or self._hosted:
            self.body["tools"] = [*functions, *self._hosted]
        if functions and self._hosted and self.prompt.dialect != NAME:
            self._together()
        if self.prompt.tool_choice is not None:
            self._choice(self.prompt.tool_choice)
        if self.prompt.parallel_tools is False:
            self.report.dropped(self.prompt.path("parallel_tools"), "Gemini may call several tools at once")

    def _tool(self, tool: Tool) -> None:
        match tool:
            case FunctionTool():
                self._function(tool)
            case FreeformTool():
                self._freeform(tool)
            case ClientTool(type=kind):
                self.report.emulated(tool.path, f"the tool {kind!r} is carried as a function")
                self._function(attrs.evolve(tool.function, path=tool.path))
            case HostedTool():
                self._hosted_tool(tool)

    def _declaration(self, name: str, description: str, path: str) -> dict[str, Any]:
        """Begin a declaration."""
        written = self.names.of(name)
        if written != name:
            self.report.changed(path, f"the tool is called {written!r} there")
        function = {"name": written, "description": description} if description else {"name": written}
        self._functions.append(function)
        self._declared[written] = None
        return function

    def _function(self, tool: FunctionTool) -> None:
        function = self._declaration(tool.name, tool.description, tool.path)
        if self.prompt.dialect == NAME:
            if tool.schema is not None:
                function["parametersJsonSchema"] = tool.schema
            for name in NATIVE_OF_FUNCTION:
                if (native := self.prompt.native.get(f"{tool.path}.{name}")) is not None:
                    function[name] = native.value
            return
        written = parameters(tool.schema, self.report, tool.path)
        if written is not None:
            function["parameters"] = written
        if tool.strict:
            self.report.dropped(f"{tool.path}.strict", "Gemini is not held to a tool's schema")

    def _freeform(self, tool: FreeformTool) -> None:
        description = tool.description
        if tool.syntax:
            description = f"{description}\n\nThe input follows this {tool.syntax} grammar:\n{tool.definition}".strip()
        self._declaration(tool.name, description, tool.path)["parameters"] = _FREEFORM
        self.freeform.append(tool.name)
        self.report.emulated(tool.path, "a freeform tool is carried as a function with one text")

    def _hosted_tool(self, tool: HostedTool) -> None:
        if tool.dialect == NAME:
            self._hosted.append(tool.options)
            return
        name = OFFERED.get(tool.kind)
        if name is None:
            raise self.report.refused(tool.path, not_available(tool, self.destination))
        for option, value in tool.options.items():
            if option not in ("type", "name") and value not in (None, False, [], {}):
                self.report.dropped(f"{tool.path}.{option}", f"{name} takes no such option")
        if {name: {}} not in self._hosted:
            self._hosted.append({name: {}})

    def _together(self) -> None:
        """Functions and Google's own tools in one request: models before Gemini 3 refuse that."""
        if not self.destination.capabilities.signatures_required:
            tool = next(tool for tool in self.prompt.tools if isinstance(tool, HostedTool))
            raise self.report.refused(tool.path, _beside_functions(tool, self.destination))
        self.body["toolConfig"] = {"includeServerSideToolInvocations": True}

    def _choice(self, choice: ToolChoice) -> None:
        own = self.prompt.dialect == NAME
        if not self._functions and not own:
            self.report.dropped(choice.path, "there are no functions to choose from")
            return
        forced = choice.choice in (Choice.REQUIRED, Choice.NAMED, Choice.REQUIRED_OF)
        if forced and not self.destination.capabilities.forced_tools:
            raise self.report.refused(choice.path, f"model {self.destination.model!r} cannot be made to call a tool")
        names = [self.names.of(name) for name in choice.names]
        allowed = [name for name in names if own or name in self._declared]
        if forced and names and not allowed:
            raise self.report.refused(choice.path, f"tool {choice.names[0]!r} is no function of this request")
        if len(allowed) < len(names):
            self.report.changed(choice.path, "only functions can be told apart by name")
        mode = "AUTO" if choice.choice is Choice.ALLOWED and not allowed else _MODES[choice.choice]
        calling: dict[str, Any] = {"mode": mode}
        if allowed:
            calling["allowedFunctionNames"] = allowed
        self.body.setdefault("toolConfig", {})["functionCallingConfig"] = calling


def lacks(tool: HostedTool, destination: Destination, *, alone: bool) -> str:
    """Why the destination cannot be given a hosted tool; empty where it can. *alone*: no functions are offered."""
    if tool.dialect == NAME:
        return ""
    if alone or destination.capabilities.signatures_required:
        return "" if tool.kind in OFFERED else not_available(tool, destination)
    return _beside_functions(tool, destination)


def _beside_functions(tool: HostedTool, destination: Destination) -> str:
    if tool.kind not in OFFERED:
        return not_available(tool, destination)
    return f"hosted tool {tool.type!r} cannot stand beside functions on {destination.model!r}"
