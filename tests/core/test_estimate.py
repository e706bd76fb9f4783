"""The estimate of a prompt's tokens grows with what is said, and is the same each time."""

from collections.abc import Iterator
from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.parts import Audio, Document, HostedResult, Image, Text, Url
from gephyr_core.conversation.prompt import FunctionTool, HostedTool, Prompt, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.translation.estimate import estimate_tokens
from tests.recordings import traffic


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


@pytest.mark.recordings
def test_the_error_against_openais_own_counts_is_what_is_said_of_it() -> None:
    ratios = [estimate_tokens(asked) / counted for asked, counted in recorded_prompts()]
    errors = [abs(ratio - 1) for ratio in ratios]
    assert len(ratios) > traffic.counted(whole=500, selected=220)
    assert 0.95 <= median(ratios) <= 1.15
    assert median(errors) <= 0.15
    assert quantiles(errors, n=10)[-1] <= 0.55


def recorded_prompts() -> Iterator[tuple[Prompt, int]]:
    """Prompts of text and tools that OpenAI saw whole, with the tokens that it counted."""
    for dialect, counted in (("openai-chat", "prompt_tokens"), ("openai-responses", "input_tokens")):
        for call in traffic.records(dialect):
            request, reply = call.get("request"), call.get("response")
            if call["status"] != 200 or call["provider"] not in {"openai", "azure"} or not isinstance(reply, dict):
                continue
            tokens = (reply.get("usage") or {}).get(counted)
            if not tokens or {"previous_response_id", "conversation", "prompt"} & request.keys():
                continue
            asked = TRANSLATORS[dialect].read_request(request, Report(), model="m", stream=False)
            parts = [part for turn in asked.turns for part in turn.parts]
            media = any(isinstance(part, Image | Document | Audio | HostedResult) for part in parts)
            if not media and not any(isinstance(tool, HostedTool) for tool in asked.tools):
                yield asked, tokens
