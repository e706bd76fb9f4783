"""Which session a request belongs to: as its client says, or else as its conversation begins."""

import hashlib
from collections.abc import Iterator

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
"""In the order of their authority: the general ones, then what coding agents send. They are meant for the gateway:
``gephyr_core.forwarding`` keeps all of them from providers."""
_RANK = {name: rank for rank, name in enumerate(SESSION_HEADERS)}

_FIELDS = ("session_id", "sessionId", "conversation_id", "conversationId", "thread_id", "threadId")
_NAMING = frozenset((*_FIELDS, "conversation", "metadata", "prompt_cache_key", "previous_response_id"))
_METADATA_SESSIONS = ("session_id", "sessionId")
_METADATA_USERS = ("user_id", "userId")

_SESSION, _USER, _RESPONSE, _START = "session", "user", "response", "start"
"""What an identity is taken from; alike in two of them, it is not the same. A session has one identity by whichever
header or field it is named."""


def session_identity(headers: Headers, envelope: Envelope | None, owner: str, dialect: str = "") -> str | None:
    """Return the request's session as a digest that never collides with another client key's, or None.

    The first of: the headers above; the body's fields; its metadata; a response that is gone on from; the start of
    the conversation, read as *dialect* has it. *owner* is the client key's digest. What a client wrote is trimmed,
    of any length, and never shown.
    """
    if name := _from_headers(headers):
        return _digest(owner, _SESSION, name)
    if envelope is None:
        return None
    if not _NAMING.isdisjoint(envelope.fields) and (named := next(_names(envelope), None)):
        return _digest(owner, *named)
    start = conversation_start(dialect, envelope)
    return _digest(owner, _START, *start) if start else None


def _digest(*parts: str) -> str:
    """Each part goes in with its length, so that no two lists of parts read alike."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in encoded)).hexdigest()[:16]


def _from_headers(headers: Headers) -> str:
    best = len(SESSION_HEADERS)
    found: bytes = b""
    for name, value in headers:
        rank = _RANK.get(name, best)
        if rank < best and value.strip():
            best, found = rank, value
    return found.decode("latin-1").strip()


def _names(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """Yield what the body says about its session, the most telling first.

    ``prompt_cache_key`` and a user stand for many conversations with some clients, so what names one goes before. A
    ``previous_response_id`` changes with each turn; yet it is better than nothing, as its branches and repetitions
    share it, and than the conversation's start, which such a request does not hold. That its turns stay with the
    account that holds the response is not for the session to see to, but for the pin.
    """
    for field in _FIELDS:
        if field in envelope.fields and (text := _text(envelope, field)):
            yield _SESSION, text
    if text := _text(envelope, "conversation", "id"):  # OpenAI's, which holds the turns
        yield _SESSION, text
    metadata = _value(envelope, "metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    users = [text for name in _METADATA_USERS if (text := _trimmed(metadata.get(name)))]
    sessions = [text for name in _METADATA_SESSIONS if (text := _trimmed(metadata.get(name)))]
    for session in (*sessions, *filter(None, map(_claude_session, users)), _text(envelope, "prompt_cache_key")):
        if session:
            yield _SESSION, session
    yield from ((_USER, user) for user in users)
    if text := _text(envelope, "previous_response_id"):
        yield _RESPONSE, text


def _claude_session(user: str) -> str:
    """Return the session in what Claude Code writes as ``user_id``, or nothing.

    That is JSON with a ``session_id``, and before 2.1.78 was ``user_..._account_..._session_UUID``.
    """
    if user.startswith("user_"):
        return user.rpartition("_session_")[2].strip() if "_session_" in user else ""
    if not user.startswith("{"):
        return ""
    try:
        value = msgspec.json.decode(user)
    except (msgspec.DecodeError, RecursionError, ValueError):  # a surrogate alone is no UTF-8
        return ""
    return _trimmed(value.get("session_id"))


def _text(envelope: Envelope, field: str, key: str = "") -> str:
    """Return a field's text, trimmed, or with *key* maybe that of an object there; empty if there is none."""
    value = _value(envelope, field)
    return _trimmed(value.get(key) if key and isinstance(value, dict) else value)


def _value(envelope: Envelope, field: str) -> object:
    try:
        return envelope.value(field)
    except EnvelopeError:  # not ours to refuse: the provider will
        return None


def _trimmed(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
