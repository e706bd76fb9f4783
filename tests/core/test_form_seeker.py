"""What the first bytes of a reply tell of its form: a table of beginnings."""

import pytest

from gephyr_core.reply_form import Form, FormSeeker

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("beginning", "form"),
    [
        (b"{", Form.OBJECT),
        (b"[", Form.ARRAY),
        (b" \t\r\n{", Form.OBJECT),
        (b"\t[", Form.ARRAY),
        (BOM + b"{", Form.OBJECT),
        (BOM + b"\ndata:", Form.EVENTS),
        (b"data:", Form.EVENTS),
        (b"data\n", Form.EVENTS),
        (b"data\r", Form.EVENTS),
        (b"event: x", Form.EVENTS),
        (b"event\r", Form.EVENTS),
        (b"id: 1", Form.EVENTS),
        (b"id\n", Form.EVENTS),
        (b"retry: 9", Form.EVENTS),
        (b": comment\ndata:", Form.EVENTS),
        (b": comment\rdata:", Form.EVENTS),
        (b":\n:\n\nid:", Form.EVENTS),
        (b": a\rb: {\n{", Form.OTHER),
        (b"database", Form.OTHER),
        (b"data ", Form.OTHER),
        (b"idle:", Form.OTHER),
        (b"dx", Form.OTHER),
        (b"<html>", Form.OTHER),
        (b"17", Form.OTHER),
        (b"\n" + BOM + b"{", Form.OTHER),
        (BOM + BOM + b"{", Form.OTHER),
        (BOM[:2] + b"{", Form.OTHER),
        (b"\xefx", Form.OTHER),
        (b"", None),
        (b" \t\r\n", None),
        (BOM, None),
        (BOM[:1], None),
        (BOM[:2], None),
        (b": {", None),
        (b"d", None),
        (b"data", None),
        (b"even", None),
        (b"i", None),
        (b"id", None),
        (b"retr", None),
    ],
)
def test_a_beginning_tells_a_form_or_nothing_yet(beginning: bytes, form: Form | None) -> None:
    """At once and byte by byte."""
    assert FormSeeker().look(beginning) is form
    seeker, found = FormSeeker(), None
    for byte in beginning:
        found = found or seeker.look(bytes([byte]))
    assert found is form


@pytest.mark.parametrize("late", [b"\n" + BOM[:1], b"\n" + BOM[:2], b"\n" + BOM, BOM + BOM[:2]])
def test_a_byte_order_mark_is_only_awaited_at_the_start(late: bytes) -> None:
    """Elsewhere its bytes are content of no known form, and nothing more is waited for."""
    assert FormSeeker().look(late) is Form.OTHER


def test_a_byte_order_mark_in_a_later_piece_is_content() -> None:
    """However the network cuts the reply, it means the same."""
    seeker = FormSeeker()
    assert seeker.look(b"\n") is None
    assert seeker.look(BOM + b"{") is Form.OTHER


@pytest.mark.parametrize(
    ("beginning", "offset", "commented"),
    [(b"{", 0, False), (b" \t{", 2, False), (BOM + b"[", 3, False), (b":c\n{", 3, True), (b"\n:c\r\n data:", 6, True)],
)
def test_where_the_body_proper_begins_is_told(beginning: bytes, offset: int, commented: bool) -> None:
    """JSON behind a comment is read from there."""
    seeker = FormSeeker()
    assert seeker.look(beginning) is not None
    assert (seeker.offset, seeker.commented) == (offset, commented)
