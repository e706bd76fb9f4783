"""Recorded exchanges with real providers, made ready to be sent again."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import attrs

from tests.recordings import traffic

PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-completions": "/v1/completions",
    "openai-embeddings": "/v1/embeddings",
    "openai-moderations": "/v1/moderations",
    "openai-responses": "/v1/responses",
    "openai-responses-ops": None,
    "openai-conversations": None,
    "anthropic-messages": "/v1/messages",
    "anthropic-count-tokens": "/v1/messages/count_tokens",
    "gemini-generate": None,
    "gemini-count-tokens": None,
    "gemini-embed": None,
}
"""The files of the operations that are served, each with the API's own path; None where the recorded one is kept.

Recordings of other hosts (Azure's deployments, OpenRouter's ``/api/v1``, Vertex's projects...) are asked of the API's
own path: where a provider keeps its API is a matter of an account's ``base_url``.
"""
_GEMINI_PATH = re.compile(r".*/models/([^/]+:\w+)")


@attrs.frozen
class Exchange:
    """One request and the reply to it, as bytes."""

    id: str
    file: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    reply_headers: dict[str, str]
    reply: bytes
    seed: int
    """For where the reply is cut when it is sent."""

    @property
    def provider(self) -> str:
        """Whose API it is."""
        return self.file.partition("-")[0]

    @property
    def references(self) -> list[str]:
        """The stored objects that the request refers to."""
        found = re.findall(r"/((?:resp|conv)_[^/?]+)", self.target)
        if self.file == "openai-responses":
            request = json.loads(self.body)
            for value in (request.get("previous_response_id"), request.get("conversation")):
                named = value.get("id") if isinstance(value, dict) else value
                found += [named] if named else []
        return found

    @property
    def made(self) -> str | None:
        """The stored object that the exchange made."""
        if self.target not in {"/v1/responses", "/v1/conversations"}:
            return None
        match = re.search(rb'"id": ?"((?:resp|conv)_[^"]+)"', self.reply)
        return match[1].decode() if match and self.status == 200 else None

    def answer(self) -> dict[str, Any]:
        """What the stub has to do: the recorded reply, cut at random places."""
        stream = self.reply_headers["content-type"].startswith("text/event-stream")
        return {
            "status": self.status,
            "headers": list(self.reply_headers.items()),
            "body": self.reply.decode(),
            "framing": "chunked" if stream else "length",
            "rechunk": self.seed,
        }


def recordings() -> Iterator[Exchange]:
    """Every recorded exchange of the operations that are served."""
    for file in PATHS:
        yield from (_exchange(file, record) for record in traffic.records(file))


def _exchange(file: str, record: dict[str, Any]) -> Exchange:
    path = PATHS[file] or _GEMINI_PATH.sub(r"/v1beta/models/\1", record["url_path"])
    query = urlencode(record["query"], safe="$;=")
    request = record["request"]
    if PATHS[file] and "model" not in request and file != "openai-moderations":
        request = {**request, "model": "of-the-path"}  # Azure names the model in the path, as a deployment
    body = b"" if request is None else json.dumps(request, ensure_ascii=False).encode()
    headers = dict(record["response_headers"])
    if "response_sse" in record:
        reply = record["response_sse"]
        headers["content-type"] = headers.get("content-type") or "text/event-stream"
    else:
        indent = 2 if file.startswith("gemini") else None  # as Gemini writes it; an array stream above all
        reply = json.dumps(record["response"], ensure_ascii=False, indent=indent)
        headers["content-type"] = headers.get("content-type") or "application/json"
    return Exchange(
        id=record["id"],
        file=file,
        method=record["method"],
        target=f"{path}?{query}" if query else path,
        headers=dict(record["request_headers"]),
        body=body,
        status=record["status"],
        reply_headers=headers,
        reply=reply.encode(),
        seed=int.from_bytes(hashlib.sha256(record["id"].encode()).digest()[:4]),
    )
