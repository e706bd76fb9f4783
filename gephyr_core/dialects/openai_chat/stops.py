"""Why a reply ended, as ``finish_reason`` tells it; the table is ``docs/mapping.md#stop-reasons``."""

from gephyr_core.conversation.reply import Failed, Stop, StopReason
from gephyr_core.errors import ErrorKind

_READ = {
    "stop": StopReason.END,
    "eos": StopReason.END,
    "end_turn": StopReason.END,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "length": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_length": StopReason.CONTEXT_FULL,
    "tool_calls": StopReason.TOOL_CALL,
    "function_call": StopReason.TOOL_CALL,
    "content_filter": StopReason.FILTERED,
    "sensitive": StopReason.FILTERED,
}
"""OpenAI's own, and what Together (``eos``), Mistral (``model_length``) and Z.ai (``sensitive``) say."""

_BROKEN = {
    "error": ErrorKind.SERVER,
    "network_error": ErrorKind.SERVER,
    "insufficient_system_resource": ErrorKind.OVERLOADED,
}
"""Not ends of a reply: OpenRouter, Z.ai and DeepSeek tell so that it broke off."""

_WRITTEN = {
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_FULL: "length",
    StopReason.PAUSED: "length",
    StopReason.TOOL_CALL: "tool_calls",
    StopReason.FILTERED: "content_filter",
    StopReason.PROMPT_BLOCKED: "content_filter",
}
"""The others are ``stop``."""

REFUSED = "The model declined to answer."
"""The refusal's text where the provider gives no reason."""


def read_stop(reason: str, *, called: bool, refused: bool) -> Stop:
    """Read a ``finish_reason``. A reply that calls tools ends in a call whatever it says: OpenAI says ``stop`` where
    the call was forced, others always do."""
    stop = _READ.get(reason, StopReason.OTHER if reason else StopReason.END)
    if called and stop in (StopReason.END, StopReason.OTHER):
        stop = StopReason.TOOL_CALL
    elif stop is StopReason.TOOL_CALL and not called:
        stop = StopReason.END
    elif stop is StopReason.END and refused:
        stop = StopReason.REFUSAL
    return Stop(stop, detail=reason if stop is StopReason.OTHER else "")


def read_break(reason: str) -> Failed | None:
    """Read a ``finish_reason`` that tells of a failure; None for the others."""
    kind = _BROKEN.get(reason)
    return None if kind is None else Failed(kind, f"the provider broke the reply off: {reason}", reason)


def finish_reason(stop: Stop, *, called: bool) -> str:
    """Write a ``finish_reason``; *called*: the reply has tool calls."""
    if stop.reason is StopReason.TOOL_CALL and not called:
        return "stop"
    return _WRITTEN.get(stop.reason, "stop")
