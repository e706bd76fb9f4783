"""What each model takes, as far as the checks look at it. Sources: the vendors' model pages, and what the recorded
traffic shows that they answered; a family stands for all names that begin with it, the longest first."""

from collections.abc import Mapping
from typing import TypeVar

import attrs

from gephyr.harness.strict.refusal import RefusalError

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Claude:
    """A model of Anthropic's."""

    max_tokens: int
    thinking: tuple[str, ...] = ()
    """The ``thinking.type`` values that it takes."""
    always_thinks: bool = False
    """Without ``thinking`` it thinks as well (Opus 5 and later)."""
    sampling: bool = True
    """Takes ``temperature``, ``top_p`` and ``top_k`` (until Opus 4.6)."""
    sampling_together: bool = True
    """Takes ``temperature`` and ``top_p`` in one request (until Opus 4)."""
    prefill: bool = True
    forced_tools: bool = True
    system_turns: bool = False
    efforts: tuple[str, ...] = ()
    shows_thinking: bool = True
    """What ``thinking.display`` is when it is not said: summarized, else omitted."""
    bound: bool = False
    """Its thinking is bound to the conversation before it ("preserved thinking")."""


_MANUAL = ("enabled", "disabled")
_ANY = ("enabled", "disabled", "adaptive", "between_tools")
_ADAPTIVE = ("disabled", "adaptive", "between_tools")
_LOW = ("low", "medium", "high")
_ALL = ("low", "medium", "high", "xhigh", "max")
_CLAUDE_4 = Claude(max_tokens=64_000, thinking=_MANUAL)
_CLAUDE_4_5 = attrs.evolve(_CLAUDE_4, sampling_together=False)
_CLAUDE_4_6 = attrs.evolve(
    _CLAUDE_4_5, max_tokens=128_000, thinking=_ANY, prefill=False, efforts=("low", "medium", "high", "max")
)
_CLAUDE_4_7 = attrs.evolve(_CLAUDE_4_6, thinking=_ADAPTIVE, sampling=False, efforts=_ALL, shows_thinking=False)
_CLAUDE_5 = attrs.evolve(_CLAUDE_4_7, system_turns=True, always_thinks=True)
_CLAUDE_5_5 = attrs.evolve(_CLAUDE_5, thinking=("adaptive", "between_tools"), forced_tools=False, bound=True)

CLAUDE: Mapping[str, Claude] = {
    "claude-2.1": Claude(max_tokens=4_096),
    "claude-3-haiku": Claude(max_tokens=4_096),
    "claude-3-opus": Claude(max_tokens=4_096),
    "claude-3-5-sonnet": Claude(max_tokens=8_192),
    "claude-3-5-haiku": Claude(max_tokens=8_192),
    "claude-3-7-sonnet": _CLAUDE_4,
    "claude-sonnet-4": _CLAUDE_4,
    "claude-opus-4": attrs.evolve(_CLAUDE_4, max_tokens=32_000),
    "claude-opus-4-1": attrs.evolve(_CLAUDE_4_5, max_tokens=32_000),
    "claude-sonnet-4-5": _CLAUDE_4_5,
    "claude-haiku-4-5": _CLAUDE_4_5,
    "claude-opus-4-5": attrs.evolve(_CLAUDE_4_5, efforts=_LOW),
    "claude-opus-4-6": _CLAUDE_4_6,
    "claude-sonnet-4-6": _CLAUDE_4_6,
    "claude-opus-4-7": _CLAUDE_4_7,
    "claude-opus-4-8": attrs.evolve(_CLAUDE_4_7, system_turns=True),
    "claude-sonnet-5": _CLAUDE_5,
    "claude-opus-5": _CLAUDE_5,
    "claude-fable-5": _CLAUDE_5,
    "claude-opus-5-5": _CLAUDE_5_5,
    "claude-sonnet-5-5": _CLAUDE_5_5,
    "claude-haiku-5-5": _CLAUDE_5_5,
    "claude-fable-5-1": _CLAUDE_5_5,
    "claude-fable-5-2": _CLAUDE_5_5,
    "claude-mythos-preview": _CLAUDE_4_7,
    "claude-mythos-5": _CLAUDE_5,
    "claude-mythos-5-1": _CLAUDE_5_5,
    "claude-mythos-5-2": _CLAUDE_5_5,
}


