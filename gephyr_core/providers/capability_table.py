"""What the models take that are known by name. A family stands for all names that begin with it, the longest first.

Sources: the providers' model pages and API references; for Claude's thinking, efforts, sampling and forced tools the
migration notes of each model, and recorded replies of ``GET /v1/models``; for OpenAI's efforts the page on reasoning
and the values that its refusals name; for Gemini's budgets and levels the page on thinking, for its limits recorded
replies of ``models.list``.
"""

from collections.abc import Mapping

import attrs

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.prompt import Effort

_LOW = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
_ALL = (*_LOW, Effort.XHIGH, Effort.MAX)
_PICTURES = ("image", "document")
USUAL_EFFORTS = _LOW
"""Taken by everyone who takes efforts at all."""

# -- Anthropic ------------------------------------------------------------------------------------------------------

_CLAUDE_3 = Capabilities(
    structured_output=False, tool_search=False, automatic_caching=True, max_output_tokens=4_096, modalities=_PICTURES
)
_CLAUDE_4 = attrs.evolve(
    _CLAUDE_3,
    max_output_tokens=64_000,
    thinking=("enabled", "disabled"),
    thinking_budget=(1_024, 63_999),
    forced_tools_with_thinking=False,
)
_CLAUDE_4_5 = attrs.evolve(_CLAUDE_4, structured_output=True, tool_search=True)
_CLAUDE_4_6 = attrs.evolve(
    _CLAUDE_4_5,
    max_output_tokens=128_000,
    thinking=("enabled", "disabled", "adaptive", "between_tools"),
    thinking_budget=(1_024, 127_999),
    prefill=False,
    efforts=(*_LOW, Effort.MAX),
)
_CLAUDE_4_7 = attrs.evolve(
    _CLAUDE_4_6,
    thinking=("disabled", "adaptive", "between_tools"),
    thinking_budget=None,
    sampling=False,
    efforts=_ALL,
)
_CLAUDE_5 = attrs.evolve(_CLAUDE_4_7, system_turns=True)
_CLAUDE_5_5 = attrs.evolve(_CLAUDE_5, thinking=("adaptive", "between_tools"), forced_tools=False)

CLAUDE: Mapping[str, Capabilities] = {
    "claude": _CLAUDE_5_5,
    "claude-2": _CLAUDE_3,
    "claude-2-1": _CLAUDE_3,
    "claude-3": _CLAUDE_3,
    "claude-3-5": attrs.evolve(_CLAUDE_3, max_output_tokens=8_192),
    "claude-3-7": _CLAUDE_4,
    "claude-sonnet-4": _CLAUDE_4,
    "claude-opus-4": attrs.evolve(_CLAUDE_4, max_output_tokens=32_000, thinking_budget=(1_024, 31_999)),
    "claude-opus-4-1": attrs.evolve(
        _CLAUDE_4_5, tool_search=False, max_output_tokens=32_000, thinking_budget=(1_024, 31_999)
    ),
    "claude-sonnet-4-5": _CLAUDE_4_5,
    "claude-haiku-4-5": _CLAUDE_4_5,
    "claude-opus-4-5": attrs.evolve(_CLAUDE_4_5, efforts=_LOW),
    "claude-opus-4-6": _CLAUDE_4_6,
    "claude-sonnet-4-6": _CLAUDE_4_6,
    "claude-opus-4-7": _CLAUDE_4_7,
    "claude-opus-4-8": attrs.evolve(_CLAUDE_4_7, system_turns=True),
    "claude-sonnet-5": _CLAUDE_5,
    "claude-opus-5": _CLAUDE_5,
    "claude-haiku-5": _CLAUDE_5,
    "claude-fable-5": _CLAUDE_5,
    "claude-mythos-preview": _CLAUDE_4_7,
    "claude-mythos-5": _CLAUDE_5,
    "claude-opus-5-5": _CLAUDE_5_5,
    "claude-sonnet-5-5": _CLAUDE_5_5,
    "claude-haiku-5-5": _CLAUDE_5_5,
    "claude-fable-5-1": _CLAUDE_5_5,
    "claude-fable-5-2": _CLAUDE_5_5,
    "claude-mythos-5-1": _CLAUDE_5_5,
    "claude-mythos-5-2": _CLAUDE_5_5,
}

