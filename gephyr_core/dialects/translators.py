"""The dialects' translators, by name. Legacy Completions are a client's dialect only, and stand in none of them."""

from gephyr_core.dialects.anthropic.translator import AnthropicTranslator
from gephyr_core.dialects.gemini.translator import GeminiTranslator
from gephyr_core.dialects.openai_chat.translator import ChatTranslator
from gephyr_core.dialects.openai_responses.translator import ResponsesTranslator
from gephyr_core.dialects.translator import Translator

_ALL: tuple[Translator, ...] = (ChatTranslator(), ResponsesTranslator(), AnthropicTranslator(), GeminiTranslator())
TRANSLATORS: dict[str, Translator] = {translator.name: translator for translator in _ALL}
"""By the name of the dialect."""
