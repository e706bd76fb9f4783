"""Recorded generation requests and their replies, decoded once for a whole run of the tests."""

import functools
import json
import re
from typing import Any

import attrs

from tests.recordings import traffic

FILES = {
    "openai-chat": "openai-chat",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic-messages",
    "gemini": "gemini-generate",
    "openai-completions": "openai-completions",
}
"""Each dialect's recordings."""
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""The dialects that are spoken on both sides."""
PAIRS = [(source, target) for source in DIALECTS for target in DIALECTS if source != target]
_GEMINI_MODEL = re.compile(r"/models/([^/:]+):(\w+)")


@attrs.frozen(eq=False)
class Recording:
    """One request that was answered with 200, and its reply."""

    id: str
    dialect: str
    provider: str
    model: str
    stream: bool
    request: bytes
    reply: bytes
    """The whole reply, or the stream's bytes."""
    streamed: bool
    """The reply is a stream of server-sent events."""

    def body(self) -> dict[str, Any]:
        """The request, decoded anew: a reader takes it apart."""
        decoded: dict[str, Any] = json.loads(self.request)
        return decoded


@functools.cache
def recordings(dialect: str) -> tuple[Recording, ...]:
    """All recordings of a dialect."""
    return tuple(
        _recording(dialect, record)
        for record in traffic.records(FILES[dialect])
        if record["status"] == 200 and record["method"] == "POST" and isinstance(record["request"], dict)
    )


def _recording(dialect: str, record: dict[str, Any]) -> Recording:
    request = record["request"]
    model, stream = request.get("model") or "", bool(record["stream"])
    if dialect == "gemini":
        match = _GEMINI_MODEL.search(record["url_path"])
        model = match[1] if match else model
    streamed = record.get("response_sse") is not None
    reply = record["response_sse"] if streamed else json.dumps(record["response"])
    return Recording(
        id=record["id"],
        dialect=dialect,
        provider=record["provider"],
        model=model,
        stream=stream,
        request=json.dumps(request).encode(),
        reply=reply.encode(),
        streamed=streamed,
    )
