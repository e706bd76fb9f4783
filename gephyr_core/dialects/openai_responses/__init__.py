"""The OpenAI Responses dialect."""

from gephyr_core.dialects.openai_responses.dialect import OpenAIResponses

__all__ = ["OpenAIResponses"]
