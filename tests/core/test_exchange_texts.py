"""What bytes of a reply are taken for: JSON that is whole, JSON that merely looks whole, or neither."""

import pytest
from play import Play, account
from scheduling import body

from gephyr_core.config import ProviderConfig
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
        (b'{"a":"\xff"}', False, True),
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
