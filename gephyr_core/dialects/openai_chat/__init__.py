"""The OpenAI Chat Completions dialect."""

from gephyr_core.dialects.openai_chat.dialect import OpenAIChat

__all__ = ["OpenAIChat"]
