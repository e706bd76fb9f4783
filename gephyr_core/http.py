"""Message heads as values: header lists, origins, and the small questions asked of them.

Header names are lower-case ``bytes`` everywhere in the core (the front end's parser delivers them so);
values are ``bytes`` as they came.
"""

import re
from collections.abc import Iterable, Sequence

import attrs

Header = tuple[bytes, bytes]
Headers = Sequence[Header]
_NOT_PRINTABLE = re.compile(rb"[^ -~]")


def header(headers: Iterable[Header], name: bytes) -> bytes | None:
    """Return the first value of *name* (lower case), or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


def header_text(headers: Iterable[Header], name: bytes) -> str | None:
    """Return the first value of *name* as text (ISO 8859-1, RFC 9110 section 5.5), or None."""
    value = header(headers, name)
    return None if value is None else value.decode("latin-1")


def header_value(text: str) -> bytes:
    """Write text of any origin as a header's value: what is not printable ASCII becomes ``?``.

    A line end would begin another header (RFC 9110 section 5.5).
    """
    value = text.encode("ascii", "replace")
    return value if text.isprintable() else _NOT_PRINTABLE.sub(b"?", value)


def media_type(headers: Iterable[Header]) -> bytes:
    """Return the content type without its parameters, lower case; empty when there is none."""
    value = header(headers, b"content-type")
    return b"" if value is None else value.partition(b";")[0].strip().lower()


def without_charset(headers: Iterable[Header]) -> list[Header]:
    """Return *headers* with a content type that says nothing of a character coding, for a body that was recoded."""
    return [(name, value.partition(b";")[0].rstrip() if name == b"content-type" else value) for name, value in headers]


def content_length(headers: Iterable[Header]) -> int:
    """Return the declared length of a body, bytes; 0 where none is declared or it is unreadable.

    A number beyond any real length (20 digits, as h11 has it) counts as that length and not as a fault of ours.
    """
    value = header(headers, b"content-length")
    return int(value[:20]) if value is not None and value.isdigit() else 0


@attrs.frozen
class Origin:
    """Scheme, host and port of a server: what a connection is made to and kept for."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """Host and port as the ``Host`` header wants them: a default port is left out, IPv6 is in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


DEFAULT_PORTS = {"http": 80, "https": 443}
