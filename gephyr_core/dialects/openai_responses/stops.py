"""Why a reply ended, as ``status`` and ``incomplete_details`` tell it; the table is ``API.md`` section 1's."""

from gephyr_core.conversation.reply import Stop, StopReason

_READ = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "max_messages": StopReason.PAUSED,
    "content_filter": StopReason.FILTERED,
}
_WRITTEN = {
    StopReason.MAX_TOKENS: "max_output_tokens",
    StopReason.CONTEXT_FULL: "max_output_tokens",
    StopReason.PAUSED: "max_messages",
    StopReason.FILTERED: "content_filter",
    StopReason.PROMPT_BLOCKED: "content_filter",
}
"""The reasons of an incomplete response; the others complete it."""


def read_stop(status: str, reason: str, *, called: bool, refused: bool) -> Stop:
    """Read why a response ended; *called*: it calls the client's tools, *refused*: it holds a refusal."""
    if status == "incomplete":
        stop = _READ.get(reason, StopReason.OTHER)
        return Stop(stop, detail=reason if stop is StopReason.OTHER else "")
    if called:
        return Stop(StopReason.TOOL_CALL)
    return Stop(StopReason.REFUSAL if refused else StopReason.END)


def incomplete_reason(stop: Stop) -> str:
    """The reason why a response is incomplete; empty for a complete one."""
    return _WRITTEN.get(stop.reason, "")
