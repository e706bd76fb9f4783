"""``ResponseUsage`` both ways; the arithmetic is ``docs/mapping.md#usage``."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import count, mapping
from gephyr_core.dialects.openai_responses.objects import responses_usage
from gephyr_core.records import Usage


def read_usage(value: object) -> Usage | None:
    """Read a ``usage`` object with all that the neutral model has a place for; None when there is none."""
    fields = mapping(value)
    usage = responses_usage(fields)
    if fields is None or usage is None:
        return None
    inputs = mapping(fields.get("input_tokens_details")) or {}
    long = count(mapping(inputs.get("cache_write_tokens_details")), "ttl_12h_tokens")
    return attrs.evolve(usage, cache_write_long=long)


def usage_object(usage: Usage) -> dict[str, Any]:
    """Write a ``usage`` object. What the provider did not tell counts as nothing, since the SDK demands numbers."""
    given, made, kept = usage.input or 0, usage.output or 0, usage.cache_write or 0
    details: dict[str, Any] = {"cached_tokens": usage.cached or 0, "cache_write_tokens": kept}
    if usage.cache_write_long is not None:
        long = min(usage.cache_write_long, kept)
        details["cache_write_tokens_details"] = {"ttl_30m_tokens": kept - long, "ttl_12h_tokens": long}
    return {
        "input_tokens": given,
        "input_tokens_details": details,
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": given + made,
    }
