"""Which session a request belongs to, as far as its client says so."""

import hashlib
from collections.abc import Sequence

from gephyr_core.envelope import Envelope, EnvelopeError
from gephyr_core.http import Headers

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


def session_identity(headers: Headers, envelope: Envelope | None, owner: str) -> str | None:
    """Return the request's session as a digest that never collides with another client key's, or None.

    *owner* is the client key's digest. Ids of clients are trimmed and hashed, never shown.
    """
    identity = _from_headers(headers) or (None if envelope is None else _from_body(envelope))
    if identity is None:
        return None
    return hashlib.sha256(f"{owner}\0{identity}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


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
        metadata = envelope.value("metadata")
    except EnvelopeError:  # not ours to refuse: the provider will
        return None
    return _from_metadata(metadata, _METADATA_FIELDS)


def _from_metadata(metadata: object, names: Sequence[str]) -> str | None:
    if not isinstance(metadata, dict):
        return None
    for name in names:
        value = metadata.get(name)
        if isinstance(value, str) and (identity := _trimmed(value)):
            return identity
    return None


def _trimmed(text: str | None) -> str | None:
    text = (text or "").strip()
    return text[:_LONGEST] + str(len(text)) if len(text) > _LONGEST else text or None
