"""The wire formats Gephyr speaks, by name."""

from gephyr_core.dialects.anthropic import Anthropic
from gephyr_core.dialects.base import Dialect
from gephyr_core.dialects.gemini import Gemini
from gephyr_core.dialects.openai_chat import OpenAIChat
from gephyr_core.dialects.openai_completions import OpenAICompletions
from gephyr_core.dialects.openai_responses import OpenAIResponses

OPENAI_CHAT = OpenAIChat()
OPENAI_COMPLETIONS = OpenAICompletions()
OPENAI_RESPONSES = OpenAIResponses()
ANTHROPIC = Anthropic()
GEMINI = Gemini()

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_RESPONSES, ANTHROPIC, GEMINI)
}

__all__ = ["ANTHROPIC", "DIALECTS", "GEMINI", "OPENAI_CHAT", "OPENAI_COMPLETIONS", "OPENAI_RESPONSES"]
