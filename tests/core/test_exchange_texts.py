"""What bytes of a reply are taken for: JSON that is whole, JSON that merely looks whole, or neither."""

import json
import tracemalloc

import pytest
from play import SSE, Play, account
from scheduling import body

from gephyr_core.config import ProviderConfig
from gephyr_core.events import UpstreamBody, UpstreamStarted
from gephyr_core.exchange.attempts import is_json, looks_like_json


@pytest.mark.parametrize(
    ("text", "whole", "looks"),
    [
        (b"{}", True, True),
        (b" [1] \n", True, True),
        (b"7", True, False),
        (b'"a"', True, False),
        (b"null", True, False),
        (b"", False, False),
        (b" ", False, False),
        (b"{", False, False),
        (b"}", False, False),
        (b"{]", False, False),
        (b"[}", False, False),
        (b"{a}", False, True),
        (b"[1,]", False, True),
        (b"{} {}", False, True),
        (b'{"a":"\xff"}', True, True),
        (b"[1e999]", False, True),
        (b"[" * 100_000 + b"]" * 100_000, False, True),
        (b"<html>", False, False),
    ],
    ids=lambda value: value[:12].decode("ascii", "replace") if isinstance(value, bytes) else None,
)
def test_what_is_json_and_what_only_looks_like_it(text: bytes, whole: bool, looks: bool) -> None:
    assert is_json(text) is whole
    assert looks_like_json(text) is looks


@pytest.mark.parametrize(
    ("target", "sent"),
    [("/v1/chat/completions", body()), ("/v1beta/models/m:generateContent", b'{"contents":[]}')],
)
@pytest.mark.parametrize("accepted", [[], [b"gzip"], [b"gzip", b"br"]])
def test_a_stream_in_place_of_a_whole_reply_is_asked_for_without_compression(
    target: str, sent: bytes, accepted: list[bytes]
) -> None:
    provider = "gemini" if "beta" in target else "openai"
    play = Play(account("a", provider), providers={provider: ProviderConfig(collect="always")})
    headers = [(b"accept-encoding", value) for value in accepted]
    call = play.request(sent, target, headers=[*headers, (b"x-mine", b"1")])
    assert [pair for pair in call.headers if pair[0] == b"accept-encoding"] == [(b"accept-encoding", b"identity")]
    play.unclaimed = []


def test_what_is_wrong_with_a_request_is_told_in_so_many_letters() -> None:
    """A message that quotes what a client sent is no way to have the gateway send it back whole."""
    for wrong in ({"tool_choice": "x" * 5000}, {"messages": [{"role": "x" * 5000, "content": "hi"}]}):
        play = Play(account("a", "anthropic", models=("*",)))
        asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **wrong}
        start, sent, _ = play.refusal_of(json.dumps(asked).encode(), "/v1/chat/completions")
        assert start.status == 400
        assert len(json.loads(sent.data)["error"]["message"]) == 2000


def test_a_stream_that_has_begun_holds_no_body_of_its_request() -> None:
    """It may run for long, and is not sent again."""
    play, size = Play(account("a")), 4_000_000
    tracemalloc.start()
    try:
        call = play.request(b'{"model":"m","stream":true,"messages":[],"user":"' + b"x" * size + b'"}')
        number, exchange = call.attempt, call.exchange
        assert tracemalloc.get_traced_memory()[0] > size
        del call
        play.feed(UpstreamStarted(exchange, number, 200, SSE))
        play.feed(
            UpstreamBody(exchange, number, b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
        )
        assert tracemalloc.get_traced_memory()[0] < size / 2
    finally:
        tracemalloc.stop()
    play.unclaimed = []
