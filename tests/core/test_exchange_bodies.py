"""Request bodies: within their limits whatever way they come, and counted for as long as they are held."""

import gzip
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, CancelUpstream, EndResponse, ReadBody, SendBody, StartResponse
from gephyr_core.config import ServerConfig
from gephyr_core.events import ClientGone, RequestBody, RequestEnded, TimePassed
from gephyr_core.http import header

BODY = b'{"model":"m","messages":["' + b"x" * 500 + b'"]}'
GZIP = (b"content-encoding", b"gzip")


def buffered(play: Play) -> int:
    """Bytes that count as held."""
    return play.gateway.buffered_bytes


def send(play: Play, *pieces: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> int | None:
    """Feed a request in pieces; return the status it is answered with at once, None where it goes upstream."""
    play.start(headers=headers)
    if len(play.unclaimed) == 1:
        play.expect(ReadBody)
        for piece in pieces:
            if play.feed(RequestBody(play.exchange, piece)):
                break
            play.expect()
        else:
            play.feed(RequestEnded(play.exchange))
    if isinstance(play.unclaimed[0], CallUpstream):
        play.expect(CallUpstream)
        return None
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert isinstance(start, StartResponse)
    return start.status


def test_a_body_without_a_declared_length_is_cut_at_the_limit() -> None:
    play = Play(account(), server=ServerConfig(max_body_size=100))
    assert send(play, b" " * 60, b" " * 41) == 413
    assert buffered(play) == 0
    play.feed(RequestBody(1, b"more"))
    play.expect()
    play.feed(RequestEnded(1))
    play.expect()
    play.finish()


def test_what_a_body_expands_to_counts() -> None:
    """A hundred small compressed bodies must not become a hundred large ones."""
    play = Play(account(), server=ServerConfig(max_buffered_bytes=1200))
    small = gzip.compress(BODY)
    assert send(play, small, headers=(GZIP,)) is None
    assert buffered(play) == len(BODY)
    assert send(play, small, headers=(GZIP,)) is None
    assert send(play, small, headers=(GZIP,)) == 503
    assert buffered(play) == 2 * len(BODY)
    for exchange in (1, 2):
        play.feed(ClientGone(exchange))
        play.expect(CancelUpstream)
    assert buffered(play) == 0


def test_a_committed_stream_lets_go_of_its_body() -> None:
    """It may run for minutes, and nothing can be sent again."""
    play = Play(account())
    call = play.stream_request()
    assert buffered(play) > 0
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
    play.expect(StartResponse, SendBody)
    assert buffered(play) == 0
    play.feed(ClientGone(1))
    play.expect(CancelUpstream)
    assert buffered(play) == 0
    assert play.records[0].bytes_in > 0


@pytest.mark.parametrize(
    ("coding", "data", "status"),
    [
        (b"identity", BODY, None),
        (b"Identity", BODY, None),
        (b"", BODY, None),
        (b"GZIP", gzip.compress(BODY), None),
        (b"deflate", zlib.compress(BODY), None),
        (b"gzip", gzip.compress(BODY) + b"garbage", 400),
        (b"gzip", gzip.compress(BODY)[:-3], 400),
        (b"gzip", b"", 400),
        (b"gzip", BODY, 400),
        (b"gzip, gzip", BODY, 415),
        (b"br", BODY, 415),
    ],
)
def test_codings_are_undone_or_refused(coding: bytes, data: bytes, status: int | None) -> None:
    play = Play(account())
    pieces = (data,) if data else ()
    assert send(play, *pieces, headers=((b"content-encoding", coding),)) == status
    assert (buffered(play) == 0) is (status is not None)


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_a_400(body: bytes) -> None:
    play = Play(account())
    assert send(play, *([body] if body else [])) == 400


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (b"null", b"got null"),
        (b"3", b"got a number"),
        (b"true", b"got a boolean"),
        (b"{}", b"got an object"),
        (b"[]", b"got an array"),
    ],
)
def test_a_model_of_the_wrong_type_is_told_in_the_words_of_json(model: bytes, told: bytes) -> None:
    play = Play(account())
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(1, b'{"model":%b}' % model))
    play.expect()
    play.feed(RequestEnded(1))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert b"model: expected a string, " + told in sent.data


def test_an_upload_that_stalls_is_timed_out_and_forgotten() -> None:
    play = Play(account(), server=ServerConfig(idle_timeout=5))
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(1, b'{"model"'), at=1004.0)
    play.expect()
    while not play.wait():
        play.expect()
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (play.now, start.status, buffered(play)) == (1009.0, 408, 0)


def test_long_model_names_are_not_kept() -> None:
    play = Play(account())
    for number in range(20):
        play.request(b'{"model":"%b%d"}' % (b"m" * 2000, number))
    assert not any(model and len(model) > 256 for _, model in play.gateway._shared._routes)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_is_counted_when_nothing_is_open(seed: int) -> None:
    """Whatever becomes of the requests: refused, left, served, broken off, timed out."""
    rng = random.Random(seed)
    play = Play(account("a"), account("b"), server=ServerConfig(max_body_size=600, max_buffered_bytes=1500))
    calls: list[CallUpstream] = []
    for _ in range(rng.randrange(1, 8)):
        data = gzip.compress(BODY) if rng.random() < 0.3 else BODY[: rng.randrange(len(BODY) + 1)]
        play.gateway.receive(TimePassed(), play.now)
        headers = (GZIP,) if rng.random() < 0.3 else ()
        play.start(headers=headers)
        commands = play.unclaimed
        if rng.random() < 0.9 and isinstance(commands[0], ReadBody):
            play.unclaimed = []
            play.feed(RequestBody(play.exchange, data))
            if not play.unclaimed and rng.random() < 0.9:
                play.feed(RequestEnded(play.exchange))
                calls += [command for command in play.unclaimed if isinstance(command, CallUpstream)]
        play.unclaimed = []
    for call in calls:
        if rng.random() < 0.5:
            play.head(call, rng.choice((200, 400)), JSON)
            play.end(call)
            play.unclaimed = []
    for exchange in range(1, play.exchange + 1):
        play.feed(ClientGone(exchange))
        play.unclaimed = []
    assert buffered(play) == 0
    play.finish()


def test_the_refusal_for_want_of_memory_says_when_to_come_back() -> None:
    play = Play(account(), server=ServerConfig(max_buffered_bytes=100))
    play.start(headers=[(b"content-length", b"101")])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"retry-after")) == (503, b"1")
    assert b"server.max_buffered_bytes" in sent.data
