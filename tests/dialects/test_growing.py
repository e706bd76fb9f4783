"""What a stream cut apart becomes whole again."""

import pytest

from gephyr_core.dialects.growing import grow, joined


def grown_of(*pieces: dict[str, object]) -> object:
    whole: dict[str, object] = {}
    for piece in pieces:
        grow(whole, piece)
    return joined(whole)


@pytest.mark.parametrize("name", ["id", "type", "role", "format", "object"])
def test_what_a_provider_repeats_in_each_piece_stands_there_once(name: str) -> None:
    """OpenRouter's details of reasoning name their type in each piece."""
    assert grown_of({name: "a", "text": "x"}, {name: "a", "text": "y"}) == {name: "a", "text": "xy"}


@pytest.mark.parametrize("name", ["name", "signature"])
def test_what_may_be_repeated_whole_grows_only_by_what_is_new(name: str) -> None:
    assert grown_of({name: "get_"}, {name: "get_"}) == {name: "get_"}
    assert grown_of({name: "get_"}, {name: "weather"}) == {name: "get_weather"}


def test_elements_are_found_by_their_index() -> None:
    first, second = {"index": 0, "text": "a"}, {"index": 1, "text": "b"}
    assert grown_of({"list": [first]}, {"list": [second]}, {"list": [{"index": 0, "text": "c"}]}) == {
        "list": [{"index": 0, "text": "ac"}, {"index": 1, "text": "b"}]
    }


def test_a_list_of_parts_goes_on_in_plain_text() -> None:
    """Mistral tells its reasoning so."""
    parts = [{"type": "thinking", "thinking": "hm"}]
    assert grown_of({"content": parts}, {"content": "well"}, {"content": ""}) == {
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "well"}]
    }


def test_nothing_takes_the_place_of_something() -> None:
    assert grown_of({"id": "a", "type": "t"}, {"id": "", "type": "t"}) == {"id": "a", "type": "t"}
    assert grown_of({"a": "x", "b": None}, {"a": None, "b": None, "c": None}) == {"a": "x", "b": None, "c": None}
    assert grown_of({"n": 1, "o": {"a": "x"}}, {"n": 2, "o": {"a": "y"}}) == {"n": 2, "o": {"a": "xy"}}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1}, 7),
        (7, {"a": 1}),
        ("x", {"a": 1}),
        ({"a": 1}, "x"),
        ([1], {"a": 1}),
        ({"a": 1}, [1]),
        (7, "x"),
        ([1], 7),
    ],
)
def test_of_values_that_cannot_be_joined_the_later_one_counts(first: object, second: object) -> None:
    """A provider's odd piece ends nobody's reply."""
    assert grown_of({"o": first}, {"o": second}) == {"o": second}
