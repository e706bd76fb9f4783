"""Reading one response from bytes: any split gives the same, and chunks are read as strictly as h11 reads them."""

import itertools
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.upstream.chunked import MAX_SIZE_LINE, MAX_TRAILERS, ChunkedBody
from gephyr.runtime.upstream.reply import Reply

HEAD = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


def read(pieces: list[bytes], method: str = "POST") -> dict[str, Any]:
    """Read as a connection does: until the response is complete or wrong."""
    reply = Reply(method, 65536)
    body = b""
    for piece in pieces:
        body += reply.receive(piece)
        if reply.complete or reply.error:
            break
    return {
        "status": reply.status,
        "headers": list(reply.headers),
        "body": body,
        "complete": reply.complete,
        "wrong": bool(reply.error),
    }


def decode(pieces: list[bytes]) -> tuple[bytes, bool, bool]:
    body = ChunkedBody()
    data = b""
    for piece in pieces:
        data += body.receive(piece)
        if body.complete or body.error:
            break
    return data, body.complete, bool(body.error)


def decode_by_h11(data: bytes) -> tuple[bytes, bool, bool]:
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    body = b""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return body, False, False
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return body, True, False
    except h11.RemoteProtocolError:
        return body, False, True


SIZES = st.sampled_from([b"%x", b"%X", b"0%x", b"%x  ", b"%x;a=b", b'%x; a="b c" ', b"%x;"])
CHUNKS = st.lists(st.tuples(SIZES, st.binary(min_size=1, max_size=40)), max_size=8)
TRAILERS = st.lists(st.sampled_from([b"x: y\r\n", b"x-y:\r\n", b"Abc:  d e \r\n", b"a: b\r\n c\r\n\t\r\n"]), max_size=3)


def write(chunks: list[tuple[bytes, bytes]], trailers: list[bytes]) -> bytes:
    coded = b"".join(size % len(data) + b"\r\n" + data + b"\r\n" for size, data in chunks)
    return coded + b"0\r\n" + b"".join(trailers) + b"\r\n"


@given(CHUNKS, TRAILERS, st.lists(st.integers(0, 2000), max_size=12))
def test_any_split_of_a_chunked_body_gives_its_bytes(
    chunks: list[tuple[bytes, bytes]], trailers: list[bytes], cuts: list[int]
) -> None:
    coded = write(chunks, trailers)
    expected = b"".join(data for _, data in chunks), True, False
    assert decode(split(coded, cuts)) == expected
    assert decode([coded[i : i + 1] for i in range(len(coded))]) == expected
    assert decode_by_h11(coded) == expected


MUTATIONS = st.tuples(
    st.integers(0, 2000),
    st.integers(0, 3),
    st.sampled_from([b"", b"\r", b"\n", b"\r\n", b"0", b"x", b";", b" ", b"\0", b"-", b"0x", b"_", b"\xff", b"1"]),
)


@given(CHUNKS, TRAILERS, st.lists(MUTATIONS, min_size=1, max_size=3), st.lists(st.integers(0, 2000), max_size=6))
def test_a_broken_chunked_body_is_read_as_h11_reads_it_or_refused(
    chunks: list[tuple[bytes, bytes]],
    trailers: list[bytes],
    mutations: list[tuple[int, int, bytes]],
    cuts: list[int],
) -> None:
    coded = write(chunks, trailers)
    for at, removed, inserted in mutations:
        at %= len(coded) + 1  # noqa: PLW2901
        coded = coded[:at] + inserted + coded[at + removed :]
    whole = decode([coded])
    assert decode(split(coded, cuts)) == whole
    body, complete, wrong = whole
    by_h11 = decode_by_h11(coded)
    if complete:
        assert by_h11 == whole
    elif not wrong:
        # What h11 already knows to be wrong may still wait for the end of its line here, never the other way.
        assert not by_h11[1]
        assert by_h11[0] == body
    else:
        assert by_h11[0].startswith(body)


@pytest.mark.parametrize(
    "coded",
    [
        b"\r\n",
        b"x\r\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"1_0\r\n",
        b" 5\r\nhello\r\n",
        b"5 ;a\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello\n",
        b"5\r\nhello!\r\n",
        b"5;a\0\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"1" * 17 + b"\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nx: y\r\n\0z\r\n\r\n",
        b"0\r\nx: y\n\r\n",
        b"0\r\nx y: z\r\n\r\n",
    ],
)
def test_what_is_no_chunked_coding_is_an_error_whole_and_byte_by_byte(coded: bytes) -> None:
    for pieces in ([coded], [coded[i : i + 1] for i in range(len(coded))]):
        _, complete, wrong = decode(pieces)
        assert (complete, wrong) == (False, True)


