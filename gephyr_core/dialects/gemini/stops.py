"""Why a reply ended, both ways; the table is ``docs/mapping.md#stop-reasons``."""

from gephyr_core.conversation.reply import Failed, Stop, StopReason
from gephyr_core.dialects.gemini.messages import enum_word
from gephyr_core.errors import ErrorKind

_REASONS = (
    *("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST"),
    *("PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL"),
    *("TOO_MANY_TOOL_CALLS", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION"),
)
"""``FinishReason`` by its numbers as far as they are published."""
_FILTERED = (
    *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
    *("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "ESCALATION", "MODEL_ARMOR"),
    "PUP_LIMITED_DISABLED",
)
_BROKEN = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE")
_PAUSED = ("TOO_MANY_TOOL_CALLS", "CONTINUATION")
_BLOCKED = (
    *("BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"),
    *("MODEL_ARMOR", "JAILBREAK"),
)
_WRITTEN = {
    StopReason.MAX_TOKENS: "MAX_TOKENS",
    StopReason.CONTEXT_FULL: "MAX_TOKENS",
    StopReason.PAUSED: "TOO_MANY_TOOL_CALLS",
    StopReason.REFUSAL: "SAFETY",
    StopReason.FILTERED: "SAFETY",
    StopReason.BAD_TOOL_CALL: "MALFORMED_FUNCTION_CALL",
    StopReason.OTHER: "OTHER",
}


def reason_word(value: object) -> str:
    """A ``finishReason``'s name, which may come as a number; empty where there is none."""
    if not value:
        return ""
    return enum_word(value, _REASONS) or (value if isinstance(value, str) else "OTHER")


def read_stop(reason: str, *, called: bool) -> Stop:
    """Read a finish reason's name; *called*: the reply calls functions."""
    if reason == "STOP":
        return Stop(StopReason.TOOL_CALL if called else StopReason.END)
    if reason == "MAX_TOKENS":
        return Stop(StopReason.MAX_TOKENS)
    if reason in _FILTERED:
        return Stop(StopReason.FILTERED, detail=reason)
    return Stop(StopReason.PAUSED if reason in _PAUSED else StopReason.OTHER, detail=reason)


def read_break(reason: str, message: str) -> Failed | None:
    """Read a finish reason that tells of a failure; None for the others. *message*: the provider's own."""
    if reason not in _BROKEN:
        return None
    told = f": {message}" if message else ""
    return Failed(ErrorKind.BAD_GATEWAY, f"the model's tool call is broken ({reason}){told}", reason)


def read_blocked(value: object) -> Stop | None:
    """Read a ``blockReason``; None where there is none."""
    if not value:
        return None
    word = enum_word(value, _BLOCKED) or (value if isinstance(value, str) else "OTHER")
    return Stop(StopReason.PROMPT_BLOCKED, detail=word)


def finish_reason(stop: Stop) -> str:
    """Write a finish reason: Google's own word where the stop tells it."""
    if stop.detail in _FILTERED and stop.reason is StopReason.FILTERED:
        return stop.detail
    return _WRITTEN.get(stop.reason, "STOP")


def of_calls(stop: Stop, *, called: bool) -> Stop:
    """Why a reply that calls functions stops, if none of its calls could be told: they were no calls."""
    return stop if called or stop.is_cut else Stop(StopReason.BAD_TOOL_CALL)


def block_reason(stop: Stop) -> str:
    """Write why a prompt was blocked."""
    return stop.detail if stop.detail in _BLOCKED else "OTHER"
