"""What an ASGI connection scope says about a request, in the core's terms."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

from gephyr_core.http import Header

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")  # a fragment does not travel
_IN_A_PATH = "/:@!$&'()*+,;="  # RFC 3986, section 3.3, beyond the unreserved characters
_UPGRADE = (b"upgrade", b"websocket")


def target_of(scope: Scope) -> str:
    """Return path and query as the client sent them, below the path that the application is mounted at.

    The path is the raw one, because decoding cannot be undone (a model's name may have a slash in it); it is encoded
    again where the host does not tell it. Bytes that a target may not have are percent-encoded.
    """
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"], safe=_IN_A_PATH) if raw is None else _printable(raw.partition(b"?")[0])
    path = _below(scope.get("root_path", ""), path)
    query: bytes = scope.get("query_string", b"")
    return f"{path}?{_printable(query)}" if query else path


def _printable(raw: bytes) -> str:
    return quote(raw, safe=_PRINTABLE)


def _below(root: str, path: str) -> str:
    """Take the mount's path off. Hosts differ in whether the path has it; it is taken off where it is there."""
    roots = root.rstrip("/").split("/")
    parts = path.split("/")
    if [unquote(part) for part in parts[: len(roots)]] != roots:
        return path
    return "/" + "/".join(parts[len(roots) :])


def headers_of(scope: Scope) -> list[Header]:
    """Return the request's headers. Names are made lower-case whatever the host did: credentials go by them."""
    return [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]


def handshake_headers(scope: Scope) -> list[Header]:
    """Return the headers of a WebSocket handshake; over HTTP/2 it has no ``upgrade`` (RFC 8441), so one is added."""
    headers = headers_of(scope)
    return headers if any(name == b"upgrade" for name, _ in headers) else [*headers, _UPGRADE]


def scheme_of(scope: Scope) -> str:
    """Return ``http`` or ``https``, for a WebSocket's handshake too."""
    return "https" if scope.get("scheme") in {"https", "wss"} else "http"


def peer_of(scope: Scope) -> str:
    """Return the peer's address; empty for a local socket, or where the host does not tell."""
    client = scope.get("client")
    return client[0] if client else ""
