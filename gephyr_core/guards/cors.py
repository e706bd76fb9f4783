"""Cross-origin requests of browsers (Fetch standard, section 3.3).

Each header stands in a response once: browsers refuse two of ``access-control-allow-origin``, be they equal.
"""

import re
from collections.abc import Sequence

from gephyr_core.http import Header, Headers, header

_METHODS = b"GET, HEAD, POST, DELETE, OPTIONS"
_USUAL_HEADERS = (
    b"authorization, content-type, accept, x-api-key, api-key, x-goog-api-key, x-goog-api-client, anthropic-version,"
    b" anthropic-beta, anthropic-dangerous-direct-browser-access, openai-organization, openai-project, openai-beta,"
    b" idempotency-key, x-stainless-arch, x-stainless-lang, x-stainless-os, x-stainless-package-version,"
    b" x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout"
)
"""What the official SDKs send from a page, for a preflight that does not say what it wants."""
_NAMES = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]+")
"""Header names (RFC 9110, section 5.6.2), separated by commas."""


class Cors:
    """Answers preflights and marks responses for the origins that are allowed."""

    def __init__(self, origins: Sequence[str] = ()) -> None:
        """*origins*: as browsers send them (``https://app.example``), or ``*`` for any."""
        self._any = "*" in origins
        self._origins = tuple(origin.encode("latin-1", "replace") for origin in origins)

    def response_headers(self, headers: Headers) -> tuple[Header, ...]:
        """Return what to add to every response, a preflight's too.

        Where pages may call at all, caches are told that a response depends on who asked, whoever did.
        """
        if not self._origins:
            return ()
        origin = self._allowed(headers)
        if origin is None:
            return ((b"vary", b"origin"),)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"*"),  # but for ``authorization`` it means all of them
            (b"vary", b"origin"),
        )

    def preflight_headers(self, headers: Headers) -> tuple[Header, ...]:
        """Return what else the answer to an ``OPTIONS`` request says."""
        if self._allowed(headers) is None:
            return ((b"allow", _METHODS),)
        asked = header(headers, b"access-control-request-headers")
        granted = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", asked if asked and _NAMES.fullmatch(asked) else _USUAL_HEADERS),
            (b"access-control-max-age", b"600"),
        ]
        if header(headers, b"access-control-request-private-network") == b"true":
            # A page of a public address asks for leave to reach a private one; the operator named the page.
            granted.append((b"access-control-allow-private-network", b"true"))
        return tuple(granted)

    def _allowed(self, headers: Headers) -> bytes | None:
        """The request's origin, if its pages may call."""
        origin = header(headers, b"origin")
        return origin if origin is not None and (self._any or origin in self._origins) else None