@pytest.mark.parametrize("step", [5, 1000, 10**6])
def test_extensions_and_trailers_are_bounded(step: int) -> None:
    def wrong(coded: bytes) -> bool:
        return decode([coded[i : i + step] for i in range(0, len(coded), step)])[2]

    fits = b"5;" + b"a" * (MAX_SIZE_LINE - 4) + b"\r\n"
    assert not wrong(fits)
    assert wrong(b"5;a" + fits[2:])
    assert wrong(b"5;" + b"a" * MAX_SIZE_LINE)
    line = b"x:" + b"y" * 1020 + b"\r\n"
    assert not wrong(b"0\r\n" + line * (MAX_TRAILERS // 1024) + b"\r\n")
    assert wrong(b"0\r\n" + line * (MAX_TRAILERS // 1024) + b"x:\r\n\r\n")
    assert wrong(b"0\r\nx:" + b"y" * MAX_TRAILERS)


@given(CHUNKS, st.integers(0, 3), st.lists(st.integers(0, 4000), max_size=12))
def test_any_split_of_a_chunked_response_gives_the_same_events(
    chunks: list[tuple[bytes, bytes]], interim: int, cuts: list[int]
) -> None:
    reply = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * interim + HEAD + write(chunks, [])
    expected = {
        "status": 200,
        "headers": [(b"x-a", b"1"), (b"transfer-encoding", b"chunked")],
        "body": b"".join(data for _, data in chunks),
        "complete": True,
        "wrong": False,
    }
    assert read([reply]) == read(split(reply, cuts)) == expected
    assert read([reply[i : i + 1] for i in range(len(reply))]) == expected


@given(
    st.sampled_from(
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", True),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", b"", True),
            (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "GET", b"hello", True),
            (b"HTTP/1.1 200 OK\r\n\r\nhello", "GET", b"hello", False),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "GET", b"hel", False),
            (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", b"", True),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", b"", True),
        ]
    ),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_any_split_of_other_framings_gives_the_same_events(
    case: tuple[bytes, str, bytes, bool], cuts: list[int]
) -> None:
    reply, method, body, complete = case
    whole = read([reply], method)
    assert (whole["body"], whole["complete"], whole["wrong"]) == (body, complete, False)
    assert read(split(reply, cuts), method) == whole


@given(st.lists(st.integers(0, 200), max_size=6))
def test_an_upgrade_nobody_asked_for_is_wrong_however_it_is_split(cuts: list[int]) -> None:
    reply = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    assert read(split(reply, cuts))["wrong"]


def test_an_error_never_quotes_what_the_provider_sent() -> None:
    reply = Reply("GET", 65536)
    reply.receive(b"HTTP/1.1 200 OK\r\nsk-secret\r\n\r\n")
    assert reply.error == "illegal header line"


HEAD_LINES = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 5",
            b"content-length:005",
            b"Content-Length: 5, 5",
            b"Content-Length: chunked",
            b"Content-Length: -5",
            b"Content-Length: " + b"1" * 21,
            b"Transfer-Encoding: chunked",
            b"transfer-encoding: Chunked",
            b"Transfer-Encoding: 5",
            b"Connection: keep-alive, Close",
            b"Set-Cookie: a=b",
            b"set-cookie: c=d",
            b"X-Odd: \t \x01\x85 ",
        ]
    ),
    max_size=5,
)
STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 529 ", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 099 X"]
)


@given(STATUS_LINES, HEAD_LINES, st.lists(MUTATIONS, max_size=2), st.sampled_from(["GET", "HEAD"]))
def test_a_head_that_comes_whole_is_read_as_h11_reads_it(
    status_line: bytes, lines: list[bytes], mutations: list[tuple[int, int, bytes]], method: str
) -> None:
    """A head that comes in two reads is always h11's to read."""
    reply = b"".join(line + b"\r\n" for line in [status_line, *lines, b""]) + b"5\r\nhello\r\n0\r\n\r\n"
    for at, removed, inserted in mutations:
        at %= len(reply) + 1  # noqa: PLW2901
        reply = reply[:at] + inserted + reply[at + removed :]
    whole, by_h11 = Reply(method, 65536), Reply(method, 65536)
    body = whole.receive(reply)
    by_h11.receive(reply[:1])
    if not by_h11.error:
        assert by_h11.receive(reply[1:]) == body
    assert bool(whole.error) is bool(by_h11.error)
    for name in ("status", "headers", "keep", "complete", "reusable", "until_closed"):
        assert getattr(whole, name) == getattr(by_h11, name), name


@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize(
    ("field", "keeps"), [(b"X-A : b", True), (b"Content-Length\t: 2", False), (b"Connection : keep-alive", True)]
)
def test_blanks_before_a_colon_are_removed(field: bytes, keeps: bool, step: int) -> None:
    """RFC 9112 section 5.1. A connection is not used again where somebody may have read another end of the response."""
    length = b"" if field.startswith(b"Content-Length") else b"Content-Length: 2\r\n"
    data = b"HTTP/1.1 200 OK\r\n" + field + b"\r\n" + length + b"\r\nok"
    reply = Reply("POST", 65536)
    body = b"".join(reply.receive(data[at : at + step]) for at in range(0, len(data), step))
    name, _, value = field.partition(b":")
    assert (body, reply.complete, reply.error) == (b"ok", True, "")
    assert (name.strip().lower(), value.strip()) in reply.headers
    assert reply.reusable is keeps


def test_a_head_that_drips_in_is_read_in_linear_time() -> None:
    """Each byte is searched for the end of the head once."""
    line = b"x-a: " + b"y" * 60_000 + b"\r\n"
    reply = Reply("POST", 65536)
    for byte in b"HTTP/1.1 200 OK\r\n" + line + b"content-length: 0\r\n\r\n":
        reply.receive(bytes([byte]))
    assert (reply.complete, len(reply.headers)) == (True, 2)


def test_a_head_is_bounded_however_it_comes() -> None:
    for step in (1, 1000, 10**6):
        data = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40 + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        reply = Reply("POST", 1000)
        for at in range(0, len(data), step):
            reply.receive(data[at : at + step])
            if reply.error:
                break
        assert reply.error == "response head larger than 1000 bytes"
