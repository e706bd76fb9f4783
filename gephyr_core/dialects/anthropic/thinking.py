"""How much a model is to think: efforts, budgets and the four types of thinking (``docs/mapping.md#reasoning``)."""

from typing import Any

import attrs

from gephyr_core.conversation.prompt import Effort, Prompt, Reasoning
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.translator import Destination

LEAST_BUDGET = 1024
"""Tokens."""
_FORCING = ("any", "tool")
_THINKING = ("thinking", "redacted_thinking")
_LEVELS = tuple(effort for effort in Effort if effort is not Effort.ADAPTIVE)
"""From none to the most."""
_BUDGETS: dict[Effort, int] = {
    Effort.MINIMAL: 1024,
    Effort.LOW: 1024,
    Effort.MEDIUM: 8192,
    Effort.HIGH: 24576,
    Effort.XHIGH: 32768,
    Effort.MAX: 49152,
}
"""Tokens of thinking for each effort. The model's maximum for the last two would leave few models any tokens to answer
with."""


@attrs.define
class ThinkingWriter:
    """Writes what one prompt wants of reasoning into *body*, which holds ``max_tokens`` already."""

    prompt: Prompt
    destination: Destination
    report: Report
    body: dict[str, Any]
    goes_on: bool = attrs.field(kw_only=True)
    """The model is to go on with what the assistant said last."""

    @property
    def path(self) -> str:
        """Where the client asked for reasoning."""
        return self.prompt.path("reasoning")

    def write(self) -> None:
        """Write ``thinking`` and ``output_config.effort``."""
        wanted = self.prompt.reasoning
        types = self.destination.capabilities.thinking
        if wanted is None:
            if "adaptive" in types and "disabled" in types and self._is_forced("adaptive"):
                self.body["thinking"] = {"type": "disabled"}  # Such models may think without being asked.
            return
        kind = self._kind(wanted)
        if wanted.is_off and (wanted.effort in (None, Effort.NONE) or "disabled" not in types):
            self._none()
        elif obstacle := self._obstacle(kind):
            self.report.dropped(self.path, obstacle)
            if "disabled" in types:
                self.body["thinking"] = {"type": "disabled"}
        elif not types and not self.destination.capabilities.efforts:
            self.report.dropped(self.path, f"model {self.destination.model!r} does not reason")
        else:
            self._some(wanted, kind)

    def _obstacle(self, kind: str) -> str:
        """Why the model may not think in this reply; empty where it may."""
        if self._is_forced(kind):
            return f"model {self.destination.model!r} does not think where it is made to call a tool"
        if self.goes_on:
            return "a model does not think where it goes on with an assistant's message"
        if kind == "enabled" and self.body["max_tokens"] <= self._least_budget():
            limit = self.body["max_tokens"]
            return f"the limit of {limit} tokens counts thinking too, which takes {self._least_budget()} at least"
        if kind == "enabled" and _lacks_thinking(self.body["messages"]):
            return "the reasoning behind the last tool call is not there, and the model would have to go on with it"
        return ""

    def _is_forced(self, kind: str) -> bool:
        """Whether the model is made to call a tool, and could not think then."""
        forced = self.body.get("tool_choice", {}).get("type") in _FORCING
        return forced and (kind == "enabled" or not self.destination.capabilities.forced_tools_with_thinking)

    def _none(self) -> None:
        capabilities = self.destination.capabilities
        if "disabled" in capabilities.thinking:
            self.body["thinking"] = {"type": "disabled"}
        elif capabilities.efforts:
            least = min(capabilities.efforts, key=_LEVELS.index)
            self._effort(least)
            self.report.changed(
                self.path, f"model {self.destination.model!r} always thinks: it is asked for effort {least.value!r}"
            )
        elif capabilities.reasons:
            self.body["thinking"] = {"type": "disabled"}  # The dialect's own switch, at whoever speaks it.
        else:
            self.report.emulated(self.path, f"model {self.destination.model!r} does not reason unless it is asked to")

    def _some(self, wanted: Reasoning, kind: str) -> None:
        capabilities = self.destination.capabilities
        level: Effort | None = None if wanted.effort in (Effort.ADAPTIVE, Effort.NONE) else wanted.effort
        budget = wanted.budget if wanted.budget is not None and wanted.budget > 0 else None
        if level is None and budget is not None and kind != "enabled":
            level = next((effort for effort, most in _BUDGETS.items() if budget <= most), Effort.XHIGH)
            self.report.changed(self.path, f"a budget of {budget} tokens is carried as effort {level.value!r}")
        if level is not None and capabilities.efforts:
            self._effort(self._nearest(level, capabilities.efforts))
        elif level is not None and kind != "enabled":
            self.report.dropped(self.path, f"model {self.destination.model!r} takes no effort")
        if kind == "enabled":
            self._enabled(level, budget)
        elif kind:
            self.body["thinking"] = {"type": kind}
        if kind in ("enabled", "adaptive"):
            self._display(wanted)

    def _kind(self, wanted: Reasoning) -> str:
        """The type of thinking; empty where the model knows efforts only."""
        types = self.destination.capabilities.thinking
        if self.prompt.dialect == NAME and not wanted.kind:
            return ""  # An effort alone: of the answer.
        if wanted.kind in types:
            kind = wanted.kind
        else:
            if wanted.kind == "between_tools":
                self.report.changed(self.path, f"model {self.destination.model!r} does not think between tools only")
            budgeted = wanted.budget is not None and wanted.budget > 0
            preferred = ("enabled", "adaptive") if budgeted else ("adaptive", "enabled")
            kind = next((kind for kind in preferred if kind in types), "")
        if kind == "enabled" and "adaptive" in types and self._is_impossible():
            return "adaptive"  # Unlike manual thinking, it demands neither a budget nor thinking of the turn under way.
        return kind

    def _is_impossible(self) -> bool:
        """Whether the model could not be given a thinking budget."""
        return self.body["max_tokens"] <= self._least_budget() or _lacks_thinking(self.body["messages"])

    def _least_budget(self) -> int:
        least, _ = self.destination.capabilities.thinking_budget or (0, 0)
        return max(least, LEAST_BUDGET)

    def _effort(self, level: Effort) -> None:
        self.body.setdefault("output_config", {})["effort"] = level.value

    def _nearest(self, wanted: Effort, taken: tuple[Effort, ...]) -> Effort:
        """The nearest effort that the model takes, rather less than more."""
        if wanted in taken:
            return wanted
        place = _LEVELS.index(wanted)
        order = (*reversed(_LEVELS[:place]), *_LEVELS[place + 1 :])
        level = next((level for level in order if level in taken), taken[0])
        self.report.changed(
            self.path, f"model {self.destination.model!r} takes effort {level.value!r} and not {wanted.value!r}"
        )
        return level

    def _enabled(self, level: Effort | None, budget: int | None) -> None:
        most = (self.destination.capabilities.thinking_budget or (0, 0))[1]
        tokens = budget or _BUDGETS[level or Effort.MEDIUM]
        if budget is None:
            self.report.changed(self.path, f"carried as a thinking budget of {tokens} tokens")
        least, limit = self._least_budget(), self.body["max_tokens"]
        bounded = max(tokens, least)
        bounded = min(bounded, most) if most >= LEAST_BUDGET else bounded
        if bounded >= limit:
            # The client's limit is one on thinking and answer together, and so it stays: half is left for the answer.
            bounded = max(least, limit // 2)
            if budget is None:
                self.report.changed(self.path, f"{bounded} tokens of thinking: max_tokens is {limit} with the answer")
        if budget is not None and bounded != budget:
            self.report.changed(self.path, f"a thinking budget of {bounded} tokens instead of {budget}")
        self.body["thinking"] = {"type": "enabled", "budget_tokens": bounded}

    def _display(self, wanted: Reasoning) -> None:
        shown = True if wanted.summary and wanted.shown is None else wanted.shown
        if shown is not None:
            self.body["thinking"]["display"] = "summarized" if shown else "omitted"
        if self.prompt.dialect == NAME:
            for field in ("display", "block_binding"):
                if (native := self.prompt.native.get(f"thinking.{field}")) is not None:
                    self.body["thinking"][field] = native.value


def _lacks_thinking(messages: list[dict[str, Any]]) -> bool:
    """Whether the assistant's turn in the tool loop under way does not begin with thinking."""
    for message in reversed(messages):
        kinds = [block["type"] for block in message["content"]]
        if message["role"] == "user" and "tool_result" not in kinds:
            return False
        if message["role"] == "assistant" and "tool_use" in kinds:
            return kinds[0] not in _THINKING
    return False
