"""What holds for the simulated provider in every dialect: timing, determinism, refusal of rubbish."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.harness.providers import SimulatedSettings
from tests.harness.asking import Asker

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "gpt-demo", "messages": [{"role": "user", "content": "Hello there"}]}
ASKED = {
    CHAT: HELLO,
    "/v1/completions": {"model": "m", "prompt": "x"},
    "/v1/embeddings": {"model": "m", "input": "x"},
    "/v1/moderations": {"input": "x"},
    "/v1/responses": {"model": "m", "input": "x"},
    "/v1/conversations": {"items": []},
    "/v1/messages": HELLO | {"max_tokens": 9},
    "/v1/messages/count_tokens": HELLO,
    "/v1beta/models/m:generateContent": {"contents": [{"parts": [{"text": "x"}]}]},
    "/v1beta/models/m:streamGenerateContent": {"contents": [{"parts": [{"text": "x"}]}]},
    "/v1beta/models/m:countTokens": {"contents": [{"parts": [{"text": "x"}]}]},
    "/v1beta/models/m:batchEmbedContents": {"requests": [{"content": {"parts": [{"text": "x"}]}}]},
}
"""A request that succeeds, for each path."""

FIELDS = [
    "model",
    "messages",
    "input",
    "prompt",
    "tools",
    "tool_choice",
    "stop",
    "n",
    "max_tokens",
    "response_format",
    "stream",
    "stream_options",
    "reasoning",
    "text",
    "thinking",
    "contents",
    "toolConfig",
    "generationConfig",
    "generation_config",
    "items",
    "requests",
    "include",
]
WORDS = [
    "type",
    "name",
    "role",
    "user",
    "content",
    "parts",
    "text",
    "function",
    "parameters",
    "schema",
    "format",
    "mode",
    "output",
    "properties",
]
RUBBISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from([*WORDS, "object", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("path", ASKED)
def test_every_path_answers(path: str) -> None:
    assert Asker().post(path, ASKED[path]).status == 200


@given(path=st.sampled_from(list(ASKED)), fields=st.dictionaries(st.sampled_from(FIELDS), RUBBISH, max_size=3))
def test_rubbish_is_answered_or_refused_and_never_breaks_the_provider(path: str, fields: dict[str, Any]) -> None:
    assert Asker().post(path, ASKED[path] | fields).status in {200, 400, 404}


@given(path=st.sampled_from(list(ASKED)), body=st.binary(max_size=20))
def test_a_body_that_is_no_json_is_refused(path: str, body: bytes) -> None:
    assert Asker().post(path, b"\x00" + body).status == 400


def test_a_deeply_nested_body_is_refused() -> None:
    assert Asker().post(CHAT, b'{"model": "m", "messages": ' + b"[" * 100_000).status == 400


def test_a_stream_starts_after_the_latency_and_keeps_the_pace() -> None:
    settings = SimulatedSettings(latency=0.5, jitter=0.0, pace=10.0)
    asked = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
    got = Asker(settings).post(CHAT, asked)
    assert got.delays[0] == 0.5
    tokens = got.events[-2][1]["usage"]["completion_tokens"]
    # Each fragment's tokens are rounded up, so a stream takes somewhat longer than its total says.
    assert tokens / 10.0 <= sum(got.delays[1:]) < 2.5 * tokens / 10.0


def test_a_whole_reply_comes_when_all_its_tokens_are_made() -> None:
    got = Asker(SimulatedSettings(latency=0.5, jitter=0.0, pace=10.0)).post(CHAT, HELLO)
    assert got.delays == [0.5 + got.json["usage"]["completion_tokens"] / 10.0]


def test_the_latency_varies_within_the_jitter() -> None:
    asker = Asker(SimulatedSettings(latency=1.0, jitter=0.1, pace=math.inf))
    delays = [asker.post(CHAT, HELLO).delays[0] for _ in range(50)]
    assert 0.9 <= min(delays) < max(delays) <= 1.1


@pytest.mark.parametrize("wrong", [{"latency": -1.0}, {"jitter": 2.0}, {"pace": 0.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SimulatedSettings(**wrong)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def run(seed: int) -> list[bytes]:
        asker = Asker(seed=seed)
        order = random.Random(7).choices(list(ASKED), k=30)
        return [asker.post(path, ASKED[path]).body for path in order]

    assert run(3) == run(3) != run(4)
