"""Whose client asks: told by the path, else by what only one vendor's clients send.

Three vendors have their API below ``/v1/``, and share names there: all of them ``models``, ``files`` and ``agents``,
OpenAI and Google ``batches`` and ``decisions``, OpenAI and Anthropic ``skills`` and ``vaults``, Anthropic and Google
``environments``. On such a path every answer of Gephyr's own, and the list of models, is in the client's dialect.
"""

from collections.abc import Mapping, Sequence

from gephyr_core.http import Headers, header

CHAT, RESPONSES, ANTHROPIC, GEMINI = "openai-chat", "openai-responses", "anthropic", "gemini"

_OWN: Mapping[str, str] = {
    **dict.fromkeys(("chat", "completions", "embeddings", "moderations"), CHAT),
    **dict.fromkeys(("responses", "conversations"), RESPONSES),
    **dict.fromkeys(
        ("messages", "sessions", "memory_stores", "deployments", "dreams", "tunnels", "user_profiles", "organizations"),
        ANTHROPIC,
    ),
    **dict.fromkeys(
        ("cachedContents", "corpora", "fileSearchStores", "interactions", "operations", "tunedModels", "auth_tokens"),
        GEMINI,
    ),
}
"""What one vendor alone has below ``/v1/``."""
_GOOGLES = ("/v1beta", "/v1alpha", "/upload/", "/ws/google.")
_VERSION = "/v1/"

_TELLING = (
    (b"anthropic-version", ANTHROPIC),  # which Anthropic demands of every request
    (b"x-goog-api-client", GEMINI),
)
"""Headers that only one vendor's clients send, the surest first."""
_GOOGLES_KEYS = ("x-goog-api-key", "key")
"""A header and a parameter in which only Google's clients send their key."""


def owner_of(path: str) -> str | None:
    """Return the dialect of the vendor that alone has *path*; None where several have it, or nobody."""
    if path.startswith("//"):
        path = "/" + path.lstrip("/")  # a base URL with a slash too many
    if path.startswith(_GOOGLES):
        return GEMINI
    if path.startswith(_VERSION):
        return _OWN.get(path.removeprefix(_VERSION).partition("/")[0])
    return None


def dialect_told(headers: Headers, key_names: Sequence[str]) -> str | None:
    """Return the dialect of the client that sends *headers*; None where they do not tell.

    *key_names*: in which headers and parameters its keys were. A browser that asks before it sends (Fetch standard,
    section 3.3.2, "CORS-preflight request") tells the names of headers only.
    """
    asked = header(headers, b"access-control-request-headers")
    announced = () if asked is None else tuple(name.strip().lower() for name in asked.split(b","))
    for name, dialect in _TELLING:
        if name in announced or header(headers, name) is not None:
            return dialect
    if any(name in key_names or name.encode() in announced for name in _GOOGLES_KEYS):
        return GEMINI
    return None


def dialect_of_client(path: str, headers: Headers, key_names: Sequence[str]) -> str:
    """Return the dialect in which a client best understands an answer about *path*, which Gephyr does not serve."""
    return owner_of(path) or dialect_told(headers, key_names) or CHAT
