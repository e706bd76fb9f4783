"""Halves of surrogate pairs, which JSON may escape (RFC 8259, section 8.2) and UTF-8 cannot hold.

Who cuts a text by UTF-16 code units (JavaScript, Java, C#) may write half a character. msgspec, which reads and writes
the gateway's JSON, refuses halves; what is here is only asked once it did.
"""

import re
from collections.abc import Callable
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# A pair or a half; or any other escape, which is passed over, since an escaped backslash may stand before a "ud83d".
_ESCAPE = re.compile(
    rb"\\(?:u[dD](?:[89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_HALF = len(rb"\ud83d")
_HALVES = re.compile("[\ud800-\udfff]")


def has_escapes(json: bytes) -> bool:
    """Whether pairs or halves may be escaped in *json*."""
    return b"\\ud" in json or b"\\uD" in json


def is_high(character: str) -> bool:
    """Whether *character* is the first half of a pair."""
    return "\ud800" <= character < "\udc00"


def is_low(character: str) -> bool:
    """Whether *character* is the second half of a pair."""
    return "\udc00" <= character <= "\udfff"


def mended(text: str) -> str:
    """Join the pairs of *text*; U+FFFD stands for halves without their other half."""
    if not _HALVES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def readable(json: bytes | str) -> bytes | None:
    """Return *json* with U+FFFD in place of escaped halves and of what is no UTF-8, so that a strict reader takes it.

    Escapes keep their length. None where neither is in it: something else is wrong.
    """
    if isinstance(json, str):
        changed = given = json.encode("utf-8", "surrogatepass")
        changed = mended(json).encode()
    else:
        changed = given = json
        try:
            json.decode()
        except UnicodeDecodeError:
            changed = json.decode("utf-8", "replace").encode()
    if has_escapes(changed):
        changed = _ESCAPE.sub(_replaced, changed)
    return None if changed == given else changed


def _replaced(found: re.Match[bytes]) -> bytes:
    escape = found.group()
    return rb"\ufffd" if len(escape) == _HALF else escape


def mended_json(value: Any, path: str, tell: Callable[[str], None]) -> Any:
    """Return a decoded JSON value with whole characters only. *tell* is called with the path of each text that changed;
    *path* is the value's own."""
    if isinstance(value, str):
        whole = mended(value)
        if whole != value:
            tell(path)
        return whole
    if isinstance(value, list):
        return [mended_json(element, f"{path}[{number}]", tell) for number, element in enumerate(value)]
    if isinstance(value, dict):
        return {
            mended(name): mended_json(member, f"{path}.{mended(name)}" if path else mended(name), tell)
            for name, member in value.items()
        }
    return value
