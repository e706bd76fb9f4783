"""Gemini's usage: thoughts and tool prompts stand beside the counts they belong to."""

from typing import Any

import msgspec

from gephyr_core.dialects.decoding import count, decode, mapping, total
from gephyr_core.records import Usage


class _Reply(msgspec.Struct, gc=False):
    usageMetadata: Any = None  # noqa: N815


_REPLY = msgspec.json.Decoder(_Reply)


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


def reply_usage(reply: bytes) -> Usage | None:
    """Read the usage of a whole reply."""
    if b'"usageMetadata"' not in reply:
        return None
    decoded = decode(_REPLY, reply)
    return None if decoded is None else gemini_usage(mapping(decoded.usageMetadata))
