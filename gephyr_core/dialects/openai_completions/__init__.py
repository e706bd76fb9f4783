"""The OpenAI Completions dialect (``/v1/completions``, legacy)."""

from gephyr_core.dialects.openai_completions.dialect import OpenAICompletions

__all__ = ["OpenAICompletions"]
