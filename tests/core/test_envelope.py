"""The envelope: every body is either read or refused in words, and what is not ours keeps its bytes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import broken_bodies, json_objects, json_values, written

from gephyr_core.envelope import OWNED_FIELDS, Envelope, EnvelopeError, read_envelope


def with_escape(name: str, digits: str) -> str:
    """A field's name with one letter escaped, as JSON allows."""
    return name.replace("m", f"\\u{ord('m'):{digits}}").replace("t", f"\\u{ord('t'):{digits}}")


@given(broken_bodies)
def test_any_bytes_give_an_envelope_or_an_envelope_error(body: bytes) -> None:
    """A client's bytes are data: nothing else may come out, from the body or from any of its values."""
    try:
        envelope = read_envelope(body)
        for name in envelope.fields:
            envelope.value(name)
    except EnvelopeError:
        return
    assert read_envelope(envelope.with_model("other")).text("model") == "other"


@given(json_objects.flatmap(lambda value: st.tuples(st.just(value), written(value))))
def test_every_object_is_read_as_it_was_written(sample: tuple[dict[str, Any], bytes]) -> None:
    value, body = sample
    envelope = read_envelope(body)
    assert envelope.body is body
    assert {name: envelope.value(name) for name in envelope.fields} == value


@given(json_objects, json_values, st.text(), st.data())
def test_a_new_model_leaves_every_other_value_its_bytes(
    value: dict[str, Any], old: object, new: str, draw: st.DataObject
) -> None:
    """``1.0`` stays ``1.0`` and an escape stays an escape: providers cache and sign what they are sent."""
    envelope = read_envelope(draw.draw(written(value | {"model": old})))
    changed = read_envelope(envelope.with_model(new))
    assert changed.value("model") == new
    assert list(changed.fields) == list(envelope.fields)
    for name, raw in envelope.fields.items():
        if name != "model":
            assert bytes(changed.fields[name]) == bytes(raw)


def test_a_new_model_keeps_spelling_inside_values() -> None:
    body = (
        b'{ "model" : "a", "n": 1.0, "big": 10000000000000000000000000, "s": "\\u00e9\\/",\n "o": {"b" : 1, "b": 2} }'
    )
    changed = read_envelope(body).with_model("b")
    assert changed == (b'{"model":"b","n":1.0,"big":10000000000000000000000000,"s":"\\u00e9\\/","o":{"b" : 1, "b": 2}}')


@pytest.mark.parametrize("name", OWNED_FIELDS)
def test_a_field_of_ours_that_stands_twice_is_refused(name: str) -> None:
    """Gephyr and the provider might each believe another one, so what is routed would not be what is served."""
    with pytest.raises(EnvelopeError, match="twice") as caught:
        read_envelope(f'{{"{name}":"a","x":1,"{name}":"b"}}'.encode())
    assert caught.value.param == name


@pytest.mark.parametrize("name", OWNED_FIELDS)
@pytest.mark.parametrize("digits", ["04x", "04X"])
def test_an_escaped_spelling_hides_no_second_field(name: str, digits: str) -> None:
    escaped = with_escape(name, digits)
    assert escaped != name
    for body in (f'{{"{name}":"a","{escaped}":"b"}}', f'{{"{escaped}":"a","{escaped}":"b"}}'):
        with pytest.raises(EnvelopeError, match="twice"):
            read_envelope(body.encode())


def test_a_field_of_ours_written_with_escapes_is_read() -> None:
    assert read_envelope(b'{"mod\\u0065l":"a"}').text("model") == "a"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","tools":[{"model":"b"},{"model":"c"}]}',
        b'{"model":"a","text":"\\"model\\" \\"model\\""}',
        b'{"model":"a","x":{"stream":1,"stream":2}}',
        b'{"x":1,"x":2,"model":"a"}',
        b'{"model":"a","x":{"model":' + b"9" * 5000 + b"}}",
        b'{"model":"a","x":{"model":1e999}}',
    ],
)
def test_what_is_not_ours_may_stand_as_often_as_it_likes(body: bytes) -> None:
    """Only the top level is Gephyr's, and of it only its own fields."""
    assert read_envelope(body).text("model") == "a"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1}x', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":-Infinity}', "not valid JSON"),
        (b'{"a":"\x01"}', "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a":"\xff"}', r"not valid UTF-8 \(byte 6\)"),
        (b'{"a":{"b":"\xed\xa0\x80"}}', "not valid UTF-8"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"model":1,"a":{"model":1},"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_body_that_is_no_object_is_refused_in_words(body: bytes, message: str) -> None:
    with pytest.raises(EnvelopeError, match=message):
        read_envelope(body)


def test_a_value_that_cannot_be_read_is_named() -> None:
    """Numbers beyond what JSON readers hold are the field's fault, and only when the field is asked for."""
    envelope = read_envelope(b'{"big":' + b"9" * 5000 + b',"model":"m"}')
    with pytest.raises(EnvelopeError, match=r"\Abig: ") as caught:
        envelope.value("big")
    assert caught.value.param == "big"


def test_text_is_only_what_is_a_string() -> None:
    envelope = Envelope({"a": msgspec.Raw(b'"x"'), "b": msgspec.Raw(b"1"), "c": msgspec.Raw(b"null")}, b"")
    assert [envelope.text(name) for name in "abcd"] == ["x", None, None, None]
    assert envelope.value("d") is None