# -- OpenAI ---------------------------------------------------------------------------------------------------------

_GPT = Capabilities(tool_search=False, system_turns=True, modalities=_PICTURES)
_GPT_4O = attrs.evolve(_GPT, max_output_tokens=16_384)
_SOUND = attrs.evolve(_GPT_4O, modalities=("audio",))
_O = attrs.evolve(_GPT, sampling=False, stop=False, efforts=_LOW, max_output_tokens=100_000)
_GPT_5 = attrs.evolve(_O, efforts=(Effort.MINIMAL, *_LOW), max_output_tokens=128_000)
_GPT_5_1 = attrs.evolve(_GPT_5, efforts=(Effort.NONE, *_LOW))
_GPT_5_2 = attrs.evolve(_GPT_5, efforts=(Effort.NONE, *_LOW, Effort.XHIGH))
_GPT_5_4 = attrs.evolve(_GPT_5_2, tool_search=True)
_GPT_5_6 = attrs.evolve(_GPT_5_4, efforts=(Effort.NONE, *_ALL))
_CHAT_5 = attrs.evolve(_GPT_5, efforts=(Effort.MEDIUM,), max_output_tokens=16_384)
_CODEX = attrs.evolve(_GPT_5, efforts=_LOW)
_CODEX_MAX = attrs.evolve(_GPT_5, efforts=(*_LOW, Effort.XHIGH))
_PRO = attrs.evolve(_GPT_5, efforts=(Effort.MEDIUM, Effort.HIGH, Effort.XHIGH))
_PRO_5_4 = attrs.evolve(_PRO, tool_search=True)

OPENAI: Mapping[str, Capabilities] = {
    "gpt": attrs.evolve(_GPT_5_6, max_output_tokens=None),
    "gpt-3.5": attrs.evolve(_GPT, structured_output=False, modalities=(), max_output_tokens=4_096),
    "gpt-4": attrs.evolve(_GPT, structured_output=False, max_output_tokens=8_192),
    "gpt-4-turbo": attrs.evolve(_GPT, structured_output=False, max_output_tokens=4_096),
    "gpt-4-1106": attrs.evolve(_GPT, structured_output=False, max_output_tokens=4_096),
    "gpt-4-0125": attrs.evolve(_GPT, structured_output=False, max_output_tokens=4_096),
    "gpt-4.1": attrs.evolve(_GPT, max_output_tokens=32_768),
    "gpt-4.5": _GPT_4O,
    "gpt-4o": _GPT_4O,
    "gpt-4o-2024-05-13": attrs.evolve(_GPT, structured_output=False, max_output_tokens=4_096),
    "gpt-4o-audio-preview": _SOUND,
    "gpt-4o-mini-audio-preview": _SOUND,
    "gpt-audio": _SOUND,
    "chatgpt-4o": attrs.evolve(_GPT_4O, structured_output=False),
    "o1": _O,
    "o1-preview": attrs.evolve(_O, efforts=(), reasons=True, structured_output=False, max_output_tokens=32_768),
    "o1-mini": attrs.evolve(_O, efforts=(), reasons=True, structured_output=False, max_output_tokens=65_536),
    "o3": _O,
    "o3-mini": attrs.evolve(_O, stop=True),
    "o4-mini": _O,
    "codex-mini": _O,
    "gpt-5": _GPT_5,
    "gpt-5-pro": attrs.evolve(_GPT_5, efforts=(Effort.HIGH,), max_output_tokens=272_000),
    "gpt-5-chat": _GPT_4O,
    "gpt-5-codex": _CODEX,
    "gpt-5.1": _GPT_5_1,
    "gpt-5.1-chat": _CHAT_5,
    "gpt-5.1-codex": _CODEX,
    "gpt-5.1-codex-max": _CODEX_MAX,
    "gpt-5.2": _GPT_5_2,
    "gpt-5.2-chat": _CHAT_5,
    "gpt-5.2-codex": _CODEX_MAX,
    "gpt-5.2-pro": _PRO,
    "gpt-5.3": _GPT_5_2,
    "gpt-5.3-codex": _CODEX_MAX,
    "gpt-5.4": _GPT_5_4,
    "gpt-5.4-pro": _PRO_5_4,
    "gpt-5.5": _GPT_5_4,
    "gpt-5.5-pro": _PRO_5_4,
    "gpt-5.6": _GPT_5_6,
    "gpt-6": _GPT_5_6,
}

