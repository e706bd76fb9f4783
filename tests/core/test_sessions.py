"""Which session a request belongs to: as its client says, or else as its conversation begins."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from strategies import broken_bodies, header_lists, json_values

from gephyr_core.envelope import Envelope, EnvelopeError, read_envelope
from gephyr_core.http import Header
from gephyr_core.routing.sessions import SESSION_HEADERS, session_identity

OWNER = "0" * 64


def body(**fields: object) -> Envelope:
    """A request's envelope."""
    return read_envelope(json.dumps(fields).encode())


def of_header(name: bytes, value: bytes) -> str | None:
    """The session that one header names."""
    return session_identity([(name, value)], None, OWNER)


@pytest.mark.parametrize("name", SESSION_HEADERS)
def test_every_session_header_names_the_session(name: bytes) -> None:
    """Codex writes ``session_id`` or ``session-id``, Claude Code ``x-claude-code-session-id``."""
    assert of_header(name, b" s-1 ") == of_header(SESSION_HEADERS[0], b"s-1") is not None
    assert of_header(name, b"s-2") != of_header(name, b"s-1")


@pytest.mark.parametrize(
    "envelope",
    [
        body(session_id="s-1"),
        body(conversationId="s-1"),
        body(prompt_cache_key=" s-1"),
        body(metadata={"session_id": "s-1", "user_id": "u"}),
        body(session_id="", thread_id=7, metadata={"sessionId": "s-1"}),
        body(conversation="s-1"),
        body(conversation={"id": "s-1"}, previous_response_id=None),
        body(metadata={"user_id": "user_3b0a_account__session_s-1"}),
        body(metadata={"user_id": '{"device_id":"3b0a","account_uuid":"","session_id":"s-1"}'}),
        body(metadata={"user_id": "u"}, prompt_cache_key="s-1"),
    ],
)
def test_a_body_names_the_session_where_no_header_does(envelope: Envelope) -> None:
    assert session_identity([], envelope, OWNER) == of_header(b"x-session-id", b"s-1")
    assert session_identity([(b"session-id", b"h")], envelope, OWNER) == of_header(b"session-id", b"h")


def test_the_general_header_has_more_authority_wherever_it_stands() -> None:
    headers: list[Header] = [(b"session_id", b"agent"), (b"x-session-id", b" "), (b"x-thread-id", b"general")]
    assert session_identity(headers, None, OWNER) == of_header(b"x-thread-id", b"general")


def test_one_clients_session_never_meets_anothers() -> None:
    """Two clients that both call their session "1" share nothing."""
    headers: list[Header] = [(b"session-id", b"1")]
    assert session_identity(headers, None, "key-a") != session_identity(headers, None, "key-b")


def test_the_identity_does_not_show_what_the_client_wrote() -> None:
    identity = of_header(b"session-id", b"alice@example.org")
    assert identity is not None
    assert len(identity) == 16
    assert int(identity, 16) >= 0


def test_ids_of_any_length_are_told_apart() -> None:
    ids = [b"x" * 300, b"x" * 301, b"x" * 299 + b"y", b"x" * 256, b"x" * 100_000]
    assert len({of_header(b"session-id", value) for value in ids}) == len(ids)


ORDER: list[dict[str, Any]] = [
    *({name: name} for name in ("session_id", "sessionId", "conversation_id", "conversationId")),
    *({name: name} for name in ("thread_id", "threadId", "conversation")),
    *({"metadata": {name: f"of {name}"}} for name in ("session_id", "sessionId")),
    {"metadata": {"user_id": "user_1_account_2_session_3"}},
    {"prompt_cache_key": "key"},
    *({"metadata": {name: name}} for name in ("user_id", "userId")),
    {"previous_response_id": "resp_1"},
    {"instructions": "Be brief.", "input": "Hello"},
]
"""What a body says about its session, the most telling first."""


