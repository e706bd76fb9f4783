"""Why replies end; the table is ``docs/mapping.md#stop-reasons``."""

from typing import Any

from gephyr_core.conversation.reply import Stop, StopReason
from gephyr_core.dialects.decoding import mapping, text

_READ = {
    "end_turn": StopReason.END,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_context_window_exceeded": StopReason.CONTEXT_FULL,
    "tool_use": StopReason.TOOL_CALL,
    "pause_turn": StopReason.PAUSED,
    "refusal": StopReason.REFUSAL,
}
_WRITTEN = {
    **{reason: name for name, reason in _READ.items()},
    StopReason.FILTERED: "refusal",
    StopReason.PROMPT_BLOCKED: "refusal",
    StopReason.BAD_TOOL_CALL: "end_turn",
    StopReason.OTHER: "end_turn",
}
_OPEN = ("end_turn", "tool_use")
"""Reasons that only differ in whether there are calls to be answered."""


def read_stop(fields: dict[str, Any]) -> Stop | None:
    """Read ``stop_reason`` and what stands beside it; None where the reply has not ended."""
    reason = text(fields.get("stop_reason"))
    if reason is None:
        return None
    known = _READ.get(reason, StopReason.OTHER)
    details = mapping(fields.get("stop_details")) or {}
    told = text(details.get("explanation")) or text(details.get("category")) or ""
    sequence = text(fields.get("stop_sequence")) or ""
    return Stop(known, sequence, told or (reason if known is StopReason.OTHER else ""))


def stop_fields(stop: Stop, *, called: bool, refused: bool) -> dict[str, Any]:
    """Write why a reply ended. *called*: it calls tools of the client; *refused*: it says that the model will not."""
    reason = "refusal" if refused and stop.reason is StopReason.END else _WRITTEN[stop.reason]
    if reason in _OPEN:
        reason = "tool_use" if called else "end_turn"
    fields: dict[str, Any] = {"stop_reason": reason, "stop_sequence": None}
    if reason == "stop_sequence":
        fields["stop_sequence"] = stop.sequence or None
    if reason == "refusal" and stop.detail:
        fields["stop_details"] = {"type": "refusal", "category": None, "explanation": stop.detail}
    return fields
