"""What a model takes and what it refuses, as far as a translation has to know."""

import attrs

from gephyr_core.conversation.prompt import Effort


@attrs.frozen(kw_only=True)
class Capabilities:
    """One model's. The defaults suit a current model of a provider that is not known to differ."""

    sampling: bool = True
    """Takes ``temperature``, ``top_p`` and ``top_k``."""
    stop: bool = True
    """Takes stop sequences."""
    prefill: bool = True
    """The last turn may be the assistant's, to be continued."""
    forced_tools: bool = True
    """Takes a tool choice that forces a call (``any``, ``tool``, ``required``)."""
    forced_tools_with_thinking: bool = True
    system_turns: bool = False
    """Takes system messages in the middle of a conversation; in the OpenAI dialects all do that are not said not to."""
    structured_output: bool = True
    """Takes a JSON schema for its reply."""
    tool_search: bool = True
    """Searches tools that are not loaded, where its provider's dialect has that (Anthropic, Responses)."""
    thinking: tuple[str, ...] = ()
    """Anthropic's ``thinking.type`` values that it takes; empty: it does not reason."""
    efforts: tuple[Effort, ...] = ()
    """The effort levels that it takes; empty: none can be said."""
    reasons: bool = False
    """It reasons though it cannot be told how much, or nothing is known of it."""
    thinking_budget: tuple[int, int] | None = None
    """Least and greatest thinking budget, tokens, where it takes one (Gemini 2.5, older Claude); the least is 0 where
    thinking can be switched off."""
    thinking_levels: tuple[str, ...] = ()
    """Gemini 3's ``thinkingLevel`` values."""
    signatures_required: bool = False
    """A tool call of the current turn must carry its signature (Gemini 3)."""
    automatic_caching: bool = False
    """Takes a top-level cache marker (Anthropic)."""
    max_output_tokens: int | None = None
    """The most it can write; the default where the target's dialect demands a limit."""
    modalities: tuple[str, ...] = ("image", "document", "audio", "video")
    """What it takes besides text; what its dialect has no place for is left out anyway."""

    @property
    def may_reason(self) -> bool:
        """Whether it reasons, as far as is known."""
        return self.reasons or bool(self.efforts or self.thinking or self.thinking_levels or self.thinking_budget)
