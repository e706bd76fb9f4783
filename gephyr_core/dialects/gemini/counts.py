"""``usageMetadata`` both ways; the arithmetic is ``API.md`` section 2's."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import count, mapping
from gephyr_core.dialects.gemini.usage import gemini_usage
from gephyr_core.records import Usage

_AUDIO = ("AUDIO", 4)
"""The modality, and its number."""


def read_usage(value: object) -> Usage | None:
    """Read all that the neutral model has a place for; None when there is nothing to read."""
    fields = mapping(value)
    usage = gemini_usage(fields)
    if fields is None or usage is None:
        return None
    return attrs.evolve(
        usage,
        audio_input=_audio(fields.get("promptTokensDetails")),
        audio_output=_audio(fields.get("candidatesTokensDetails")),
        tool_input=count(fields, "toolUsePromptTokenCount"),
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """Write a ``usageMetadata``: thoughts and what tools gave stand beside what they are part of elsewhere."""
    prompt = max(0, (usage.input or 0) - (usage.tool_input or 0))
    written = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": max(0, (usage.output or 0) - (usage.reasoning or 0)),
        "totalTokenCount": (usage.input or 0) + (usage.output or 0),
    }
    if usage.cached is not None:
        written["cachedContentTokenCount"] = usage.cached
    if usage.reasoning is not None:
        written["thoughtsTokenCount"] = usage.reasoning
    if usage.tool_input is not None:
        written["toolUsePromptTokenCount"] = usage.tool_input
    details = {
        "promptTokensDetails": (prompt, usage.audio_input),
        "candidatesTokensDetails": (written["candidatesTokenCount"], usage.audio_output),
    }
    told = {name: _details(all_of_it, audio) for name, (all_of_it, audio) in details.items() if audio}
    return {**written, **told}


def _audio(details: object) -> int | None:
    """How many tokens are sound; None where it is not told."""
    found = [mapping(one) or {} for one in details] if isinstance(details, list) else []
    counts = [count(one, "tokenCount") or 0 for one in found if one.get("modality") in _AUDIO]
    return sum(counts) if counts else None


def _details(tokens: int, audio: int) -> list[dict[str, Any]]:
    text = {"modality": "TEXT", "tokenCount": max(0, tokens - audio)}
    return [text, {"modality": "AUDIO", "tokenCount": audio}]
