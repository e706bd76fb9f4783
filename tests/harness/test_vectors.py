"""Embeddings that need no model: of length one, as long as asked for, and close where words are shared."""

import itertools
import math

import pytest

from gephyr.harness.providers.vectors import embed
from gephyr.harness.providers.wire import stream, whole


@pytest.mark.parametrize("dimensions", [1, 2, 7, 768])
@pytest.mark.parametrize("text", ["", "a", "a b", "the quick brown fox", "A a"])
def test_each_vector_has_length_one_and_as_many_numbers_as_asked_for(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.fsum(value * value for value in vector), 1.0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_words_that_cancel_each_other_have_a_vector_too(dimensions: int) -> None:
    single = {word: embed(word, dimensions) for word in "abcdefghijklmnopqrstuvwxyz"}
    one, other = next(
        (x, y) for x, y in itertools.combinations(single, 2) if single[x] == [-value for value in single[y]]
    )
    assert embed(f"{one} {other}", dimensions) == [1.0, 0.0, 0.0][:dimensions]


def test_texts_are_close_where_they_share_words_whatever_their_case() -> None:
    def closeness(one: str, other: str) -> float:
        return math.fsum(a * b for a, b in zip(embed(one, 768), embed(other, 768), strict=True))

    assert math.isclose(closeness("Red green", "green RED"), 1.0)
    assert 0.4 < closeness("red green", "red blue") < 0.6
    assert closeness("red", "blue") == 0.0


def test_a_reply_is_a_success_in_json_unless_it_is_said_to_be_something_else() -> None:
    plain, odd = whole({"a": 1}), whole([], tokens=3, status=418, content_type=b"text/x")
    assert (plain.status, plain.headers) == (200, ((b"content-type", b"application/json"), (b"content-length", b"7")))
    assert list(plain.pieces) == [(0, b'{"a":1}')]
    assert (odd.status, odd.headers) == (418, ((b"content-type", b"text/x"), (b"content-length", b"2")))
    assert list(odd.pieces) == [(3, b"[]")]
    assert stream(()).status == 200
    assert stream(()).headers == (
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
    )
