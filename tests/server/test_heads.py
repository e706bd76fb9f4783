"""Usual request heads are read by a pattern: never otherwise than h11 and the checks around it would read them."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gephyr.server.head import HeadError, RequestHead, read_by_h11, read_usual

LINES = st.sampled_from(
    [
        b"Host: h:80",
        b"host:h",
        b"Content-Length: 5",
        b"content-length:0",
        b"Content-Length: 00005",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: ",
        b"Content-Length: " + b"1" * 21,
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Connection: keep-alive, Close",
        b"Connection: keep-alive",
        b"connection: x-close",
        b"Upgrade: websocket",
        b"User-Agent: \t a b\xe4 \t",
        b"X-Empty:",
        b"X-Odd: \x01\x1c\x7f",
        b"X-A: 1",
        b"x-a: 2",
    ]
)
FIRST_LINES = st.sampled_from(
    [
        b"POST /v1/x?a=b%20c HTTP/1.1",
        b"GET / HTTP/1.1",
        b"HEAD //x HTTP/1.1",
        b"POST /x HTTP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"GET http://h/x HTTP/1.1",
        b"get /x HTTP/1.1",
    ]
)
MUTATIONS = st.tuples(
    st.integers(0, 400),
    st.integers(0, 2),
    st.sampled_from([b"", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b"\v", b"\f", b":", b"\xff", b"\x85", b",", b"1"]),
)


def told(head: RequestHead) -> tuple[Any, ...]:
    """All that a head says."""
    return head.method, head.target, head.headers, head.length, head.http_1_0, head.keep, head.awaits_continue


def make(first_line: bytes, lines: list[bytes], mutations: list[tuple[int, int, bytes]]) -> bytes:
    raw = b"".join(line + b"\r\n" for line in [first_line, *lines, b""])
    for at, removed, inserted in mutations:
        at %= len(raw) + 1  # noqa: PLW2901
        raw = raw[:at] + inserted + raw[at + removed :]
    return raw


@given(FIRST_LINES, st.lists(LINES, max_size=7), st.lists(MUTATIONS, max_size=2))
@example(b"GET / HTTP/1.1", [b"Host: h"], [(23, 0, b"\n")])
def test_a_usual_head_is_read_as_h11_reads_it(
    first_line: bytes, lines: list[bytes], mutations: list[tuple[int, int, bytes]]
) -> None:
    """What the pattern takes, h11 and our checks take too, with the same meaning to the last byte."""
    raw = make(first_line, lines, mutations)
    if not raw.endswith(b"\r\n\r\n") or b"\r\n\r\n" in raw[:-4]:
        return  # no head would be cut out so
    usual = read_usual(raw)
    if usual is not None:
        assert told(usual) == told(read_by_h11(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost:127.0.0.1:8045\r\nUser-Agent: a/1 (b; c)\r\nAccept: */*\r\n\r\n",
    ],
)
def test_what_clients_send_every_day_is_usual(raw: bytes) -> None:
    """Or nothing would be gained."""
    assert read_usual(raw) is not None


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("option", [b"close", b"CLOSE", b"keep-alive, close", b"keep-alive", b"x"])
def test_the_clients_wish_to_close_is_read_whoever_reads_it(version: bytes, option: bytes) -> None:
    """HTTP/1.0 connections are never kept."""
    raw = b"GET / HTTP/%b\r\nHost: h\r\nConnection: %b\r\n\r\n" % (version, option)
    keep = version == b"1.1" and b"close" not in option.lower()
    assert read_by_h11(raw).keep is keep
    usual = read_usual(raw)
    assert (usual is None) is (version == b"1.0")
    assert usual is None or usual.keep is keep


def test_an_expectation_is_left_to_h11() -> None:
    """It decides when the body comes."""
    raw = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    assert read_usual(raw) is None
    assert read_by_h11(raw).awaits_continue
    with pytest.raises(HeadError):
        read_by_h11(raw.replace(b"Host: h\r\n", b""))
