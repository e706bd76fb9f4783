"""Request heads as bytes. Written directly, and checked by one pattern: a third of what ``h11.Request`` costs."""

import re

from gephyr_core.commands import CallUpstream
from gephyr_core.http import Headers

# RFC 9112 section 3 and RFC 9110 section 5. What is allowed in a value is what h11 allows, controls but NUL, CR, LF.
_HEAD = re.compile(
    rb"[A-Z]+ [!-~]+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\0\r\n]*\r\n)+"
    rb"\r\n"
)
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})


def request_head(command: CallUpstream, credentials: Headers) -> bytes:
    """Return the request line and the header section, the empty line included.

    ``host`` comes first, then the command's headers in their order, the *credentials*, and ``content-length``
    where there is a body or the method defines one (RFC 9110 section 8.6). Raises ValueError when a part could not
    be told apart from the syntax around it, a line end above all.
    """
    body = command.body
    host = command.origin.netloc
    lines = [f"{command.method} {command.target} HTTP/1.1\r\nhost: {host}".encode()]
    lines += [name + b": " + value for name, value in command.headers]
    lines += [name + b": " + value for name, value in credentials]
    if body or command.method in _WITH_LENGTH:
        lines.append(b"content-length: %d" % len(body))
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    # The pattern alone would take a smuggled line for one of ours; the count knows how many there are.
    if _HEAD.fullmatch(head) is None or head.count(b"\n") != len(lines) + 2:
        raise ValueError("the request head has a character that does not belong there")
    return head
