"""Why a response ended: its status and ``incomplete_details``; the table is ``docs/mapping.md#stop-reasons``."""

from typing import Any

from gephyr_core.conversation.reply import Stop, StopReason
from gephyr_core.conversation.report import Report
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


def read_stop(
    response: dict[str, Any], report: Report, *, called: bool, refused: bool, incomplete: bool = False
) -> Stop:
    """Read why *response* ended. *incomplete*: its last event says that it is."""
    status = text(response.get("status")) or ("incomplete" if incomplete else "completed")
    reason = text((mapping(response.get("incomplete_details")) or {}).get("reason")) or ""
    if reason in _READ:
        return Stop(_READ[reason])
    if status != "completed" or reason:
        said = f"says only that it is {reason or status}" if reason or status != "incomplete" else "does not say why"
        report.changed("status", f"the reply is not whole, and the provider {said}: told as cut off by a limit")
        return Stop(StopReason.MAX_TOKENS, detail=reason or status)
    if called:
        return Stop(StopReason.TOOL_CALL)
    return Stop(StopReason.REFUSAL if refused else StopReason.END)


def incomplete_reason(stop: Stop) -> str:
    """The ``reason`` of ``incomplete_details``; empty for a response that is complete."""
    return _WRITTEN.get(stop.reason, "")
