"""What clients ask and providers answer, in every dialect; and how each tells an error."""

import json
from typing import Any

import attrs

from gephyr_core.http import Header
from tests.conformance.upstream import JSON, SSE

TEXT = "Grüße, 世界"


@attrs.frozen
class Sample:
    """One dialect's way of generating, streamed and not."""

    name: str
    provider: str
    path: str
    body: bytes
    stream_path: str
    stream_body: bytes
    reply: bytes
    prelude: bytes
    """Events that come before content; empty where the dialect has none."""
    content: bytes
    """Events with content."""
    ending: bytes
    """The rest of a complete stream."""
    stream_headers: tuple[Header, ...] = SSE

    @property
    def stream(self) -> bytes:
        return self.prelude + self.content + self.ending


def _json(**fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _event(name: str = "", **fields: Any) -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + _json(**fields) + b"\n\n"


def _typed(name: str, **fields: Any) -> bytes:
    return _event(name, type=name, **fields)


def _chunk(finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event(id="c1", object="chat.completion.chunk", created=1, model="m", choices=[choice])


def _completion(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return _event(id="c1", object="text_completion", created=1, model="m", choices=[choice])


def _candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}], "responseId": "g1"}


def _response(status: str) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", "output": []}


_CHAT = Sample(
    name="chat",
    provider="openai",
    path="/v1/chat/completions",
    body=_json(model="m", messages=[]),
    stream_path="/v1/chat/completions",
    stream_body=_json(model="m", messages=[], stream=True),
    reply=_json(id="c1", object="chat.completion", choices=[{"message": {"role": "assistant", "content": TEXT}}]),
    prelude=_chunk(role="assistant", content=""),
    content=_chunk(content=TEXT) + _chunk(content=" again"),
    ending=_chunk("stop") + b"data: [DONE]\n\n",
)
_COMPLETIONS = Sample(
    name="completions",
    provider="openai",
    path="/v1/completions",
    body=_json(model="m", prompt="p"),
    stream_path="/v1/completions",
    stream_body=_json(model="m", prompt="p", stream=True),
    reply=_json(id="c1", object="text_completion", choices=[{"text": TEXT, "index": 0}]),
    prelude=b"",
    content=_completion(TEXT) + _completion(" again"),
    ending=_completion("", "stop") + b"data: [DONE]\n\n",
)
_RESPONSES = Sample(
    name="responses",
    provider="openai",
    path="/v1/responses",
    body=_json(model="m", input="p"),
    stream_path="/v1/responses",
    stream_body=_json(model="m", input="p", stream=True),
    reply=_json(**_response("completed")),
    prelude=_typed("response.created", sequence_number=0, response=_response("in_progress")),
    content=_typed("response.output_text.delta", sequence_number=1, item_id="msg_1", delta=TEXT),
    ending=_typed("response.completed", sequence_number=2, response=_response("completed")),
)
_ANTHROPIC = Sample(
    name="anthropic",
    provider="anthropic",
    path="/v1/messages",
    body=_json(model="m", max_tokens=9, messages=[]),
    stream_path="/v1/messages?beta=true",
    stream_body=_json(model="m", max_tokens=9, messages=[], stream=True),
    reply=_json(id="msg_1", type="message", role="assistant", content=[{"type": "text", "text": TEXT}]),
    prelude=_typed("message_start", message={"id": "msg_1", "type": "message", "role": "assistant", "content": []})
    + _typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    content=_typed("content_block_delta", index=0, delta={"type": "text_delta", "text": TEXT}),
    ending=_typed("content_block_stop", index=0) + _typed("message_stop"),
)
_GEMINI = Sample(
    name="gemini",
    provider="gemini",
    path="/v1beta/models/m:generateContent",
    body=_json(contents=[]),
    stream_path="/v1beta/models/m:streamGenerateContent?alt=sse",
    stream_body=_json(contents=[]),
    reply=_json(**_candidate({"text": TEXT}, finishReason="STOP")),
    prelude=_event(**_candidate()),
    content=_event(**_candidate({"text": TEXT})),
    ending=_event(**_candidate({"text": "."}, finishReason="STOP")),
)
_GEMINI_ARRAY = attrs.evolve(
    _GEMINI,
    name="gemini-array",
    stream_path="/v1beta/models/m:streamGenerateContent",
    prelude=b"",
    content=b"[" + _json(**_candidate({"text": TEXT})),
    ending=b",\n" + _json(**_candidate({"text": "."}, finishReason="STOP")) + b"]",
    stream_headers=JSON,
)
SAMPLES = (_CHAT, _COMPLETIONS, _RESPONSES, _ANTHROPIC, _GEMINI, _GEMINI_ARRAY)
EVENT_STREAMS = SAMPLES[:-1]
CHAT = _CHAT

OTHER_PATHS = (
    ("openai", "/v1/embeddings", _json(model="m", input="p")),
    ("openai", "/v1/moderations", _json(input="p")),
    ("openai", "/v1/responses/compact", _json(model="m", input=[])),
    ("openai", "/v1/responses/input_tokens", _json(model="m", input="p")),
    ("openai", "/v1/conversations", _json(items=[])),
    ("anthropic", "/v1/messages/count_tokens", _json(model="m", messages=[])),
    ("gemini", "/v1beta/models/m:countTokens", _json(contents=[])),
    ("gemini", "/v1beta/models/m:embedContent", _json(content={})),
    ("gemini", "/v1beta/models/m:batchEmbedContents", _json(requests=[])),
)
"""Paths that answer whole only."""


# -- errors ---------------------------------------------------------------------------------------------------


def told_error(name: str, body: Any) -> str:
    """Return the message of an error reply; fails unless it has the shape of the dialect."""
    error = body["error"]
    if name == "anthropic":
        assert body["type"] == "error"
        assert isinstance(error["type"], str)
    elif name.startswith("gemini"):
        assert isinstance(error["code"], int)
        assert error["status"].isupper()
    else:
        assert set(error) == {"message", "type", "param", "code"}
    message = error["message"]
    assert isinstance(message, str)
    return message


def assert_one_terminal_error(name: str, tail: bytes) -> None:
    """What came after the content is exactly one event, the dialect's in-stream error."""
    if name == "gemini":  # a bare object: its SDK raises for nothing else
        assert "error" in json.loads(tail)
        return
    assert tail.endswith(b"\n\n"), tail
    events = tail.decode().removesuffix("\n\n").split("\n\n")
    assert len(events) == 1, events
    if name in {"anthropic", "responses"}:
        kind = "error" if name == "anthropic" else "response.failed"
        assert events[0].startswith(f"event: {kind}\n"), events
    else:
        assert "error" in json.loads(events[0].removeprefix("data: ")), events
