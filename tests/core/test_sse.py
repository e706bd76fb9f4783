"""Where server-sent events end, whatever the line ends and wherever a socket cuts, and how one event reads."""

import re

import pytest
from chunking import cut_anywhere, pieces_of
from hypothesis import example, given
from hypothesis import strategies as st

from gephyr_core.sse import SseEvent, SseFramer, encode, parse, without_comments

LIMIT = 1 << 20

TRICKY = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r",
        b"\n\r\n",
        b"\r\n\n",
        b"data: one",
        b"data:two",
        b"data",
        b"data:  padded ",
        b"event: ping",
        b": a comment",
        b":",
        b"id: 4",
        "data: \u00e9\U0001f30a".encode(),
        "data: \u6f22".encode()[:-1],
        b'data: {"text": "\\n\\n"}',
    ]
)
STREAMS = st.builds(
    lambda bom, parts: bom + b"".join(parts),
    st.sampled_from([b"", b"", b"\xef\xbb\xbf"]),
    st.lists(TRICKY, max_size=30),
)


def dispatched(stream: bytes) -> list[tuple[str, str]]:
    """Read a whole stream line by line as WHATWG HTML, section 9.2.6, tells; what a browser would dispatch."""
    told, name, data = [], "", []
    text = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    *lines, _ = re.split("\r\n|\n|\r", text)
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if any(data):
                told.append((name, "\n".join(data)))
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return told


def split_all(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    framer = SseFramer(LIMIT)
    events = [event for piece in pieces_of(stream, cuts) for event in framer.split(piece)]
    return events, framer.rest()


@given(stream=STREAMS, cuts=cut_anywhere())
@example(stream=b"data: a\r\n\r\ndata: b\r\n\r\n", cuts=[8, 9, 10, 11])
@example(stream=b"\xef\xbb\xbf\n\ndata: a\n\n", cuts=[1, 2, 3, 4])
def test_no_split_changes_the_events_or_a_byte(stream: bytes, cuts: list[int]) -> None:
    """However the socket cuts a stream, its events are the same pieces, and together they are the stream."""
    events, rest = split_all(stream, cuts)
    assert b"".join(events) + rest == stream
    assert (events, rest) == split_all(stream, list(range(len(stream))))


@given(stream=STREAMS, cuts=cut_anywhere())
def test_cut_relays_the_same_bytes_as_split(stream: bytes, cuts: list[int]) -> None:
    """After the commit point events are not told apart; the bytes and the moments they leave are the same."""
    cutter, splitter = SseFramer(LIMIT), SseFramer(LIMIT)
    for piece in pieces_of(stream, cuts):
        assert cutter.cut(piece) == b"".join(splitter.split(piece))
    assert cutter.rest() == splitter.rest()


@given(stream=STREAMS, cuts=cut_anywhere())
def test_events_read_as_a_browser_reads_the_whole_stream(stream: bytes, cuts: list[int]) -> None:
    """Nothing is lost at the seams: the events found one by one are those of the whole stream."""
    events, _ = split_all(stream + b"\n\n.", cuts)
    read = [parse(event) for event in events]
    assert [(event.event, event.data) for event in read if event.data.strip("\n")] == [
        (name, data) for name, data in dispatched(stream + b"\n\n") if data.strip("\n")
    ]


@given(stream=STREAMS)
def test_no_more_is_held_than_an_unfinished_event(stream: bytes) -> None:
    """What can be relayed is relayed at once, but for a CR that an LF may follow."""
    events, rest = split_all(stream, [])
    assert not re.search(rb"(?:\r\n|\n|\r(?=[^\n])){2}", rest)
    assert all(event for event in events)


def test_aligned_data_is_handed_on_without_a_copy() -> None:
    """The usual chunk ends where an event ends; it is returned as the object it came as."""
    data = b"data: x\n\n" * 3
    assert SseFramer(LIMIT).cut(data) is data


def test_an_unfinished_event_is_bounded() -> None:
    """A provider that never ends an event cannot make the gateway hold more than the limit."""
    framer = SseFramer(max_line=10)
    framer.cut(b"data: 7890")
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        framer.cut(b"1")


def test_whole_events_may_be_longer_than_the_limit() -> None:
    """The limit is about what is held, not about what passes through."""
    assert SseFramer(max_line=4).cut(b"data: long enough\n\n") == b"data: long enough\n\n"


class SearchedBuffer(bytearray):
    """A buffer that notes how many of its bytes each search may look at."""

    longest_search = 0

    def find(self, sub: bytes, start: int = 0) -> int:  # type: ignore[override]
        """Search from *start*."""
        self.longest_search = max(self.longest_search, len(self) - start)
        return super().find(sub, start)

    def rfind(self, sub: bytes, start: int = 0) -> int:  # type: ignore[override]
        """Search back to *start*."""
        self.longest_search = max(self.longest_search, len(self) - start)
        return super().rfind(sub, start)


@pytest.mark.parametrize("chunk", [b"x", b"x\r\n"])
def test_an_event_in_many_tiny_chunks_is_searched_once(chunk: bytes) -> None:
    """However long an event grows, a chunk costs its own length: only the last four bytes are looked at again."""
    framer = SseFramer(LIMIT)
    framer.tail = SearchedBuffer()
    for _ in range(2000):
        framer.cut(chunk)
    assert len(framer.tail) == 2000 * len(chunk)
    assert framer.tail.longest_search <= len(chunk) + 4


@pytest.mark.parametrize(
    ("event", "read"),
    [
        (b"data: {}\n\n", SseEvent("", "{}")),
        (b"data:{}\n\n", SseEvent("", "{}")),
        (b"data:  {}\r\n\r\n", SseEvent("", " {}")),
        (b"event: ping\ndata: 1\ndata\ndata: 2\n\n", SseEvent("ping", "1\n\n2")),
        (b"\xef\xbb\xbfdata: x\r\r", SseEvent("", "x")),
        (b": comment\nid: 3\nretry: 5\n\n", SseEvent("", "")),
        (b"data: \xff\n\n", SseEvent("", "\ufffd")),
        (b"\n", SseEvent("", "")),
    ],
)
def test_one_event_reads_as_the_rules_say(event: bytes, read: SseEvent) -> None:
    """Multi-line data, a missing space, a byte order mark, comments and bad UTF-8."""
    assert parse(event) == read


@pytest.mark.parametrize("name", ["", "response.failed"])
def test_what_is_encoded_reads_back(name: str) -> None:
    """An event of our own is one event with the name and data it was given."""
    event = encode(b'{"a":1}', name)
    assert SseFramer(LIMIT).split(event) == [event]
    assert parse(event) == SseEvent(name, '{"a":1}')


@given(stream=STREAMS)
def test_taking_comments_out_changes_no_event(stream: bytes) -> None:
    """No line begins with a colon any more, and what a browser dispatches is the same."""
    whole = stream + b"\n\n"
    without = without_comments(whole)
    assert not any(line.startswith(b":") for line in without.splitlines())
    assert dispatched(without) == dispatched(whole)
