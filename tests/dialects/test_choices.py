"""A reply of several choices is over when each has told why it ends: not before, or a client misses the others."""

import json
from typing import Any

import msgspec
import pytest

from gephyr_core.dialects import DIALECTS

Object = dict[str, Any]
GEMINI: list[Object] = [
    {"candidates": [{"index": index, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
    for index in (0, 1)
]
CHAT: list[Object] = [
    {"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": "stop"}]} for index in (0, 1)
]
COMPLETIONS: list[Object] = [{"choices": [{"index": index, "text": "a", "finish_reason": "stop"}]} for index in (0, 1)]
USAGE: dict[str, Object] = {
    "gemini": {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}},
    "openai-chat": {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
    "openai-completions": {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
}
CHUNKS = {"gemini": GEMINI, "openai-chat": CHAT, "openai-completions": COMPLETIONS}
FORMS = [
    ("gemini", {}, "sse"),
    ("gemini", {"reframed": True}, "array"),
    ("gemini", {"array": True}, "array"),
    ("gemini", {"array": True, "reframed": True}, "sse"),
    ("openai-chat", {}, "sse"),
    ("openai-completions", {}, "sse"),
]


def pieces(chunks: list[Object], form: str) -> list[bytes]:
    """The chunks as they come."""
    told = [json.dumps(chunk).encode() for chunk in chunks]
    if form == "sse":
        return [b"data: %b\n\n" % one for one in told]
    return [(b"," if number else b"[") + one for number, one in enumerate(told)]


@pytest.mark.parametrize("choices", [1, 2])
@pytest.mark.parametrize(("dialect", "reader", "form"), FORMS)
def test_a_stream_has_finished_when_each_choice_has(
    dialect: str, reader: dict[str, bool], form: str, choices: int
) -> None:
    stream = DIALECTS[dialect].stream_reader(max_line=1 << 20, choices=choices, **reader)
    finished = []
    for piece in pieces([*CHUNKS[dialect], USAGE[dialect]], form):
        for event in stream.split(piece):
            stream.classify(event)
        finished.append(stream.finished)
    assert finished == [choices == 1, True, True]
    assert stream.usage is not None
    assert stream.usage.output == 2


@pytest.mark.parametrize(
    ("dialect", "body", "choices"),
    [
        ("gemini", {"generationConfig": {"candidateCount": 3}}, 3),
        ("gemini", {"generationConfig": {"candidateCount": 0}}, 1),
        ("gemini", {"generationConfig": {"candidateCount": "3"}}, 1),
        ("gemini", {"generationConfig": 7}, 1),
        ("gemini", {}, 1),
        ("openai-chat", {"n": 2}, 2),
        ("openai-chat", {"n": None}, 1),
        ("openai-chat", {"n": -1}, 1),
        ("openai-completions", {"n": 2}, 2),
        ("openai-completions", {"n": 2, "prompt": ["a", "b", "c"]}, 6),
        ("openai-completions", {"prompt": ["a", "b"]}, 2),
        ("openai-completions", {"prompt": []}, 1),
        ("openai-completions", {"prompt": [1, 2, 3]}, 1),
        ("openai-completions", {"prompt": [[1, 2], [3]]}, 2),
        ("anthropic", {"n": 2}, 1),
        ("openai-responses", {"n": 2}, 1),
    ],
)
def test_the_request_says_how_many_there_are(dialect: str, body: Object, choices: int) -> None:
    fields = msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw])
    assert DIALECTS[dialect].choices(fields) == choices
