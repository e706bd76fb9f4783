"""A reply is over when its dialect says so, whatever the provider's connection does; and silence is no reply."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.commands import (
    CallUpstream,
    CancelUpstream,
    DetachUpstream,
    EndResponse,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.config import UpstreamConfig
from gephyr_core.errors import Fault
from gephyr_core.events import ClientBlocked, ClientGone, ClientReady, UpstreamFailed
from tests.core.play import SSE, Play, account

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/m:streamGenerateContent"
G_TEXT = b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"index":0}]}'
G_FINISH = b'{"candidates":[{"content":{"parts":[{"text":"!"}]},"index":0,"finishReason":"STOP"}]'
G_USAGE = b'"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}'
A_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hi"}}\n\n'
)
A_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
R_DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Hi"}\n\n'
R_END = b'event: response.%b\ndata: {"type":"response.%b","response":{"id":"r"}}\n\n'


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\r\n\r\n"


TERMINALS = [
    ("openai", CHAT, TOKEN, DONE),
    ("openai", "/v1/completions", TOKEN.replace(b'"delta":{"content":"Hi"}', b'"text":"Hi"'), DONE),
    ("anthropic", "/v1/messages", A_DELTA, A_STOP),
    ("openai", "/v1/responses", R_DELTA, R_END % (b"completed", b"completed")),
    ("openai", "/v1/responses", R_DELTA, R_END % (b"incomplete", b"incomplete")),
    ("openai", "/v1/responses", R_DELTA, R_END % (b"failed", b"failed")),
    ("gemini", GEMINI + "?alt=sse", event(G_TEXT), event(G_FINISH + b"," + G_USAGE)),
    ("gemini", GEMINI, b"[" + G_TEXT, b"," + G_FINISH + b"," + G_USAGE + b"]"),
    ("openai", CHAT, TOKEN, b'data: {"error":{"message":"x","type":"server_error"}}\n\n'),
    ("anthropic", "/v1/messages", A_DELTA, b'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n'),
]


def relaying(play: Play, target: str, *content: bytes, body: bytes = b'{"model":"m","stream":true}') -> CallUpstream:
    """A stream whose client has its first content."""
    call = play.request(body, target)
    play.head(call, headers=SSE if content[0][:1] != b"[" else [(b"content-type", b"application/json")])
    play.expect()
    play.body(call, content[0])
    play.expect(StartResponse, SendBody)
    for data in content[1:]:
        play.body(call, data)
        play.expect(SendBody)
    return call


def until_something_is_said(play: Play) -> None:
    while not play.wait():
        play.expect()


@pytest.mark.parametrize(("provider", "target", "content", "terminal"), TERMINALS)
def test_the_terminal_event_ends_the_response_and_frees_the_place(
    provider: str, target: str, content: bytes, terminal: bytes
) -> None:
    """The provider keeps its socket open and goes on to talk: nobody listens."""
    play = Play(account("a", provider))
    call = relaying(play, target, content)
    play.body(call, terminal)
    left, *_, last, _ = play.expect(*_kinds(play, DetachUpstream, EndResponse))
    assert (left.exchange, left.attempt) == (call.exchange, call.attempt)
    assert terminal.strip().endswith(last.data.strip()[-8:]) or b"error" in last.data
    play.body(call, content)
    play.expect()
    play.end(call)
    play.expect()
    assert play.gateway.deadline == math.inf
    play.finish()


def _kinds(play: Play, first: type, last: type) -> list[type]:
    play.unclaimed = [command for command in play.unclaimed if not isinstance(command, Save)]
    kinds = [type(command) for command in play.unclaimed]
    assert (kinds[0], kinds[-1]) == (first, last)
    assert set(kinds[1:-1]) == {SendBody}
    return kinds


def test_a_chat_reply_without_its_done_is_given_a_second_and_a_done() -> None:
    play = Play(account())
    call = relaying(play, CHAT, TOKEN, FINISH)
    play.body(call, USAGE)
    play.expect(SendBody)
    until_something_is_said(play)
    _, last, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert (play.now, last.data) == (1001.0, DONE)
    [record] = play.records
    assert (record.outcome, record.usage.input if record.usage else None) == ("ok", 3)
    play.finish()


def test_a_done_that_comes_in_time_is_not_doubled() -> None:
    play = Play(account())
    call = relaying(play, CHAT, TOKEN, FINISH)
    play.body(call, USAGE + DONE)
    _, last, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert last.data == USAGE + DONE
    play.finish()


def test_every_choice_has_to_finish() -> None:
    play = Play(account())
    call = relaying(play, CHAT, TOKEN, FINISH, body=b'{"model":"m","stream":true,"n":2}')
    second = FINISH.replace(b'"index":0', b'"index":1')
    play.body(call, second.replace(b'"stop"', b"null").replace(b'"delta":{}', b'"delta":{"content":"x"}'))
    play.expect(SendBody)
    assert play.gateway.deadline > play.now + 5
    play.body(call, second)
    play.expect(SendBody)
    assert play.gateway.deadline == play.now + 1
    until_something_is_said(play)
    play.expect(DetachUpstream, SendBody, EndResponse)


def test_a_gemini_reply_without_usage_is_given_a_second() -> None:
    play = Play(account("a", "gemini"))
    relaying(play, GEMINI + "?alt=sse", event(G_TEXT), event(G_FINISH + b"}"))
    until_something_is_said(play)
    play.expect(DetachUpstream, EndResponse)
    assert (play.now, play.records[0].outcome) == (1001.0, "ok")


def test_an_array_that_is_not_closed_is_closed() -> None:
    play = Play(account("a", "gemini"))
    relaying(play, GEMINI, b"[" + G_TEXT, b"," + G_FINISH + b"," + G_USAGE)
    until_something_is_said(play)
    _, last, _ = play.expect(DetachUpstream, SendBody, EndResponse)
    assert last.data == b"\n]"


def test_a_reset_after_the_finish_reason_loses_nothing() -> None:
    play = Play(account())
    relaying(play, CHAT, TOKEN, FINISH)
    play.feed(UpstreamFailed(1, 1, Fault.RESET, "reset"))
    last, _ = play.expect(SendBody, EndResponse)
    assert (last.data, play.records[0].outcome) == (DONE, "ok")


def test_the_second_stands_still_while_the_client_is_blocked() -> None:
    play = Play(account())
    relaying(play, CHAT, TOKEN, FINISH)
    play.feed(ClientBlocked(1))
    play.expect()
    play.feed(ClientReady(1), at=1005.0)
    play.expect()
    until_something_is_said(play)
    play.expect(DetachUpstream, SendBody, EndResponse)
    assert play.now == 1006.0


def test_a_client_that_leaves_behind_the_finish_reason_leaves_the_connection() -> None:
    play = Play(account())
    relaying(play, CHAT, TOKEN, FINISH)
    play.feed(ClientGone(1))
    play.expect(DetachUpstream)
    play.finish()


@pytest.mark.parametrize("silence", [b": OPENROUTER PROCESSING\n\n", b"\n", b":" + b" " * 2048 + b"\n\n", b"id: 3\n\n"])
def test_a_stream_of_comments_alone_fails_over(silence: bytes) -> None:
    """They keep a short idle limit away, but not the one for the first event."""
    play = Play(account("a"), account("b"), upstream=UpstreamConfig(idle_timeout=2, first_byte_timeout=7))
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    for second in range(1, 7):
        play.now = 1000.0 + second
        play.body(call, silence)
        play.expect()
    until_something_is_said(play)
    _, second_call = play.expect(CancelUpstream, CallUpstream)
    assert (play.now, second_call.account != call.account) == (1007.0, True)


def test_comments_after_content_are_silence() -> None:
    play = Play(account(), upstream=UpstreamConfig(idle_timeout=4))
    call = relaying(play, CHAT, TOKEN)
    for second in range(1, 4):
        play.now = 1000.0 + second
        play.body(call, b": still here\n\n")
        play.expect(SendBody)
    until_something_is_said(play)
    _, last, _ = play.expect(CancelUpstream, SendBody, EndResponse)
    assert play.now == 1004.0
    assert b"error" in last.data


@given(st.data(), st.sampled_from(TERMINALS))
def test_chunking_changes_nothing(data: st.DataObject, case: tuple[str, str, bytes, bytes]) -> None:
    """What a client gets is the same wherever the provider's bytes are cut, what follows the end included."""
    provider, target, content, terminal = case
    stream = content + terminal + (b": more\n\n" if b"[" not in content[:1] else b"\n")
    cuts = sorted(data.draw(st.lists(st.integers(1, len(stream) - 1), max_size=6)))
    got = []
    for edges in ([0, len(stream)], [0, *cuts, len(stream)]):
        play = Play(account("a", provider))
        call = play.stream_request(target)
        play.head(call, headers=SSE if content[:1] != b"[" else [(b"content-type", b"application/json")])
        play.expect()
        sent = b""
        for begin, end in itertools.pairwise(edges):
            commands = play.body(call, stream[begin:end])
            sent += b"".join(command.data for command in commands if isinstance(command, SendBody))
            play.unclaimed = []
        got.append(sent)
        play.finish()
    assert got[0] == got[1]