OPEN_WEIGHTS: Mapping[str, Capabilities] = {"gpt-oss": Capabilities(system_turns=True, efforts=_LOW, modalities=())}
"""Made by one, run by many: the name does not tell whom to ask."""

# -- Google ---------------------------------------------------------------------------------------------------------

_GEMINI_2 = Capabilities(max_output_tokens=8_192)
_GEMINI_2_5 = Capabilities(max_output_tokens=65_536)
_GEMINI_3 = attrs.evolve(_GEMINI_2_5, thinking_levels=("MINIMAL", "LOW", "MEDIUM", "HIGH"), signatures_required=True)
_PRO_LEVELS = ("LOW", "MEDIUM", "HIGH")
"""Of the larger models, which cannot do with less."""

GEMINI: Mapping[str, Capabilities] = {
    "gemini": attrs.evolve(_GEMINI_3, thinking_levels=_PRO_LEVELS, max_output_tokens=None),
    "gemma": Capabilities(),
    "gemini-1.0": _GEMINI_2,
    "gemini-1.5": _GEMINI_2,
    "gemini-2.0": _GEMINI_2,
    "gemini-2.5": _GEMINI_2_5,
    "gemini-2.5-flash": attrs.evolve(_GEMINI_2_5, thinking_budget=(0, 24_576)),
    "gemini-2.5-flash-lite": attrs.evolve(_GEMINI_2_5, thinking_budget=(0, 24_576)),
    "gemini-2.5-flash-image": attrs.evolve(_GEMINI_2_5, max_output_tokens=32_768),
    "gemini-2.5-flash-preview-tts": attrs.evolve(_GEMINI_2_5, max_output_tokens=16_384),
    "gemini-2.5-pro": attrs.evolve(_GEMINI_2_5, thinking_budget=(128, 32_768)),
    "gemini-2.5-pro-preview-tts": attrs.evolve(_GEMINI_2_5, max_output_tokens=16_384),
    "gemini-3-pro": attrs.evolve(_GEMINI_3, thinking_levels=("LOW", "HIGH")),
    "gemini-3-pro-image": attrs.evolve(_GEMINI_3, thinking_levels=("LOW", "HIGH"), max_output_tokens=32_768),
    "gemini-3.1-pro": attrs.evolve(_GEMINI_3, thinking_levels=_PRO_LEVELS),
    "gemini-3-flash": _GEMINI_3,
    "gemini-3.1-flash": _GEMINI_3,
    "gemini-3.1-flash-tts": attrs.evolve(_GEMINI_3, max_output_tokens=16_384),
    "gemini-3.5-flash": _GEMINI_3,
    "gemini-3.6-flash": _GEMINI_3,
    "gemini-flash-latest": _GEMINI_3,
    "gemini-flash-lite-latest": _GEMINI_3,
    "gemini-pro-latest": attrs.evolve(_GEMINI_3, thinking_levels=_PRO_LEVELS),
}

UNKNOWN = Capabilities(system_turns=True, reasons=True)
"""A model of a compatible server: whatever it is asked it is taken to understand."""
GENERIC = ("claude", "gemini", "gpt")
"""Entries that stand for names nobody here knows: such a model is taken for a current one."""
