"""What the providers of Chat differ in, as far as requests written for them have to know."""

import hashlib
import re

from gephyr_core.conversation.parts import CacheMarker
from gephyr_core.dialects.translator import Destination

_OPENAI = ("openai", "azure")
_MISTRAL = "mistral"
_LONGEST_ID = 40
"""Characters of a tool call's id; OpenAI refuses longer ones."""
_MISTRAL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT_OF_NAME = 55
_MODEL_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?")
_MARKING = (5, 6)
"""The first GPT that takes ``prompt_cache_breakpoint``."""
MOST_MARKERS = 4
"""Cache markers of one request, at OpenAI and at Anthropic behind OpenRouter."""

_BREAKPOINT_TTL = {"": "", "5m": "", "30m": "30m", "1h": "12h", "12h": "12h"}
_CONTROL_TTL = {"": "", "5m": "5m", "30m": "1h", "1h": "1h", "12h": "1h"}


def is_openai(destination: Destination) -> bool:
    """Whether the provider is OpenAI's own Chat, which refuses fields that it does not know."""
    return destination.provider in _OPENAI


def is_mistral(destination: Destination) -> bool:
    """Whether the provider is Mistral, which refuses what it does not know with 422 and has words of its own."""
    return destination.provider == _MISTRAL


def takes_reasoning(destination: Destination) -> bool:
    """Whether the messages have a place for reasoning."""
    return not is_openai(destination)


def marker_field(destination: Destination) -> str:
    """The field of a cache marker on a part; empty where the provider caches by itself or not at all."""
    if destination.provider == "openrouter":
        return "cache_control"
    version = _MODEL_VERSION.search(destination.model)
    if destination.provider == "openai" and version is not None:
        return "prompt_cache_breakpoint" if (int(version[1]), int(version[2] or 0)) >= _MARKING else ""
    return ""


def marker_object(field: str, marker: CacheMarker) -> dict[str, str]:
    """Write a cache marker for *field*: at least as long as it was meant to last."""
    if field == "prompt_cache_breakpoint":
        ttl = _BREAKPOINT_TTL.get(marker.ttl, "")
        return {"mode": "explicit", "ttl": ttl} if ttl else {"mode": "explicit"}
    ttl = _CONTROL_TTL.get(marker.ttl, "")
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}


def call_id(wanted: str, provider: str) -> str:
    """The id of a tool call as the provider takes it; the same for the call and its result."""
    if provider == _MISTRAL:
        return wanted if _MISTRAL_ID.fullmatch(wanted) else hashlib.sha256(wanted.encode()).hexdigest()[:9]
    if len(wanted) <= _LONGEST_ID or provider not in _OPENAI:
        return wanted
    return f"call_{hashlib.sha256(wanted.encode()).hexdigest()[:32]}"


def tool_name(wanted: str) -> str:
    """The name of a tool as OpenAI takes it: letters, digits, ``_`` and ``-``, at most 64."""
    if _NAME.fullmatch(wanted):
        return wanted
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    return f"{_NOT_IN_NAME.sub('_', wanted)[:_KEPT_OF_NAME]}_{digest}"
