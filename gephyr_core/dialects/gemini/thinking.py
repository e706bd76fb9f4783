"""Reasoning as Gemini is asked for it: by a level (Gemini 3) or a budget (2.5); see ``docs/mapping.md#reasoning``."""

from typing import Any

from gephyr_core.conversation.prompt import Effort, Prompt, Reasoning
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.messages import NAME
from gephyr_core.dialects.translator import Destination

_BUDGETS = {
    Effort.NONE: 0,
    Effort.MINIMAL: 512,
    Effort.LOW: 1024,
    Effort.MEDIUM: 8192,
    Effort.HIGH: 24576,
}
"""Tokens; what is more than high is the model's maximum."""
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
_LEVEL = {Effort.NONE: "MINIMAL", Effort.MAX: "XHIGH"}
"""Levels that are not called as the effort is."""
_DECIDES = -1
"""The budget of a model that decides by itself."""


def thinking_config(prompt: Prompt, destination: Destination, report: Report) -> dict[str, Any]:
    """Write ``thinkingConfig``; empty where there is nothing to say."""
    reasoning = prompt.reasoning
    if reasoning is None:
        return {}
    path, capabilities = prompt.path("reasoning"), destination.capabilities
    written: dict[str, Any] = {}
    if prompt.dialect == NAME and not (capabilities.thinking_levels or capabilities.thinking_budget):
        written = _verbatim(reasoning)
    elif capabilities.thinking_levels:
        level = _level(reasoning, destination, report, path)
        written = {"thinkingLevel": level} if level else {}
    elif capabilities.thinking_budget is not None:
        budget = _budget(reasoning, destination, report, path)
        written = {} if budget is None else {"thinkingBudget": budget}
    else:
        if reasoning.is_off:
            if capabilities.may_reason:
                report.dropped(path, f"nothing is known that switches reasoning off for model {destination.model!r}")
            else:
                report.emulated(path, f"model {destination.model!r} does not reason unless it is asked to")
        elif reasoning.effort is not None or (reasoning.budget or 0) > 0:
            report.dropped(path, f"model {destination.model!r} does not reason")
        return {}
    if reasoning.wants_thoughts and written.get("thinkingBudget") != 0:
        written["includeThoughts"] = True
        if reasoning.summary not in ("", "auto"):
            report.changed(path, f"Gemini's summaries are of one kind, not {reasoning.summary!r}")
    elif reasoning.shown is False and prompt.dialect == NAME:
        written["includeThoughts"] = False
    return written


def _verbatim(reasoning: Reasoning) -> dict[str, Any]:
    """What a client of this dialect said, for a model that nothing is known of."""
    if reasoning.budget is not None:
        return {"thinkingBudget": reasoning.budget}
    return {"thinkingLevel": reasoning.effort.value.upper()} if reasoning.effort is not None else {}


def _level(reasoning: Reasoning, destination: Destination, report: Report, path: str) -> str | None:
    """The level; None where the model decides."""
    effort = _effort(reasoning)
    if effort is None:
        return None
    wanted = _LEVEL.get(effort, effort.value.upper())
    level = _nearest(wanted, destination.capabilities.thinking_levels)
    if level.lower() != effort.value:
        report.changed(path, f"model {destination.model!r} reasons at level {level}, effort was {effort.value!r}")
    elif reasoning.effort is None and not reasoning.is_off:
        report.changed(path, f"a budget of {reasoning.budget} tokens is carried as level {level}")
    return level


def _effort(reasoning: Reasoning) -> Effort | None:
    """The effort that is meant; None where the model decides."""
    if reasoning.is_off:
        return Effort.NONE
    if reasoning.effort is not None:
        return None if reasoning.effort is Effort.ADAPTIVE else reasoning.effort
    if reasoning.budget is None or reasoning.budget < 0:
        return None
    return next((effort for effort, most in _BUDGETS.items() if reasoning.budget <= most), Effort.XHIGH)


def _nearest(wanted: str, taken: tuple[str, ...]) -> str:
    """The nearest level that the model takes, rather less than more."""
    place = _LEVELS.index(wanted)
    order = [*reversed(_LEVELS[: place + 1]), *_LEVELS[place + 1 :]]
    return next((level for level in order if level in taken), taken[0])


def _budget(reasoning: Reasoning, destination: Destination, report: Report, path: str) -> int | None:
    """The budget in tokens; None where nothing was said of it."""
    least, most = destination.capabilities.thinking_budget or (0, 0)
    effort = _effort(reasoning)
    budget: int | None = None
    if effort is Effort.NONE:
        budget = 0
    elif reasoning.budget is not None:
        budget = reasoning.budget
    elif reasoning.effort is Effort.ADAPTIVE or reasoning.kind == "adaptive":
        budget = _DECIDES
    elif effort is not None:
        budget = _BUDGETS.get(effort, most)
    if budget is None or budget < 0:
        return budget
    clamped = min(max(budget, least), most)
    if clamped != budget:
        report.changed(path, f"model {destination.model!r} takes a budget from {least} to {most}: {clamped} is sent")
    return clamped
