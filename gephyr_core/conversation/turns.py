"""Turns as the strict dialects want them: roles that alternate, and every tool call answered where it must be."""

from collections.abc import Iterable, Sequence

import attrs

from gephyr_core.conversation.parts import Part, Text, ToolCall, ToolResult
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.report import Report

NO_RESULT = "The tool gave no result."


def merged(turns: Iterable[Turn]) -> list[Turn]:
    """Join consecutive turns of one role."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role is turn.role:
            last = joined[-1]
            joined[-1] = attrs.evolve(last, parts=(*last.parts, *turn.parts))
        else:
            joined.append(turn)
    return joined


def answered(turns: Sequence[Turn], report: Report) -> list[Turn]:
    """As :func:`paired`, for dialects whose roles alternate: expects merged turns and returns merged turns."""
    return merged(paired(turns, report))


def paired(turns: Sequence[Turn], report: Report) -> list[Turn]:
    """Put the results of tool calls right behind the turn that made the calls, in the calls' order, before anything
    else the user says there; add one for a call that has none, and turn one that answers no call into text.

    What had to be added or changed is reported.
    """
    if not any(isinstance(part, ToolCall | ToolResult) for turn in turns for part in turn.parts):
        return list(turns)
    results, called = _results(turns), _call_ids(turns)
    ordered: list[Turn] = []
    for index, turn in enumerate(turns):
        parts = tuple(_without_results(turn, called, report)) if turn.role is Role.USER else turn.parts
        if parts or not turn.parts:
            ordered.append(turn if parts == turn.parts else attrs.evolve(turn, parts=parts))
        calls = [part for part in turn.parts if isinstance(part, ToolCall)]
        if calls and (index + 1 < len(turns) or any(call.id in results for call in calls)):
            answers = tuple(_answer(call, results, report) for call in calls)
            ordered.append(Turn(Role.USER, answers, path=turn.path))
    return ordered


def call_names(prompt: Prompt) -> dict[str, str]:
    """The name of the tool behind each call id of the conversation: some results only tell the id."""
    return {part.id: part.name for turn in prompt.turns for part in turn.parts if isinstance(part, ToolCall)}


def _results(turns: Iterable[Turn]) -> dict[str, ToolResult]:
    found: dict[str, ToolResult] = {}
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolResult):
                found.setdefault(part.call_id, part)
    return found


def _call_ids(turns: Iterable[Turn]) -> dict[str, None]:
    return {part.id: None for turn in turns for part in turn.parts if isinstance(part, ToolCall)}


def _answer(call: ToolCall, results: dict[str, ToolResult], report: Report) -> ToolResult:
    result = results.get(call.id)
    if result is None:
        report.emulated(call.path, "the call has no result, and the target wants one: an error result stands in")
        return ToolResult(call.id, (Text(NO_RESULT),), is_error=True, name=call.name, freeform=call.freeform)
    return result if result.name else attrs.evolve(result, name=call.name)


def _without_results(turn: Turn, called: dict[str, None], report: Report) -> Iterable[Part]:
    """The parts of a user's turn that are no results: those have their own place. A result of no call becomes text."""
    for part in turn.parts:
        if not isinstance(part, ToolResult):
            yield part
        elif part.call_id not in called:
            report.changed(part.path, f"answers no tool call of the conversation ({part.call_id!r}): carried as text")
            yield from part.content
