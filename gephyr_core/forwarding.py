"""Which headers travel on. Everything does, but what is listed here: a new provider header works on its first day."""

from gephyr_core import __version__
from gephyr_core.http import Header, Headers, header
from gephyr_core.routing.sessions import SESSION_HEADERS

_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)  # RFC 9110 section 7.6.1

# Session headers tell Gephyr which requests belong together. A provider that wants to know has a field for it in the
# body (prompt_cache_key, metadata.user_id), which is forwarded.
_NOT_TO_PROVIDERS = _HOP_BY_HOP.union(SESSION_HEADERS) | {
    b"host",
    b"content-length",
    b"authorization",
    b"proxy-authorization",
    b"x-api-key",
    b"x-goog-api-key",
    b"api-key",
    b"cookie",
    b"forwarded",
    b"x-real-ip",
    b"origin",
    b"referer",
    b"expect",
    b"accept-encoding",
    b"content-encoding",
    b"user-agent",
    b"openai-organization",
    b"openai-project",
    b"x-goog-user-project",
    # Some servers take another method or path from these than the request line says.
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"x-original-url",
    b"x-rewrite-url",
}
_NOT_TO_PROVIDERS_PREFIXES = (
    b"x-forwarded-",
    b"cf-",
    b"sec-",
    b"x-gephyr-",
    b"x-claude-code-",
    b"access-control-",
)

_NOT_TO_CLIENTS = _HOP_BY_HOP | {
    b"content-length",
    b"content-encoding",
    b"set-cookie",
    b"alt-svc",
    b"strict-transport-security",
    b"server",
    b"date",
    b"proxy-authenticate",
    b"www-authenticate",
    b"openai-organization",
    b"openai-project",
    b"anthropic-organization-id",
}
_NOT_TO_CLIENTS_PREFIXES = (b"access-control-", b"x-gephyr-")

_SIGNATURE = f"gephyr/{__version__}".encode()


def to_provider(headers: Headers, *, accept_encoding: bytes) -> list[Header]:
    """Return a client's headers as they go to a provider, ``user-agent`` and ``accept-encoding`` added."""
    named = _named_by_connection(headers)
    forwarded = [
        pair
        for pair in headers
        if pair[0] not in _NOT_TO_PROVIDERS
        and not pair[0].startswith(_NOT_TO_PROVIDERS_PREFIXES)
        and pair[0] not in named
    ]
    agent = header(headers, b"user-agent")
    forwarded.append((b"user-agent", _SIGNATURE if agent is None else agent + b" " + _SIGNATURE))
    forwarded.append((b"accept-encoding", accept_encoding))
    return forwarded


def to_client(headers: Headers) -> list[Header]:
    """Return a provider's response headers as they go to the client; framing is added by the caller."""
    named = _named_by_connection(headers)
    return [
        pair
        for pair in headers
        if pair[0] not in _NOT_TO_CLIENTS and not pair[0].startswith(_NOT_TO_CLIENTS_PREFIXES) and pair[0] not in named
    ]


_TRANSLATED_TYPES = {
    (False, False): b"application/json",
    (True, False): b"text/event-stream; charset=utf-8",
    (True, True): b"application/json; charset=UTF-8",
}


def translated_to_client(headers: Headers, *, dialect: str, stream: bool, array: bool) -> list[Header]:
    """Return the head of a reply that was translated for a client of *dialect*. Of the provider's headers only the
    request's id means anything there, under the name that the client's SDK looks for."""
    kept = [(b"content-type", _TRANSLATED_TYPES[stream, array])]
    if stream:
        kept.append((b"cache-control", b"no-cache"))
    upstream_id = header(headers, b"request-id") or header(headers, b"x-request-id")
    if upstream_id is not None:
        kept.append((b"request-id" if dialect == "anthropic" else b"x-request-id", upstream_id))
    return kept


def _named_by_connection(headers: Headers) -> tuple[bytes, ...]:
    """The header names that ``connection`` headers declare to be for this hop only."""
    values = [value for name, value in headers if name == b"connection"]
    return tuple([name.strip().lower() for name in b",".join(values).split(b",")]) if values else ()
