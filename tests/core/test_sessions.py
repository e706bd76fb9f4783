"""Which session a request belongs to, as far as its client says so."""

import json

import pytest
from hypothesis import given
from strategies import broken_bodies, header_lists

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
        body(metadata={"user_id": "s-1"}),
        body(metadata={"session_id": "s-1", "user_id": "u"}),
        body(session_id="", thread_id=7, metadata={"sessionId": "s-1"}),
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


def test_long_ids_stay_apart_by_their_length() -> None:
    assert of_header(b"session-id", b"x" * 300) != of_header(b"session-id", b"x" * 301)


@pytest.mark.parametrize("envelope", [None, body(), body(metadata=[1]), body(metadata=None), body(session_id={"a": 1})])
def test_who_says_nothing_has_no_session(envelope: Envelope | None) -> None:
    assert session_identity([], envelope, OWNER) is None


@given(header_lists, broken_bodies)
def test_any_request_has_a_session_or_none(headers: list[Header], data: bytes) -> None:
    """What is wrong with a body is the provider's to say, not the session's."""
    try:
        envelope = read_envelope(data)
    except EnvelopeError:
        return
    identity = session_identity(headers, envelope, OWNER)
    assert identity is None or len(identity) == 16
