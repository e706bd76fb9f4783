"""``usageMetadata`` both ways; the arithmetic is ``docs/mapping.md#usage``."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import count, mapping, total
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
    prompt = None if usage.input is None else max(0, usage.input - (usage.tool_input or 0))
    said = None if usage.output is None else max(0, usage.output - (usage.reasoning or 0))
    written: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": said,
        "totalTokenCount": total(usage.input, usage.output),
        "cachedContentTokenCount": usage.cached,
        "thoughtsTokenCount": usage.reasoning,
        "toolUsePromptTokenCount": usage.tool_input,
    }
    if usage.audio_input:
        written["promptTokensDetails"] = _details(prompt or 0, usage.audio_input)
    if usage.audio_output:
        written["candidatesTokensDetails"] = _details(said or 0, usage.audio_output)
    return {name: value for name, value in written.items() if value is not None}


def _audio(details: object) -> int | None:
    """How many tokens are sound; None where it is not told."""
    found = [mapping(one) or {} for one in details] if isinstance(details, list) else []
    return total(*(count(one, "tokenCount") for one in found if one.get("modality") in _AUDIO))


def _details(tokens: int, audio: int) -> list[dict[str, Any]]:
    text = {"modality": "TEXT", "tokenCount": max(0, tokens - audio)}
    return [text, {"modality": "AUDIO", "tokenCount": audio}]
