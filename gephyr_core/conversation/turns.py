"""Turns as the strict dialects want them: roles that alternate, and every tool call answered where it must be."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby

import attrs

from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.parts import HostedCall, HostedResult, Part, Text, Thinking, ToolCall, ToolResult
from gephyr_core.conversation.prompt import TOOL_SEARCH, Prompt, Role, Turn
from gephyr_core.conversation.report import Report

NO_RESULT = "The tool gave no result."


def merged(turns: Iterable[Turn]) -> list[Turn]:
    """Join consecutive turns of one role."""
    joined: list[Turn] = []
    for _, group in groupby(turns, key=lambda turn: turn.role):
        first, *others = group
        if others:
            first = attrs.evolve(first, parts=(*first.parts, *(part for turn in others for part in turn.parts)))
        joined.append(first)
    return joined


def as_users(turns: Sequence[Turn], report: Report) -> list[Turn]:
    """Carry system messages in the middle as marked text of the user's, with what the user says beside them."""
    spoken: list[Turn] = []
    marked = False
    """The last of them has such text."""
    for given in turns:
        is_system = given.role is Role.SYSTEM
        turn = _as_user(given, report) if is_system else given
        last = spoken[-1] if spoken else None
        joins = last is not None and last.role is turn.role is Role.USER and not (last.name or turn.name)
        if last is not None and joins and (is_system or marked):
            spoken[-1] = attrs.evolve(last, parts=(*last.parts, *turn.parts))
        else:
            spoken.append(turn)
        marked = is_system
    return spoken


def _as_user(turn: Turn, report: Report) -> Turn:
    said = [part for part in turn.parts if isinstance(part, Text)]
    for part in said:
        report.emulated(part.path, "a system message in the middle is carried as marked text of the user's")
    parts = tuple(attrs.evolve(part, text=f"<system>\n{part.text}\n</system>") for part in said)
    return attrs.evolve(turn, role=Role.USER, parts=parts)


def report_names(turns: Iterable[Turn], report: Report, reason: str) -> None:
    """Report each participant's name, which the target has no place for: turns of one role will be joined."""
    for turn in turns:
        if turn.name:
            report.dropped(f"{turn.path}.name", reason)


def answered(turns: Sequence[Turn], report: Report) -> list[Turn]:
    """As :func:`paired`, for dialects whose roles alternate: expects merged turns and returns merged turns."""
    return merged(paired(turns, report))


def paired(turns: Sequence[Turn], report: Report) -> list[Turn]:
    """Put the results of tool calls right behind the turn that made the calls, in the calls' order, before anything
    else the user says there; add one for a call that has none, and turn one that answers no call into text. No two
    calls have one id then.

    Reasoning that the assistant said nothing after is left out. What had to be left out, added or changed is reported.
    """
    turns = concluded(turns, report)
    pairs, ids = _Pairs(), CallIds(report)
    pairs.find(turns)
    if not pairs.calls and not pairs.results:
        return list(turns)
    ordered: list[Turn] = []
    for index, turn in enumerate(turns):
        if turn.role is Role.USER:
            parts = tuple(_without_results(index, turn, pairs, report))
        else:
            parts = tuple(_distinct(part, ids) for part in turn.parts)
        if parts or not turn.parts:
            ordered.append(turn if parts == turn.parts else attrs.evolve(turn, parts=parts))
        calls = [((index, place), part) for place, part in enumerate(parts) if isinstance(part, ToolCall)]
        if calls and (index + 1 < len(turns) or any(place in pairs.answers for place, _ in calls)):
            answers = tuple(_answer(call, pairs.answers.get(place), report) for place, call in calls)
            ordered.append(Turn(Role.USER, answers, path=turn.path))
    return ordered


def concluded(turns: Sequence[Turn], report: Report) -> Sequence[Turn]:
    """Leave out reasoning that nothing came of, since the reply was cut off there: Anthropic and OpenAI refuse it.

    Anthropic: "The final block in an assistant message cannot be `thinking`"; OpenAI: "was provided without its
    required following item". Codex keeps such reasoning when its user interrupts it.
    """
    kept: list[Turn] = []
    followed = False
    for turn in reversed(turns):
        if turn.role is Role.ASSISTANT:
            said = [place for place, part in enumerate(turn.parts) if _says_something(part)]
            last = len(turn.parts) if followed else max(said, default=-1)
            followed = followed or bool(said)
            tail = turn.parts[last + 1 :]
            loose = [part for part in tail if isinstance(part, Thinking)]
            for part in loose:
                report.dropped(part.path, "nothing came of the reasoning: the reply was cut off there")
            if loose:
                rest = (*turn.parts[: last + 1], *(part for part in tail if not isinstance(part, Thinking)))
                kept += [attrs.evolve(turn, parts=rest)] if rest else []
                continue
        else:
            followed = False
        kept.append(turn)
    return kept[::-1]


