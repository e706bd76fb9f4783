"""The header section of a message, from bytes and to bytes, each by one pattern (section 5 of RFC 9110 and 9112).

h11 stays the reference: what is read or written here, h11 reads and writes in the same way, and property tests compare
the two. It takes a fifth of h11's time. What :func:`read_fields` does not know is left to h11, never guessed.
"""

import re

from gephyr_core.http import Header, Headers

# What is allowed in a value is what h11 allows: all but NUL and line breaks of any kind.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[^\0\r\n\v\f]*"
_FIELD = re.compile(rb"^(%b):(%b)\r\n" % (_TOKEN, _VALUE), re.MULTILINE)
_SECTION = re.compile(rb"(?:%b: %b\r\n)*\r\n" % (_TOKEN, _VALUE))


def read_fields(head: bytes, start: int) -> list[Header] | None:
    """Read the fields that begin at *start*, where a line begins; *head* ends with the empty line after them.

    Names become lower case, values lose the blanks around them. None when a line is no plain field: folded, ended by
    a bare LF, or malformed.
    """
    fields = _FIELD.findall(head, start)
    # Each match is one line from its beginning to its end, so as many matches as lines leave nothing unread.
    if len(fields) != head.count(b"\n", start) - 1:
        return None
    return [(name.lower(), value.strip()) for name, value in fields]


def write_head(first_line: bytes, fields: Headers) -> bytes:
    """Return *first_line*, which is well-formed and without its end, with *fields* and the empty line after it.

    Raises ``ValueError`` when a name or a value could not be told apart from the syntax around it.
    """
    lines = [b"%b: %b\r\n" % field for field in fields]
    section = b"".join([*lines, b"\r\n"])
    # The pattern alone would take a smuggled line for one of ours; the count knows how many there are.
    if _SECTION.fullmatch(section) is None or section.count(b"\n") != len(lines) + 1:
        raise ValueError("a header has a character that does not belong there")
    return b"%b\r\n%b" % (first_line, section)


def closes(fields: Headers) -> bool:
    """Whether ``connection`` announces that the connection ends after this message (RFC 9112 section 9.6)."""
    for name, value in fields:
        if name == b"connection" and b"close" in [option.strip() for option in value.lower().split(b",")]:
            return True
    return False
