"""The dialects as a translation meets them: of clients, of providers, and what has to be sent to these as bytes."""

from gephyr_core.conversation.parts import Media
from gephyr_core.dialects.anthropic.translator import needs_inline as anthropic_needs_inline
from gephyr_core.dialects.gemini.translator import needs_inline as gemini_needs_inline
from gephyr_core.dialects.openai_chat.translator import needs_inline as chat_needs_inline
from gephyr_core.dialects.openai_completions.translator import CompletionsTranslator
from gephyr_core.dialects.openai_responses.translator import needs_inline as responses_needs_inline
from gephyr_core.dialects.translator import ClientTranslator, Translator
from gephyr_core.dialects.translators import TRANSLATORS

CLIENTS: dict[str, ClientTranslator] = {**TRANSLATORS, CompletionsTranslator.name: CompletionsTranslator()}
"""Every dialect that a client may speak; the legacy Completions are no provider's in a translation."""

_NEEDS_INLINE = {
    "anthropic": anthropic_needs_inline,
    "gemini": gemini_needs_inline,
    "openai-chat": chat_needs_inline,
    "openai-responses": responses_needs_inline,
}

__all__ = ["CLIENTS", "TRANSLATORS", "ClientTranslator", "Translator", "needs_inline"]


def needs_inline(dialect: str, media: Media) -> bool:
    """Whether providers of *dialect* have to be given *media*, which the client told the address of, as bytes."""
    return _NEEDS_INLINE[dialect](media)
