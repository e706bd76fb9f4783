"""What goes over the wire while the gateway is measured: one request and its two answers, in OpenAI's chat format."""

import json

EVENTS = 203
"""Server-sent events of a usual streamed answer, the last three (finish, usage, done) included."""
KEY = "benchmark-key"
_MODEL = "gpt-4o-mini"
_CHUNK = {"id": "chatcmpl-9Zr1xYk3Qw7Lm2Np5Vt8Bc4D", "object": "chat.completion.chunk", "created": 1760000000}
_CHUNK |= {"model": _MODEL, "system_fingerprint": "fp_44709d6fcb"}
_ANSWER = (
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    "How vexingly quick daft zebras jump! Sphinx of black quartz, judge my vow."
)


def request_body(*, stream: bool) -> bytes:
    """Return a request's body of about 2 KB: a system prompt and three turns."""
    body: dict[str, object] = {
        "model": _MODEL,
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 256,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant that answers concisely. " * 6},
            {"role": "user", "content": "Summarise this paragraph about proxies, caches and schedulers. " * 11},
            {"role": "assistant", "content": "A reverse proxy sits between clients and servers. " * 6},
            {"role": "user", "content": "Now explain it to a five year old, in three sentences, please. " * 6},
        ],
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body).encode()


def reply_body() -> bytes:
    """Return a whole answer of about 600 bytes."""
    message = {"role": "assistant", "content": _ANSWER, "refusal": None}
    body = {
        "id": _CHUNK["id"],
        "object": "chat.completion",
        "created": _CHUNK["created"],
        "model": _MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 412, "completion_tokens": 42, "total_tokens": 454},
        "system_fingerprint": "fp_44709d6fcb",
    }
    return json.dumps(body, separators=(",", ":")).encode()


def reply_events(count: int = EVENTS) -> list[bytes]:
    """Return the events of a streamed answer, about 200 bytes each."""
    deltas: list[dict[str, object]] = [
        _CHUNK | {"choices": [{"index": 0, "delta": {"content": f" tok{number:03}"}, "finish_reason": None}]}
        for number in range(count - 3)
    ]
    deltas.append(_CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 412, "completion_tokens": 200, "total_tokens": 612}
    deltas.append(_CHUNK | {"choices": [], "usage": usage})
    events = [b"data: " + json.dumps(delta, separators=(",", ":")).encode() + b"\n\n" for delta in deltas]
    return [*events, b"data: [DONE]\n\n"]


def plain_request() -> bytes:
    """Return a request as it goes on the wire."""
    return _request(request_body(stream=False))


def stream_request() -> bytes:
    """Return a request for a streamed answer as it goes on the wire."""
    return _request(request_body(stream=True))


def plain_reply() -> bytes:
    """Return a whole answer as it goes on the wire."""
    body = reply_body()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def stream_reply(events: int) -> list[bytes]:
    """Return a streamed answer as it goes on the wire, in the pieces in which a provider writes it."""
    return [_STREAM_HEAD, *(b"%x\r\n%b\r\n" % (len(event), event) for event in reply_events(events)), b"0\r\n\r\n"]


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _request(body: bytes) -> bytes:
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: benchmark\r\naccept: */*\r\n"
        f"content-type: application/json\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
