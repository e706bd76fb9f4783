"""What becomes of each feature that a client can ask for, at models that take much and at models that take little.

The tables are read by people: a change of the translation shows there as the lines that it changes.
"""

import functools
import json
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pytest

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination
from gephyr_core.translation.writing import write_prompt
from tests.approved import check_table
from tests.translation.feature_cases_more import CASES
from tests.translation.neutral_cases import cases
from tests.translation.translating import TRANSLATORS, _destination

DESTINATIONS: dict[str, Destination] = {
    "claude-now": _destination("anthropic", "anthropic", "claude-opus-5-5"),
    "claude-before": _destination("anthropic", "anthropic", "claude-sonnet-4-5"),
    "claude-long-ago": _destination("anthropic", "anthropic", "claude-3-haiku"),
    "gemini-now": _destination("gemini", "gemini", "gemini-3-pro"),
    "gemini-before": _destination("gemini", "gemini", "gemini-2.5-flash"),
    "gemini-long-ago": _destination("gemini", "gemini", "gemini-2.0-flash"),
    "gpt-chat": _destination("openai-chat", "openai", "gpt-6-sol"),
    "gpt-chat-before": _destination("openai-chat", "openai", "gpt-4o"),
    "gpt-responses": _destination("openai-responses", "openai", "gpt-6-sol"),
    "deepseek": _destination("openai-chat", "deepseek", "deepseek-chat"),
    "openrouter-claude": _destination("openai-chat", "openrouter", "anthropic/claude-sonnet-4.5"),
    "mistral": _destination("openai-chat", "mistral", "mistral-large"),
    "any": _destination("openai-chat", "openai-compatible", "some-model"),
}


LIKE = {
    "claude-before": "claude-now",
    "claude-long-ago": "claude-before",
    "gemini-before": "gemini-now",
    "gemini-long-ago": "gemini-before",
    "gpt-chat-before": "gpt-chat",
    "deepseek": "gpt-chat",
    "openrouter-claude": "gpt-chat",
    "mistral": "deepseek",
    "any": "deepseek",
}
"""What a destination is compared with: its tables show where it differs."""
Sections = dict[str, list[str]]
"""What each case becomes, by its name."""


def table(sections: Sections, like: Sections | None) -> Iterator[str]:
    """The lines of a table; of a destination that is like another, those that differ."""
    for name, lines in sections.items():
        if like is None or like.get(name) != lines:
            yield f"## {name}"
            yield from lines


@functools.cache
def features(source: str, destination: str) -> Sections:
    """What the request of a dialect for each feature becomes."""
    target, made = DESTINATIONS[destination], {}
    for name, body in CASES[source].items():
        report = Report()
        prompt = TRANSLATORS[source].read_request(json.loads(json.dumps(body)), report, model="m", stream=False)
        made[name] = list(written_lines(prompt, target, report))
    return made


def fields_of(body: dict[str, Any]) -> Iterator[str]:
    """The fields of a body, a line each, in their order."""
    for name, value in body.items():
        told = json.dumps(value, ensure_ascii=False)
        yield f"{name} = {told if len(told) < 2000 else told[:2000] + '...'}"


@functools.cache
def prompts(destination: str) -> Sections:
    """What each neutral prompt becomes: a foreign client's, and, where it differs, one of the destination's dialect."""
    target, made = DESTINATIONS[destination], {}
    foreign = "anthropic" if target.dialect != "anthropic" else "openai-chat"
    for name, fields in cases():
        first = made[name] = list(written_lines(Prompt(foreign, "m", **fields), target, Report()))
        own = list(written_lines(Prompt(target.dialect, "m", **fields), target, Report()))
        if own != first:
            made[f"{name} (a client of this dialect)"] = own
    return made


def written_lines(prompt: Prompt, destination: Destination, report: Report) -> Iterator[str]:
    """What a prompt becomes, but for what all become; and what is said of it."""
    if not prompt.turns:
        prompt = attrs.evolve(prompt, turns=(Turn(Role.USER, (Text("Hi"),)),))
    try:
        written = write_prompt(prompt, destination, report)
    except (FieldError, UntranslatableError) as error:
        yield f"refused: {error}"
    else:
        body = json.loads(msgspec.json.encode(written.body))
        usual = json.loads(msgspec.json.encode(_usual(destination)))
        yield from fields_of({name: value for name, value in body.items() if usual.get(name) != value})
        yield from (f"- {name}" for name in usual if name not in body)
        if written.structured:
            yield f"structured: {written.structured}, wrapped {written.structured_wrapped}"
    yield from (
        f"{entry.fate.value} {entry.path}: {entry.reason}" for entry in report.entries if entry.path != "max_tokens"
    )


def _usual(destination: Destination) -> dict[str, Any]:
    prompt = Prompt("gemini", "m", turns=(Turn(Role.USER, (Text("Hi"),)),))
    return write_prompt(prompt, destination, Report()).body


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_whatever_is_asked_becomes_what_was_approved(destination: str) -> None:
    like = prompts(LIKE[destination]) if destination in LIKE else None
    check_table(f"prompts-to-{destination}", table(prompts(destination), like))


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("source", CASES)
def test_each_feature_becomes_what_was_approved(source: str, destination: str) -> None:
    like = features(source, LIKE[destination]) if destination in LIKE else None
    check_table(f"{source}-to-{destination}", table(features(source, destination), like))