def _says_something(part: Part) -> bool:
    return not isinstance(part, Thinking) and not (isinstance(part, Text) and not part.text.strip())


def call_names(prompt: Prompt) -> dict[str, str]:
    """The name of the tool behind each call id of the conversation: some results only tell the id."""
    return {part.id: part.name for turn in prompt.turns for part in turn.parts if isinstance(part, ToolCall)}


def searches(parts: Iterable[Part]) -> dict[str, None]:
    """Ids of the searches of tools whose call and result are both there, in this order."""
    calls: dict[str, None] = {}
    both: dict[str, None] = {}
    for part in parts:
        if isinstance(part, HostedCall) and part.kind == TOOL_SEARCH:
            calls[part.id] = None
        elif isinstance(part, HostedResult) and part.kind == TOOL_SEARCH and part.call_id in calls:
            both[part.call_id] = None
    return both


_Place = tuple[int, int]
"""Of a part: its turn's index, and its own in the turn."""


@attrs.define
class _Pairs:
    """Which result answers which call. Some clients give the same id to calls of several turns: a result answers the
    last call before it that has its id, and of several in one turn the first that is not answered yet."""

    calls: dict[str, list[_Place]] = attrs.field(factory=dict)
    results: dict[_Place, ToolResult] = attrs.field(factory=dict)
    answers: dict[_Place, ToolResult] = attrs.field(factory=dict)
    """A call's place to its result."""
    answering: dict[_Place, None] = attrs.field(factory=dict)
    """Places of results that answer a call."""
    _next: dict[tuple[str, int], int] = attrs.field(factory=dict)
    """By id and turn: which of ``calls`` waits for a result first."""

    def find(self, turns: Sequence[Turn]) -> None:
        for index, turn in enumerate(turns):
            for number, part in enumerate(turn.parts):
                if isinstance(part, ToolCall):
                    self.calls.setdefault(part.id, []).append((index, number))
                elif isinstance(part, ToolResult):
                    self.results[index, number] = part
        for place, result in self.results.items():
            call = self._call(result.call_id, place)
            if call is not None:
                self.answers[call] = result
                self.answering[place] = None

    def _call(self, call_id: str, place: _Place) -> _Place | None:
        """The call that the result at *place* answers."""
        calls = self.calls.get(call_id)
        if not calls:
            return None
        turn = calls[max(0, bisect_left(calls, place) - 1)][0]
        next_one = self._next.get((call_id, turn), bisect_left(calls, (turn, 0)))
        if next_one == len(calls) or calls[next_one][0] != turn:
            return None
        self._next[call_id, turn] = next_one + 1
        return calls[next_one]


def _answer(call: ToolCall, result: ToolResult | None, report: Report) -> ToolResult:
    if result is None:
        report.emulated(call.path, "the call has no result, and the target wants one: an error result stands in")
        return ToolResult(call.id, (Text(NO_RESULT),), is_error=True, name=call.name, freeform=call.freeform)
    return attrs.evolve(result, call_id=call.id, name=call.name)


def _distinct(part: Part, ids: CallIds) -> Part:
    """Give a call an id of its own."""
    if not isinstance(part, ToolCall):
        return part
    call_id = ids.distinct(part.id or "call", part.path)
    return part if call_id == part.id else attrs.evolve(part, id=call_id)


def _without_results(index: int, turn: Turn, pairs: _Pairs, report: Report) -> Iterable[Part]:
    """The parts of a user's turn that are no results: those have their own place. One that answers nothing becomes
    text."""
    for number, part in enumerate(turn.parts):
        if not isinstance(part, ToolResult):
            yield part
        elif (index, number) not in pairs.answering:
            known = part.call_id in pairs.calls
            reason = "the call has a result already" if known else "answers no tool call of the conversation"
            report.changed(part.path, f"{reason} ({part.call_id!r}): carried as text")
            yield from part.content
