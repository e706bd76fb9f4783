"""How reasoning is switched off at providers that are asked in OpenAI's dialects.

Sources: OpenRouter "Reasoning Tokens", DeepSeek "Thinking Mode", xAI "Reasoning" (Grok 4.3 is the first that takes
``none``), Groq "Reasoning" (Qwen 3 takes ``none``, gpt-oss does not), Fireworks "Reasoning" (not Kimi K2 nor gpt-oss),
Together "Reasoning" (its hybrid models), Mistral "Reasoning" (all but Magistral reason only when asked).
"""

import re
from typing import Any

import attrs

from gephyr_core.conversation.prompt import Effort, Reasoning
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import Destination

_EFFORT = {"reasoning_effort": Effort.NONE.value}
_NO_FIELD: dict[str, Any] = {}
_RESPONSES = "openai-responses"


@attrs.frozen
class _Switch:
    """One provider's switch, for the models that have it."""

    provider: str
    chat: dict[str, Any]
    """Fields of a Chat request. In Responses it is the effort ``none`` everywhere."""
    models: str = ""
    """A regular expression that is looked for in the model's name."""

    def has(self, destination: Destination) -> bool:
        """Whether the destination has this switch."""
        return destination.provider == self.provider and bool(re.search(self.models, destination.model.lower()))


_SWITCHES = (
    _Switch("openrouter", {"reasoning": {"effort": Effort.NONE.value}}),
    _Switch("deepseek", {"thinking": {"type": "disabled"}}),
    _Switch("xai", _EFFORT, r"grok-(?:4[.-][3-9](?!\d)|[5-9]|latest)"),
    _Switch("groq", _EFFORT, "qwen"),
    _Switch("fireworks", _EFFORT, "deepseek|glm|qwen"),
    _Switch("together", {"reasoning": {"enabled": False}}, r"deepseek-v|qwen3\.\d|glm|kimi-k2\.\d"),
)
_SILENT = (
    _Switch("mistral", _NO_FIELD, r"^(?!.*magistral)"),
    _Switch("xai", _NO_FIELD, "non-reasoning"),
)
"""Models that do not reason unless they are asked to."""


def write_off(reasoning: Reasoning, path: str, destination: Destination, report: Report, body: dict[str, Any]) -> None:
    """Switch reasoning off in *body*, which is a request in either of OpenAI's dialects; what cannot be is reported.

    A level is no switch: only the least, ``minimal``, comes near to one.
    """
    model, efforts = destination.model, destination.capabilities.efforts
    switch = _switch(destination)
    if switch == {}:
        report.emulated(path, f"model {model!r} does not reason unless it is asked to")
    elif switch is None and Effort.MINIMAL in efforts:
        report.changed(path, f"model {model!r} always reasons: it is asked for effort 'minimal'")
        switch = _fields(destination, Effort.MINIMAL)
    elif switch is None:
        report.dropped(path, f"nothing is known that switches reasoning off for model {model!r}")
    elif reasoning.effort not in (None, Effort.NONE, Effort.ADAPTIVE):
        report.changed(path, f"reasoning is off, and effort {reasoning.effort.value!r} is not carried without it")
    body.update(switch or {})


def _switch(destination: Destination) -> dict[str, Any] | None:
    """The fields that switch reasoning off; empty where it is off, None where none are known."""
    capabilities = destination.capabilities
    if not capabilities.may_reason or any(silent.has(destination) for silent in _SILENT):
        return {}
    known = next((switch for switch in _SWITCHES if switch.has(destination)), None)
    if known is None and Effort.NONE not in capabilities.efforts:
        return None
    if destination.dialect == _RESPONSES or known is None:
        return _fields(destination, Effort.NONE)
    return dict(known.chat)


def _fields(destination: Destination, effort: Effort) -> dict[str, Any]:
    named = effort.value
    return {"reasoning": {"effort": named}} if destination.dialect == _RESPONSES else {"reasoning_effort": named}
