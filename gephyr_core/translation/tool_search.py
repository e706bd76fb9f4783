"""Tools that are only loaded once a search found them, where the destination has no such search.

Anthropic (``tool_search_tool_*``) and OpenAI (Responses' ``tool_search``) have one. Elsewhere, and where the client
runs the search itself, all tools are offered from the start.
"""

import attrs

from gephyr_core.conversation.parts import HostedCall, HostedResult, Part
from gephyr_core.conversation.prompt import TOOL_SEARCH, ClientTool, HostedTool, Prompt, Tool, Turn, is_search
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import Destination
from gephyr_core.translation.hosted_tools import lacking_tools


def with_loaded_tools(prompt: Prompt, destination: Destination, report: Report) -> Prompt:
    """Return *prompt* with all tools loaded, unless *destination* searches them for it."""
    if prompt.dialect == destination.dialect:
        return prompt
    searches = [place for place, tool in enumerate(prompt.tools) if is_search(tool)]
    lacking = lacking_tools(prompt, destination) if searches else {}
    if any(place not in lacking for place in searches):
        return prompt
    for place in searches:
        reason = f"model {destination.model!r} cannot search tools: all are offered from the start"
        report.emulated(prompt.tools[place].path, reason)
    tools = tuple(_loaded(tool, report) for tool in prompt.tools if not is_search(tool))
    turns = tuple(_without_searches(turn, report) for turn in prompt.turns)
    return attrs.evolve(prompt, tools=tools, turns=turns)


def _loaded(tool: Tool, report: Report) -> Tool:
    if isinstance(tool, HostedTool):
        return tool
    function = tool.function if isinstance(tool, ClientTool) else tool
    if not function.deferred:
        return tool
    report.emulated(f"{tool.path}.defer_loading", "the tool is offered from the start")
    if isinstance(tool, ClientTool):
        loaded = attrs.evolve(tool.function, deferred=None)
        return attrs.evolve(tool, function=loaded)
    return attrs.evolve(tool, deferred=None)


def _without_searches(turn: Turn, report: Report) -> Turn:
    kept: list[Part] = []
    for part in turn.parts:
        if isinstance(part, HostedCall | HostedResult) and part.kind == TOOL_SEARCH:
            report.dropped(part.path, "all tools are there: how they were found is not told")
        else:
            kept.append(part)
    return turn if len(kept) == len(turn.parts) else attrs.evolve(turn, parts=tuple(kept))
