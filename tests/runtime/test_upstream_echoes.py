"""A provider repeats the credential it was sent: nobody hears of it, whatever the reply is and however it is cut."""

import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.upstream.echoes import ERROR, Echoes
from gephyr_core.events import UpstreamStarted
from gephyr_core.http import Header, header
from tests.runtime.upstream_world import answering, answering_once, client, provider

SECRET = b"sk-live/0123+abc=="
CREDENTIALS = [(b"authorization", b"Bearer " + SECRET)]
FORMS = {
    "plain": SECRET,
    "JSON": SECRET.replace(b"/", b"\\/"),
    "base64": base64.b64encode(SECRET),
    "base64 of a pair": base64.b64encode(b"u:" + SECRET),
    "percent": b"sk-live%2F0123%2Babc%3D%3D",
}
JSON: Header = (b"content-type", b"application/json")


def heard(pieces: list[bytes], status: int = 200, headers: tuple[Header, ...] = (JSON,)) -> bytes:
    """What is told of a reply's body, by the rule that a connection follows."""
    echoes, told = Echoes(CREDENTIALS), b""
    echoes.head(status, headers)
    for piece in pieces:
        watched = echoes.watching or ERROR in piece or piece[-1:] != b"\n"
        told += echoes.body(piece) if watched else piece
    return told + echoes.rest()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422, 429, 500, 529])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_no_refusal_repeats_it(form: bytes, status: int, size: int) -> None:
    """Whatever it says, with or without the word ``error``."""
    told = heard(cut(b'{"detail": "no such key: %b"}' % form, size), status)
    assert b"[redacted]" in told
    assert b"0123" not in told
    assert told.startswith(b'{"detail": "no such key: ')


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("size", [1, 3, 40, 1000])
@pytest.mark.parametrize(
    "event",
    [
        b'event: error\ndata: {"type": "error", "error": {"message": "%b"}}\n\n',
        b'data: {"error": {"message": "%b"}}\r\n\r\n',
        b'{"error": {"message": "%b"}}',
    ],
)
def test_no_error_in_a_success_repeats_it(form: bytes, size: int, event: bytes) -> None:
    """An event after content, and a whole reply that is an error; what stands around it stays."""
    before, after = b'data: {"text": "hello"}\n\n', b"data: [DONE]\n\n"
    stream = event.endswith(b"\n") * before + event % form + event.endswith(b"\n") * after
    told = heard(cut(stream, size))
    assert b"0123" not in told
    start, _, end = (event.endswith(b"\n") * before + event + event.endswith(b"\n") * after).partition(b"%b")
    assert told.startswith(start)
    assert told.endswith(end)


def test_headers_of_a_refusal_do_not_repeat_it() -> None:
    """Lengths are dropped: they are those of the original."""
    headers = [JSON, (b"content-length", b"99"), (b"x-key", SECRET), (b"x-auth", b"Bearer " + SECRET)]
    assert Echoes(CREDENTIALS).head(401, headers) == [
        JSON,
        (b"x-key", b"[redacted]"),
        (b"x-auth", b"Bearer [redacted]"),
    ]
    assert Echoes(CREDENTIALS).head(200, headers) is headers


@pytest.mark.parametrize(
    ("status", "coding", "kept"),
    [
        (299, b"gzip", [b"content-type", b"content-length", b"content-encoding"]),
        (300, b"gzip", [b"content-type"]),
        (401, b"identity", [b"content-type", b"content-encoding"]),
        (401, b"br", [b"content-type", b"content-encoding"]),
    ],
)
def test_a_refusal_keeps_the_headers_that_are_still_true(status: int, coding: bytes, kept: list[bytes]) -> None:
    """Its length is dropped, and its coding where that is undone."""
    headers = [JSON, (b"content-length", b"99"), (b"content-encoding", coding)]
    assert [name for name, _ in Echoes(CREDENTIALS).head(status, headers)] == kept


@pytest.mark.parametrize("size", [1, 9, 1000])
def test_a_compressed_refusal_is_looked_into(size: int) -> None:
    body = gzip.compress(b'{"error": "%b"}' % SECRET)
    coded = (JSON, (b"content-encoding", b"gzip"))
    assert heard(cut(body, size), 400, coded) == b'{"error": "[redacted]"}'
    assert header(Echoes(CREDENTIALS).head(400, coded), b"content-encoding") is None
    assert heard([b"no gzip"], 400, coded) == b""


def test_what_is_compressed_in_a_way_that_nobody_reads_is_left_but_for_the_credential() -> None:
    """Some name a coding and send plain text."""
    assert heard([b"abc"], 400, ((b"content-encoding", b"br"),)) == b"abc"
    assert heard([b"abc " + SECRET], 400, ((b"content-encoding", b"none"),)) == b"abc [redacted]"


@given(
    st.lists(st.sampled_from([b"error", b"err", b"or", b"x", b"\n\n", b"\n", b"sk-li", b"ve/"]), max_size=12),
    st.integers(1, 9),
)
def test_a_reply_without_the_credential_comes_whole(parts: list[bytes], size: int) -> None:
    for status in (200, 400):
        assert heard(cut(b"".join(parts), size), status) == b"".join(parts)


def test_a_piece_that_ends_its_event_is_passed_on_at_once() -> None:
    """Nothing is kept back from a client that waits."""
    echoes = Echoes(CREDENTIALS)
    echoes.head(200, [JSON])
    event = b'data: {"error": "x sk-live"}\n\n'
    assert echoes.body(event) == event
    assert echoes.rest() == b""
    assert not echoes.watching


def test_a_call_without_a_credential_is_not_looked_at() -> None:
    echoes = Echoes(())
    assert echoes.head(400, [JSON]) == [JSON]
    assert echoes.body(b"error sk-live") == b"error sk-live"


@pytest.mark.anyio
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_calls_over_sockets_hear_no_credential(framing: str) -> None:
    """By every framing; the whole of the rest comes before the end."""
    body = json.dumps({"error": {"message": "bad key sk-secret, sk-secre"}}).encode()
    head = b"HTTP/1.1 401 Unauthorized\r\nx-echo: sk-secret\r\n"
    reply = {
        "length": head + b"content-length: %d\r\n\r\n" % len(body) + body,
        "chunks": head
        + b"transfer-encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:]),
        "close": head + b"\r\n" + body,
    }[framing]
    script = answering_once(reply) if framing == "close" else answering(reply)
    async with provider(script) as world, client(world.origin) as caller:
        _, news = caller.call()
        status, told = await news.reply()
    started = news.events[0]
    assert isinstance(started, UpstreamStarted)
    assert (status, header(started.headers, b"x-echo")) == (401, b"[redacted]")
    assert json.loads(told) == {"error": {"message": "bad key [redacted], sk-secre"}}


@pytest.mark.anyio
async def test_a_broken_error_is_told_as_far_as_it_came() -> None:
    """And then the failure."""
    reply = b"HTTP/1.1 400 Bad\r\ncontent-length: 99\r\n\r\nno sk-secret"
    async with provider(answering_once(reply)) as world, client(world.origin) as caller:
        _, news = caller.call()
        await news.failure()
    assert news.body == b"no [redacted]"