@pytest.mark.parametrize("rank", range(len(ORDER) - 1))
def test_what_tells_more_goes_before_what_tells_less(rank: int) -> None:
    def of(*said: dict[str, Any]) -> str | None:
        metadata: dict[str, Any] = {}
        for one in reversed(said):
            metadata |= one.get("metadata", {})
        fields = {name: value for one in said for name, value in one.items()}
        return session_identity([], body(**{**fields, "metadata": metadata}), OWNER, "openai-responses")

    named = ORDER[rank]
    assert of(named) is not None
    for less in ORDER[rank + 1 :]:
        if not (named.get("metadata", {}).keys() & less.get("metadata", {}).keys()):
            assert of(named, less) == of(named) != of(less)


def test_a_session_a_user_a_response_and_a_text_of_one_name_are_four() -> None:
    named = [
        body(session_id="x"),
        body(metadata={"user_id": "x"}),
        body(previous_response_id="x"),
        body(input="x"),
        body(instructions="x", input="x"),
        body(instructions="xx", input=""),
    ]
    found = [session_identity([], envelope, OWNER, "openai-responses") for envelope in named]
    assert len(dict.fromkeys(found)) == len(found)


@pytest.mark.parametrize(
    "user",
    [
        *(
            "{odd",
            "[]",
            "{}",
            '{"session_id":7}',
            '{"session_id":" "}',
            '{"device_id":"d"}',
            "\ud800",
            '{"a":"\ud800"}',
        ),
        *("user_1", "user_1_account_2_session_", "a_session_1", '{"a":' * 2_000),
    ],
)
def test_a_user_without_a_session_is_a_user(user: str) -> None:
    envelope = Envelope({"metadata": Raw(json.dumps({"user_id": user}).encode("utf-8", "surrogatepass"))}, b"")
    found = session_identity([], envelope, OWNER)
    assert found != of_header(b"x-session-id", user.encode("utf-8", "surrogatepass"))
    assert found is not None or "\ud800" in user


def test_a_client_that_names_nothing_has_the_session_of_its_conversation() -> None:
    def of(*words: str, owner: str = OWNER, dialect: str = "anthropic") -> str | None:
        return session_identity(
            [], body(messages=[{"role": "user", "content": word} for word in words]), owner, dialect
        )

    assert of("Hi") is not None
    assert of("Hi") == of("Hi", "And then?") == of("Hi", dialect="openai-chat")
    assert of("Hi") != of("Ho")
    assert of("Hi") != of("Hi", owner="1" * 64)
    assert of("Hi", dialect="") is None


@pytest.mark.parametrize("envelope", [None, body(), body(metadata=[1]), body(metadata=None), body(session_id={"a": 1})])
def test_who_says_nothing_has_no_session(envelope: Envelope | None) -> None:
    assert session_identity([], envelope, OWNER) is None


DIALECTS = st.sampled_from(["", "openai-chat", "openai-responses", "anthropic", "gemini", "openai-completions"])


@given(header_lists, broken_bodies, DIALECTS)
def test_any_request_has_a_session_or_none(headers: list[Header], data: bytes, dialect: str) -> None:
    """What is wrong with a body is the provider's to say, not the session's."""
    try:
        envelope = read_envelope(data)
    except EnvelopeError:
        return
    identity = session_identity(headers, envelope, OWNER, dialect)
    assert identity is None or len(identity) == 16


NAMES = st.sampled_from(
    [
        *("session_id", "threadId", "conversation", "metadata", "prompt_cache_key", "previous_response_id"),
        *("messages", "input", "contents", "system", "instructions", "systemInstruction"),
    ]
)


@given(st.dictionaries(NAMES, json_values | st.dictionaries(NAMES, json_values)), DIALECTS, st.text(), st.text())
def test_another_client_always_has_another_session(fields: dict[str, Any], dialect: str, one: str, other: str) -> None:
    envelope = body(**fields)
    identity = session_identity([], envelope, one, dialect)
    assert identity is None or (identity == session_identity([], envelope, other, dialect)) == (one == other)


@given(st.text(), st.text(), st.text(), st.text())
def test_no_boundary_between_client_and_session_is_lost(owner: str, name: str, other: str, another: str) -> None:
    one = session_identity([], body(session_id="s" + name), owner)
    assert (one == session_identity([], body(session_id="s" + another), other)) == (
        (owner, f"s{name}".strip()) == (other, f"s{another}".strip())
    )
    assert one != session_identity([], body(session_id=f"{name}s"), owner + "s")
