"""What a client and an operator are told of everything that a provider can do: dialogues that somebody read and approved."""

import pytest
from dialogues import Way, lines

from tests.approved import check_table

WAYS = [
    *(
        Way(dialect, dialect, stream)
        for dialect in ("openai-chat", "openai-responses", "anthropic", "gemini")
        for stream in (False, True)
    ),
    Way("gemini", "gemini", True, array=True),
    Way("openai-chat", "anthropic", False),
    Way("openai-chat", "anthropic", True),
    Way("anthropic", "openai-chat", False),
    Way("anthropic", "openai-responses", True),
    Way("openai-responses", "gemini", True),
    Way("gemini", "openai-chat", True, array=True),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_each_dialogue_goes_as_was_approved(way: Way) -> None:
    check_table(f"dialogues-{way.name}", lines(way))
