"""Why a reply ended: each word that a provider has for it, and what each client is told."""

import json
from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translators import TRANSLATORS
from tests.approved import check_table
from tests.translation.native_replies import NATIVE
from tests.translation.translating import write_reply

WORDS: dict[str, list[Any]] = {
    "openai-chat": [
        *("stop", "eos", "end_turn", "stop_sequence", "length", "max_tokens", "model_length", "tool_calls"),
        *("function_call", "content_filter", "sensitive", "error", "network_error", "insufficient_system_resource"),
        *("brand_new", "", None),
    ],
    "openai-responses": ["max_output_tokens", "max_tokens", "content_filter", "max_messages", "brand_new", "", None],
    "anthropic": [
        *("end_turn", "stop_sequence", "max_tokens", "model_context_window_exceeded", "tool_use", "pause_turn"),
        *("refusal", "brand_new"),
    ],
    "gemini": [
        *("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST"),
        *("PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL"),
        *("TOO_MANY_TOOL_CALLS", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION"),
        *("ESCALATION", "MODEL_ARMOR", "PUP_LIMITED_DISABLED", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"),
        *("CONTINUATION", "BRAND_NEW", *range(20), True, 1.5, "1"),
    ],
}
BLOCKED = (
    *("BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"),
    *("MODEL_ARMOR", "JAILBREAK", "BRAND_NEW", *range(10), True, ""),
)
PATHS = {
    "openai-chat": ("choices", 0, "finish_reason"),
    "anthropic": ("stop_reason",),
    "gemini": ("candidates", 0, "finishReason"),
}


def replies(dialect: str) -> Iterator[tuple[str, Any]]:
    """A text, and a call, that end for each reason."""
    for name in ("text", "calls"):
        for word in WORDS[dialect]:
            reply = json.loads(json.dumps(NATIVE[dialect].get(name) or NATIVE[dialect]["text"]))
            if dialect == "openai-responses":
                reply |= {"status": "incomplete", "incomplete_details": {"reason": word}}
            else:
                home = reply
                *way, last = PATHS[dialect]
                for step in way:
                    home = home[step]
                home[last] = word
            if dialect == "gemini" and name == "text":
                reply["candidates"][0]["content"]["parts"].pop()
            yield f"{name} {json.dumps(word)}", reply
    if dialect == "openai-responses":
        for status in ("completed", "failed", "cancelled", "queued", "in_progress", "brand_new", None):
            yield f"status {status}", {**NATIVE[dialect]["calls"], "status": status}
    if dialect == "gemini":
        for word in BLOCKED:
            yield f"blocked {json.dumps(word)}", {"promptFeedback": {"blockReason": word}}
    if dialect == "anthropic":
        for details in ({"category": "c"}, {"category": "c", "explanation": "e"}, {"explanation": ""}, 7):
            text = NATIVE[dialect]["text"]
            yield f"details {json.dumps(details)}", {**text, "stop_reason": "refusal", "stop_details": details}
        yield "sequence", {**NATIVE[dialect]["text"], "stop_reason": "stop_sequence", "stop_sequence": "END"}


def told(dialect: str, reply: bytes) -> str:
    """Why it ended, as a whole reply of a dialect says it."""
    body = json.loads(reply)
    if dialect == "openai-chat":
        return str(body["choices"][0]["finish_reason"])
    if dialect == "openai-responses":
        details = body.get("incomplete_details")
        return f"{body['status']} {details['reason']}" if details else str(body["status"])
    if dialect == "anthropic":
        found = [body[name] for name in ("stop_reason", "stop_sequence", "stop_details") if body.get(name)]
        return " ".join(map(str, found))
    blocked = (body.get("promptFeedback") or {}).get("blockReason")
    return f"blocked {blocked}" if blocked else str(body["candidates"][0].get("finishReason"))


def lines() -> Iterator[str]:
    for dialect in WORDS:
        yield f"## {dialect}"
        for name, body in replies(dialect):
            report = Report()
            try:
                reply = TRANSLATORS[dialect].read_reply(json.dumps(body).encode(), report)
            except ValueError as error:
                yield f"{name}: no reply: {error}"
                continue
            clients = "; ".join(f"{one}: {told(one, write_reply(one, reply))}" for one in TRANSLATORS if one in WORDS)
            yield f"{name}: {reply.stop.reason.value} {reply.stop.detail} ({clients})"
            yield from (f"  {entry.reason}" for entry in report.entries if entry.path in ("status", "finish_reason"))


def test_why_a_reply_ended_is_told_as_approved() -> None:
    check_table("stops", lines())
