"""What the simulated model does with the tools it is offered."""

import pytest

from gephyr.harness.providers.speech import Choice, OfferedTool, Question, answer


def ask(text: str, tools: int, choice: Choice = Choice.AUTO) -> list[str]:
    """Return the names of the tools that the answer calls."""
    offered = tuple(OfferedTool(f"tool_{number}", {}) for number in range(tools))
    question = Question(model="m", text=text, input_tokens=1, tools=offered, choice=choice, parallel=False)
    return [call.name for call in answer(question).calls]


@pytest.mark.parametrize("tools", [1, 6])
def test_a_few_tools_are_called_unasked(tools: int) -> None:
    """Whoever tries a tool of their own sees it called."""
    assert ask("Hello", tools) == ["tool_0"]


def test_an_agents_tools_are_called_only_by_name() -> None:
    """They act on the user's machine, and sample arguments are no reason to."""
    assert ask("Hello", 7) == []
    assert ask("Please use tool_5.", 7) == ["tool_5"]
    assert ask("Hello", 7, Choice.REQUIRED) == ["tool_0"]
