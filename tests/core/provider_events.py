"""Events as the providers of the dialects write them, and readers for them."""

import json
from typing import Any

from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import StreamReader


def reader(name: str) -> StreamReader:
    return DIALECTS[name].stream_reader(max_line=1 << 20)


def sse(payload: object, event: str = "") -> bytes:
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return (f"event: {event}\n" if event else "").encode() + f"data: {data}\n\n".encode()


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None}


def block_start(**block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": block}


def gemini(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}], "responseId": "g1"}
