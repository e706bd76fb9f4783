"""Gemini's usage: thoughts and tool prompts stand beside the counts they belong to."""

from typing import Any

from gephyr_core.dialects.decoding import count, total
from gephyr_core.records import Usage


def gemini_usage(usage: dict[str, Any] | None) -> Usage | None:
    """Read ``usageMetadata``."""
    if usage is None:
        return None
    thoughts = count(usage, "thoughtsTokenCount")
    return Usage(
        input=total(count(usage, "promptTokenCount"), count(usage, "toolUsePromptTokenCount")),
        cached=count(usage, "cachedContentTokenCount"),
        output=total(count(usage, "candidatesTokenCount"), thoughts),
        reasoning=thoughts,
    )
