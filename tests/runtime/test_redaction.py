"""A secret is found in what others say, in whatever form they repeat it, and whole although it comes in pieces."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.runtime.redaction import RedactedStream, Redaction

SECRET = "sk-a/b+c=d\"e\\f&g<h>~!x.Y_z'"
secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=6, max_size=60)


def forms(secret: str) -> list[str]:
    """How writers repeat *secret*."""
    in_json = json.dumps(secret)[1:-1]
    escaped = in_json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    percent = quote(secret, safe="")
    return [
        *(secret, in_json, in_json.replace("/", "\\/"), escaped, html.escape(secret)),
        *(percent, re.sub("%..", lambda match: match[0].lower(), percent), quote(secret), quote_plus(secret)),
    ]


@pytest.mark.parametrize("escaped", ["<>&", "<>&'+\"`", "<>&'+\"`=/"], ids=["go", "dotnet", "careful"])
@pytest.mark.parametrize("form", ["\\u{:04x}", "\\u{:04X}"], ids=["lower", "upper"])
def test_a_secret_is_replaced_as_writers_of_json_for_html_escape_it(escaped: str, form: str) -> None:
    """Each escapes some characters and leaves others, which a secret may have all of."""
    secret = SECRET + "`"
    kept = {"\\": "\\\\", '"': '\\"'}
    written = "".join(form.format(ord(one)) if one in escaped else kept.get(one, one) for one in secret)
    assert json.loads(f'"{written}"') == secret
    assert Redaction([secret]).text(f"key {written}.") == "key [redacted]."


@given(secrets)
def test_a_secret_is_replaced_in_each_of_its_forms(secret: str) -> None:
    redaction = Redaction([secret])
    for form in forms(secret):
        assert redaction.text(f"key {form}.") == "key [redacted]."
        assert redaction.bytes(b"key %b." % form.encode()) == b"key [redacted]."


@given(secrets, st.binary(max_size=12), st.binary(max_size=12))
def test_nothing_of_a_secret_in_base64_can_be_decoded(secret: str, before: bytes, after: bytes) -> None:
    """At any offset, as in ``user:secret`` of a Basic credential; both alphabets."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        told = Redaction([secret]).bytes(b"<" + encode(before + secret.encode() + after) + b">")
        assert b"[redacted]" in told
        assert len(told) <= len(b"<[redacted]>") + 2 * 4 + len(base64.b64encode(before)) + len(base64.b64encode(after))


@given(st.text(max_size=80))
def test_what_holds_no_secret_stays(text: str) -> None:
    assert Redaction([SECRET]).text(text) == text
    assert Redaction([SECRET]).bytes(text.encode()) == text.encode()


@pytest.mark.parametrize("placeholder", ["", "none", "EMPTY", "error"])
def test_a_placeholder_is_a_word_and_no_secret(placeholder: str) -> None:
    """Model servers of one's own take any key; their errors must stay readable."""
    assert Redaction([placeholder]).bytes(b"none EMPTY error") == b"none EMPTY error"
    assert Redaction([placeholder]).longest == 0


@given(st.lists(st.sampled_from([*forms(SECRET), "sk-", "x", "\n\n", SECRET[:-1]]), max_size=6), st.integers(1, 50))
def test_a_secret_is_found_however_it_is_split(parts: list[str], size: int) -> None:
    said, stream, redaction = "".join(parts).encode(), b"", Redaction([SECRET])
    reader = RedactedStream(redaction)
    for start in range(0, len(said), size):
        stream += reader.feed(said[start : start + size])
    stream += reader.finish()
    assert stream == redaction.bytes(said)
