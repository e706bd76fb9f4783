"""The estimate of a prompt's tokens grows with what is said, and is the same each time."""

from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.parts import Image, Text, Url
from gephyr_core.conversation.prompt import FunctionTool, Prompt, Role, Turn
from gephyr_core.translation.estimate import estimate_tokens


def prompt(*texts: str) -> Prompt:
    return Prompt("openai-chat", "m", turns=tuple(Turn(Role.USER, (Text(text),)) for text in texts))


def test_four_letters_are_about_a_token() -> None:
    assert 90 <= estimate_tokens(prompt("word" * 100)) <= 115


def test_other_scripts_count_for_more() -> None:
    assert estimate_tokens(prompt("\u8a9e" * 100)) > 1.5 * estimate_tokens(prompt("word" * 25))


def test_tools_and_pictures_count() -> None:
    plain = prompt("hi")
    with_tool = Prompt("openai-chat", "m", turns=plain.turns, tools=(FunctionTool("f", "does things"),))
    with_picture = Prompt("openai-chat", "m", turns=(Turn(Role.USER, (Image(Url("https://x/y.png")),)),))
    assert estimate_tokens(with_tool) > estimate_tokens(plain)
    assert estimate_tokens(with_picture) > 500


@given(st.lists(st.text(max_size=200), max_size=5), st.text(max_size=50))
def test_more_is_never_less(texts: list[str], more: str) -> None:
    assert estimate_tokens(prompt(*texts, more)) >= estimate_tokens(prompt(*texts))
