"""Header sections: written so that h11 reads back the same fields, or not at all."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.fields import closes, read_fields, write_head

NAMES = st.one_of(st.sampled_from([b"x-a", b"content-type", b"", b"x a", b"x:", b"\xe4"]), st.binary(max_size=6))
VALUES = st.one_of(
    st.sampled_from([b"", b"a b", b" a ", b"\t", b"b\r\nx-c: d", b"b\nc", b"b\rc", b"b\0c", b"b\r\n c", b"\x80\xff"]),
    st.binary(max_size=12),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_what_is_written_is_read_back_by_h11_and_by_us(fields: list[tuple[bytes, bytes]]) -> None:
    """Field by field; what could be read in another way is refused."""
    line = b"HTTP/1.1 200 OK"
    try:
        head = write_head(line, fields)
    except ValueError:
        with pytest.raises(h11.LocalProtocolError):  # h11 refuses it as well
            h11.Response(status_code=200, headers=fields)
        return
    expected = [(name.lower(), value.strip(b" \t")) for name, value in fields]
    assert read_fields(head, len(line) + 2) == expected
    if not any(name in {b"content-length", b"transfer-encoding"} for name, _ in expected):
        client = h11.Connection(h11.CLIENT)
        client.receive_data(head)
        response = client.next_event()
        assert isinstance(response, h11.Response)
        assert list(response.headers) == expected


@pytest.mark.parametrize(
    "section",
    [b"a: b\nc: d\r\n\r\n", b"a: b\r\n c\r\n\r\n", b"a : b\r\n\r\n", b"a\r\n\r\n", b": b\r\n\r\n", b"a: b\rc\r\n\r\n"],
)
def test_a_line_that_is_no_plain_field_is_left_to_others(section: bytes) -> None:
    assert read_fields(section, 0) is None


def test_close_is_an_option_among_others() -> None:
    assert closes([(b"connection", b"keep-alive, Close")])
    assert closes([(b"connection", b"x"), (b"connection", b"close")])
    assert not closes([(b"connection", b"closed"), (b"x-connection", b"close")])
