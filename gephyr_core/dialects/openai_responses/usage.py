"""``ResponseUsage`` both ways; the arithmetic is ``API.md`` section 2's."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import count, mapping
from gephyr_core.dialects.openai_responses.objects import responses_usage
from gephyr_core.records import Usage


def read_usage(value: object, tool_usage: object = None) -> Usage:
    """Read a ``usage`` object, and how often ``tool_usage`` says that the web was searched."""
    fields = mapping(value)
    usage = responses_usage(fields) or Usage()
    inputs = mapping((fields or {}).get("input_tokens_details")) or {}
    searches = count(mapping((mapping(tool_usage) or {}).get("web_search")), "num_requests")
    long = count(mapping(inputs.get("cache_write_tokens_details")), "ttl_12h_tokens")
    return attrs.evolve(usage, cache_write_long=long, web_searches=searches)


def usage_object(usage: Usage) -> dict[str, Any]:
    """Write a ``usage`` object. What the provider did not tell counts as nothing: the SDK demands a number."""
    told, written = usage.input or 0, usage.output or 0
    inputs: dict[str, Any] = {"cached_tokens": usage.cached or 0, "cache_write_tokens": usage.cache_write or 0}
    if usage.cache_write_long is not None:
        short = max(0, (usage.cache_write or 0) - usage.cache_write_long)
        inputs["cache_write_tokens_details"] = {"ttl_30m_tokens": short, "ttl_12h_tokens": usage.cache_write_long}
    return {
        "input_tokens": told,
        "input_tokens_details": inputs,
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": told + written,
    }
