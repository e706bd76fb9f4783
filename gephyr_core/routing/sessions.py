"""Which session a request belongs to, as far as its client says so."""

import hashlib
from collections.abc import Sequence

import msgspec

from gephyr_core.envelope import Envelope, EnvelopeError
from gephyr_core.http import Headers
from gephyr_core.routing.conversation_start import conversation_start

SESSION_HEADERS = (
    b"x-session-id",
    b"x-client-session-id",
    b"x-gephyr-session-id",
    b"x-conversation-id",
    b"x-thread-id",
    b"x-claude-code-session-id",
    b"session-id",
    b"session_id",
)
"""In the order of their authority: the general ones, then what coding agents send."""
_RANK = {name: rank for rank, name in enumerate(SESSION_HEADERS)}

_FIELDS = (
    "session_id",
    "sessionId",
    "conversation_id",
    "conversationId",
    "thread_id",
    "threadId",
    "prompt_cache_key",
)
_METADATA_FIELDS = ("session_id", "sessionId", "user_id", "userId")
_LONGEST = 256


def session_identity(headers: Headers, envelope: Envelope | None, owner: str, dialect: str = "") -> str | None:
    """Return the request's session as a digest that never collides with another client key's, or None.

    What the client says counts, in the order of the headers and fields above; else the start of the conversation,
    where *dialect* says how to read it. *owner* is the client key's digest. Ids are trimmed and hashed, never shown.
    """
    identity = _from_headers(headers) or (None if envelope is None else _from_body(envelope))
    if identity is not None:
        return _digest("id", owner, identity)
    if envelope is None:
        return None
    start = conversation_start(dialect, envelope)
    return None if start is None else _digest("start", owner, start)


def _digest(source: str, owner: str, text: str) -> str:
    return hashlib.sha256(f"{source}\0{owner}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _from_headers(headers: Headers) -> str | None:
    best = len(SESSION_HEADERS)
    found: bytes = b""
    for name, value in headers:
        rank = _RANK.get(name, best)
        if rank < best and value.strip():
            best, found = rank, value
    return _trimmed(found.decode("latin-1"))


def _from_body(envelope: Envelope) -> str | None:
    try:
        for name in _FIELDS:
            if name in envelope.fields and (identity := _trimmed(envelope.text(name))):
                return identity
        found = _from_metadata(envelope.value("metadata"), _METADATA_FIELDS)
        return found or _from_openai(envelope)
    except EnvelopeError:  # not ours to refuse: the provider will
        return None


def _from_openai(envelope: Envelope) -> str | None:
    """A conversation that OpenAI keeps; or the response that is gone on from, which changes with each turn, but says
    more than the new text alone: such a request does not hold the conversation's start."""
    conversation = envelope.value("conversation")
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    if isinstance(conversation, str) and (identity := _trimmed(conversation)):
        return identity
    return _trimmed(envelope.text("previous_response_id"))


def _from_metadata(metadata: object, names: Sequence[str]) -> str | None:
    if not isinstance(metadata, dict):
        return None
    for name in names:
        value = metadata.get(name)
        if isinstance(value, str) and (identity := _trimmed(_session_part(value))):
            return identity
    return None


def _session_part(text: str) -> str:
    """Return the session in what Claude Code writes as ``user_id``: JSON with a ``session_id``, or, in its older
    versions, ``user_..._account_..._session_UUID``. Of anything else, all."""
    if text.startswith("{"):
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text
        session = value.get("session_id") if isinstance(value, dict) else None
        return session if isinstance(session, str) and session.strip() else text
    _, found, session = text.rpartition("_session_")
    return session if found and session else text


def _trimmed(text: str | None) -> str | None:
    text = (text or "").strip()
    if len(text) > _LONGEST:
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return text or None
