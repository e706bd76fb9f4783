"""Why a response ended: its status and ``incomplete_details``; the table is ``docs/mapping.md#stop-reasons``."""

from typing import Any

from gephyr_core.conversation.reply import Stop, StopReason
from gephyr_core.dialects.decoding import mapping, text

_READ = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.FILTERED,
    "max_messages": StopReason.PAUSED,
}
_WRITTEN = {
    StopReason.MAX_TOKENS: "max_output_tokens",
    StopReason.CONTEXT_FULL: "max_output_tokens",
    StopReason.PAUSED: "max_messages",
    StopReason.FILTERED: "content_filter",
    StopReason.PROMPT_BLOCKED: "content_filter",
}
"""The others are ``completed``."""

REFUSED = "The model declined to answer."
"""The refusal's text where the provider gives no reason."""


def read_stop(response: dict[str, Any], *, called: bool, refused: bool) -> Stop:
    """Read why *response* ended."""
    status = text(response.get("status")) or "completed"
    reason = text((mapping(response.get("incomplete_details")) or {}).get("reason")) or ""
    if status == "incomplete" or reason:
        known = _READ.get(reason, StopReason.OTHER)
        return Stop(known, detail=reason if known is StopReason.OTHER else "")
    if status != "completed":
        return Stop(StopReason.OTHER, detail=status)
    if called:
        return Stop(StopReason.TOOL_CALL)
    return Stop(StopReason.REFUSAL if refused else StopReason.END)


def incomplete_reason(stop: Stop) -> str:
    """The ``reason`` of ``incomplete_details``; empty for a response that is complete."""
    return _WRITTEN.get(stop.reason, "")
