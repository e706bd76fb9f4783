"""Cross-origin requests of browsers (Fetch standard, section 3.2)."""

from collections.abc import Sequence

from gephyr_core.http import Header, Headers, header


class Cors:
    """Answers preflights and marks responses for the origins that are allowed."""

    def __init__(self, origins: Sequence[str]) -> None:
        """*origins*: as browsers send them (``https://app.example``), or ``*`` for any."""
        self._any = "*" in origins
        self._origins = tuple(origin.encode("latin-1", "replace") for origin in origins)

    def response_headers(self, headers: Headers) -> tuple[Header, ...]:
        """Return what to add to the response; nothing where the request's origin is not allowed."""
        if not self._origins:
            return ()
        origin = header(headers, b"origin")
        if origin is None or not (self._any or origin in self._origins):
            return ()
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"*"),
            (b"vary", b"origin"),
        )

    def preflight_headers(self, headers: Headers) -> tuple[Header, ...]:
        """Return the headers of the answer to an ``OPTIONS`` request."""
        allowed = self.response_headers(headers)
        if not allowed:
            return ((b"allow", b"GET, HEAD, POST, DELETE, OPTIONS"),)
        asked = header(headers, b"access-control-request-headers")
        return (
            *allowed,
            (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE, OPTIONS"),
            (b"access-control-allow-headers", asked if asked is not None else b"authorization, content-type"),
            (b"access-control-max-age", b"600"),
        )
