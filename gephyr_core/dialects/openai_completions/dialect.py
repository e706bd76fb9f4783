"""Completions: Chat's framing, errors and usage; a choice has ``text`` where Chat's has ``delta``."""

from collections.abc import Mapping

import msgspec

from gephyr_core.dialects.decoding import member
from gephyr_core.dialects.openai_chat import OpenAIChat


class OpenAICompletions(OpenAIChat):
    """See :class:`gephyr_core.dialects.base.Dialect`."""

    name = "openai-completions"

    def choices(self, fields: Mapping[str, msgspec.Raw]) -> int:
        """``n`` for each prompt. A list of numbers is one prompt, as tokens."""
        prompt = member(fields, "prompt")
        several = isinstance(prompt, list) and not any(isinstance(one, int) for one in prompt)
        return super().choices(fields) * (max(1, len(prompt)) if several else 1)