@attrs.frozen(kw_only=True)
class GPT:
    """A model of OpenAI's."""

    efforts: tuple[str, ...] = ()
    """The reasoning efforts that it takes; empty: it does not reason."""
    stop: bool = True
    """Takes stop sequences."""
    audio: bool = False
    """Takes audio."""
    search: bool = False
    """Searches by itself, and takes ``web_search_options``."""
    system: bool = True
    """Takes system and developer messages."""

    def samples(self, effort: str | None) -> bool:
        """Whether it takes ``temperature`` and the like: without reasoning only (GPT-5.1 and later can do without,
        and do when they are not told)."""
        if not self.efforts:
            return True
        return "none" in self.efforts and effort in {None, "none"}


_O = GPT(efforts=_LOW, stop=False)
_GPT_5 = GPT(efforts=("minimal", *_LOW), stop=False)
_GPT_5_1 = GPT(efforts=("none", *_LOW), stop=False)
_GPT_5_2 = GPT(efforts=("none", *_LOW, "xhigh"), stop=False)
_GPT_5_6 = GPT(efforts=("none", *_ALL), stop=False)

OPENAI: Mapping[str, GPT] = {
    "gpt-3.5": GPT(),
    "gpt-4": GPT(),
    "gpt-4o": GPT(),
    "gpt-4o-search-preview": GPT(search=True),
    "gpt-4o-mini-search-preview": GPT(search=True),
    "gpt-4o-audio-preview": GPT(audio=True),
    "gpt-4o-mini-audio-preview": GPT(audio=True),
    "gpt-audio": GPT(audio=True),
    "computer-use-preview": GPT(),
    "o1": _O,
    "o1-mini": attrs.evolve(_O, system=False),
    "o3": _O,
    "o3-mini": attrs.evolve(_O, stop=True),
    "o4-mini": _O,
    "gpt-5": _GPT_5,
    "gpt-5-pro": GPT(efforts=("high",), stop=False),
    "gpt-5-chat": GPT(),
    "gpt-5.1": _GPT_5_1,
    "gpt-5.2": _GPT_5_2,
    "gpt-5.3": _GPT_5_2,
    "gpt-5.4": _GPT_5_2,
    "gpt-5.5": _GPT_5_2,
    "gpt-5.6": _GPT_5_6,
    "gpt-6": _GPT_5_6,
    "chatgpt-4o": GPT(),
    "codex-mini": _O,
}


@attrs.frozen(kw_only=True)
class Gemini:
    """A model of Google's."""

    budget: tuple[int, int] | None = None
    """Least and most of ``thinkingBudget``; None: it does not think."""
    off: bool = False
    """The budget may be 0 too."""
    levels: tuple[str, ...] = ()
    """The ``thinkingLevel`` values that it takes; with any, a function call needs its signature (Gemini 3)."""

    @property
    def signs(self) -> bool:
        """Whether a function call of the current turn needs its signature, and has an id."""
        return bool(self.levels)


_FLASH_3 = Gemini(budget=(0, 32_768), levels=("MINIMAL", "LOW", "MEDIUM", "HIGH"))

GEMINI: Mapping[str, Gemini] = {
    "gemma-3": Gemini(),
    "gemini-1.5": Gemini(),
    "gemini-2.0": Gemini(),
    "gemini-2.5-flash": Gemini(budget=(1, 24_576), off=True),
    "gemini-2.5-flash-lite": Gemini(budget=(512, 24_576), off=True),
    "gemini-2.5-flash-image": Gemini(),
    "gemini-2.5-pro": Gemini(budget=(128, 32_768)),
    "gemini-3-pro": Gemini(budget=(1, 32_768), levels=("LOW", "HIGH")),
    "gemini-3.1-pro": Gemini(budget=(1, 32_768), levels=("LOW", "MEDIUM", "HIGH")),
    "gemini-3-flash": _FLASH_3,
    "gemini-3.1-flash": _FLASH_3,
    "gemini-3.5-flash": _FLASH_3,
    "gemini-3.6-flash": _FLASH_3,
    "gemini-flash-latest": _FLASH_3,
}


def family_of(table: Mapping[str, T], model: str) -> T | None:
    """Return the entry of the longest family that *model*'s name begins with; None if there is none."""
    families = [name for name in table if model == name or model.startswith((f"{name}-", f"{name}."))]
    return table[max(families, key=len)] if families else None


def claude(model: str) -> Claude:
    """Return what *model* takes. Raises :class:`RefusalError` (404) for one that is not known."""
    found = family_of(CLAUDE, model)
    if found is None:
        raise RefusalError(f"model: {model}", status=404)
    return found


def gemini(model: str) -> Gemini:
    """Return what *model* takes. Raises :class:`RefusalError` (404) for one that is not known."""
    found = family_of(GEMINI, model)
    if found is None:
        raise RefusalError(
            f"models/{model} is not found for API version v1beta, or is not supported for generateContent. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
            status=404,
        )
    return found
