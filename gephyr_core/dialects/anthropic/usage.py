"""Anthropic's usage: three separate input counts, told in two places of a stream."""

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
    uncached = count(usage, "input_tokens")
    if uncached is None and old.input is not None:
        uncached = old.input - (old.cached or 0) - (old.cache_write or 0)
    return Usage(
        input=total(uncached, cached, cache_write),
        cached=cached,
        cache_write=cache_write,
        output=_newer(old.output, count(usage, "output_tokens")),
        reasoning=_newer(old.reasoning, count(mapping(usage.get("output_tokens_details")), "thinking_tokens")),
    )


def _newer(old: int | None, new: int | None) -> int | None:
    return old if new is None else new
