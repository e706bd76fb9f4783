"""Taking secrets out of what others say: providers repeat credentials in errors, as they came or in some encoding."""

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_SHORTEST = 6
"""Characters. A shorter secret is a placeholder (``none``, ``EMPTY``) and may be a word, so it is not looked for."""
_REMEMBERED = 256
"""Secrets whose encoded forms are kept."""


class Redaction:
    """Replaces certain secrets, in each form that they are known to come back in."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Secrets of less than six characters are left alone: they are placeholders."""
        forms = {form: None for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    @property
    def longest(self) -> int:
        """Bytes of the longest form; 0 where there is nothing to look for."""
        return len(self._forms[0]) if self._forms else 0

    def bytes(self, data: bytes) -> bytes:
        """Return *data* with ``[redacted]`` where a secret stood."""
        for form in self._forms:
            data = data.replace(form, b"[redacted]")
        return data

    def text(self, text: str) -> str:
        """Return *text* with ``[redacted]`` where a secret stood."""
        for form in self._forms:
            text = text.replace(form.decode("ascii"), REDACTED)
        return text


class RedactedStream:
    """The same for bytes that come in pieces: a secret may come in two."""

    __slots__ = ("_held", "_redaction")

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be said by now: all but the last bytes, with which a secret may begin."""
        data = self._redaction.bytes(self._held + data)
        kept = max(0, len(data) - max(0, self._redaction.longest - 1))
        self._held = data[kept:]
        return data[:kept]

    def finish(self) -> bytes:
        """Return the rest."""
        held, self._held = self._held, b""
        return held


@lru_cache(maxsize=_REMEMBERED)
def _forms(secret: str) -> tuple[bytes, ...]:
    """The forms of a secret: plain, in JSON as various writers escape it, percent-encoded, in HTML, in base64."""
    in_json = json.dumps(secret)[1:-1]
    texts = [secret, in_json, in_json.replace("/", "\\/"), html.escape(secret)]
    texts += [_escaped(secret, pattern, upper=upper) for pattern in _ESCAPED for upper in (False, True)]
    quoted = [quote(secret, safe=""), quote(secret), quote_plus(secret)]
    texts += quoted + [re.sub("%..", lambda match: match[0].lower(), text) for text in quoted]
    forms = dict.fromkeys(text.encode("ascii", "backslashreplace") for text in texts)
    return (*forms, *_in_base64(secret.encode()))


_ESCAPED = (r"[<>&]", r"[<>&'+\"`]", r"[<>&'+\"`=/]")
"""Characters that writers of JSON for HTML escape as ``\\u0026``: Go's, .NET's, and more careful ones."""


def _escaped(secret: str, pattern: str, *, upper: bool) -> str:
    form = "\\u{:04X}" if upper else "\\u{:04x}"
    escaped = re.sub(pattern, lambda match: form.format(ord(match[0])), secret.replace("\\", "\\\\"))
    return escaped.replace('"', '\\"')


def _in_base64(secret: bytes) -> Iterable[bytes]:
    """What of a secret's base64 is the same whatever stands before and behind it, at each of three offsets."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret)
        whole = encoded[-(-8 * offset // 6) : 8 * (offset + len(secret)) // 6]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")
        yield whole.replace(b"/", b"\\/")
