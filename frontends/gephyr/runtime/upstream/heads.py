"""Request heads as bytes, written and checked directly: a third of what ``h11.Request`` costs."""

import re

from gephyr.runtime.fields import write_head
from gephyr_core.commands import CallUpstream
from gephyr_core.http import Headers

_LINE = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.1")  # RFC 9112 section 3
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})


def request_head(command: CallUpstream, credentials: Headers) -> bytes:
    """Return the request line and the header section, the empty line included.

    ``host`` comes first, then the command's headers in their order, the *credentials*, and ``content-length``
    where there is a body or the method defines one (RFC 9110 section 8.6). Raises ValueError when a part could not
    be told apart from the syntax around it, a line end above all.
    """
    body = command.body
    line = f"{command.method} {command.target} HTTP/1.1".encode()
    if _LINE.fullmatch(line) is None:
        raise ValueError("the request line has a character that does not belong there")
    fields = [(b"host", command.origin.netloc.encode()), *command.headers, *credentials]
    if body or command.method in _WITH_LENGTH:
        fields.append((b"content-length", b"%d" % len(body)))
    return write_head(line, fields)
