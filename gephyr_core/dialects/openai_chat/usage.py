"""``CompletionUsage`` both ways; the arithmetic is ``docs/mapping.md#usage``."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import count, mapping
from gephyr_core.dialects.openai_chat.stream import chat_usage
from gephyr_core.records import Usage


def read_usage(value: object) -> Usage | None:
    """Read a ``usage`` object with all that the neutral model has a place for; None when there is none."""
    fields = mapping(value)
    usage = chat_usage(fields)
    if fields is None or usage is None:
        return None
    return attrs.evolve(
        usage,
        cached=_first(usage.cached, count(fields, "prompt_cache_hit_tokens"), count(fields, "num_cached_tokens")),
        audio_input=count(mapping(fields.get("prompt_tokens_details")), "audio_tokens"),
        audio_output=count(mapping(fields.get("completion_tokens_details")), "audio_tokens"),
        web_searches=count(mapping(fields.get("server_tool_use_details")), "web_search_requests"),
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """Write a ``usage`` object. What the provider did not tell counts as nothing where the SDK demands a number."""
    prompt, completion = usage.input or 0, usage.output or 0
    prompt_details = {"cached_tokens": usage.cached or 0, "audio_tokens": usage.audio_input or 0}
    if usage.cache_write is not None:
        prompt_details["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning or 0,
            "audio_tokens": usage.audio_output or 0,
        },
    }


def _first(*counts: int | None) -> int | None:
    """The first count that is known: DeepSeek and Mistral tell cached tokens under names of their own."""
    return next((value for value in counts if value is not None), None)
