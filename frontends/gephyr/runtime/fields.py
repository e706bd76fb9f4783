"""The header section of a message, from bytes and to bytes, each by one pattern (section 5 of RFC 9110 and 9112).

h11 stays the reference: what is read or written here, h11 reads and writes in the same way, and property tests compare
the two. It takes a fifth of h11's time. What :func:`read_fields` does not know is left to h11, never guessed.
"""

import re

from gephyr_core.http import Header, Headers

# What is allowed in a provider's value, and in one of ours, is what h11 allows: all but NUL and line breaks.
# A client's has no control characters but the tab (RFC 9110, section 5.5): other readers see it after us.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[^\0\r\n\v\f]*"
_FIELD = re.compile(rb"^(%b):(%b)\r\n" % (_TOKEN, _VALUE), re.MULTILINE)
_STRICT_VALUE = rb"[^\0-\x08\n-\x1f\x7f]*"
_STRICT_FIELD = re.compile(rb"^(%b):(%b)\r\n" % (_TOKEN, _STRICT_VALUE), re.MULTILINE)
_ONE_FIELD = re.compile(rb"%b:%b" % (_TOKEN, _STRICT_VALUE))
_CONTROLS = re.compile(rb"[\0-\x08\n-\x1f\x7f]")
_SECTION = re.compile(rb"(?:%b: %b\r\n)*\r\n" % (_TOKEN, _VALUE))


def read_fields(head: bytes, start: int, *, strict: bool = False) -> list[Header] | None:
    """Read the fields that begin at *start*, where a line begins; *head* ends with the empty line after them.

    Names become lower case, values lose the blanks around them. None when a line is no plain field: folded, ended by
    a bare LF, or malformed; *strict* ones have no control characters either.
    """
    fields = (_STRICT_FIELD if strict else _FIELD).findall(head, start)
    # Each match is one line from its beginning to its end, so as many matches as lines leave nothing unread.
    if len(fields) != head.count(b"\n", start) - 1:
        return None
    return [(name.lower(), value.strip()) for name, value in fields]


def is_field(line: bytes) -> bool:
    """Whether *line*, without its end, is a field without control characters."""
    return _ONE_FIELD.fullmatch(line) is not None


def has_controls(fields: Headers) -> bool:
    """Whether a value has a control character."""
    return _CONTROLS.search(b" ".join([value for _, value in fields])) is not None


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
