"""The ``Response`` object that a client is told: what it asked for, and what came of it."""

from typing import Any

from gephyr_core.dialects.openai_responses.echo import echoed
from gephyr_core.dialects.openai_responses.settings_writing import SERVICE_TIERS
from gephyr_core.dialects.translator import ReplyContext


def response_id(context: ReplyContext) -> str:
    """The response's id as the client is told it."""
    return f"resp_gephyr{context.key}"


def opening(context: ReplyContext, model: str) -> dict[str, Any]:
    """The response as it begins."""
    return {
        "id": response_id(context),
        "object": "response",
        "created_at": context.created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model or context.model,
        "output": [],
        **echoed(context.request),
        "service_tier": "default",
        "store": context.stored,
        "usage": None,
    }


def told_tier(tier: str) -> str:
    """The service tier as the SDK knows it."""
    return tier if tier in SERVICE_TIERS else "default"
