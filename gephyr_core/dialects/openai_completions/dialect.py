"""Completions: Chat's framing, errors and usage; a choice has ``text`` where Chat's has ``delta``."""

from gephyr_core.dialects.openai_chat import OpenAIChat


class OpenAICompletions(OpenAIChat):
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "openai-completions"
