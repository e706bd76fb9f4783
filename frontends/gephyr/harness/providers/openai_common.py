"""What the OpenAI dialects read alike: limits, stop sequences, tool choice."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gephyr.harness.providers.speech import Choice, OfferedTool
from gephyr.harness.providers.wire import RequestError, convert


def limit_of(param: str, limit: int | None) -> int | None:
    """Check a token limit. Raises :class:`RequestError` below one."""
    if limit is not None and limit < 1:
        raise RequestError(400, "expected at least 1", param=param)
    return limit


def stops_of(stop: str | list[str] | None) -> tuple[str, ...]:
    """Return the stop sequences of a ``stop`` field."""
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


class NamedTool(msgspec.Struct):
    """A tool as a choice names it."""

    type: str = "function"
    name: str | None = None


class ToolChoice(msgspec.Struct):
    """``tool_choice`` as an object: the nested form of Chat, or the flat one of Responses."""

    type: str
    name: str | None = None
    function: NamedTool | None = None
    custom: NamedTool | None = None
    mode: str = "auto"
    tools: list["ToolChoice"] = []
    allowed_tools: "AllowedTools | None" = None

    @property
    def tool_name(self) -> str | None:
        """The name of the client's tool that is meant; None for a hosted tool."""
        nested = self.function or self.custom
        named = nested.name if nested else self.name
        return named if self.type in {"function", "custom"} else None


class AllowedTools(msgspec.Struct):
    """``allowed_tools`` of Chat."""

    mode: str
    tools: list[ToolChoice]


def choice_of(
    given: str | Mapping[str, Any] | None, tools: Sequence[OfferedTool]
) -> tuple[Choice, tuple[OfferedTool, ...]]:
    """Read a ``tool_choice``: whether to call, and which of *tools* may be called.

    Raises :class:`RequestError` for a word that is no choice, or a name that no tool has.
    """
    if given is None or isinstance(given, str):
        word = given or "auto"
        if word not in {"auto", "none", "required"}:
            raise RequestError(400, "expected 'auto', 'none', 'required' or an object", param="tool_choice")
        return Choice(word), tuple(tools)
    choice = convert(given, ToolChoice)
    if choice.type == "allowed_tools":
        allowed = choice.allowed_tools or choice
        names = [tool.tool_name for tool in allowed.tools]
        mode = Choice.REQUIRED if allowed.mode == "required" else Choice.AUTO
        return mode, tuple(tool for tool in tools if tool.name in names)
    if choice.tool_name is None:  # A hosted tool is chosen; the simulated provider has none.
        return Choice.NONE, ()
    chosen = tuple(tool for tool in tools if tool.name == choice.tool_name)[:1]
    if not chosen:
        raise RequestError(400, f"tool '{choice.tool_name}' not found in 'tools'", param="tool_choice")
    return Choice.REQUIRED, chosen
