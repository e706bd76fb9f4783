"""Anthropic's usage: three separate input counts, told in two places of a stream. Both ways."""

from typing import Any

from gephyr_core.dialects.decoding import count, mapping, total
from gephyr_core.records import Usage


def merged(old: Usage | None, usage: dict[str, Any] | None) -> Usage | None:
    """Return *old* with what *usage* tells anew: ``message_delta`` is cumulative and repeats only some counts."""
    if usage is None:
        return old
    old = old or Usage()
    cached = _newer(old.cached, count(usage, "cache_read_input_tokens"))
    cache_write = _newer(old.cache_write, count(usage, "cache_creation_input_tokens"))
    cache_write_long = count(mapping(usage.get("cache_creation")), "ephemeral_1h_input_tokens")
    web_searches = count(mapping(usage.get("server_tool_use")), "web_search_requests")
    uncached = count(usage, "input_tokens")
    if uncached is None and old.input is not None:
        uncached = old.input - (old.cached or 0) - (old.cache_write or 0)
    return Usage(
        input=total(uncached, cached, cache_write),
        cached=cached,
        cache_write=cache_write,
        output=_newer(old.output, count(usage, "output_tokens")),
        reasoning=_newer(old.reasoning, count(mapping(usage.get("output_tokens_details")), "thinking_tokens")),
        cache_write_long=_newer(old.cache_write_long, cache_write_long),
        web_searches=_newer(old.web_searches, web_searches),
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """Write the usage of a whole reply, or what is known of it at the start of a stream."""
    written = usage_delta(usage)
    cached, cache_write = usage.cached or 0, usage.cache_write or 0
    long = min(usage.cache_write_long or 0, cache_write)
    return {
        **written,
        "input_tokens": max(0, (usage.input or 0) - cached - cache_write),
        "cache_creation_input_tokens": cache_write,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": cache_write - long, "ephemeral_1h_input_tokens": long},
        "service_tier": "standard",
    }


def usage_delta(usage: Usage) -> dict[str, Any]:
    """Write the usage of ``message_delta``: cumulative, and what is not known does not replace what was told before."""
    written: dict[str, Any] = {}
    if usage.input is not None:
        cached, cache_write = usage.cached or 0, usage.cache_write or 0
        written["input_tokens"] = max(0, usage.input - cached - cache_write)
        written["cache_creation_input_tokens"] = cache_write
        written["cache_read_input_tokens"] = cached
    written["output_tokens"] = usage.output or 0
    if usage.reasoning is not None:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches:
        written["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    return written


def _newer(old: int | None, new: int | None) -> int | None:
    return old if new is None else new
