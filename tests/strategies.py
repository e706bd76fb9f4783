"""What hypothesis draws from: bodies, headers, paths and the recorded error replies, for the tests of many modules."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.recordings import traffic

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Anything a JSON document can hold."""

json_objects = st.dictionaries(st.text(max_size=12), json_values, max_size=6)
"""What a request's body can be."""


def written(value: object) -> st.SearchStrategy[bytes]:
    """The ways a client may write *value*: compact or spaced, escaped or as UTF-8."""
    return st.sampled_from(
        [
            json.dumps(value, ensure_ascii=escaped, indent=indent).encode("utf-8", "surrogatepass")
            for escaped in (True, False)
            for indent in (None, 2)
        ]
    )


_fragments = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b'"model"', b'"stream"', b'"mod\\u0065l"', b"\\u", b"\\ud800"),
        *(b"NaN", b"1e999", b"-", b"9" * 5000, b"true", b"null"),
        *(b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b" ", b"\n", b"\x00"),
    ]
)
broken_bodies = st.one_of(
    st.binary(max_size=80),
    st.lists(_fragments, max_size=14).map(b"".join),
    st.lists(_fragments, max_size=8).map(lambda inside: b'{"model":"m","x":{"model":1},"y":' + b"".join(inside) + b"}"),
)
"""Bytes a client should not send, and some that it may."""

header_names = st.from_regex(rb"\A[a-z][a-z0-9_-]{0,24}\Z")
header_values = st.binary(max_size=30).filter(lambda value: not set(value) & set(b"\r\n\0"))
header_lists = st.lists(st.tuples(header_names, header_values), max_size=8)

addresses = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))


def recorded_errors() -> Iterator[dict[str, Any]]:
    """The recorded replies with an error status, in a fixed order."""
    return (record for record in traffic.records() if record["status"] >= 400)


def reply_body(record: dict[str, Any]) -> bytes:
    """The body of a recorded reply, as near to its bytes as the recording is."""
    if record.get("response") is not None:
        return json.dumps(record["response"]).encode()
    text: str = record.get("response_text") or record.get("response_sse") or ""
    return text.encode()


def reply_headers(record: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The headers of a recorded reply."""
    return [(name.lower().encode(), str(value).encode()) for name, value in record["response_headers"].items()]
