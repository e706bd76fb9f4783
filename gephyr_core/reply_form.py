"""What form the body of a reply has, told by its first bytes: providers put event streams under ``application/json``,
and whole replies under ``text/event-stream``.
"""

import enum

import attrs


class Form(enum.Enum):
    """How a body begins."""

    OBJECT = "object"
    """A JSON object."""
    ARRAY = "array"
    """A JSON array: Gemini's other form of a stream."""
    EVENTS = "events"
    """Server-sent events."""
    OTHER = "other"
    """Neither: a page, a number, half of nothing."""


_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_FIELDS = (b"data", b"event", b"id", b"retry")
"""Of an event (WHATWG HTML, section 9.2.6); a line is a field's name, or that and a colon."""
_AFTER_FIELD = (b":", b"\r", b"\n")
_JSON = {b"{": Form.OBJECT, b"[": Form.ARRAY}


@attrs.define
class FormSeeker:
    """Looks at a body until its form is known. White space and comments, by which servers show life, may come first.

    Each byte is looked at once, and at most a field's name is kept.
    """

    offset: int = attrs.field(default=0, init=False)
    """Where the first byte stands that is neither white space nor a comment, once the form is known."""
    commented: bool = attrs.field(default=False, init=False)
    """Comments came before it, which no JSON has."""
    _kept: bytes = attrs.field(default=b"", init=False)
    _in_comment: bool = attrs.field(default=False, init=False)
    _begun: bool = attrs.field(default=False, init=False)
    """A byte order mark is no longer expected."""

    def look(self, data: bytes) -> Form | None:
        """Look at more of the body; None while its form cannot be told."""
        data, self._kept = self._kept + data, b""
        while True:
            left = self._skipped(data)
            self.offset += len(data) - len(left)
            data = left
            if not data:
                return None
            if data[:1] != b":":
                break
            self.commented = self._in_comment = True
        if not self._begun and len(data) < len(_BOM) and _BOM.startswith(data):
            self._kept = data
            return None
        form = _form(data)
        if form is None:
            self._kept = data
        return form

    def _skipped(self, data: bytes) -> bytes:
        """Leave out what is left of a comment, then white space and a byte order mark at the very start."""
        if self._in_comment:
            ends = [end for end in (data.find(b"\n"), data.find(b"\r")) if end >= 0]
            if not ends:
                return b""
            self._in_comment = False
            data = data[min(ends) :]
        if not self._begun and data.startswith(_BOM):
            data = data.removeprefix(_BOM)
            self._begun = True
        left = data.lstrip(_BLANK)
        self._begun = self._begun or len(left) < len(data)
        return left


def _form(data: bytes) -> Form | None:
    """The form of a body that begins with *data*, which is not empty; None where more has to come."""
    known = _JSON.get(data[:1])
    if known is not None:
        return known
    for name in _FIELDS:
        if data.startswith(name):
            return None if data == name else Form.EVENTS if data[len(name) :].startswith(_AFTER_FIELD) else Form.OTHER
        if name.startswith(data):
            return None
    return Form.OTHER
