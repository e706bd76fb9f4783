"""The start of a conversation: the same over its turns, another one for another conversation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import broken_bodies

from gephyr_core.envelope import EnvelopeError, read_envelope
from gephyr_core.routing.conversation_start import conversation_start
from gephyr_core.routing.sessions import session_identity

OWNER = "0" * 64
REMINDER = "<system-reminder>\nAs you answer, mind this: 2026-11-23\n</system-reminder>"
ENVIRONMENT = "<environment_context>\n  <cwd>/home/me</cwd>\n</environment_context>"


def chat(*texts: Any, system: str = "Be brief.") -> dict[str, Any]:
    messages = [{"role": "system", "content": system}]
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return {"model": "m", "messages": messages}


def anthropic(*texts: Any, system: Any = "Be brief.") -> dict[str, Any]:
    return {"model": "m", "system": system, "messages": chat(*texts)["messages"][1:]}


def gemini(*texts: Any, system: str = "Be brief.") -> dict[str, Any]:
    contents = []
    for text in texts:
        contents += [{"role": "user", "parts": [{"text": text}]}, {"role": "model", "parts": [{"text": "Yes."}]}]
    return {"systemInstruction": {"parts": [{"text": system}]}, "contents": contents}


def responses(*texts: Any, system: str = "Be brief.") -> dict[str, Any]:
    return {"model": "m", "instructions": system, "input": chat(*texts)["messages"][1:]}


DIALECTS = {"openai-chat": chat, "anthropic": anthropic, "gemini": gemini, "openai-responses": responses}
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def start(dialect: str, value: dict[str, Any]) -> str | None:
    return conversation_start(dialect, read_envelope(json.dumps(value).encode()))


@each_dialect
def test_it_holds_over_the_turns_and_differs_between_conversations(dialect: str) -> None:
    make = DIALECTS[dialect]
    first = start(dialect, make("What is this?"))
    assert first is not None
    assert first == start(dialect, make("What is this?", "And that?", "Go on."))
    assert first != start(dialect, make("What is that?"))
    assert first != start(dialect, make("What is this?", system="Be long."))


@each_dialect
@pytest.mark.parametrize("own", [REMINDER, ENVIRONMENT, "  ", "# AGENTS.md instructions for /home/me\n..."])
def test_what_an_agent_puts_first_is_passed_over(dialect: str, own: str) -> None:
    make = DIALECTS[dialect]
    assert start(dialect, make(own, "Fix it.")) != start(dialect, make(own, "Break it."))
    assert start(dialect, make(own, "Fix it.")) == start(dialect, make(own, "Fix it.", "Thanks."))
    assert start(dialect, make(own)) is None


def test_a_reminder_around_the_question_does_not_count() -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": REMINDER}, {"type": "text", "text": "Fix it."}]}
    other = {"role": "user", "content": [{"type": "text", "text": f"{REMINDER}\nFix it."}]}
    of = lambda message: start("anthropic", {"model": "m", "messages": [message]})  # noqa: E731
    assert of(asked) == of(other) is not None


def test_claude_codes_billing_line_changes_and_does_not_count() -> None:
    def system(number: int) -> list[dict[str, str]]:
        return [{"type": "text", "text": f"x-anthropic-billing-header: {number}"}, {"type": "text", "text": "Code."}]

    assert start("anthropic", anthropic("Hi", system=system(1))) == start(
        "anthropic", anthropic("Hi", system=system(2))
    )


def test_an_input_that_is_one_text_is_a_conversation() -> None:
    assert start("openai-responses", {"input": "Hello"}) not in (None, start("openai-responses", {"input": "Hullo"}))


def test_where_nothing_was_said_there_is_none() -> None:
    for value in ({}, {"messages": []}, {"messages": [{"role": "assistant", "content": "Hi"}]}, {"messages": 7}):
        assert start("openai-chat", value) is None
    assert start("openai-embeddings", {"input": "Hello"}) is None


def test_a_conversation_of_megabytes_is_told_by_its_start() -> None:
    long = chat("x" * 200_000, *["more"] * 50)
    assert start("openai-chat", long) is not None
    cut = chat("y" * 600_000)
    assert start("openai-chat", cut) is None, "the first text is beyond what is looked at"


@given(st.sampled_from(list(DIALECTS)), st.lists(st.text(min_size=1), min_size=1, max_size=4), st.text(min_size=1))
def test_one_more_turn_never_changes_it(dialect: str, texts: list[str], more: str) -> None:
    before = start(dialect, DIALECTS[dialect](*texts))
    assert before is None or before == start(dialect, DIALECTS[dialect](*texts, more))


@given(st.sampled_from(list(DIALECTS)), broken_bodies)
def test_any_body_has_a_start_or_none(dialect: str, data: bytes) -> None:
    try:
        envelope = read_envelope(data)
    except EnvelopeError:
        return
    conversation_start(dialect, envelope)


def test_a_start_never_meets_an_id_nor_another_clients() -> None:
    envelope = read_envelope(json.dumps(chat("Hello")).encode())
    found = session_identity([], envelope, OWNER, "openai-chat")
    written = conversation_start("openai-chat", envelope)
    assert written is not None
    assert found != session_identity([(b"x-session-id", written[:200].encode())], None, OWNER)
    assert found != session_identity([], envelope, "1" * 64, "openai-chat")


def test_what_claude_code_and_openais_clients_say_is_their_session() -> None:
    def of(**fields: Any) -> str | None:
        return session_identity([], read_envelope(json.dumps(fields).encode()), OWNER)

    known = session_identity([(b"x-session-id", b"s-1")], None, OWNER)
    assert of(metadata={"user_id": "user_ab_account_cd_session_s-1"}) == known
    assert of(metadata={"user_id": json.dumps({"device_id": "d", "session_id": "s-1"})}) == known
    assert of(conversation="s-1") == of(conversation={"id": "s-1"}) == known
    assert of(previous_response_id="s-1") == known
    assert of(metadata={"user_id": "{odd"}) == session_identity([(b"x-session-id", b"{odd")], None, OWNER)
