"""The dialects as a translation meets them: of clients, of providers, and what has to be sent to these as bytes."""

from collections.abc import Mapping
from typing import Any

from gephyr_core.conversation.parts import Media
from gephyr_core.dialects.anthropic.translator import needs_inline as anthropic_needs_inline
from gephyr_core.dialects.anthropic.versions import check_version
from gephyr_core.dialects.anthropic.versions import stated_version as stated_to_anthropic
from gephyr_core.dialects.gemini.translator import needs_inline as gemini_needs_inline
from gephyr_core.dialects.openai_chat.translator import needs_inline as chat_needs_inline
from gephyr_core.dialects.openai_completions.translator import CompletionsTranslator
from gephyr_core.dialects.openai_responses.translator import needs_inline as responses_needs_inline
from gephyr_core.dialects.translator import ClientTranslator, Translator
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.http import Headers

CLIENTS: dict[str, ClientTranslator] = {**TRANSLATORS, CompletionsTranslator.name: CompletionsTranslator()}
"""Every dialect that a client may speak; the legacy Completions are no provider's in a translation."""

_NEEDS_INLINE = {
    "anthropic": anthropic_needs_inline,
    "gemini": gemini_needs_inline,
    "openai-chat": chat_needs_inline,
    "openai-responses": responses_needs_inline,
}

__all__ = ["CLIENTS", "TRANSLATORS", "ClientTranslator", "Translator", "needs_inline", "stated_version"]


def needs_inline(dialect: str, media: Media) -> bool:
    """Whether providers of *dialect* have to be given *media*, which the client told the address of, as bytes."""
    return _NEEDS_INLINE[dialect](media)


def stated_version(dialect: str, headers: Headers, body: Mapping[str, Any]) -> str:
    """Return the version of its API that a client of *dialect* states beside its request; empty where the API has no
    such thing. Raises ``FieldError`` for what the request has and that version has not."""
    if dialect != "anthropic":
        return ""
    version = stated_to_anthropic(headers, body)
    check_version(body, version)
    return version
