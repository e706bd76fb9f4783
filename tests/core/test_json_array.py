"""Where the elements of a JSON array end, wherever a socket cuts it."""

import json

import msgspec
import pytest
from chunking import cut_anywhere, pieces_of
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.json_array import ArrayFramer, element

LIMIT = 1 << 20
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['"', "\\", '\\"}]', "[{", "\u00e9\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), max_size=5)


def written(elements: list[dict[str, object]], indent: int | None, ascii_only: bool) -> bytes:
    """Write an array as Google does: the separators on lines of their own."""
    texts = [json.dumps(value, indent=indent, ensure_ascii=ascii_only) for value in elements]
    return ("[" + "\n,\r\n".join(texts) + "\n]\n").encode()


def split_all(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    framer = ArrayFramer(LIMIT)
    pieces = [piece for part in pieces_of(stream, cuts) for piece in framer.split(part)]
    return pieces, framer.rest()


@given(elements=ELEMENTS, indent=st.sampled_from([None, 2]), ascii_only=st.booleans(), cuts=cut_anywhere())
def test_no_split_changes_the_elements_or_a_byte(
    elements: list[dict[str, object]], indent: int | None, ascii_only: bool, cuts: list[int]
) -> None:
    """Each element is a piece, the closing bracket the last one, and together they are the array."""
    stream = written(elements, indent, ascii_only)
    pieces, rest = split_all(stream, cuts)
    assert b"".join(pieces) + rest == stream
    *found, closing = pieces
    assert element(closing) == b"]"
    assert [msgspec.json.decode(element(piece)) for piece in found] == elements
    assert rest == b"\n"


@given(stream=st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b",", b"x", b"\n"])).map(b"".join))
def test_what_is_no_array_is_cut_the_same_everywhere(stream: bytes) -> None:
    """Rubbish is never lost, never repeated, and never depends on the chunks it came in."""
    pieces, rest = split_all(stream, [])
    assert b"".join(pieces) + rest == stream
    assert (pieces, rest) == split_all(stream, list(range(len(stream))))


def test_cut_returns_the_whole_elements_as_one_piece() -> None:
    """What is unfinished waits."""
    framer = ArrayFramer(LIMIT)
    assert framer.cut(b'[{"a": 1},\n{"b": [2]}\n,{"c"') == b'[{"a": 1},\n{"b": [2]}'
    assert framer.rest() == b'\n,{"c"'


def test_an_object_without_an_array_is_one_element() -> None:
    """An error may come bare."""
    assert split_all(b'{"error": {"code": 500}}\n', []) == ([b'{"error": {"code": 500}}'], b"\n")


def test_an_unfinished_element_is_bounded() -> None:
    """A provider that never ends an element cannot make the gateway hold more than the limit."""
    framer = ArrayFramer(max_line=8)
    with pytest.raises(ValueError, match="longer than 8 bytes"):
        framer.cut(b'[{"text": "')
